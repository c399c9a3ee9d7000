package server

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"sweep/study"
	"sweep/templates/chart"
)

// history is what the summary of a study needs of all its finished trials.
type history struct {
	Points    []chart.Point // value of each complete trial, by order of its end
	Ranks     map[int]int   // by number, 1 for the best; complete trials only
	Rate      float64       // trials a second over the last ones; 0 unless two have ended
	Median    time.Duration // of the time that a complete trial takes
	Saved     int           // epochs that pruned trials were spared
	Scheduled int           // epochs that those trials would have had
	Complete  []study.Trial // number, parameters and value alone, the best first
}

// rateWindow is over how many of the last finished trials the throughput is taken.
const rateWindow = 30

// histories keeps each study's history until a trial ends. Reading all finished trials of a large study takes time, so
// it is done at most a twentieth of the time, whatever ends meanwhile.
type histories struct {
	store Store
	now   func() time.Time
	mu    sync.Mutex
	byID  map[int64]*kept
}

type kept struct {
	mu    sync.Mutex
	over  int // trials in a final state when it was read
	at    time.Time
	took  time.Duration
	value history
}

func newHistories(store Store, now func() time.Time) *histories {
	return &histories{store: store, now: now, byID: make(map[int64]*kept)}
}

func (h *histories) of(ctx context.Context, sum study.Summary) (history, error) {
	h.mu.Lock()
	k, ok := h.byID[sum.ID]
	if !ok {
		k = &kept{over: -1}
		h.byID[sum.ID] = k
	}
	h.mu.Unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	start := h.now()
	if k.over == over(sum) || k.over >= 0 && start.Sub(k.at) < 20*k.took {
		return k.value, nil
	}
	page, err := h.store.Query(ctx, sum.ID, study.Query{
		States: []study.State{study.Complete, study.Pruned, study.Failed}, Sort: "number",
	})
	if err != nil {
		return history{}, fmt.Errorf("read the finished trials of study %s: %w", sum.Name, err)
	}
	k.value, k.over, k.at, k.took = newHistory(page.Trials, sum.Spec), over(sum), h.now(), h.now().Sub(start)
	return k.value, nil
}

func newHistory(trials []study.Trial, spec study.Spec) history {
	trials = slices.Clone(trials)
	slices.SortStableFunc(trials, func(a, b study.Trial) int { return a.End.Compare(b.End) })
	h := history{Ranks: make(map[int]int)}
	var complete []study.Trial
	var took []time.Duration
	for _, t := range trials {
		switch t.State {
		case study.Complete:
			h.Points = append(h.Points, chart.Point{X: float64(len(h.Points)), Y: t.Value})
			complete = append(complete, t)
			took = append(took, t.Duration)
		case study.Pruned:
			last := 0
			if n := len(t.Curve); n > 0 {
				last = t.Curve[n-1].Step
			}
			h.Scheduled += spec.Epochs
			h.Saved += max(spec.Epochs-last, 0)
		}
	}
	slices.SortStableFunc(complete, func(a, b study.Trial) int {
		switch d := spec.Objective.Direction; {
		case d.Better(a.Value, b.Value):
			return -1
		case d.Better(b.Value, a.Value):
			return 1
		}
		return a.Number - b.Number
	})
	for i, t := range complete {
		h.Ranks[t.Number] = i + 1
		h.Complete = append(h.Complete, study.Trial{Number: t.Number, State: t.State, Params: t.Params, Value: t.Value})
	}
	if len(took) > 0 {
		slices.Sort(took)
		h.Median = took[len(took)/2]
	}
	recent := trials[max(0, len(trials)-rateWindow):]
	if n := len(recent); n > 1 {
		if span := recent[n-1].End.Sub(recent[0].End).Seconds(); span > 0 {
			h.Rate = float64(n-1) / span
		}
	}
	return h
}

// curve draws the best value so far, the better end of the axis at its better side: down when less is better. The axis
// reaches from the best to the worse of the median trial and the first, within the better nine tenths, so that neither a
// bad beginning nor a bad trial flattens the rest; trials beyond it are left out.
func (h history) curve(d study.Direction) (line, dots string, first, last float64) {
	best := chart.BestSoFar(h.Points, d.Better)
	if len(h.Points) < 2 || len(best) == 0 {
		return "", "", 0, 0
	}
	var values []float64
	for _, p := range h.Points {
		if !math.IsNaN(p.Y) && !math.IsInf(p.Y, 0) {
			values = append(values, p.Y)
		}
	}
	slices.Sort(values)
	n := len(values)
	lo, hi := values[0], values[n-1]
	if d == study.Maximize {
		lo = max(values[n/10], min(best[0].Y, values[(n-1)/2]))
	} else {
		hi = min(values[n-1-n/10], max(best[0].Y, values[n/2]))
	}
	if lo >= hi { // nearly all are the same
		lo, hi = values[0], values[n-1]
	}
	y := chart.Linear(lo, hi)
	if lo > 0 && hi/lo > 4 {
		y = chart.Log(lo, hi)
	}
	x := chart.Linear(0, float64(len(h.Points)-1))
	// Each trial is a piece of its own, which round caps draw as a dot.
	apart := make([]chart.Point, 0, 2*len(h.Points))
	stride := max(1, len(h.Points)/400)
	for i := 0; i < len(h.Points); i += stride {
		if v := h.Points[i].Y; v < lo || v > hi {
			continue
		}
		apart = append(apart, h.Points[i], chart.Point{X: h.Points[i].X, Y: math.NaN()})
	}
	return chart.StepPath(best, x, y, 1000, 100), chart.Path(apart, x, y, 1000, 100), best[0].Y, best[len(best)-1].Y
}
