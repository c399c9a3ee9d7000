//go:build gpu

package gpu

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sweep/trainer"
	"sweep/trainer/dataset"
	"sweep/trainer/device/devicetest"
)

// TestOrderOfStreams lets some streams of the device do their work at once and others only when somebody has waited for them
// for a while. What has to come after something of another stream waits for it and not for luck: whichever streams are ahead,
// trials that are loaded, cleared, evaluated and saved beside others give the same bits.
func TestOrderOfStreams(t *testing.T) {
	devicetest.Require(t)
	const streams = 4 // of a carrier, of the other, of the bucket and of its evaluator, in the order in which they are made
	masks := []uint64{0, 1<<63 - 1}
	for i := range streams {
		masks = append(masks, 1<<i, (1<<63-1)&^(1<<i))
	}
	want := takeOver(t)
	for _, mask := range masks {
		t.Setenv("SWEEP_FAKE_EAGER", fmt.Sprint(mask))
		got := takeOver(t)
		for i, w := range want {
			if d := w.differs(got[i].result); d != "" {
				t.Errorf("with streams %b ahead, trial %d differs: %s", mask&(1<<streams-1), i, d)
			}
			if diff := cmp.Diff(w.views, got[i].views, exact); diff != "" {
				t.Errorf("with streams %b ahead, trial %d looks different: %s", mask&(1<<streams-1), i, diff)
			}
		}
	}
}

// observed is what a trial gives, and what was seen of it.
type observed struct {
	result
	views []trainer.Evaluation
}

// takeOver trains trials of one stack in two slots, one of them taken over from a trial that is given up with rounds under
// way, and looks at each at every epoch's end and once amidst an epoch.
func takeOver(t *testing.T) []observed {
	t.Helper()
	e := start(t, 2, "fp32")
	config := func(i int) trainer.Config { return small(repeatable[[]int{6, 2, 0}[i]].change) }
	out := make([]observed, 3)
	in := []int{0, 1}              // trial in each slot
	staged := blobs(3, 8, 6, 3, 9) // which is not on the device
	view := func(slot int, which trainer.Which) {
		t.Helper()
		for _, set := range []*dataset.Images{validation, staged} {
			v, err := e.Evaluate(context.Background(), slot, which, set, nil, trainer.Want{Codes: true, Reconstructions: true})
			if err != nil {
				t.Fatal(err)
			}
			out[in[slot]].views = append(out[in[slot]].views, v)
		}
	}
	advance := func(n int) []trainer.Report {
		t.Helper()
		list, err := e.Advance(context.Background(), n)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list {
			if r.Err != nil {
				t.Fatalf("slot %d: %v", r.Slot, r.Err)
			}
			out[in[r.Slot]].reports = append(out[in[r.Slot]].reports, r)
		}
		return list
	}
	load(t, e, 0, config(0), nil)
	load(t, e, 1, config(1), nil)
	// Longer than it takes to load a trial, so that rounds of the one before are under way then, which end no epoch.
	t.Setenv("SWEEP_FAKE_LATENCY", "80")
	advance(2)
	e.Clear(1)
	in[1] = 2
	load(t, e, 1, config(2), nil)
	t.Setenv("SWEEP_FAKE_LATENCY", "3")
	ends := map[int]int{}
	var queue []trainer.Report
	for ends[0] < 2 || ends[1] < 2 {
		if len(queue) == 0 {
			queue = advance(3)
			continue
		}
		slot := queue[0].Slot
		queue = queue[1:]
		ends[slot]++
		view(slot, trainer.Current)
		if ends[slot] == 2 {
			view(slot, trainer.Best)
			out[in[slot]].state = save(t, e, slot)
			continue
		}
		if err := e.Continue(slot, true); err != nil {
			t.Fatal(err)
		}
		if st := save(t, e, slot); st.Epoch != 1 || !sameBits(st.Weights, st.Best) {
			t.Errorf("slot %d: what is kept of epoch %d is not what is best", slot, st.Epoch)
		}
		queue = append(queue, advance(1)...)
		view(slot, trainer.Best)
	}
	return slices.DeleteFunc(out, func(l observed) bool { return l.state == nil })
}
