package studytest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"sweep/study"
)

// Search runs s on f for n trials, keeping so many proposals open at once (1: one after the other), and returns the
// trials. The oldest open trial finishes first.
func Search(ctx context.Context, s study.Sampler, f Function, d study.Direction, seed uint64, n, open int) ([]study.Trial, error) {
	trials := make([]study.Trial, 0, n)
	finish := func(i int) {
		t := &trials[i]
		t.State, t.Value = study.Complete, f.Eval(t.Params)
		if d == study.Maximize {
			t.Value = -t.Value
		}
	}
	for i := range n {
		p, err := s.Sample(ctx, study.Ask{
			Number: i, Seed: seed, Space: f.Space, Objective: study.Objective{Name: f.Name, Direction: d}, Trials: trials[:i:i],
		})
		if err != nil {
			return nil, fmt.Errorf("sample trial %d of %s: %w", i, f.Name, err)
		}
		trials = append(trials, study.Trial{ID: int64(i + 1), Number: i, State: study.Running, Params: p, Value: math.NaN()})
		if i >= open-1 {
			finish(i - open + 1)
		}
	}
	for i := max(0, n-open+1); i < n; i++ {
		finish(i)
	}
	return trials, nil
}

// Best is the least value of complete trials, the greatest when d is Maximize; NaN without one.
func Best(trials []study.Trial, d study.Direction) float64 {
	best := math.NaN()
	for _, t := range trials {
		if t.State == study.Complete && d.Better(t.Value, best) {
			best = t.Value
		}
	}
	return best
}

// Quantile returns the q-quantile of v by the nearest rank, v unchanged.
func Quantile(v []float64, q float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[min(int(q*float64(len(s))), len(s)-1)]
}

// FormatTrials prints all that a sampler or pruner may read of trials, for comparison. (NaN equals itself here.)
func FormatTrials(trials []study.Trial) string {
	var b strings.Builder
	for _, t := range trials {
		fmt.Fprintf(&b, "%d %s %v %v %v\n", t.Number, t.State, t.Params, t.Value, t.Curve)
	}
	return b.String()
}
