package checkpoint_test

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sweep/trainer"
	"sweep/trainer/checkpoint"
	"sweep/trainer/model"
)

func small() model.Config {
	return model.Config{
		Channels: 1, Height: 4, Width: 5, Depth: 1, Filters: []int{2}, Kernel: 3, Upsample: "k2", Latent: 3,
		Activation: "relu", OutputActivation: "sigmoid", Loss: "mse+ssim", SSIMWeight: 0.25,
	}
}

func state(c model.Config) *trainer.State {
	st := &trainer.State{
		Epoch: 7, Step: 1 << 40,
		Weights: randomWeights(c, 1), Best: randomWeights(c, 2), M: randomWeights(c, 3), V: randomWeights(c, 4),
		Stop: trainer.StopState{BestEpoch: 5, Best: 0.1 + 0.2, Bad: 2, Metrics: map[string]float64{
			"val_mse": math.Nextafter(0.01, 1), "nan": math.NaN(), "inf": math.Inf(1), "-inf": math.Inf(-1), "-0": math.Copysign(0, -1), "": 1,
		}},
	}
	st.Weights[0].Data[0] = float32(math.NaN())
	st.Weights[0].Data[1] = float32(math.Inf(-1))
	st.M[0].Data[0] = math.SmallestNonzeroFloat32
	return st
}

func TestState(t *testing.T) {
	c := small()
	bits := cmp.Options{
		cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }),
		cmp.Comparer(func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }),
	}
	whole := state(c)
	fresh := state(c)
	fresh.Best, fresh.Stop = nil, trainer.StopState{Best: math.Inf(1)}
	bare := state(c)
	bare.M, bare.V = nil, nil
	for name, st := range map[string]*trainer.State{"whole": whole, "before a best epoch": fresh, "without moments": bare} {
		t.Run(name, func(t *testing.T) {
			b, err := checkpoint.Encode(st, trainer.Config{Config: c})
			if err != nil {
				t.Fatal(err)
			}
			got, err := checkpoint.Decode(b)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(st, got, bits); d != "" {
				t.Errorf("after a round trip (-want +got):\n%s", d)
			}
			again, err := checkpoint.Encode(got, trainer.Config{Config: c})
			if err != nil || !bytes.Equal(again, b) {
				t.Errorf("encoding it again gave other bytes: %v", err)
			}
		})
	}
}

func TestModel(t *testing.T) {
	c := small()
	weights := randomWeights(c, 1)
	b, err := checkpoint.EncodeModel(trainer.Config{Config: c}, weights)
	if err != nil {
		t.Fatal(err)
	}
	gotC, gotW, err := checkpoint.DecodeModel(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(c, gotC); d != "" {
		t.Errorf("configuration (-want +got):\n%s", d)
	}
	if d := cmp.Diff(weights, gotW); d != "" {
		t.Errorf("weights (-want +got):\n%s", d)
	}
	if _, err := checkpoint.Decode(b); err == nil || !strings.Contains(err.Error(), `"sweep model 1"`) {
		t.Errorf("a model read as a checkpoint: %v", err)
	}
}

// TestDamaged alters a file at every byte and cuts it at every length: each is an error and none a panic.
func TestDamaged(t *testing.T) {
	c := small()
	c.Height, c.Width, c.Latent, c.Filters = 2, 2, 1, []int{1}
	state, err := checkpoint.Encode(state(c), trainer.Config{Config: c})
	if err != nil {
		t.Fatal(err)
	}
	model, err := checkpoint.EncodeModel(trainer.Config{Config: c}, randomWeights(c, 1))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []struct {
		name string
		b    []byte
		read func([]byte) error
	}{
		{"state", state, func(b []byte) error { _, err := checkpoint.Decode(b); return err }},
		{"model", model, func(b []byte) error { _, _, err := checkpoint.DecodeModel(b); return err }},
	} {
		t.Run(f.name, func(t *testing.T) {
			if err := f.read(f.b); err != nil {
				t.Fatal(err)
			}
			for i := range f.b {
				if f.read(f.b[:i]) == nil {
					t.Fatalf("the first %d of %d bytes were accepted", i, len(f.b))
				}
				b := bytes.Clone(f.b)
				b[i] ^= 1 << (i % 8)
				if f.read(b) == nil {
					t.Fatalf("a flipped bit in byte %d of %d was accepted", i, len(b))
				}
			}
			if f.read(append(bytes.Clone(f.b), 0)) == nil {
				t.Error("a byte after the end was accepted")
			}
			foreign := append([]byte{40, 0, 0, 0, 0, 0, 0, 0}, `{"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}0000`...)
			if f.read(foreign) == nil {
				t.Error("a file of another program was accepted")
			}
		})
	}
}

func TestEncodeRefuses(t *testing.T) {
	for name, change := range map[string]func(*trainer.State, *model.Config){
		"other shape":       func(st *trainer.State, _ *model.Config) { st.Weights[0].Shape = []int{9, 1, 1, 2} },
		"too few values":    func(st *trainer.State, _ *model.Config) { st.Best[1].Data = st.Best[1].Data[1:] },
		"missing tensor":    func(st *trainer.State, _ *model.Config) { st.M = st.M[1:] },
		"other name":        func(st *trainer.State, _ *model.Config) { st.V[0].Name = "x" },
		"other network":     func(_ *trainer.State, c *model.Config) { c.Latent++ },
		"no network":        func(_ *trainer.State, c *model.Config) { c.Depth = 9 },
		"huge network":      func(_ *trainer.State, c *model.Config) { c.Latent = 1 << 40 },
		"negative counters": func(st *trainer.State, _ *model.Config) { st.Step = -1 },
		"no weights":        func(st *trainer.State, _ *model.Config) { st.Weights = nil },
	} {
		t.Run(name, func(t *testing.T) {
			c := small()
			st := state(c)
			change(st, &c)
			if _, err := checkpoint.Encode(st, trainer.Config{Config: c}); err == nil {
				t.Error("no error")
			}
		})
	}
}
