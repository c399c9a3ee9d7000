package model

import (
	"sweep/study"
)

// Init returns the initial values of c's weights, in the order and layout of [Config.Weights], keyed by (seed,
// replicate, index of the array) alone: two configurations of the same shapes start from the same numbers.
//
// Biases are 0. Weights are uniform in ±√(6/fan_in) where a rectifier follows (He et al., "Delving deep into
// rectifiers", ICCV 2015, equation 10: variance 2/fan_in; for the leaky one 2/((1+slope²)·fan_in), equation 15), else in
// ±√(6/(fan_in+fan_out)) (Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural networks",
// AISTATS 2010, equation 16). That is the law "auto"; "he" takes the first everywhere, "glorot" the second. He's paper
// draws from a Gaussian; the uniform law of the same variance needs no logarithm, so that every machine makes the same
// bits.
func Init(c Config, seed uint64, replicate int) [][]float32 {
	weights := c.Weights()
	out := make([][]float32, len(weights))
	for i, w := range weights {
		out[i] = make([]float32, w.Size())
		if w.Limit == 0 {
			for j := range out[i] {
				out[i][j] = float32(w.Start)
			}
			continue
		}
		r := study.Stream(seed, replicate, study.ForWeights, i)
		for j := range out[i] {
			// Each product is rounded before the difference, so a fused multiply-add cannot change it.
			out[i][j] = float32(float64(2*r.Float64())*w.Limit) - float32(w.Limit)
		}
	}
	return out
}
