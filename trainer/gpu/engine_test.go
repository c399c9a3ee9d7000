//go:build gpu

package gpu

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sweep/trainer"
	"sweep/trainer/dataset"
	"sweep/trainer/model"
)

// blobs makes n images with a soft coloured blob each.
func blobs(n, h, w, c int, seed uint64) *dataset.Images {
	s := &dataset.Images{Height: h, Width: w, Channels: c}
	r := rand.New(rand.NewPCG(seed, 1))
	for range n {
		cy, cx, size := r.Float64()*float64(h), r.Float64()*float64(w), 4+8*r.Float64()
		colour := []float64{r.Float64(), r.Float64(), r.Float64()}
		for y := range h {
			for x := range w {
				d := (float64(y)-cy)*(float64(y)-cy) + (float64(x)-cx)*(float64(x)-cx)
				for i := range c {
					s.Pixels = append(s.Pixels, byte(255*colour[i]*math.Exp(-d/size)))
				}
			}
		}
	}
	return s
}

var (
	training   = blobs(37, 8, 6, 3, 1)
	validation = blobs(11, 8, 6, 3, 2)
)

// small is a configuration that trains in a moment.
func small(change func(*trainer.Config)) trainer.Config {
	c := trainer.Config{
		Config: model.Config{
			Channels: 3, Height: 8, Width: 6, Depth: 1, Filters: []int{4, 6}, Kernel: 3, Upsample: "k2", Latent: 5,
			Activation: "relu", OutputActivation: "sigmoid", Loss: "mse", SSIMWeight: 0.5,
		},
		Batch: 8, LR: 0.01, WarmupEpochs: 1, Schedule: "cosine", Optimizer: "adam", Epochs: 4, Seed: 11,
		Train: training, Validation: validation,
	}
	if change != nil {
		change(&c)
	}
	return c
}

// start makes an engine on a device that it closes.
func start(t testing.TB, slots int, precision string) *Engine {
	t.Helper()
	g := device0(t)
	e, err := New(g, Options{Slots: slots, Precision: precision, Memory: 24 << 20})
	if err != nil {
		t.Fatal(err)
	}
	e.code.ptx = kernels(g, e.options.Precision).ptx
	t.Cleanup(func() {
		if err := e.Close(); err != nil && !errors.Is(err, trainer.ErrDevice) {
			t.Error(err)
		}
	})
	return e
}

func load(t testing.TB, e trainer.Engine, slot int, c trainer.Config, st *trainer.State) {
	t.Helper()
	if err := e.Load(slot, c, st); err != nil {
		t.Fatal(err)
	}
}

func save(t testing.TB, e trainer.Engine, slot int) *trainer.State {
	t.Helper()
	st, err := e.Save(slot)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// life is a trial in a slot for whoever drives an engine.
type life struct {
	until   int // how many epochs are to be reported
	reports []trainer.Report
	best    float64 // validation loss
}

// drive trains the trials in these slots to their ends, keeping the best by validation loss. Of one that has ended, which
// stands there still, next gives the one that its slot has now, or nil.
func drive(t testing.TB, e trainer.Engine, lives map[int]*life, next func(slot int, l *life) *life) {
	t.Helper()
	for range 10000 {
		if len(lives) == 0 {
			return
		}
		reports, err := e.Advance(context.Background(), 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range reports {
			if r.Err != nil {
				t.Fatalf("slot %d: %v", r.Slot, r.Err)
			}
			l := lives[r.Slot]
			if l == nil {
				t.Fatalf("slot %d, which nobody waits for, has halted", r.Slot)
			}
			better := len(l.reports) == 0 || r.Validation.Loss < l.best
			if better {
				l.best = r.Validation.Loss
			}
			l.reports = append(l.reports, r)
			if len(l.reports) < l.until {
				if err := e.Continue(r.Slot, better); err != nil {
					t.Fatal(err)
				}
			} else if lives[r.Slot] = next(r.Slot, l); lives[r.Slot] == nil {
				delete(lives, r.Slot)
			}
		}
	}
	t.Fatal("the trials do not end")
}

// run trains the trials in these slots for so many epochs each and gives the reports of each slot.
func run(t testing.TB, e trainer.Engine, slots []int, epochs int) map[int][]trainer.Report {
	t.Helper()
	out, lives := map[int][]trainer.Report{}, map[int]*life{}
	for _, slot := range slots {
		lives[slot] = &life{until: epochs}
	}
	drive(t, e, lives, func(slot int, l *life) *life {
		out[slot] = l.reports
		return nil
	})
	return out
}

// exact compares floats by their bits.
var exact = cmp.Options{
	cmp.Comparer(func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }),
	cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }),
	cmpopts.IgnoreFields(trainer.Report{}, "TrainTime", "Time", "Slot"),
}

func TestRefusals(t *testing.T) {
	e := start(t, 2, "fp32")
	load(t, e, 0, small(nil), nil)
	ctx := context.Background()
	for _, tt := range []struct {
		name string
		do   func() error
		want string
	}{
		{"a slot that holds a trial", func() error { return e.Load(0, small(nil), nil) }, "load a trial: slot 0 holds a trial; clear it first"},
		{"a slot beyond", func() error { return e.Load(2, small(nil), nil) }, "load a trial: slot 2: there are slots 0 to 1"},
		{"no kernel", func() error {
			return e.Load(1, small(func(c *trainer.Config) { c.Variant = model.Attention }), nil)
		}, "load a trial: a GPU has no kernels for its steps attention, attention.grad: train it on a core"},
		{"batch", func() error {
			return e.Load(1, small(func(c *trainer.Config) { c.Batch = 9000 }), nil)
		}, "load a trial: batch 9000 is more than a GPU takes at once; use at most 8192"},
		{"lr", func() error { return e.Load(1, small(func(c *trainer.Config) { c.LR = 0 }), nil) }, "load a trial: lr 0 is not a number above 0"},
		{"an empty slot", func() error { _, err := e.Save(1); return err }, "save: slot 1 holds no trial"},
		{"continue in the middle", func() error { return e.Continue(0, false) }, "continue: the trial does not stand at an epoch's end"},
		{"best before there is one", func() error {
			_, err := e.Evaluate(ctx, 0, trainer.Best, validation, nil, trainer.Want{})
			return err
		}, "evaluate: there is no best epoch yet"},
		{"an image beyond", func() error {
			_, err := e.Evaluate(ctx, 0, trainer.Current, validation, []int{11}, trainer.Want{})
			return err
		}, "evaluate: run image 11: the set has 11"},
		{
			"decode", func() error { _, err := e.Decode(ctx, 0, trainer.Current, nil); return err },
			"decode: only the variant variational makes images of codes, and no GPU trains it",
		},
		{"a checkpoint of another network", func() error {
			st := save(t, e, 0)
			return e.Load(1, small(func(c *trainer.Config) { c.Latent = 6 }), st)
		}, "load a trial: read a checkpoint: array 2 of weights is enc.dense.weight [48 5] of 240 values, the network has enc.dense.weight [48 6]"},
	} {
		if err := tt.do(); err == nil || err.Error() != tt.want {
			t.Errorf("%s: the error is %v, want %s", tt.name, err, tt.want)
		}
	}
	if _, err := New(e.gpu, Options{}); err == nil {
		t.Error("an engine without slots is made")
	}
	if _, err := New(e.gpu, Options{Slots: 1, Precision: "fp8"}); err == nil {
		t.Error("an engine of an unknown precision is made")
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := e.Advance(cancelled, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context gives %v", err)
	}
	if got := fmt.Sprint(e.Device(), e.Slots(), e.Hardware()); got == "" {
		t.Error("the device has no name")
	}
}
