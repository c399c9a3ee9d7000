package sampler_test

import (
	"fmt"
	"testing"

	"sweep/study"
	"sweep/study/sampler"
	"sweep/study/studytest"
)

// quartiles of the best value of a search, over seeds 1, 2, ….
func quartiles(t testing.TB, method string, f studytest.Function, d study.Direction, seeds, trials, open int) [3]float64 {
	t.Helper()
	s := newSampler(t, method)
	best := make([]float64, seeds)
	for i := range best {
		got, err := studytest.Search(t.Context(), s, f, d, uint64(i+1), trials, open)
		if err != nil {
			t.Fatal(err)
		}
		best[i] = studytest.Best(got, d)
	}
	return [3]float64{studytest.Quantile(best, 0.25), studytest.Quantile(best, 0.5), studytest.Quantile(best, 0.75)}
}

func newSampler(t testing.TB, method string) study.Sampler {
	t.Helper()
	s, err := sampler.New(study.Spec{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The gate on search quality: medians of the best of 100 trials over fixed seeds, so that the test is exact. A bound is
// what 60 seeds give (BenchmarkQuality) plus about one standard error of the median of 20. Optuna 5 reaches 0.429,
// -3.151 and, on a function like mixed, 0.0012; random search 0.78, -2.0 and 0.12.
func TestQuality(t *testing.T) {
	const seeds = 20
	for _, test := range []struct {
		f                studytest.Function
		median, parallel float64 // one trial at a time, and with 8 open
	}{
		{studytest.Branin(), 0.45, 0.48},
		{studytest.Hartmann6(), -3.08, -2.95},
		{studytest.Mixed(), 0.002, 0.008},
	} {
		t.Run(test.f.Name, func(t *testing.T) {
			t.Parallel()
			one := quartiles(t, "tpe", test.f, study.Minimize, seeds, 100, 1)
			eight := quartiles(t, "tpe", test.f, study.Minimize, seeds, 100, 8)
			random := quartiles(t, "random", test.f, study.Minimize, seeds, 100, 1)
			t.Logf("one at a time %.4f, eight open %.4f, random %.4f (quartiles and median)", one, eight, random)
			if random[0] < one[2] {
				t.Errorf("a quarter of random searches reach %.4f, three quarters of ours %.4f: the function tells nothing", random[0], one[2])
			}
			if one[1] > test.median {
				t.Errorf("median %.4f is above %.4f", one[1], test.median)
			}
			if eight[1] > test.parallel {
				t.Errorf("median with 8 open trials %.4f is above %.4f", eight[1], test.parallel)
			}
			if one[1] < test.f.Minimum {
				t.Errorf("median %.4f is below the minimum %.4f: the function is wrong", one[1], test.f.Minimum)
			}
		})
	}
}

// Maximising the negative must be the very same search.
func TestDirection(t *testing.T) {
	for _, method := range ofRanges() {
		f := studytest.Mixed()
		down := quartiles(t, method, f, study.Minimize, 5, 40, 3)
		up := quartiles(t, method, f, study.Maximize, 5, 40, 3)
		if down[1] != -up[1] {
			t.Errorf("%s: minimising gives %v, maximising the negative %v", method, down[1], up[1])
		}
	}
}

// BenchmarkQuality measures the table of DESIGN.md.
func BenchmarkQuality(b *testing.B) {
	for _, method := range ofRanges() {
		for _, f := range studytest.Functions() {
			for _, open := range []int{1, 8} {
				b.Run(fmt.Sprintf("%s/%s/open=%d", method, f.Name, open), func(b *testing.B) {
					for b.Loop() {
						q := quartiles(b, method, f, study.Minimize, 60, 100, open)
						b.ReportMetric(q[0], "q25")
						b.ReportMetric(q[1], "median")
						b.ReportMetric(q[2], "q75")
					}
				})
			}
		}
	}
}

func BenchmarkSample(b *testing.B) {
	for _, method := range ofRanges() {
		for _, n := range []int{100, 1000, 10000} {
			b.Run(fmt.Sprintf("%s/%d", method, n), func(b *testing.B) {
				a := studytest.History(n, 1)
				s := newSampler(b, method)
				for b.Loop() {
					if _, err := s.Sample(b.Context(), a); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
