//go:build gpu

package gpu

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sweep/trainer"
	"sweep/trainer/dataset"
)

// hoard takes all memory that is free, and gives a function that gives it back.
func hoard(e *Engine) (back func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var taken []leaving
	for len(e.heap.free) > 0 {
		bytes := e.heap.free[0].bytes
		at, _ := e.heap.take(bytes)
		taken = append(taken, leaving{at: at, bytes: bytes})
	}
	return func() {
		for _, l := range taken {
			e.give(l.at, l.bytes)
		}
	}
}

// TestEvaluateOnFullDevice evaluates a set that lies on the device and a copy of it that does not, also where no byte is free:
// it makes no difference.
func TestEvaluateOnFullDevice(t *testing.T) {
	e := start(t, 1, "fp32")
	load(t, e, 0, small(nil), nil)
	run(t, e, []int{0}, 1)
	elsewhere := *validation
	elsewhere.Pixels = slices.Clone(validation.Pixels)
	var want trainer.Evaluation
	for i, tt := range []struct {
		name string
		set  *dataset.Images
		full bool
	}{{"on the device", validation, false}, {"elsewhere", &elsewhere, false}, {"on a full device", validation, true}, {"beside a full device", &elsewhere, true}} {
		if tt.full {
			hoard(e)
		}
		got, err := e.Evaluate(t.Context(), 0, trainer.Current, tt.set, nil, trainer.Want{Codes: true, Reconstructions: true})
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if i == 0 {
			want = got
		} else if diff := cmp.Diff(want, got, exact); diff != "" {
			t.Errorf("%s it differs: %s", tt.name, diff)
		}
	}
}

// TestIdleBuckets: stacks that no trial uses give way to whoever needs their memory, those that one uses do not.
func TestIdleBuckets(t *testing.T) {
	e := start(t, 2, "fp32")
	whole := e.heap.bytes
	layers := small(func(c *trainer.Config) { c.Norm = "layer" })
	load(t, e, 0, small(nil), nil)
	load(t, e, 1, layers, nil)
	e.Clear(1)
	if _, err := e.take(whole); !errors.Is(err, trainer.ErrFull) {
		t.Fatalf("all memory, beside a trial, gives %v", err)
	}
	if len(e.buckets) != 1 {
		t.Errorf("%d stacks are left beside a trial", len(e.buckets))
	}
	e.Clear(0)
	at, err := e.take(whole)
	if err != nil {
		t.Fatalf("all memory of a device without a trial gives %v", err)
	}
	e.give(at, whole)

	// A stack that is made takes the place of an idle one, too.
	load(t, e, 0, small(nil), nil)
	e.Clear(0)
	back := hoard(e)
	if err := e.Load(0, layers, nil); !errors.Is(err, trainer.ErrFull) {
		t.Fatalf("a trial that there is no memory for gives %v", err)
	}
	for _, b := range e.buckets {
		if b.stack.Norm != "layer" {
			t.Error("the idle stack has kept its memory")
		}
	}
	back()
	load(t, e, 0, layers, nil)
	run(t, e, []int{0}, 1)
}

func TestMemory(t *testing.T) {
	e := start(t, 8, "fp32")
	whole := e.heap.bytes
	big := small(func(c *trainer.Config) { c.Latent, c.Filters = 20000, []int{64} })
	need, err := Need(big, "fp32")
	if err != nil {
		t.Fatal(err)
	}
	if need < whole {
		t.Fatalf("the large trial takes %d bytes of %d: it is not large", need, whole)
	}
	if err := e.Load(0, big, nil); !errors.Is(err, trainer.ErrMemory) || errors.Is(err, trainer.ErrFull) {
		t.Errorf("a trial that is too large gives %v", err)
	}
	middle := small(func(c *trainer.Config) { c.Latent, c.Filters = 200, []int{32} })
	if need, err = Need(middle, "fp32"); err != nil {
		t.Fatal(err)
	}
	fit := 0
	for slot := range 8 {
		err := e.Load(slot, middle, nil)
		if err == nil {
			fit++
			continue
		}
		if !errors.Is(err, trainer.ErrFull) || !errors.Is(err, trainer.ErrMemory) {
			t.Fatalf("one trial too many gives %v", err)
		}
		break
	}
	if most := int(whole / need); fit > most || fit < most-1 {
		t.Errorf("%d trials of %d bytes fit into %d", fit, need, whole)
	}
	// One goes, and another finds its place; all go, and everything is free but the stack's tables and the data.
	e.Clear(0)
	load(t, e, 0, middle, nil)
	for slot := 2; slot < fit; slot++ {
		e.Clear(slot)
	}
	run(t, e, []int{0, 1}, 1)
	for slot := range 2 {
		e.Clear(slot)
	}
	e.mu.Lock()
	err = e.reap(true)
	left := e.heap.left()
	e.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	used := int64(0)
	for _, b := range e.buckets {
		used += roundUp(b.bytes)
	}
	for _, d := range e.data {
		used += roundUp(d.bytes)
		if d.users != 0 {
			t.Errorf("a data set has %d users without any trial", d.users)
		}
	}
	if left+used != whole {
		t.Errorf("%d bytes are free and %d in use, of %d", left, used, whole)
	}
}
