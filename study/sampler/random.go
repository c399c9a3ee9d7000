package sampler

import (
	"math"
	"math/rand/v2"

	"github.com/c-bata/goptuna"

	"sweep/study"
)

// Random samples every parameter on its own, evenly over its distribution, both ends included. It implements
// goptuna.Sampler.
//
// The value of a parameter depends on the seed, the trial's number and the parameter's name alone: neither on the
// history nor on which other parameters there are, so a study that is widened by a parameter keeps its other values.
type Random struct {
	Seed uint64
}

var _ goptuna.Sampler = (*Random)(nil)

// Sample implements goptuna.Sampler.
func (s *Random) Sample(_ *goptuna.Study, t goptuna.FrozenTrial, name string, distribution any) (float64, error) {
	d, err := fromGoptuna(distribution)
	if err != nil {
		return 0, err
	}
	return uniform(stream(s.Seed, t.Number, name), d), nil
}

// stream gives the random numbers of one parameter of one trial.
func stream(seed uint64, number int, name string) *rand.Rand {
	return study.Stream(seed, 0, study.ForSampling+study.Purpose(" "+name), number)
}

// uniform draws the internal representation of a value of d.
func uniform(r *rand.Rand, d study.Distribution) float64 {
	switch {
	case d.Kind == study.Categorical:
		return float64(r.IntN(len(d.Choices)))
	case d.Kind == study.Int && d.Log:
		low, high := math.Log(d.Low-0.5), math.Log(d.High+0.5)
		return min(max(math.Round(math.Exp(low+r.Float64()*(high-low))), d.Low), d.High)
	case d.Kind == study.Int:
		step := math.Max(d.Step, 1)
		return d.Low + step*float64(r.Int64N(int64(d.Cardinality())))
	case d.Step > 0:
		return d.Low + d.Step*float64(r.Int64N(int64(d.Cardinality())))
	case d.Log:
		low, high := math.Log(d.Low), math.Log(d.High)
		return min(max(math.Exp(low+r.Float64()*(high-low)), d.Low), d.High)
	}
	// Halves, since High - Low itself may overflow.
	u := r.Float64()
	return min(max(d.Low*(1-u)+d.High*u, d.Low), d.High)
}
