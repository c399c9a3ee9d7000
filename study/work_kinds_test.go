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
