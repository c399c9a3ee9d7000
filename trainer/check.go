package trainer

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"sweep/trainer/dataset"
	"sweep/trainer/model"
)

var (
	schedules  = []string{"", "constant", "cosine", "step"}
	flips      = []string{"", "none", "horizontal"}
	optimisers = []string{"adam", "adamw", "sgd"}
)

// Optimisers are the words of the parameter optimizer, which are also kinds of step that an engine can run.
func Optimisers() []string { return slices.Clone(optimisers) }

// CheckTraining reports everything about c that no engine can train.
func CheckTraining(c Config) error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if err := c.Config.Check(); err != nil {
		errs = append(errs, err)
	}
	if c.Batch < 1 {
		bad("batch %d is below 1", c.Batch)
	}
	if !(c.LR > 0) || math.IsInf(c.LR, 0) {
		bad("lr %g is not a number above 0", c.LR)
	}
	if c.WarmupEpochs < 0 {
		bad("warmup_epochs %d is below 0", c.WarmupEpochs)
	}
	if c.Epochs < 1 {
		bad("epochs %d is below 1", c.Epochs)
	}
	if !slices.Contains(schedules, c.Schedule) {
		bad("schedule %q is not one of constant, cosine, step", c.Schedule)
	}
	if c.Optimizer != "" && !slices.Contains(optimisers, c.Optimizer) {
		bad("optimizer %q is not known; use one of %s", c.Optimizer, strings.Join(optimisers, ", "))
	}
	if !slices.Contains(flips, c.Flip) {
		bad("flip %q is not one of none, horizontal", c.Flip)
	}
	if !(c.Momentum >= 0 && c.Momentum < 1) {
		bad("momentum %g is not a number from 0 to below 1", c.Momentum)
	}
	for i, x := range []float64{c.WeightDecay, c.L1, c.L2, c.ClipNorm} {
		if !(x >= 0) || math.IsInf(x, 0) {
			bad("%s %g is not a number of at least 0", []string{"weight_decay", "l1", "l2", "clip_norm"}[i], x)
		}
	}
	if c.WeightDecay != 0 && (c.Optimizer == "" || c.Optimizer == "adam") {
		bad("weight_decay %g has no meaning for the optimizer adam; use adamw, or l2 for a penalty", c.WeightDecay)
	}
	if len(c.Start) > 0 && c.Config.Check() == nil {
		errs = append(errs, Fits(c.Config, c.Start))
	}
	errs = append(errs, SetFits(c.Config, "train", c.Train), SetFits(c.Config, "validation", c.Validation))
	return errors.Join(errs...)
}

// SetFits reports what keeps the images of a set from going through the network of c.
func SetFits(c model.Config, name string, s *dataset.Images) error {
	switch {
	case s.Len() == 0:
		return fmt.Errorf("there are no %s images; ask for at least 1 under data", name)
	case s.Height != c.Height || s.Width != c.Width || s.Channels != c.Channels:
		return fmt.Errorf("the %s images are %dx%dx%d, the network is for %dx%dx%d",
			name, s.Height, s.Width, s.Channels, c.Height, c.Width, c.Channels)
	}
	return LabelsFit(c, name, s)
}
