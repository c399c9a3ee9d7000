package checkpoint_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sweep/study"
	"sweep/study/studytest"
	"sweep/trainer"
	"sweep/trainer/checkpoint"
	"sweep/trainer/model"
)

// variants are networks that together use every operator: sides that need padding and cropping, one channel and three,
// each activation and output activation, other kernels and depths.
func variants() map[string]model.Config {
	base := model.Config{
		Channels: 3, Height: 32, Width: 32, Depth: 3, Filters: []int{6, 9, 12, 99}, Kernel: 3, Upsample: "k2", Latent: 20,
		Activation: "relu", OutputActivation: "sigmoid", Loss: "mse", SSIMWeight: 0.5,
	}
	out := map[string]model.Config{"rgb": base}
	for _, a := range []string{"relu", "leaky_relu", "tanh", "sigmoid"} {
		for _, o := range []string{"sigmoid", "tanh", "none"} {
			c := base
			c.Channels, c.Height, c.Width, c.Depth, c.Filters, c.Latent = 1, 13, 18, 2, []int{3, 5}, 7
			c.Activation, c.OutputActivation = a, o
			out["grey-"+a+"-"+o] = c
		}
	}
	c := base
	c.Depth, c.Filters, c.Kernel, c.Height = 5, []int{2, 3, 4, 5, 6}, 5, 33
	out["deep"] = c
	c = base
	c.Depth, c.Filters, c.Kernel, c.OutputActivation = 1, []int{4}, 1, "none"
	out["shallow"] = c
	c = base
	c.Channels, c.Height, c.Width, c.DropoutConv, c.DropoutDense = 1, 13, 18, 0.3, 0.6 // of training alone
	out["dropout"] = c
	for name, change := range map[string]func(c *model.Config){
		"skip":      func(*model.Config) {},
		"residual":  func(c *model.Config) { c.Depth = 2 },
		"segnet":    func(*model.Config) {},
		"attention": func(c *model.Config) { c.Depth = 2 },
		"skip-grey": func(c *model.Config) {
			c.Variant, c.Channels, c.Height, c.Width, c.Activation = "skip", 1, 13, 18, "leaky_relu"
		},
		"residual-shallow": func(c *model.Config) {
			c.Variant, c.Depth, c.Kernel, c.Activation, c.OutputActivation = "residual", 1, 1, "tanh", "tanh"
		},
		"segnet-grey": func(c *model.Config) {
			c.Variant, c.Channels, c.Height, c.Width, c.Depth, c.Kernel, c.OutputActivation = "segnet", 1, 19, 30, 2, 5, "tanh"
		},
		"attention-narrow": func(c *model.Config) {
			c.Variant, c.Height, c.Width, c.Latent, c.Activation = "attention", 20, 45, 2, "sigmoid"
		},
	} {
		c = base
		c.Filters, c.Variant = []int{6, 9, 12}, name
		change(&c)
		out[name] = c
	}
	for name, change := range map[string]func(c *model.Config){
		"gelu":        func(c *model.Config) { c.Activation = "gelu" },
		"k3":          func(c *model.Config) { c.Upsample = "k3" },
		"batch":       func(c *model.Config) { c.Norm = "batch" },
		"layer":       func(c *model.Config) { c.Norm = "layer" },
		"gelu-segnet": func(c *model.Config) { c.Activation, c.Variant = "gelu", "segnet" },
		"batch-gelu-k3-skip": func(c *model.Config) {
			c.Norm, c.Activation, c.Upsample, c.Variant, c.Channels, c.Height, c.Width = "batch", "gelu", "k3", "skip", 1, 13, 18
		},
		"batch-residual": func(c *model.Config) { c.Norm, c.Variant, c.Depth = "batch", "residual", 2 },
		"layer-tanh-k3": func(c *model.Config) {
			c.Norm, c.Activation, c.Upsample, c.Depth, c.Kernel, c.Height = "layer", "tanh", "k3", 4, 5, 33
		},
	} {
		c = base
		change(&c)
		out[name] = c
	}
	return out
}

// randomWeights makes weights large enough that every activation bends.
func randomWeights(c model.Config, seed uint64) []trainer.Tensor {
	r := study.Stream(seed, 0, study.ForWeights, 0)
	var out []trainer.Tensor
	for _, w := range c.Weights() {
		t := trainer.Tensor{Name: w.Name, Shape: w.Shape}
		n, fan := 1, 1
		for i, s := range w.Shape {
			n *= s
			if i < len(w.Shape)-1 {
				fan *= s
			}
		}
		if len(w.Shape) == 4 && w.Shape[1] == 2 { // transposed: each place sees the input channels once
			fan = w.Shape[0]
		} else if len(w.Shape) == 4 && strings.Contains(w.Name, ".convt") { // 3x3: 9/4 times
			fan = w.Shape[0] * 9 / 4
		}
		gain := 1.4
		if strings.Contains(w.Name, ".res") || strings.Contains(w.Name, ".attn.") { // added to what went in
			gain = 0.7
		}
		for range n {
			v := r.NormFloat64() * gain / math.Sqrt(float64(fan))
			if w.Start == 1 { // gains and variances
				v = 0.5 + math.Abs(v)/4
			}
			t.Data = append(t.Data, float32(v))
		}
		out = append(out, t)
	}
	return out
}

func randomImages(r *rand.Rand, n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(r.IntN(256)) / 255
	}
	return out
}

// planes turns an image from (H, W, C) to (C, H, W).
func planes(image []float32, c int) []float32 {
	n := len(image) / c
	out := make([]float32, len(image))
	for i, v := range image {
		out[i%c*n+i/c] = v
	}
	return out
}

// encodings are the exported forms of a network and what our interpreter makes of some images with them.
type encodings struct {
	model, encoder, tensors []byte
	input                   []float32 // (N, C, H, W)
	output, latent          []float32
}

const testImages = 5

func export(t *testing.T, c model.Config, seed uint64) encodings {
	t.Helper()
	weights := randomWeights(c, seed)
	var e encodings
	var err error
	if e.model, e.encoder, err = checkpoint.ONNX(c, weights); err != nil {
		t.Fatal(err)
	}
	if e.tensors, err = checkpoint.EncodeModel(trainer.Config{Config: c}, weights); err != nil {
		t.Fatal(err)
	}
	r := study.Stream(seed, 1, study.ForWeights, 0)
	images := randomImages(r, testImages*c.Height*c.Width*c.Channels)
	size := len(images) / testImages
	for i := range testImages {
		e.input = append(e.input, planes(images[i*size:][:size], c.Channels)...)
	}
	m, err := checkpoint.ReadONNX(e.model)
	if err != nil {
		t.Fatal(err)
	}
	if e.output, err = m.Run(t.Context(), e.input); err != nil {
		t.Fatal(err)
	}
	n, err := checkpoint.ReadONNX(e.encoder)
	if err != nil {
		t.Fatal(err)
	}
	if e.latent, err = n.Run(t.Context(), e.input); err != nil {
		t.Fatal(err)
	}
	shape := []int{c.Channels, c.Height, c.Width}
	if d := cmp.Diff([][]int{shape, shape, shape, {c.Latent}}, [][]int{m.Input(), m.Output(), n.Input(), n.Output()}); d != "" {
		t.Errorf("shapes (-want +got):\n%s", d)
	}

	// Against the definitions, in float64. The tolerance is rounding: float32 sums of up to a thousand terms.
	for i := range testImages {
		latent, out := forward(c, weights, images[i*size:][:size])
		compare(t, "latent", e.latent[i*len(latent):][:len(latent)], float32s(latent), rounded(float32s(latent), 2e-5))
		compare(t, "output", e.output[i*size:][:size], planes(float32s(out), c.Channels), 2e-5)
	}
	return e
}

func float32s(x []float64) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = float32(v)
	}
	return out
}

// rounded is a tolerance relative to the largest of want, where that is above 1.
func rounded(want []float32, tolerance float64) float64 {
	size := 1.0
	for _, v := range want {
		size = max(size, math.Abs(float64(v)))
	}
	return tolerance * size
}

// compare names the worst element.
func compare(t *testing.T, what string, got, want []float32, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	worst, at := 0.0, 0
	for i := range got {
		d := math.Abs(float64(got[i]) - float64(want[i]))
		if math.IsNaN(d) {
			d = math.Inf(1) // a NaN would be forgotten at the next element
		}
		if d > worst {
			worst, at = d, i
		}
	}
	if !(worst <= tolerance) {
		t.Errorf("%s: value %d is %g, want %g, which is %g apart (allowed %g)", what, at, got[at], want[at], worst, tolerance)
	}
}

func TestNetworks(t *testing.T) {
	for name, c := range variants() {
		t.Run(name, func(t *testing.T) {
			e := export(t, c, 1)
			low, high := e.output[0], e.output[0]
			for _, v := range e.output {
				low, high = min(low, v), max(high, v)
			}
			if low < 0 || high > 1 || high-low < 0.05 {
				t.Errorf("the output lies in [%g, %g]: outside [0, 1], or too flat to test anything", low, high)
			}
			again, _, err := checkpoint.ONNX(c, randomWeights(c, 1))
			if err != nil || !bytes.Equal(again, e.model) {
				t.Errorf("the same network gave other bytes: %v", err)
			}
		})
	}
}

// python returns the interpreter with onnxruntime.
func python(t *testing.T) string {
	t.Helper()
	return studytest.Interpreter(t, "SWEEP_PYTHON", "onnxruntime, onnx and safetensors", "exported models are not run by them")
}

func TestONNXRuntime(t *testing.T) {
	p := python(t)
	dir := t.TempDir()
	args := []string{filepath.Join("testdata", "onnx_check.py")}
	all := map[string]encodings{}
	for name, c := range variants() {
		e := export(t, c, 2)
		all[name] = e
		folder := filepath.Join(dir, name)
		args = append(args, folder)
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		var input bytes.Buffer
		if err := binary.Write(&input, binary.LittleEndian, e.input); err != nil {
			t.Fatal(err)
		}
		for file, b := range map[string][]byte{
			"model.onnx": e.model, "encoder.onnx": e.encoder, "model.safetensors": e.tensors, "input.bin": input.Bytes(),
		} {
			if err := os.WriteFile(filepath.Join(folder, file), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	said, err := exec.CommandContext(t.Context(), p, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("onnxruntime: %v\n%s", err, said)
	}
	t.Logf("%s", said)
	for name, c := range variants() {
		t.Run(name, func(t *testing.T) {
			folder := filepath.Join(dir, name)
			compare(t, "output", all[name].output, floats(t, filepath.Join(folder, "model.out")), 1e-5)
			compare(t, "latent", all[name].latent, floats(t, filepath.Join(folder, "encoder.out")), rounded(all[name].latent, 1e-5))
			b, err := os.ReadFile(filepath.Join(folder, "tensors.json"))
			if err != nil {
				t.Fatal(err)
			}
			var found struct {
				Config  model.Config
				Tensors map[string]struct {
					Shape []int
					Sum   float64
				}
			}
			if err := json.Unmarshal(b, &found); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c, found.Config); d != "" {
				t.Errorf("the configuration in the metadata (-want +got):\n%s", d)
			}
			weights := randomWeights(c, 2)
			if len(found.Tensors) != len(weights) {
				t.Errorf("%d tensors, want %d", len(found.Tensors), len(weights))
			}
			for _, w := range weights {
				sum := 0.0
				for _, v := range w.Data {
					sum += float64(v)
				}
				got := found.Tensors[w.Name]
				if !cmp.Equal(got.Shape, w.Shape) || math.Abs(got.Sum-sum) > 1e-9*float64(len(w.Data)) {
					t.Errorf("tensor %s: %v with sum %g, want %v with %g", w.Name, got.Shape, got.Sum, w.Shape, sum)
				}
			}
		})
	}
}

func floats(t *testing.T, path string) []float32 {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float32, len(b)/4)
	if err := binary.Read(bytes.NewReader(b), binary.LittleEndian, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRunRefuses(t *testing.T) {
	c := variants()["rgb"]
	b, _, err := checkpoint.ONNX(c, randomWeights(c, 1))
	if err != nil {
		t.Fatal(err)
	}
	m, err := checkpoint.ReadONNX(b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Run(t.Context(), make([]float32, 3*32*32+1)); err == nil {
		t.Error("a part of an image was accepted")
	}
	if out, err := m.Run(t.Context(), nil); err != nil || len(out) != 0 {
		t.Errorf("no images gave %d values and %v", len(out), err)
	}
	wrong := randomWeights(c, 1)
	wrong[2], wrong[3] = wrong[3], wrong[2]
	if _, _, err := checkpoint.ONNX(c, wrong); err == nil {
		t.Error("weights in another order were accepted")
	}
}

// BenchmarkRun is the network of the paper's size on 32 images.
func BenchmarkRun(b *testing.B) {
	c := variants()["rgb"]
	c.Filters, c.Latent = []int{16, 32, 64}, 128
	encoded, _, err := checkpoint.ONNX(c, randomWeights(c, 1))
	if err != nil {
		b.Fatal(err)
	}
	m, err := checkpoint.ReadONNX(encoded)
	if err != nil {
		b.Fatal(err)
	}
	images := make([]float32, 32*3*32*32)
	for b.Loop() {
		if _, err := m.Run(b.Context(), images); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*32/b.Elapsed().Seconds(), "images/s")
}
