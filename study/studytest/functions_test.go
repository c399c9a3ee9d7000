package studytest_test

import (
	"math"
	"testing"

	"sweep/study"
	"sweep/study/studytest"
)

// The stated minimum is reached at the stated place, which lies in the space, and nothing drawn or nearby is below it.
func TestFunctionsHaveTheirMinimum(t *testing.T) {
	for _, f := range studytest.Functions() {
		if err := f.Space.Check(f.At); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
		// The literature gives Hartmann's minimum with five digits.
		if got := f.Eval(f.At); math.Abs(got-f.Minimum) > 1e-5 {
			t.Errorf("%s: %v at the minimum, want %v", f.Name, got, f.Minimum)
		}
		r := study.Stream(1, 0, "points", 0)
		for i := range 20_000 {
			p := study.Params{}
			for _, d := range f.Space {
				low, high := d.Distribution.Low, d.Distribution.High
				if d.Distribution.Kind == study.Categorical {
					low, high = 0, float64(len(d.Distribution.Choices)-1)
				}
				x := low + r.Float64()*(high-low)
				if i%2 == 0 { // nearby
					at, err := d.Distribution.Internal(f.At[d.Name])
					if err != nil {
						t.Fatal(err)
					}
					x = at + (r.Float64()-0.5)*(high-low)/50
				}
				p[d.Name] = d.Distribution.External(x)
			}
			if got := f.Eval(p); got < f.Minimum-1e-5 {
				t.Fatalf("%s: %v at %v is below the minimum %v", f.Name, got, p, f.Minimum)
			}
		}
	}
}

func TestBestAndQuantile(t *testing.T) {
	trials := []study.Trial{
		{State: study.Complete, Value: 3},
		{State: study.Complete, Value: math.NaN()},
		{State: study.Pruned, Value: 1},
		{State: study.Complete, Value: 2},
	}
	if down, up := studytest.Best(trials, study.Minimize), studytest.Best(trials, study.Maximize); down != 2 || up != 3 {
		t.Errorf("best are %v and %v", down, up)
	}
	if got := studytest.Best(trials[1:3], study.Minimize); !math.IsNaN(got) {
		t.Errorf("best of none is %v", got)
	}
	if got := studytest.Quantile([]float64{5, 1, 3, 2, 4}, 0.5); got != 3 {
		t.Errorf("median is %v", got)
	}
}
