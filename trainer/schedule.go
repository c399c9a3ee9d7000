package trainer

import "math"

// LearningRate is that of an optimiser step, counted from 1 over the whole trial, when an epoch has perEpoch steps.
//
// Over the steps of WarmupEpochs it rises linearly and reaches LR at the last of them (Goyal et al., "Accurate, large
// minibatch SGD", 2017, section 2.2). After that "constant" stays there; "cosine" falls along half a cosine, from LR at
// the first step to 0 at the end of Epochs (Loshchilov & Hutter, "SGDR", ICLR 2017, equation 5, without restarts); "step"
// is LR, a tenth of it once half of all steps of Epochs are done, a hundredth once three quarters are (the drops of He et
// al., "Deep residual learning", CVPR 2016, section 4.2).
func LearningRate(c Config, perEpoch int, step int64) float64 {
	warm, total, done := int64(c.WarmupEpochs)*int64(perEpoch), int64(c.Epochs)*int64(perEpoch), step-1
	switch {
	case step <= warm:
		return c.LR * (float64(step) / float64(warm))
	case c.Schedule == "cosine" && done >= total:
		return 0
	case c.Schedule == "cosine":
		return c.LR * (0.5 * (1 + math.Cos(math.Pi*float64(done-warm)/float64(total-warm))))
	case c.Schedule == "step" && 4*done >= 3*total:
		return c.LR * 0.01
	case c.Schedule == "step" && 2*done >= total:
		return c.LR * 0.1
	}
	return c.LR
}
