package op

import (
	G "gorgonia.org/gorgonia"

	"sweep/trainer/kernel"
)

// Drop is inverted dropout: x (N,…) times a mask of its shape that holds 0 or 1, times the reciprocal of the share that is
// kept. It is its own gradient.
const Drop Kind = "drop"

// Dropout drops the values of x where mask is 0. rate is the share of such values, 0 up to below 1: see
// [kernel.DropThreshold] for its grain.
func Dropout(x, mask *G.Node, rate float64) (*G.Node, error) {
	return apply(Drop, Attr{Threshold: kernel.DropThreshold(rate)}, x.Dims(), x, mask)
}
