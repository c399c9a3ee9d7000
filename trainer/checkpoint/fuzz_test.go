package checkpoint

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"sweep/trainer"
	"sweep/trainer/model"
)

func tiny() (model.Config, []trainer.Tensor) {
	c := model.Config{
		Channels: 1, Height: 3, Width: 2, Depth: 1, Filters: []int{1}, Kernel: 1, Upsample: "k2", Latent: 1,
		Activation: "leaky_relu", OutputActivation: "tanh", Loss: "mse",
	}
	var weights []trainer.Tensor
	for _, w := range c.Weights() {
		n, _ := elements(w.Shape)
		weights = append(weights, trainer.Tensor{Name: w.Name, Shape: w.Shape, Data: make([]float32, n)})
	}
	return c, weights
}

// FuzzDecode gives every input the checksum it needs, so that the fuzzer gets past it to the parts behind. Whatever is
// accepted is written again as it was.
func FuzzDecode(f *testing.F) {
	c, weights := tiny()
	st, err := encode(&trainer.State{Epoch: 1, Step: 2, Weights: weights, M: weights, Stop: trainer.StopState{Metrics: map[string]float64{"a": 1}}}, c)
	if err != nil {
		f.Fatal(err)
	}
	m, err := encodeModel(c, weights)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(st)
	f.Add(m)
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		b = bytes.Clone(b)
		if len(b) >= 8+len(sumAt)+sumDigits {
			sum := checksum(b)
			copy(b[8+len(sumAt):], sum[:])
		}
		if meta, tensors, err := unpack(b); err == nil {
			again, err := pack(meta, tensors)
			if err != nil || !bytes.Equal(again, b) {
				t.Fatalf("what was accepted is written otherwise: %v", err)
			}
		}
		if st, err := decode(b); err == nil && st == nil {
			t.Fatal("neither a state nor an error")
		}
		if c, w, err := decodeModel(b); err == nil {
			again, err := encodeModel(c, w)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := decodeModel(again); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzReadONNX: no bytes make the reader panic, and a model that it accepts can be run when it is small.
func FuzzReadONNX(f *testing.F) {
	c, weights := tiny()
	for _, output := range []string{"tanh", "none", "sigmoid"} {
		for _, activation := range []string{"relu", "leaky_relu", "tanh", "sigmoid"} {
			c.OutputActivation, c.Activation = output, activation
			g, err := network(c, weights, wholePart)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(writeONNX(g))
		}
	}
	for _, variant := range branches {
		g, err := network(branching(variant))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(writeONNX(g))
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ReadONNX(b)
		if err != nil {
			return
		}
		total := 0
		for _, n := range m.sizes {
			total += n
		}
		if total > 1<<16 {
			return
		}
		out, err := m.Run(t.Context(), make([]float32, 2*m.sizes[0]))
		if err != nil || len(out) != 2*m.sizes[len(m.sizes)-1] {
			t.Fatalf("%d values and %v", len(out), err)
		}
	})
}

// A small file can name many large values. A run holds two of them, whatever it is asked for.
func TestLongChainTakesLittleMemory(t *testing.T) {
	long := func(n, side int) []byte {
		shape := []int{1, side, side}
		g := graph{name: "long", input: value{"v0", shape}, output: value{fmt.Sprint("v", n), shape}}
		for i := range n {
			g.nodes = append(g.nodes, node{
				op: "Relu", name: fmt.Sprint("relu", i), inputs: []string{fmt.Sprint("v", i)}, output: []string{fmt.Sprint("v", i+1)},
			})
		}
		return writeONNX(g)
	}
	b := long(500, 1<<9) // 1 MiB each
	if len(b) > 1<<15 {
		t.Fatalf("the file has %d bytes", len(b))
	}
	m, err := ReadONNX(b)
	if err != nil {
		t.Fatal(err)
	}
	image := make([]float32, 1<<18)
	image[7] = 3
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	out, err := m.Run(t.Context(), image)
	runtime.ReadMemStats(&after)
	if err != nil || out[7] != 3 {
		t.Fatalf("value 7 is %v, %v", out[7], err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 4<<20 { // two values, and the result
		t.Errorf("500 values of 1 MiB in a row took %d MiB", took>>20)
	}
	// Time has a bound of its own.
	if _, err := ReadONNX(long(1100, 1<<12)); err == nil || !strings.Contains(err.Error(), "multiplications") {
		t.Errorf("1100 values of 64 MiB are read with %v", err)
	}
}

// Pads make the copy that a convolution reads from larger than what it reads or writes.
func TestWidePads(t *testing.T) {
	const channels = 64
	read := func(pad int64) error {
		side := 1 + 2*int(pad)
		_, err := ReadONNX(writeONNX(graph{
			name: "wide", input: value{"x", []int{channels, 1, 1}}, output: value{"y", []int{1, side, side}},
			nodes:  []node{{"Conv", "c", []string{"x", "w", "b"}, []string{"y"}, []attr{ints("pads", pad, pad, pad, pad)}}},
			arrays: []array{{"w", []int{1, channels, 1, 1}, make([]float32, channels), nil}, {"b", []int{1}, []float32{1}, nil}},
		}))
		return err
	}
	if err := read(10); err != nil {
		t.Error(err)
	}
	if err := read(1000); err == nil || !strings.Contains(err.Error(), "pads") { // 4 million values from 256 million
		t.Errorf("got %v", err)
	}
}

// TestReadONNXRefuses changes a good graph in ways that would make it compute something else, or nothing.
func TestReadONNXRefuses(t *testing.T) {
	c, weights := tiny()
	for name, change := range map[string]func(g *graph){
		"unknown operator":   func(g *graph) { g.nodes[1].op = "Softmax" },
		"unknown attribute":  func(g *graph) { g.nodes[0].attrs = []attr{{name: "mode", kind: attrInt, i: 1}} },
		"dilation":           func(g *graph) { g.nodes[1].attrs = append(g.nodes[1].attrs, ints("dilations", 2, 2)) },
		"stride":             func(g *graph) { g.nodes[1].attrs[2].ints = []int64{2, 2} },
		"twice an attribute": func(g *graph) { g.nodes[1].attrs = append(g.nodes[1].attrs, g.nodes[1].attrs[0]) },
		"kernel shape":       func(g *graph) { g.nodes[1].attrs[0].ints = []int64{3, 3} },
		"weight's shape":     func(g *graph) { g.arrays[1].shape = []int{1, 1, 1} },
		"missing array":      func(g *graph) { g.arrays = g.arrays[1:] },
		"twice an array":     func(g *graph) { g.arrays = append(g.arrays, g.arrays[0]) },
		"missing input":      func(g *graph) { g.nodes[0].inputs[0] = "nothing" },
		"wrong output":       func(g *graph) { g.output.shape = []int{1, 4, 2} },
		"no output":          func(g *graph) { g.output.name = "nothing" },
		"a branch":           func(g *graph) { g.nodes[2].inputs[0] = "input" },
		"output in between":  func(g *graph) { g.output = value{g.nodes[0].output[0], []int{1, 4, 2}} },
		"other order":        func(g *graph) { g.nodes[0], g.nodes[1] = g.nodes[1], g.nodes[0] },
		"two results":        func(g *graph) { g.nodes[0].output = []string{"a", "b"} },
		"same name":          func(g *graph) { g.nodes[1].output = []string{"input"} },
		"pads of channels":   func(g *graph) { g.arrays[0].ints[1] = 1 },
		"negative pads":      func(g *graph) { g.arrays[0].ints[7] = -1 },
		"huge pads":          func(g *graph) { g.arrays[0].ints[7] = 1 << 62 },
		"values missing":     func(g *graph) { g.arrays[1].floats = g.arrays[1].floats[:0] },
		"huge input":         func(g *graph) { g.input.shape = []int{1 << 20, 1 << 20, 1 << 20} },
	} {
		t.Run(name, func(t *testing.T) {
			g, err := network(c, weights, wholePart)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ReadONNX(writeONNX(g)); err != nil {
				t.Fatalf("before the change: %v", err)
			}
			change(&g)
			if _, err := ReadONNX(writeONNX(g)); err == nil {
				t.Error("no error")
			}
		})
	}
}
