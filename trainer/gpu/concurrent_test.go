//go:build gpu

package gpu

import (
	"context"
	"errors"
	"sync"
	"testing"

	"sweep/trainer"
)

// TestConcurrent uses an engine as the pool does, every slot from a goroutine of its own beside the one that advances: trials
// of four stacks are loaded, evaluated, saved and cleared while others train. Each gives the bits that it gives alone.
func TestConcurrent(t *testing.T) {
	const slots, rounds, epochs = 6, 3, 2
	kinds := []int{0, 6, 9, 12}
	config := func(i int) trainer.Config { return small(repeatable[kinds[i%len(kinds)]].change) }
	want := make([]result, len(kinds))
	one := start(t, 1, "fp32")
	for i := range kinds {
		load(t, one, 0, config(i), nil)
		want[i] = result{run(t, one, []int{0}, epochs)[0], save(t, one, 0)}
		one.Clear(0)
	}

	e := start(t, slots, "fp32")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var reports [slots]chan trainer.Report
	for i := range reports {
		reports[i] = make(chan trainer.Report, 1)
	}
	// live trains one trial in a slot to its end.
	live := func(slot, kind int) error {
		if err := e.Load(slot, config(kind), nil); err != nil {
			return err
		}
		defer e.Clear(slot)
		got, best := result{}, 0.0
		for epoch := range epochs {
			var r trainer.Report
			select {
			case r = <-reports[slot]:
			case <-ctx.Done():
				return ctx.Err()
			}
			if r.Err != nil {
				return r.Err
			}
			got.reports = append(got.reports, r)
			set := []int{0, 5}
			if _, err := e.Evaluate(ctx, slot, trainer.Current, validation, set, trainer.Want{Codes: true}); err != nil {
				return err
			}
			if _, err := e.Evaluate(ctx, slot, trainer.Current, blobs(3, 8, 6, 3, 9), nil, trainer.Want{Reconstructions: true}); err != nil {
				return err
			}
			if epoch+1 == epochs {
				break
			}
			better := epoch == 0 || r.Validation.Loss < best
			best = r.Validation.Loss
			if err := e.Continue(slot, better); err != nil {
				return err
			}
			if _, err := e.Save(slot); err != nil {
				return err
			}
		}
		var err error
		if got.state, err = e.Save(slot); err != nil {
			return err
		}
		if d := want[kind%len(kinds)].differs(got); d != "" {
			return errors.New("it differs from the same trial alone: " + d)
		}
		return nil
	}

	var lives, driver sync.WaitGroup
	for slot := range slots {
		lives.Go(func() {
			for i := range rounds {
				if err := live(slot, slot+i); err != nil {
					if ctx.Err() == nil {
						t.Errorf("slot %d, trial %d: %v", slot, i, err)
					}
					cancel()
					return
				}
			}
		})
	}
	driver.Go(func() {
		for ctx.Err() == nil {
			list, err := e.Advance(ctx, 2)
			for _, r := range list {
				reports[r.Slot] <- r
			}
			if err != nil {
				if ctx.Err() == nil {
					t.Errorf("advance: %v", err)
				}
				cancel()
			}
		}
	})
	lives.Wait()
	cancel()
	driver.Wait()
}

// TestTiles loads a trial beside another that is still being loaded, where the lists of tiles have room for one: it finds none,
// and its memory is free again.
func TestTiles(t *testing.T) {
	e := start(t, 2, "fp32")
	e.capacity = 3
	c := small(func(c *trainer.Config) { c.Batch = 37 })
	b, err := e.bucketOf(c)
	if err != nil {
		t.Fatal(err)
	}
	first := &trial{c: c, bucket: b}
	if first.train, first.forward, err = plans(c.Config, c.Batch); err != nil {
		t.Fatal(err)
	}
	if err := first.settle(nil); err != nil {
		t.Fatal(err)
	}
	e.mu.Lock()
	free := e.heap.left()
	e.mu.Unlock()
	if err := e.Load(1, c, nil); !errors.Is(err, trainer.ErrFull) {
		t.Errorf("a second trial gives %v", err)
	}
	b.joining.Add(-1)
	if reports := run(t, e, []int{0}, 1)[0]; len(reports) != 1 {
		t.Errorf("the trial that found a place gives %d reports", len(reports))
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.reap(true); err != nil {
		t.Fatal(err)
	}
	if left := e.heap.left(); left != free {
		t.Errorf("%d bytes are not free again", free-left)
	}
}
