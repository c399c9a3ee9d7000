package model

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"sweep/trainer/kernel"
)

// The words of the contract's parameters that are built.
var (
	activations       = []string{"relu", "leaky_relu", "tanh", "sigmoid", "gelu"}
	outputActivations = []string{"sigmoid", "tanh", "none"}
	losses            = []string{"mse", "mae", "mse+ssim"}
	upsamples         = []string{"k2", "k3"}
	norms             = []string{"none", "batch", "layer"}
	variants          = []string{"plain", "denoising", "variational", Skip, Residual, SegNet, Attention}
	tasks             = []string{"reconstruct", "inpaint", "superresolve", Segment, Classify}
	freezes           = []string{"none", "encoder"}
	inits             = []string{"auto", "he", "glorot"}
	noises            = []string{"gaussian", "mask"}
)

// maxDepth is the contract's; the names of weights hold one digit.
const maxDepth = 5

// Check reports everything that makes c no network, in words that name the parameter to change. Depth is 1 … 5, Kernel
// odd and at least 1, every width at least 1, SSIMWeight in [0, 1], and 2^Depth at most each side of the image, because
// every level halves the sides and the last one must keep a pixel of the image itself.
func (c Config) Check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	if c.Channels < 1 || c.Height < 1 || c.Width < 1 {
		bad("an image of %dx%d with %d channels has no values; use a data set whose images have some", c.Height, c.Width, c.Channels)
	}
	if c.Depth < 1 || c.Depth > maxDepth {
		bad("depth %d is outside 1 to %d", c.Depth, maxDepth)
	} else {
		if side := min(c.Height, c.Width); side >= 1 && 1<<c.Depth > side {
			bad("depth %d halves images of %dx%d %d times, which leaves less than a pixel; use a depth of at most %d",
				c.Depth, c.Height, c.Width, c.Depth, log2(side))
		}
		if len(c.Filters) < c.Depth {
			bad("filters lists %d widths for a depth of %d; list at least %d", len(c.Filters), c.Depth, c.Depth)
		}
		for i, f := range c.Filters[:min(c.Depth, len(c.Filters))] {
			if f < 1 {
				bad("filters holds %d at place %d; every width is at least 1", f, i+1)
			}
		}
	}
	if c.Kernel < 1 || c.Kernel%2 == 0 {
		bad("kernel %d is not an odd number of at least 1", c.Kernel)
	}
	if c.Latent < 1 {
		bad("latent %d is below 1", c.Latent)
	}
	if !(c.SSIMWeight >= 0 && c.SSIMWeight <= 1) {
		bad("ssim_weight %g is outside 0 to 1", c.SSIMWeight)
	}
	word := func(name, value string, words []string) {
		if !slices.Contains(words, value) {
			bad("%s %q is not one of %s", name, value, strings.Join(words, ", "))
		}
	}
	word("upsample", c.Upsample, upsamples)
	word("activation", c.Activation, activations)
	word("output_activation", c.OutputActivation, outputActivations)
	if c.Labelled() {
		word("loss", c.Loss, []string{"cross_entropy"})
	} else {
		word("loss", c.Loss, losses)
	}
	// These came later: empty is the default, so that a description from before them is still one.
	optional := func(name, value string, words []string) {
		if value != "" {
			word(name, value, words)
		}
	}
	optional("norm", c.Norm, norms)
	optional("variant", c.Variant, variants)
	optional("task", c.Task, tasks)
	optional("init", c.Init, inits)
	optional("freeze", c.Freeze, freezes)
	errs = append(errs, c.checkLabels()...)
	optional("noise", c.Noise, noises)
	errs = append(errs, c.checkInput(), c.checkCode())
	errs = append(errs, c.checkBranches()...)
	rate := func(name string, p float64) {
		if !(p >= 0 && p < 1) {
			bad("%s %g is not a share from 0 to below 1", name, p)
		}
	}
	rate("dropout_conv", c.DropoutConv)
	rate("dropout_dense", c.DropoutDense)
	return errors.Join(errs...)
}

func log2(n int) int {
	d := 0
	for 2<<d <= n {
		d++
	}
	return d
}

// maxClasses is how many classes a byte can name.
const maxClasses = 256

// checkLabels reports what keeps c from being trained on classes.
func (c Config) checkLabels() (errs []error) {
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	switch {
	case c.Task == Segment && (c.Classes < 2 || c.Classes > kernel.MaxMaskClasses):
		bad("task segment on a data set whose pixels have %d classes: use one with masks of 2 to %d classes, such as shapes", c.Classes, kernel.MaxMaskClasses)
	case c.Task == Classify && (c.Classes < 2 || c.Classes > maxClasses):
		bad("a classifier on a data set of %d classes: use one with labels of 2 to %d classes", c.Classes, maxClasses)
	}
	if c.Freeze == "encoder" && c.Task != Classify {
		bad("freeze encoder is for the trainer classifier, not for task %s", c.Task)
	}
	if c.Task == Classify && !slices.Contains([]string{"", "plain", Residual, Attention}, c.Variant) {
		bad("variant %s has the encoder of plain: write that for the trainer classifier", c.Variant)
	}
	if c.Task == Segment && (c.Variant == "denoising" || c.Variant == "variational") {
		bad("variant %s makes images, and task segment makes none: use another variant", c.Variant)
	}
	return errs
}
