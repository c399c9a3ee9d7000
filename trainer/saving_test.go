package trainer

import (
	"testing"
	"time"
)

// Whatever the number of trials and the cost of their checkpoints, saving takes at most a twentieth of the time beyond the
// first, and no trial is left out.
func TestSavingPace(t *testing.T) {
	for _, c := range []struct {
		trials      int
		epoch, cost time.Duration // cost: of the first trial; that of the last is twice it
		over        time.Duration
	}{
		{1, time.Second, 100 * time.Millisecond, 10 * time.Minute},
		{1, time.Second, 0, time.Minute},
		{64, 2 * time.Second, 50 * time.Millisecond, time.Hour},
		{64, 100 * time.Millisecond, 300 * time.Millisecond, 2 * time.Hour},
		{7, 3 * time.Minute, time.Second, 3 * time.Hour},
	} {
		var s saving
		type trial struct {
			saved, cost time.Duration
			saves       int
		}
		trials := make([]trial, c.trials)
		var spent, most time.Duration
		for now := c.epoch; now < c.over; now += c.epoch {
			for i := range trials {
				x := &trials[i]
				if !s.due(now-x.saved, x.cost, c.trials) {
					continue
				}
				cost := c.cost + c.cost*time.Duration(i)/time.Duration(c.trials)
				s.took(cost, true)
				x.saved, x.cost = now, cost
				x.saves++
				spent += cost
				most = max(most, cost)
			}
		}
		first := most * time.Duration(c.trials) // each is saved once before its own cost is known
		if spent > c.over/savingShare+first {
			t.Errorf("%+v: saving took %s", c, spent)
		}
		for i, x := range trials {
			if x.saves < 2 {
				t.Errorf("%+v: trial %d was saved %d times", c, i, x.saves)
			}
		}
	}
}

// While it is not known what a checkpoint costs, one of many trials finds out.
func TestSavingFindsItsCost(t *testing.T) {
	var s saving
	if !s.due(0, 0, 64) || s.due(time.Hour, 0, 64) {
		t.Error("the first is to be saved, and nobody beside it")
	}
	s.took(0, false) // it had nothing to save
	if !s.due(0, 0, 64) {
		t.Error("another one is to find out")
	}
	s.took(time.Second, true)
	if s.due(64*savingShare*time.Second-1, 0, 64) || !s.due(64*savingShare*time.Second, 0, 64) {
		t.Error("a trial that was never saved goes by the cost of the last")
	}
}
