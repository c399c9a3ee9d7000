package study_test

import (
	"testing"

	"sweep/study"
)

func TestCapacityTakes(t *testing.T) {
	gpu := []string{"conv", "dense"}
	for _, c := range []struct {
		name  string
		c     study.Capacity
		needs []string
		want  bool
	}{
		{"anything for one that says nothing", study.Capacity{}, []string{"attention"}, true},
		{"nothing is judged", study.Capacity{Kinds: gpu}, nil, true},
		{"all that it has", study.Capacity{Kinds: gpu}, []string{"dense", "conv"}, true},
		{"one is lacking", study.Capacity{Kinds: gpu}, []string{"conv", "attention"}, false},
		{"it has none", study.Capacity{Kinds: []string{}}, []string{"conv"}, false},
		{"left to another", study.Capacity{Leave: [][]string{gpu}}, []string{"conv"}, false},
		{"none of the others has it", study.Capacity{Leave: [][]string{gpu, {"attention"}}}, []string{"conv", "attention"}, true},
		{"the second of the others has it", study.Capacity{Leave: [][]string{gpu, {"attention", "conv"}}}, []string{"conv", "attention"}, false},
		{"another runs everything", study.Capacity{Leave: [][]string{nil}}, []string{"attention"}, false},
		{"nothing judged is left to another", study.Capacity{Leave: [][]string{gpu}}, nil, false},
	} {
		if got := c.c.Takes(c.needs); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// Who keeps to what others cannot run leaves it to them to propose; nobody proposes more than a few trials for others.
func TestClaimProposesForItself(t *testing.T) {
	b := newBench(t, func(s *study.Spec) { s.RunCap = 40 })
	r, err := study.NewRunner(t.Context(), study.RunnerConfig{
		Study: b.study, Store: b.db, Sampler: counting{}, Now: b.clock,
		Needs: func(study.Params) ([]string, error) { return []string{"attention"}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	gpu := study.Capacity{Device: "cuda:0", Slots: 1, Kinds: []string{"conv"}}
	core := study.Capacity{Device: "cpu:0", Slots: 1, Leave: [][]string{gpu.Kinds}}
	for i, c := range []struct {
		who            study.Capacity
		grants, trials int
	}{{core, 0, 0}, {gpu, 0, 16}, {gpu, 0, 16}, {core, 1, 16}, {core, 1, 16}, {gpu, 0, 18}} {
		g, err := r.Claim(t.Context(), c.who)
		if err != nil {
			t.Fatal(err)
		}
		trials, err := b.db.Trials(t.Context(), b.study.ID)
		if err != nil {
			t.Fatal(err)
		}
		if len(g) != c.grants || len(trials) != c.trials {
			t.Errorf("claim %d of %s: %d grants of %d trials, want %d of %d", i, c.who.Device, len(g), len(trials), c.grants, c.trials)
		}
	}
}

// With one worker no trial runs beside another, whatever the device, and none is proposed while another waits: the sampler
// has always seen the end of all before.
func TestClaimOneAfterTheOther(t *testing.T) {
	b := newBench(t, func(s *study.Spec) { s.RunCap, s.Workers = 40, 1 })
	r, err := study.NewRunner(t.Context(), study.RunnerConfig{
		Study: b.study, Store: b.db, Sampler: counting{}, Now: b.clock,
		Needs: func(p study.Params) ([]string, error) {
			if p["x"].(int64)%2 == 1 {
				return []string{"attention"}, nil
			}
			return []string{"conv"}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	gpu := study.Capacity{Device: "cuda:0", Slots: 2, Kinds: []string{"conv"}}
	core := study.Capacity{Device: "cpu:0", Slots: 1, Leave: [][]string{gpu.Kinds}}
	var held []study.Grant
	for i, c := range []struct {
		who            study.Capacity
		grants, trials int
		finish         study.State
	}{
		{core, 0, 0, ""},
		{gpu, 1, 1, ""},
		{core, 0, 1, ""},
		{gpu, 0, 1, study.Complete},
		{gpu, 0, 2, ""}, // it has proposed one for a core
		{gpu, 0, 2, ""},
		{core, 1, 2, ""},
		{gpu, 0, 2, study.Failed}, // tried again where it was
		{gpu, 0, 2, ""},
		{core, 1, 2, study.Complete},
		{gpu, 1, 3, ""},
	} {
		g, err := r.Claim(t.Context(), c.who)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, g...)
		trials, err := b.db.Trials(t.Context(), b.study.ID)
		if err != nil {
			t.Fatal(err)
		}
		if len(g) != c.grants || len(trials) != c.trials {
			t.Errorf("claim %d of %s: %d grants of %d trials, want %d of %d", i, c.who.Device, len(g), len(trials), c.grants, c.trials)
		}
		if c.finish == "" {
			continue
		}
		o := complete(1)
		if c.finish == study.Failed {
			o = study.Outcome{State: study.Failed, Reason: study.ReasonError}
		}
		if err := r.Finish(t.Context(), held[len(held)-1].Lease, o); err != nil {
			t.Fatal(err)
		}
	}
}
