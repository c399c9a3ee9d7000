// Package sampler proposes the next configuration of a study from its space, its history and its seed.
//
// It promises that a proposal is a pure function of the [study.Ask]: the same ask gives the same parameters, in any
// process and at any time, and every value proposed lies in the space. For one objective every proposal that
// learns or draws goes through a goptuna.Study, so that the samplers here work in any Goptuna program and any Goptuna
// sampler works here; a grid does neither.
package sampler

import (
	"fmt"

	"github.com/c-bata/goptuna"

	"sweep/study"
)

// Methods names the samplers that are built, in the order in which help shows them.
func Methods() []string { return []string{"tpe", "random", "grid"} }

// New makes the sampler that spec.Method names. Samplers hold no state and may be used by several goroutines.
func New(spec study.Spec) (study.Sampler, error) {
	switch spec.Method {
	case "tpe":
		return Goptuna(func(a study.Ask) (goptuna.Sampler, goptuna.RelativeSampler) {
			return &Random{Seed: a.Seed}, &TPE{Seed: a.Seed}
		}), nil
	case "random":
		return Goptuna(func(a study.Ask) (goptuna.Sampler, goptuna.RelativeSampler) {
			return &Random{Seed: a.Seed}, nil
		}), nil
	case "grid":
		return grid{}, nil
	}
	return nil, fmt.Errorf("method %q has no sampler here: choose one of %v", spec.Method, Methods())
}
