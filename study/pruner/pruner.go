// Package pruner decides from stored curves whether a trial is stopped early.
//
// It promises that a verdict is a pure function of the curves: it holds no state, so it is the same after a restart and
// whatever the order in which trials arrive elsewhere.
package pruner

import (
	"fmt"

	"sweep/study"
)

// Names lists the pruners that are built.
func Names() []string { return []string{"none", "asha"} }

// New makes the pruner that spec names; nil, which prunes nothing, for "none" and the zero value.
func New(spec study.PrunerSpec) (study.Pruner, error) {
	switch spec.Name {
	case "", "none":
		return nil, nil
	case "asha":
		if spec.MinEpochs < 1 || spec.Reduction < 2 {
			return nil, fmt.Errorf("pruner asha: min_epochs %d and reduction %d must be at least 1 and 2", spec.MinEpochs, spec.Reduction)
		}
		return ASHA{MinEpochs: spec.MinEpochs, Reduction: spec.Reduction}, nil
	}
	return nil, fmt.Errorf("pruner %q is not built: choose one of %v", spec.Name, Names())
}
