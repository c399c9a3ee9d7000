package cpu_test

import (
	"context"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sweep/trainer"
	"sweep/trainer/cpu"
	"sweep/trainer/kernel"
	"sweep/trainer/model"
)

// repeatable is one configuration for each thing that training can be told to do. Whatever it is, the same configuration
// and replicate give the same bits: see [TestRepeats]. A new word of a parameter gets a row here.
var repeatable = []struct {
	name   string
	change func(*trainer.Config)
}{
	{"adam", func(*trainer.Config) {}},
	{"adamw", func(c *trainer.Config) { c.Optimizer, c.WeightDecay = "adamw", 0.1 }},
	{"sgd", func(c *trainer.Config) { c.Optimizer, c.Momentum, c.LR = "sgd", 0.9, 0.5 }},
	{"sgd without momentum", func(c *trainer.Config) { c.Optimizer, c.LR = "sgd", 0.5 }},
	{"penalties", func(c *trainer.Config) { c.L1, c.L2 = 1e-4, 1e-3 }},
	{"clipping", func(c *trainer.Config) { c.ClipNorm = 0.01 }},
	{"dropout", func(c *trainer.Config) { c.DropoutConv, c.DropoutDense = 0.2, 0.4 }},
	{"flips", func(c *trainer.Config) { c.Flip = "horizontal" }},
	{"flips, dropout, step schedule", func(c *trainer.Config) { c.Flip, c.DropoutConv, c.Schedule = "horizontal", 0.1, "step" }},
	{"from other weights", func(c *trainer.Config) { c.Start = startWeights(*c) }},
	{"noise, flips", func(c *trainer.Config) { c.Variant, c.NoiseLevel, c.Flip = "denoising", 0.2, "horizontal" }},
	{"masks", func(c *trainer.Config) { c.Variant, c.Noise, c.NoiseLevel = "denoising", "mask", 0.3 }},
	{"inpaint", func(c *trainer.Config) { c.Task = "inpaint" }},
	{"superresolve", func(c *trainer.Config) { c.Task = "superresolve" }},
	{"variational", func(c *trainer.Config) { c.Variant, c.Beta = "variational", 2 }},
	{"mae", func(c *trainer.Config) { c.Loss = "mae" }},
	{"mse+ssim", func(c *trainer.Config) { c.Loss = "mse+ssim" }},
	{"he, tanh, padded", func(c *trainer.Config) { c.Init, c.Activation, c.OutputActivation = "he", "tanh", "tanh" }},
	{"glorot, sigmoid", func(c *trainer.Config) { c.Init, c.Activation, c.OutputActivation = "glorot", "sigmoid", "none" }},
	{"batch norm, gelu, k3", func(c *trainer.Config) { c.Norm, c.Activation, c.Upsample = "batch", "gelu", "k3" }},
	{"layer norm, leaky, dropout", func(c *trainer.Config) { c.Norm, c.Activation, c.DropoutConv = "layer", "leaky_relu", 0.2 }},
	{"skip", func(c *trainer.Config) { c.Variant = model.Skip }},
	{"residual, batch norm", func(c *trainer.Config) { c.Variant, c.Norm = model.Residual, "batch" }},
	{"segnet", func(c *trainer.Config) { c.Variant = model.SegNet }},
	{"attention", func(c *trainer.Config) { c.Variant = model.Attention }},
	{"attention, dropout", func(c *trainer.Config) { c.Variant, c.DropoutConv, c.DropoutDense = model.Attention, 0.2, 0.2 }},
	{"segment, flips", func(c *trainer.Config) { *c = onLabels(model.Segment, 37, 11); c.Flip = "horizontal" }},
	{"classify", func(c *trainer.Config) { *c = onLabels(model.Classify, 37, 11) }},
	{"classify, frozen, batch norm", func(c *trainer.Config) {
		*c = onLabels(model.Classify, 37, 11)
		c.Freeze, c.Norm, c.DropoutDense = "encoder", "batch", 0.3
	}},
}

const repeatEpochs = 3

// TestRepeats trains each configuration once by itself and compares with it, bit by bit, its twin that was killed in the
// middle of its second epoch and went on from its saved state on another engine, its twin in a slot that other
// configurations were trained in, and its twin beside another worker.
func TestRepeats(t *testing.T) {
	type result struct {
		reports []trainer.Report
		state   *trainer.State
	}
	alone := make([]result, len(repeatable))
	used := engine(t)
	for i, tt := range repeatable {
		c := config(tt.change)
		e := engine(t)
		load(t, e, c, nil)
		alone[i] = result{train(t, e, repeatEpochs), save(t, e)}

		first := engine(t)
		load(t, first, c, nil)
		train(t, first, 1)
		proceed(t, first, true)
		if _, err := first.Advance(context.Background(), 3); err != nil {
			t.Fatal(err)
		}
		second := engine(t)
		load(t, second, c, save(t, first))
		resumed := result{append(alone[i].reports[:1:1], train(t, second, repeatEpochs-1)...), save(t, second)}
		// The best of two attempts is the pool's to remember: here it is not compared.
		resumed.state.Best = alone[i].state.Best

		load(t, used, c, nil)
		reused := result{train(t, used, repeatEpochs), save(t, used)}
		used.Clear(0)

		for what, got := range map[string]result{"killed and resumed": resumed, "in a used slot": reused} {
			if diff := cmp.Diff(alone[i].reports, got.reports, exact, timeless); diff != "" {
				t.Errorf("%s, %s: reports differ: %s", tt.name, what, diff)
			}
			want := alone[i].state
			if !sameBits(want.Weights, got.state.Weights) || !sameBits(want.Best, got.state.Best) || !sameBits(want.M, got.state.M) ||
				!sameBits(want.V, got.state.V) || want.Epoch != got.state.Epoch || want.Step != got.state.Step {
				t.Errorf("%s, %s: the states differ", tt.name, what)
			}
		}
		for j := range i {
			if sameBits(alone[i].state.Weights, alone[j].state.Weights) {
				t.Errorf("%s gives the same weights as %s: it did nothing", tt.name, repeatable[j].name)
			}
		}
	}

	// Two workers, on kernels that they share, each taking the next configuration that is left.
	states := make([]*trainer.State, len(repeatable))
	var next sync.Mutex
	at := 0
	var group sync.WaitGroup
	for range 2 {
		e := cpu.New("cpu", kernel.Best())
		group.Go(func() {
			defer e.Close() //nolint:errcheck // a core has nothing to give back
			for {
				next.Lock()
				i := at
				at++
				next.Unlock()
				if i >= len(repeatable) {
					return
				}
				states[i] = trained(e, config(repeatable[i].change))
			}
		})
	}
	group.Wait()
	for i, st := range states {
		if st == nil || !sameBits(alone[i].state.Weights, st.Weights) || !sameBits(alone[i].state.M, st.M) {
			t.Errorf("%s, beside another worker: the state differs", repeatable[i].name)
		}
	}
}

// sameBits compares arrays as [exact] does, without looking for what differs, which takes cmp seconds of long ones.
func sameBits(a, b []trainer.Tensor) bool {
	return slices.EqualFunc(a, b, func(x, y trainer.Tensor) bool {
		return x.Name == y.Name && slices.Equal(x.Shape, y.Shape) && slices.EqualFunc(x.Data, y.Data, func(v, w float32) bool {
			return math.Float32bits(v) == math.Float32bits(w)
		})
	})
}

// trained is the state after the epochs of TestRepeats, or nil. It fails no test, so that it may run anywhere.
func trained(e *cpu.Engine, c trainer.Config) *trainer.State {
	if e.Load(0, c, nil) != nil {
		return nil
	}
	defer e.Clear(0)
	for n := 1; ; {
		reports, err := e.Advance(context.Background(), 5)
		switch {
		case err != nil || len(reports) > 0 && reports[0].Err != nil:
			return nil
		case len(reports) == 0:
			continue
		case n == repeatEpochs:
			st, _ := e.Save(0)
			return st
		}
		n++
		if e.Continue(0, false) != nil {
			return nil
		}
	}
}
