package sampler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/c-bata/goptuna"

	"sweep/study"
)

// Goptuna turns any Goptuna sampler into a [study.Sampler]. make is called once for each ask; the relative sampler may
// be nil, and what it leaves out is sampled by the other one, as in Goptuna itself. A sampler that remembers what it
// sampled (CMA-ES) must be made anew, or replayed from the history, by make.
//
// The study is driven by hand: a new trial, the relative sampler, one suggestion a parameter. Study.Optimize is not
// used, and nothing of Goptuna's own storages: the history is a view over Ask.Trials. Parameters with a single value
// never reach Goptuna.
func Goptuna(make func(a study.Ask) (goptuna.Sampler, goptuna.RelativeSampler)) study.Sampler {
	return &adapter{make}
}

type adapter struct {
	make func(study.Ask) (goptuna.Sampler, goptuna.RelativeSampler)
}

// Sample implements [study.Sampler].
func (s *adapter) Sample(ctx context.Context, a study.Ask) (study.Params, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	searched := a.Space.Searched()
	space := make(map[string]any, len(searched))
	for _, d := range searched {
		g, err := toGoptuna(d.Distribution)
		if err != nil {
			return nil, fmt.Errorf("parameter %s: %w", d.Name, err)
		}
		space[d.Name] = g
	}
	v := &view{ask: a, searched: searched, space: space}
	direction := goptuna.StudyDirectionMinimize
	if a.Objective.Direction == study.Maximize {
		direction = goptuna.StudyDirectionMaximize
	}
	independent, relative := s.make(a)
	g, err := goptuna.CreateStudy("study",
		goptuna.StudyOptionLogger(nil),
		goptuna.StudyOptionStorage(v),
		goptuna.StudyOptionDirection(direction),
		goptuna.StudyOptionSampler(independent),
		goptuna.StudyOptionRelativeSampler(relative),
		goptuna.StudyOptionDefineSearchSpace(space),
	)
	if err != nil {
		return nil, fmt.Errorf("create the goptuna study: %w", err)
	}
	id, err := g.Storage.CreateNewTrial(g.ID)
	if err != nil {
		return nil, fmt.Errorf("create the goptuna trial: %w", err)
	}
	trial := goptuna.Trial{Study: g, ID: id}
	if len(searched) > 0 && relative != nil {
		if err := trial.CallRelativeSampler(); err != nil {
			return nil, fmt.Errorf("sample trial %d: %w", a.Number, err)
		}
	}
	params := make(study.Params, len(a.Space))
	for _, d := range a.Space {
		if d.Distribution.Single() {
			params[d.Name] = d.Distribution.External(d.Distribution.Low)
			continue
		}
		if err := suggest(&trial, d.Name, space[d.Name]); err != nil {
			return nil, fmt.Errorf("sample parameter %s of trial %d: %w", d.Name, a.Number, err)
		}
		x := v.current.InternalParams[d.Name]
		if math.IsNaN(x) {
			return nil, fmt.Errorf("sample parameter %s of trial %d: the sampler gave no number", d.Name, a.Number)
		}
		params[d.Name] = d.Distribution.External(x)
	}
	return params, nil
}

// suggest asks t for one parameter; the answer lies in the view, in internal representation.
func suggest(t *goptuna.Trial, name string, distribution any) error {
	var err error
	switch d := distribution.(type) {
	case goptuna.UniformDistribution:
		_, err = t.SuggestFloat(name, d.Low, d.High)
	case goptuna.LogUniformDistribution:
		_, err = t.SuggestLogFloat(name, d.Low, d.High)
	case goptuna.DiscreteUniformDistribution:
		_, err = t.SuggestDiscreteFloat(name, d.Low, d.High, d.Q)
	case goptuna.IntUniformDistribution:
		_, err = t.SuggestInt(name, d.Low, d.High)
	case goptuna.StepIntUniformDistribution:
		_, err = t.SuggestStepInt(name, d.Low, d.High, d.Step)
	case goptuna.CategoricalDistribution:
		_, err = t.SuggestCategorical(name, d.Choices)
	default:
		err = goptuna.ErrUnknownDistribution
	}
	return err
}

// toGoptuna translates d into one of Goptuna's closed set of distributions. Its internal numbers are ours
// ([study.Distribution.Internal]), so values go over unchanged; [study.Distribution.External] snaps what comes back.
//
//   - A logarithmic Int becomes the logarithmic float from half below Low to half above High: each whole number then
//     stands for the values that round to it.
//   - A stepped range ends at its last grid value, which Goptuna takes for granted.
//   - Choices of any type become their JSON texts; the index is what counts.
func toGoptuna(d study.Distribution) (any, error) {
	if err := d.Check(); err != nil {
		return nil, err
	}
	switch {
	case d.Kind == study.Categorical:
		out := goptuna.CategoricalDistribution{Choices: make([]string, len(d.Choices))}
		for i, c := range d.Choices {
			b, err := json.Marshal(c)
			if err != nil {
				return nil, fmt.Errorf("the choice %s: %w", study.FormatValue(c), err)
			}
			out.Choices[i] = string(b)
		}
		return out, nil
	case d.Kind == study.Int && d.Log:
		return goptuna.LogUniformDistribution{Low: d.Low - 0.5, High: d.High + 0.5}, nil
	case d.Kind == study.Int && d.Step > 1:
		return goptuna.StepIntUniformDistribution{Low: int(d.Low), High: int(lastOf(d)), Step: int(d.Step)}, nil
	case d.Kind == study.Int:
		return goptuna.IntUniformDistribution{Low: int(d.Low), High: int(d.High)}, nil
	case d.Log:
		return goptuna.LogUniformDistribution{Low: d.Low, High: d.High}, nil
	case d.Step > 0:
		return goptuna.DiscreteUniformDistribution{Low: d.Low, High: lastOf(d), Q: d.Step}, nil
	}
	return goptuna.UniformDistribution{Low: d.Low, High: d.High}, nil
}

// lastOf is the greatest grid value of a stepped range.
func lastOf(d study.Distribution) float64 { return d.Low + (d.Cardinality()-1)*d.Step }

// fromGoptuna is the inverse of toGoptuna, but for logarithmic integers, which come back as floats, and choices, which
// come back as the texts that stand for them.
func fromGoptuna(distribution any) (study.Distribution, error) {
	switch d := distribution.(type) {
	case goptuna.UniformDistribution:
		return study.Distribution{Kind: study.Float, Low: d.Low, High: d.High}, nil
	case goptuna.LogUniformDistribution:
		return study.Distribution{Kind: study.Float, Low: d.Low, High: d.High, Log: true}, nil
	case goptuna.DiscreteUniformDistribution:
		return study.Distribution{Kind: study.Float, Low: d.Low, High: d.High, Step: d.Q}, nil
	case goptuna.IntUniformDistribution:
		return study.Distribution{Kind: study.Int, Low: float64(d.Low), High: float64(d.High)}, nil
	case goptuna.StepIntUniformDistribution:
		return study.Distribution{Kind: study.Int, Low: float64(d.Low), High: float64(d.High), Step: float64(d.Step)}, nil
	case goptuna.CategoricalDistribution:
		out := study.Distribution{Kind: study.Categorical, Choices: make([]any, len(d.Choices))}
		for i, c := range d.Choices {
			out.Choices[i] = c
		}
		return out, nil
	}
	return study.Distribution{}, fmt.Errorf("%T: %w", distribution, goptuna.ErrUnknownDistribution)
}

// errView answers what a view over a study's history is not for.
var errView = errors.New("the history of a study is read-only for its sampler")
