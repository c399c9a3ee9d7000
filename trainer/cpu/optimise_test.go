package cpu_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sweep/trainer"
)

// Every optimiser brings the loss of eight epochs well below that of the first.
func TestOptimisersTrain(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*trainer.Config)
	}{
		{"adamw", func(c *trainer.Config) { c.Optimizer, c.WeightDecay = "adamw", 0.01 }},
		{"sgd", func(c *trainer.Config) { c.Optimizer, c.LR, c.Momentum = "sgd", 2, 0.9 }},
		{"adam with penalties and clipping", func(c *trainer.Config) { c.L1, c.L2, c.ClipNorm = 1e-6, 1e-5, 0.05 }},
		{"he", func(c *trainer.Config) { c.Init = "he" }},
		{"glorot", func(c *trainer.Config) { c.Init = "glorot" }},
	} {
		e := engine(t)
		load(t, e, config(tt.change), nil)
		reports := train(t, e, 8)
		if first, last := reports[0], reports[7]; !(last.Train.Loss < 0.85*first.Train.Loss) {
			t.Errorf("%s: eight epochs took the loss from %g to %g", tt.name, first.Train.Loss, last.Train.Loss)
		}
	}
}

// oneStep makes the first step of a trial, which is its whole first epoch, and returns what it reports and the weights.
func oneStep(t *testing.T, change func(*trainer.Config)) (trainer.Report, []trainer.Tensor) {
	t.Helper()
	e := engine(t)
	load(t, e, config(func(c *trainer.Config) {
		c.Batch, c.WarmupEpochs, c.Schedule, c.Optimizer, c.LR = 64, 0, "constant", "sgd", 0.5
		if change != nil {
			change(c)
		}
	}), nil)
	r := train(t, e, 1)[0]
	return r, save(t, e).Weights
}

// Decay and penalties move weights by what their formulas say, leave biases alone, and are no part of the reported loss.
func TestPenaltiesActOnWeightsOnly(t *testing.T) {
	const x = 0.01
	plain, without := oneStep(t, nil)
	for name, tt := range map[string]struct {
		change func(*trainer.Config)
		pull   func(w float64) float64
	}{
		"l1":           {func(c *trainer.Config) { c.L1 = x }, func(w float64) float64 { return 0.5 * x * math.Copysign(1, w) }},
		"l2":           {func(c *trainer.Config) { c.L2 = x }, func(w float64) float64 { return 0.5 * x * w }},
		"weight_decay": {func(c *trainer.Config) { c.WeightDecay = x }, func(w float64) float64 { return 0.5 * x * w }},
	} {
		start := engine(t)
		load(t, start, config(nil), nil)
		before := save(t, start).Weights
		report, with := oneStep(t, tt.change)
		if report.Train.Loss != plain.Train.Loss || report.GradNorm != plain.GradNorm {
			t.Errorf("%s: loss %g and norm %g, without it %g and %g", name, report.Train.Loss, report.GradNorm, plain.Train.Loss, plain.GradNorm)
		}
		for i, w := range with {
			for j, v := range w.Data {
				want := float64(without[i].Data[j])
				if strings.HasSuffix(w.Name, ".weight") {
					want -= tt.pull(float64(before[i].Data[j]))
				}
				if math.Abs(float64(v)-want) > 1e-6 {
					t.Errorf("%s: %s[%d] is %g, want %g", name, w.Name, j, v, want)
					break
				}
			}
		}
	}
}

// A gradient longer than clip_norm is shortened to it, a shorter one is not touched; grad_norm is what it was before.
func TestClipping(t *testing.T) {
	e := engine(t)
	load(t, e, config(nil), nil)
	before := save(t, e).Weights
	moved := func(w []trainer.Tensor) float64 { // by the step, in units of the rate
		var sum float64
		for i := range w {
			for j, v := range w[i].Data {
				d := float64(v) - float64(before[i].Data[j])
				sum += d * d
			}
		}
		return math.Sqrt(sum) / 0.5
	}
	plain, w := oneStep(t, nil)
	if got := moved(w); math.Abs(got-plain.GradNorm) > 1e-4*plain.GradNorm {
		t.Fatalf("a step moves by %g, the gradient's norm is %g", got, plain.GradNorm)
	}
	clip := plain.GradNorm / 4
	report, w := oneStep(t, func(c *trainer.Config) { c.ClipNorm = clip })
	if report.GradNorm != plain.GradNorm {
		t.Errorf("the norm before clipping is %g, reported %g", plain.GradNorm, report.GradNorm)
	}
	if got := moved(w); math.Abs(got-clip) > 1e-4*clip {
		t.Errorf("a step clipped to %g moves by %g", clip, got)
	}
	_, same := oneStep(t, func(c *trainer.Config) { c.ClipNorm = plain.GradNorm * 1.01 })
	_, want := oneStep(t, nil)
	if diff := cmp.Diff(want, same, exact); diff != "" {
		t.Errorf("a short gradient was clipped: %s", diff)
	}
}

// What an optimiser without a second moment saves has none.
func TestStateOfSGD(t *testing.T) {
	e := engine(t)
	load(t, e, config(func(c *trainer.Config) { c.Optimizer, c.Momentum = "sgd", 0.9 }), nil)
	if _, err := e.Advance(context.Background(), 1); err != nil {
		t.Fatal(err)
	}
	train(t, e, 1)
	st := save(t, e)
	if len(st.V) != 0 || len(st.M) != len(st.Weights) {
		t.Errorf("it has %d first and %d second moments", len(st.M), len(st.V))
	}
	moves := false
	for _, x := range st.M[0].Data {
		moves = moves || x != 0
	}
	if !moves {
		t.Error("the momentum is 0")
	}
}
