package pruner

import (
	"math"
	"slices"

	"sweep/study"
)

// ASHA is asynchronous successive halving (Li et al., "A system for massively parallel hyperparameter tuning", MLSys
// 2020). Its rungs lie at the epochs MinEpochs·Reduction^k. A trial whose curve reaches a rung goes on when its value
// there is among the best 1/Reduction of all values known at that rung, its own included; n values have
// max(1, floor(n/Reduction)) places, and equal values share one.
//
// It departs from the paper in one point: a trial that does not go on is stopped for good, where the paper lets it wait
// for a place that later arrivals may make. So the early arrivals at a rung matter: the first one goes on, since nobody is
// better yet, and while fewer than 2·Reduction values are known only one that is at least as good as all of them does.
// Nobody waits, which is what keeps every worker busy; what is bad goes on one rung more at worst.
//
// A value that is not a number never goes on, and counts as worse than every number for the others. Between rungs
// nothing is stopped, and the value at a rung is the one of exactly that epoch, whatever came later.
type ASHA struct {
	MinEpochs int // at least 1
	Reduction int // at least 2
}

// Prune implements [study.Pruner]. It costs one look into each trial's curve.
func (a ASHA) Prune(d study.Direction, t study.Trial, trials []study.Trial) bool {
	if len(t.Curve) == 0 {
		return false
	}
	last := t.Curve[len(t.Curve)-1]
	if !a.rung(last.Step) {
		return false
	}
	if math.IsNaN(last.Value) {
		return true
	}
	known, better := 1, 0
	for i := range trials {
		o := &trials[i]
		if o.Number == t.Number {
			continue
		}
		v, ok := at(o.Curve, last.Step)
		if !ok {
			continue
		}
		known++
		if d.Better(v, last.Value) {
			better++
		}
	}
	return better >= max(1, known/a.Reduction)
}

// rung reports whether step is one of MinEpochs·Reduction^k.
func (a ASHA) rung(step int) bool {
	if step < a.MinEpochs || a.MinEpochs < 1 || a.Reduction < 2 {
		return false
	}
	for step%a.Reduction == 0 && step > a.MinEpochs {
		step /= a.Reduction
	}
	return step == a.MinEpochs
}

// at finds the value of a rising curve at exactly this step.
func at(curve []study.Sample, step int) (float64, bool) {
	i, ok := slices.BinarySearchFunc(curve, step, func(s study.Sample, step int) int { return s.Step - step })
	if !ok {
		return 0, false
	}
	return curve[i].Value, true
}
