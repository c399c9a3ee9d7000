package model

import (
	"math"
	"strings"

	"sweep/study"
	"sweep/trainer/kernel"
)

// Init returns the initial values of c's weights, in the order and layout of [Config.Weights], keyed by (seed,
// replicate, index of the array) alone: two configurations of the same shapes start from the same numbers.
//
// Biases are 0. Weights are uniform in ±√(6/fan_in) where a rectifier follows (He et al., "Delving deep into
// rectifiers", ICCV 2015, equation 10: variance 2/fan_in; for the leaky one 2/((1+slope²)·fan_in), equation 15), else in
// ±√(6/(fan_in+fan_out)) (Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural networks",
// AISTATS 2010, equation 16). He's paper draws from a Gaussian; the uniform law of the same variance needs no logarithm,
// so that every machine makes the same bits.
func Init(c Config, seed uint64, replicate int) [][]float32 {
	weights := c.Weights()
	out := make([][]float32, len(weights))
	for i, w := range weights {
		n := 1
		for _, s := range w.Shape {
			n *= s
		}
		out[i] = make([]float32, n)
		if strings.HasSuffix(w.Name, ".bias") {
			continue
		}
		limit := c.initLimit(w)
		r := study.Stream(seed, replicate, study.ForWeights, i)
		for j := range out[i] {
			// Each product is rounded before the difference, so a fused multiply-add cannot change it.
			out[i][j] = float32(float64(2*r.Float64())*limit) - float32(limit)
		}
	}
	return out
}

func (c Config) initLimit(w Weight) float64 {
	var in, out float64
	switch s := w.Shape; {
	case strings.HasPrefix(w.Name, "enc.conv"):
		area := float64(s[0] * s[1])
		in, out = area*float64(s[2]), area*float64(s[3])
	case strings.HasPrefix(w.Name, "dec.convt"):
		// With a kernel as wide as its stride every output value sees each input channel once.
		in, out = float64(s[0]), float64(s[1]*s[2]*s[3])
	default:
		in, out = float64(s[0]), float64(s[1])
	}
	linear := w.Name == "enc.dense.weight" || w.Name == "dec.convt0.weight"
	switch {
	case !linear && c.Activation == "relu":
		return math.Sqrt(6 / in)
	case !linear && c.Activation == "leaky_relu":
		return math.Sqrt(6 / ((1 + kernel.LeakySlope*kernel.LeakySlope) * in))
	}
	return math.Sqrt(6 / (in + out))
}
