//go:build gpu

package gpu

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sweep/trainer"
	"sweep/trainer/model"
)

// repeatable is one configuration for each thing that training on a GPU can be told to do.
var repeatable = []struct {
	name   string
	change func(*trainer.Config)
}{
	{"adam", func(*trainer.Config) {}},
	{"batch 37, latent 33", func(c *trainer.Config) { c.Batch, c.Latent = 37, 33 }},
	{"adamw", func(c *trainer.Config) { c.Optimizer, c.WeightDecay = "adamw", 0.1 }},
	{"sgd", func(c *trainer.Config) { c.Optimizer, c.Momentum, c.LR = "sgd", 0.9, 0.5 }},
	{"penalties, mae", func(c *trainer.Config) { c.L1, c.L2, c.Loss = 1e-4, 1e-3, "mae" }},
	{"clipping", func(c *trainer.Config) { c.ClipNorm = 0.01 }},
	{"mse+ssim, flips", func(c *trainer.Config) { c.Loss, c.Flip = "mse+ssim", "horizontal" }},
	{"step schedule, no warm-up", func(c *trainer.Config) { c.Schedule, c.WarmupEpochs, c.Latent = "step", 0, 1 }},
	{"other rate and weight of ssim", func(c *trainer.Config) { c.Loss, c.SSIMWeight, c.LR = "mse+ssim", 0.1, 0.003 }},
	{"dropout", func(c *trainer.Config) { c.DropoutConv, c.DropoutDense = 0.2, 0.4 }},
	{"less dropout", func(c *trainer.Config) { c.DropoutConv, c.DropoutDense, c.Latent = 0.1, 0.3, 7 }},
	{"batch norm, gelu, k3", func(c *trainer.Config) { c.Norm, c.Activation, c.Upsample = "batch", "gelu", "k3" }},
	{"layer norm, tanh", func(c *trainer.Config) { c.Norm, c.Activation, c.OutputActivation = "layer", "tanh", "tanh" }},
	{"skip", func(c *trainer.Config) { c.Variant, c.Depth = model.Skip, 2 }},
	{"residual, batch norm", func(c *trainer.Config) { c.Variant, c.Norm = model.Residual, "batch" }},
	{"segnet", func(c *trainer.Config) { c.Variant, c.OutputActivation = model.SegNet, "none" }},
}

const repeatEpochs = 2

// result is what training gives.
type result struct {
	reports []trainer.Report
	state   *trainer.State
}

func (r result) differs(o result) string {
	if diff := cmp.Diff(r.reports, o.reports, exact); diff != "" {
		return diff
	}
	same := sameBits(r.state.Weights, o.state.Weights) && sameBits(r.state.Best, o.state.Best) && sameBits(r.state.M, o.state.M) &&
		sameBits(r.state.V, o.state.V) && r.state.Epoch == o.state.Epoch && r.state.Step == o.state.Step
	if !same {
		return "the states differ"
	}
	return ""
}

func sameBits(a, b []trainer.Tensor) bool {
	return slices.EqualFunc(a, b, func(x, y trainer.Tensor) bool {
		return x.Name == y.Name && slices.Equal(x.Shape, y.Shape) && slices.EqualFunc(x.Data, y.Data, func(v, w float32) bool {
			return math.Float32bits(v) == math.Float32bits(w)
		})
	})
}

// TestBitwise trains each configuration alone, and then all of them at once, in other slots, which have been used before: the
// reports and all bits of the weights are the same. So they are of one that was saved in the middle of an epoch, in which it
// was given up, and goes on in another slot of another engine.
func TestBitwise(t *testing.T) {
	alone := make([]result, len(repeatable))
	one := start(t, 2, "fp32")
	for i, tt := range repeatable {
		load(t, one, i%2, small(tt.change), nil)
		alone[i] = result{run(t, one, []int{i % 2}, repeatEpochs)[i%2], save(t, one, i%2)}
		one.Clear(i % 2)
		for j := range i {
			if sameBits(alone[i].state.Weights, alone[j].state.Weights) {
				t.Errorf("%s gives the same weights as %s: it did nothing", tt.name, repeatable[j].name)
			}
		}
	}

	n := len(repeatable)
	all := start(t, n, "fp32")
	all.options.Now = func() time.Time { return time.Time{} }
	// A trial of another configuration has been in each slot, some of them given up in the middle.
	for i := range n {
		load(t, all, i, small(repeatable[(i+3)%n].change), nil)
	}
	for range 3 {
		if _, err := all.Advance(context.Background(), 2); err != nil {
			t.Fatal(err)
		}
	}
	slots := make([]int, n)
	for i := range n {
		all.Clear(n - 1 - i)
		load(t, all, n-1-i, small(repeatable[i].change), nil)
		slots[i] = n - 1 - i
	}
	reports := run(t, all, slots, repeatEpochs)
	for i, tt := range repeatable {
		got := result{reports[n-1-i], save(t, all, n-1-i)}
		if d := alone[i].differs(got); d != "" {
			t.Errorf("%s, among %d others in used slots: %s", tt.name, n-1, d)
		}
	}

	for i := range n {
		all.Clear(i)
		load(t, all, i, small(repeatable[i].change), nil)
	}
	for i := range n {
		slots[i] = i
	}
	first := run(t, all, slots, 1)
	for i := range n {
		if err := all.Continue(i, true); err != nil {
			t.Fatal(err)
		}
	}
	// One unit, of which the shortest epoch has two.
	if _, err := all.Advance(context.Background(), 1); err != nil {
		t.Fatal(err)
	}
	for i, tt := range repeatable {
		st := save(t, all, i)
		load(t, one, 1, small(tt.change), st)
		got := result{append(first[i], run(t, one, []int{1}, repeatEpochs-1)[1]...), save(t, one, 1)}
		got.state.Best = alone[i].state.Best // of two attempts it is the pool's to remember
		if d := alone[i].differs(got); d != "" {
			t.Errorf("%s, saved and resumed: %s", tt.name, d)
		}
		one.Clear(1)
	}
}

// TestReverse trains with blocks and threads that run last to first, as far as barriers let them: the bits stay.
func TestReverse(t *testing.T) {
	for _, precision := range precisions {
		var got [2][]result
		for i, order := range []string{"0", "1"} {
			t.Setenv("SWEEP_FAKE_REVERSE", order)
			e := start(t, 3, precision)
			slots := []int{0, 1, 2}
			for _, slot := range slots {
				load(t, e, slot, small(repeatable[[]int{6, 9, 11}[slot]].change), nil)
			}
			reports := run(t, e, slots, 1)
			for _, slot := range slots {
				got[i] = append(got[i], result{reports[slot], save(t, e, slot)})
			}
		}
		for slot := range got[0] {
			if d := got[0][slot].differs(got[1][slot]); d != "" {
				t.Errorf("%s, slot %d: last to first it differs: %s", precision, slot, d)
			}
		}
	}
}
