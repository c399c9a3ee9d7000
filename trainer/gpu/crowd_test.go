//go:build gpu

package gpu

import (
	"testing"

	"sweep/trainer"
)

const crowdSize = 64

// crowd is a trial of many: small ones that differ in all that may differ among the slots of a stack, and a few of stacks
// with dropout. They end after one epoch, two, or three.
func crowd(i int) (c trainer.Config, epochs int) {
	c = small(func(c *trainer.Config) {
		c.Channels, c.Filters, c.Train, c.Validation, c.Replicate = 1, []int{2}, crowdTraining, crowdValidation, i
		c.Batch, c.Latent, c.LR = []int{7, 37, 16, 33, 5}[i%5], 1+i%9, 0.002*float64(1+i%7)
		c.Loss = []string{"mse", "mae", "mse+ssim"}[i%3]
		c.WarmupEpochs = i % 2
		switch i % 4 {
		case 1:
			c.DropoutConv, c.DropoutDense = 0.05*float64(1+i%6), 0.3
		case 2:
			c.Optimizer, c.WeightDecay = "adamw", 0.01*float64(i%8)
		case 3:
			c.ClipNorm, c.Flip = 0.02, "horizontal"
		}
	})
	return c, 1 + i/2%3
}

var (
	crowdTraining   = blobs(37, 8, 6, 1, 3)
	crowdValidation = blobs(11, 8, 6, 1, 4)
)

// TestBitwiseAmong63 trains 64 trials at once. Slots whose trial has ended are given another one, which has been elsewhere
// among others; a few are saved in the middle of an epoch and go on in other slots of another engine. Reports and states are
// those of each trial alone, to the bit.
func TestBitwiseAmong63(t *testing.T) {
	one := start(t, 1, "fp32")
	var alone [crowdSize]result
	for i := range alone {
		c, epochs := crowd(i)
		load(t, one, 0, c, nil)
		alone[i] = result{run(t, one, []int{0}, epochs)[0], save(t, one, 0)}
		one.Clear(0)
	}
	same := func(e *Engine, slot, i int, l *life, where string) {
		t.Helper()
		if d := alone[i].differs(result{l.reports, save(t, e, slot)}); d != "" {
			t.Errorf("trial %d, slot %d, %s: it differs from the same trial alone: %s", i, slot, where, d)
		}
	}

	all := start(t, crowdSize, "fp32")
	var in [crowdSize]int // by slot: its trial
	lives := map[int]*life{}
	enter := func(slot, i, until int) *life {
		c, epochs := crowd(i)
		load(t, all, slot, c, nil)
		in[slot] = i
		return &life{until: min(epochs, until)}
	}
	for i := range crowdSize {
		slot := 37 * i % crowdSize
		lives[slot] = enter(slot, i, 1)
	}
	first := map[int]*life{}
	drive(t, all, lives, func(slot int, l *life) *life {
		first[slot] = l
		return nil
	})

	// Trials of one epoch give way to others; the rest stand in their second epoch when some are saved and given up.
	next := 5 // of those that come in
	refill := func(slot int) *life {
		all.Clear(slot)
		next++
		return enter(slot, (3*next+in[slot])%crowdSize, 3)
	}
	for slot := range crowdSize {
		i, l := in[slot], first[slot]
		if _, epochs := crowd(i); epochs == 1 {
			same(all, slot, i, l, "after one epoch")
			lives[slot] = refill(slot)
		} else if err := all.Continue(slot, true); err != nil {
			t.Fatal(err)
		} else {
			lives[slot], l.until = l, epochs
		}
	}
	// One unit, of which the shortest epoch has two.
	if reports, err := all.Advance(t.Context(), 1); err != nil || len(reports) != 0 {
		t.Fatalf("a unit gives the reports %v, %v", reports, err)
	}
	another := start(t, 5, "fp32")
	resumed := map[int]*life{}
	var who []int
	for slot := 0; len(who) < 5; slot++ {
		l := lives[slot]
		if len(l.reports) == 0 {
			continue
		}
		c, _ := crowd(in[slot])
		load(t, another, len(who), c, save(t, all, slot))
		resumed[len(who)] = l
		who = append(who, in[slot])
		lives[slot] = refill(slot)
	}
	drive(t, another, resumed, func(slot int, l *life) *life {
		same(another, slot, who[slot], l, "resumed")
		return nil
	})

	left := crowdSize / 2
	drive(t, all, lives, func(slot int, l *life) *life {
		same(all, slot, in[slot], l, "beside others")
		if left--; left < 0 {
			return nil
		}
		return refill(slot)
	})
}
