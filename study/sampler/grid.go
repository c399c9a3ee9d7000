package sampler

import (
	"context"
	"fmt"
	"math"

	"sweep/study"
)

// grid proposes every configuration of a finite space once, in the order of an odometer: the last parameter turns first. It
// learns from nothing, so it does without Goptuna.
type grid struct{}

// Sample implements [study.Sampler]. Beyond the last configuration it begins again.
func (grid) Sample(_ context.Context, a study.Ask) (study.Params, error) {
	p := make(study.Params, len(a.Space))
	rest := a.Number
	for i := len(a.Space) - 1; i >= 0; i-- {
		d := a.Space[i]
		n := d.Distribution.Cardinality()
		if n > math.MaxInt32 {
			return nil, fmt.Errorf("a grid over %s, which has too many values to try each: list some with values", d.Name)
		}
		p[d.Name] = nth(d.Distribution, rest%int(n))
		rest /= int(n)
	}
	return p, nil
}

// nth is value i of a finite distribution, from 0.
func nth(d study.Distribution, i int) any {
	if d.Kind == study.Categorical {
		return d.Choices[i]
	}
	step := d.Step
	if d.Kind == study.Int {
		step = max(step, 1)
	}
	return d.External(d.Low + float64(i)*step)
}
