package kernel

// The variational code (Kingma and Welling, "Auto-encoding variational Bayes", ICLR 2014): a network gives for each image
// a mean mu and a log variance of the law of its code, and the code is drawn from it. Arrays are (n, latent); the
// functions are the same in every implementation of [Kernels], small beside a dense layer.

// LogVarLimit bounds the log variance: of what a layer gives, v, it is LogVarLimit·tanh(v/LogVarLimit), so that a variance
// lies between 4.5e-5 and 22,026 whatever the layer says, exp cannot overflow, and a gradient leads back from everywhere.
// About 0 it is v itself.
const LogVarLimit = 10

// logVar is the log variance of a layer's value, and its slope.
func logVar(v float32) (s, slope float32) {
	t := TanhOf(v / LogVarLimit)
	return LogVarLimit * t, 1 - float32(t*t)
}

// Sample draws codes: z = mu + exp(s/2)·eps, with s of logvar (see [LogVarLimit]) and eps standard normal numbers.
func Sample(z, mu, logvar, eps []float32) {
	checkLatent(z, mu, logvar, eps)
	for i, m := range mu {
		s, _ := logVar(logvar[i])
		z[i] = m + float32(Exp(s/2)*eps[i])
	}
}

// SampleBackward is the gradient of Sample with respect to logvar, given that with respect to z, which is also the one with
// respect to mu.
func SampleBackward(dlogvar, dz, logvar, eps []float32) {
	checkLatent(dlogvar, dz, logvar, eps)
	for i, d := range dz {
		s, slope := logVar(logvar[i])
		dlogvar[i] = float32(float32(d*eps[i])*float32(Exp(s/2)/2)) * slope
	}
}

// KL is the divergence of Kullback and Leibler of the codes' laws from the standard normal one, in nats: the sum over all
// images and numbers of ½(mu² + e^s - 1 - s) (Kingma and Welling, appendix B).
func KL(mu, logvar []float32) float64 {
	checkLatent(mu, logvar)
	var sum float64
	for i, m := range mu {
		s, _ := logVar(logvar[i])
		sum += float64(float64(m)*float64(m)) + (float64(Exp(s)) - 1 - float64(s))
	}
	return sum / 2
}

// KLMean is the gradient of weight·KL with respect to mu.
func KLMean(dmu, mu []float32, weight float32) {
	checkLatent(dmu, mu)
	for i, m := range mu {
		dmu[i] = weight * m
	}
}

// KLLogVar is the gradient of weight·KL with respect to logvar.
func KLLogVar(dlogvar, logvar []float32, weight float32) {
	checkLatent(dlogvar, logvar)
	for i, v := range logvar {
		s, slope := logVar(v)
		dlogvar[i] = float32(float32(weight/2)*(Exp(s)-1)) * slope
	}
}

// Normals turns words of random bits into standard normal numbers, see [Normal].
func Normals(dst []float32, words []uint32) {
	if len(words) < len(dst) {
		panic("kernel: too few random words")
	}
	for i := range dst {
		dst[i] = Normal(words[i])
	}
}

func checkLatent(first []float32, others ...[]float32) {
	for _, x := range others {
		if len(x) != len(first) {
			panic("kernel: length mismatch")
		}
	}
}
