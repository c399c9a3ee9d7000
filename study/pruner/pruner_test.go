package pruner_test

import (
	"os"
	"testing"

	"sweep/study"
	"sweep/study/pruner"
	"sweep/study/studytest"
)

func TestASHAScripts(t *testing.T) {
	f, err := os.Open("testdata/asha.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	studytest.RunPrunerScript(t, f, pruner.New)
}

func TestASHA(t *testing.T) {
	for _, spec := range []study.PrunerSpec{
		{Name: "asha", MinEpochs: 1, Reduction: 2}, {Name: "asha", MinEpochs: 1, Reduction: 3}, {Name: "asha", MinEpochs: 2, Reduction: 4},
	} {
		p, err := pruner.New(spec)
		if err != nil {
			t.Fatal(err)
		}
		studytest.TestPruner(t, p)
	}
}

func TestNew(t *testing.T) {
	for _, name := range []string{"", "none"} {
		if p, err := pruner.New(study.PrunerSpec{Name: name}); p != nil || err != nil {
			t.Errorf("%q: %v, %v", name, p, err)
		}
	}
	for _, spec := range []study.PrunerSpec{
		{Name: "median"}, {Name: "asha"}, {Name: "asha", MinEpochs: 1, Reduction: 1}, {Name: "asha", MinEpochs: 0, Reduction: 3},
	} {
		if _, err := pruner.New(spec); err == nil {
			t.Errorf("%+v: no error", spec)
		}
	}
}

// Of many trials about the share 1/Reduction goes on from a rung.
func TestASHAKeepsItsShare(t *testing.T) {
	p := pruner.ASHA{MinEpochs: 1, Reduction: 3}
	r := study.Stream(1, 0, "values", 0)
	var trials []study.Trial
	on := 0
	for i := range 1000 {
		one := study.Trial{Number: i, State: study.Running, Curve: []study.Sample{{Step: 1, Value: r.Float64()}}}
		trials = append(trials, one)
		if !p.Prune(study.Minimize, one, trials) {
			on++
		}
	}
	// Of random arrivals each goes on with probability about 1/3: 333 ± 5·√(1000·2/9).
	if on < 333-75 || on > 333+75 {
		t.Errorf("%d of 1000 went on", on)
	}
}
