package sampler_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"sweep/study"
)

// line is a study over one parameter x in [0, 1] whose trials have these values of x and their distance from at.
func line(at float64, xs ...float64) study.Ask {
	a := study.Ask{
		Number: len(xs), Space: study.Space{{Name: "x", Distribution: study.Distribution{Kind: study.Float, High: 1}}},
		Objective: study.Objective{Name: "loss", Direction: study.Minimize},
	}
	for i, x := range xs {
		a.Trials = append(a.Trials, study.Trial{
			Number: i, State: study.Complete, Params: study.Params{"x": x}, Value: math.Abs(x - at),
		})
	}
	return a
}

// near counts, over 200 seeds, proposals within 0.05 of x.
func near(t *testing.T, s study.Sampler, a study.Ask, x float64) int {
	t.Helper()
	n := 0
	for seed := range uint64(200) {
		a.Seed = seed
		p, err := s.Sample(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		if f, _ := study.AsFloat(p["x"]); math.Abs(f-x) <= 0.05 {
			n++
		}
	}
	return n
}

var evenly = []float64{0.02, 0.07, 0.13, 0.18, 0.23, 0.31, 0.36, 0.42, 0.47, 0.55, 0.61, 0.66, 0.74, 0.79, 0.83, 0.88, 0.92, 0.97, 0.5, 0.1}

func TestTPELooksWhereItIsGood(t *testing.T) {
	s := newSampler(t, "tpe")
	here, random := near(t, s, line(0.6, evenly...), 0.6), near(t, newSampler(t, "random"), line(0.6, evenly...), 0.6)
	if here < 3*random {
		t.Errorf("%d of 200 proposals are near the best, random search has %d", here, random)
	}
	a := line(0.6, evenly...)
	a.Objective.Direction = study.Maximize
	if n := near(t, s, a, 0.6); n > random {
		t.Errorf("maximising, %d of 200 proposals are near the worst, random search has %d", n, random)
	}
}

// Trials that still run where the good ones lie push proposals away: the constant liar.
func TestPendingTrialsPushAway(t *testing.T) {
	s := newSampler(t, "tpe")
	a := line(0.6, evenly...)
	before := near(t, s, a, 0.6)
	for i := range 7 {
		a.Trials = append(a.Trials, study.Trial{
			Number: a.Number, State: []study.State{study.Running, study.Waiting}[i%2], Params: study.Params{"x": 0.58 + 0.01*float64(i)},
			Value: math.NaN(),
		})
		a.Number++
	}
	if after := near(t, s, a, 0.6); after > before/2 {
		t.Errorf("%d of 200 proposals are near seven running trials, %d without them", after, before)
	}
}

// Pruned and failed trials teach too: proposals keep away from where trials failed.
func TestFailedTrialsPushAway(t *testing.T) {
	s := newSampler(t, "tpe")
	a := line(0.6, evenly...)
	before := near(t, s, a, 0.6)
	for i := range 7 {
		a.Trials = append(a.Trials, study.Trial{
			Number: a.Number, State: study.Failed, Params: study.Params{"x": 0.58 + 0.01*float64(i)}, Value: math.NaN(),
		})
		a.Number++
	}
	if after := near(t, s, a, 0.6); after > before/2 {
		t.Errorf("%d of 200 proposals are near seven failed trials, %d without them", after, before)
	}
}

// In a finite space what was tried, or is being tried, is not proposed again while the estimator draws anything else;
// once all is tried it still answers.
func TestFiniteSpaceIsNotRepeated(t *testing.T) {
	words := []any{"a", "b", "c", "d"}
	space := study.Space{
		{Name: "words", Distribution: study.Distribution{Kind: study.Categorical, Choices: words}},
		{Name: "whole", Distribution: study.Distribution{Kind: study.Int, Low: 1, High: 5}},
	}
	s := newSampler(t, "tpe")
	a := study.Ask{Seed: 4, Space: space, Objective: study.Objective{Direction: study.Minimize}}
	var seen []string
	repeats := 0
	for n := range 40 {
		a.Number = n
		p, err := s.Sample(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		k := fmt.Sprint(p["words"], p["whole"])
		if slices.Contains(seen, k) && len(slices.Compact(slices.Sorted(slices.Values(seen)))) < 20 && n >= 10 {
			repeats++
		}
		seen = append(seen, k)
		whole, _ := study.AsFloat(p["whole"])
		tr := study.Trial{Number: n, State: study.Complete, Params: p, Value: whole}
		if n >= 10 && n%3 == 0 {
			tr.State, tr.Value = study.Running, math.NaN()
		}
		a.Trials = append(a.Trials, tr)
	}
	if distinct := len(slices.Compact(slices.Sorted(slices.Values(seen)))); distinct != 20 {
		t.Errorf("40 trials tried %d of 20 configurations", distinct)
	}
	if repeats > 2 {
		t.Errorf("%d configurations were tried again before all were tried", repeats)
	}
}
