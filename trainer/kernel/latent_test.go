package kernel_test

import (
	"math"
	"testing"

	"sweep/trainer/kernel"
)

// limited is the log variance by its definition, in float64.
func limited(v float32) float64 {
	return kernel.LogVarLimit * math.Tanh(float64(v)/kernel.LogVarLimit)
}

func TestSample(t *testing.T) {
	const n = 500
	r := random(4)
	mu, logvar, eps := floats(r, n, 2), floats(r, n, 3), floats(r, n, 1)
	logvar[0], logvar[1], logvar[2], logvar[3] = 0, 1e30, -1e30, 88
	want := make([]float32, n)
	for i := range want {
		want[i] = float32(float64(mu[i]) + math.Exp(limited(logvar[i])/2)*float64(eps[i]))
	}
	z := poisoned(n)
	kernel.Sample(z, mu, logvar, eps)
	for i := range z { // each by itself: their sizes differ
		same(t, "code", z[i:i+1], want[i:i+1], 4e-6, 1)
	}
}

// TestKLKnown: a law is at no distance from itself, and others at those that the closed form gives.
func TestKLKnown(t *testing.T) {
	for _, c := range []struct {
		mu, logvar float32
		want       float64
	}{
		{0, 0, 0},
		{3, 0, 4.5},
		{-3, 0, 4.5},
		{0, 1, (math.Exp(limited(1)) - 1 - limited(1)) / 2},
		{1, -20, (1 + math.Exp(limited(-20)) - 1 - limited(-20)) / 2},
		{0, 1e30, (math.Exp(10) - 1 - 10) / 2},
	} {
		if got := kernel.KL([]float32{c.mu}, []float32{c.logvar}); math.Abs(got-c.want) > 1e-6*math.Max(c.want, 1) {
			t.Errorf("the divergence at mean %g and log variance %g is %g, want %g", c.mu, c.logvar, got, c.want)
		}
	}
	if got := kernel.KL([]float32{1, 2, 0, -1}, make([]float32, 4)); math.Abs(got-3) > 1e-9 {
		t.Errorf("it adds up to %g, want 3", got)
	}
	if got := kernel.KL([]float32{float32(math.NaN())}, []float32{0}); got == got {
		t.Errorf("of NaN it is %g", got)
	}
}

func TestLatentGradients(t *testing.T) {
	const n = 60
	r := random(5)
	mu, logvar, eps, dz := floats(r, n, 1), floats(r, n, 1.5), floats(r, n, 1), floats(r, n, 1)
	sample := func() float64 {
		z := make([]float32, n)
		kernel.Sample(z, mu, logvar, eps)
		return dot(z, dz)
	}
	kl := func() float64 { return 0.25 * kernel.KL(mu, logvar) }
	d := poisoned(n)
	kernel.SampleBackward(d, dz, logvar, eps)
	checkGradient(t, "code by log variance", logvar, d, 1e-2, gradientTolerance, sample)
	checkGradient(t, "code by mean", mu, dz, 1e-2, gradientTolerance, sample)
	kernel.KLLogVar(d, logvar, 0.25)
	checkGradient(t, "divergence by log variance", logvar, d, 1e-2, gradientTolerance, kl)
	kernel.KLMean(d, mu, 0.25)
	checkGradient(t, "divergence by mean", mu, d, 1e-2, gradientTolerance, kl)
	// Beyond the limit the slope is small, but leads back.
	for _, v := range []float32{40, -40} {
		d := make([]float32, 1)
		if kernel.KLLogVar(d, []float32{v}, 1); !(d[0]*v > 0) {
			t.Errorf("the gradient at a log variance of %g is %g", v, d[0])
		}
	}
}

// TestLatentBits pins bits, so that a compiler that fuses a product into a sum shows.
func TestLatentBits(t *testing.T) {
	const n = 1000
	words := make([]uint32, n)
	for i := range words {
		words[i] = uint32(i+1) * 2654435761
	}
	mu, logvar, eps := make([]float32, n), make([]float32, n), make([]float32, n)
	kernel.Normals(mu, words)
	kernel.Normals(logvar[1:], words)
	kernel.Normals(eps[1:], words[:n-1])
	a, b, c := make([]float32, n), make([]float32, n), make([]float32, n)
	kernel.Sample(a, mu, logvar, eps)
	kernel.SampleBackward(b, a, logvar, eps)
	kernel.KLLogVar(c, logvar, 0.3)
	h := uint32(2166136261)
	for i := range a {
		for _, v := range []float32{a[i], b[i], c[i]} {
			h = (h ^ math.Float32bits(v)) * 16777619
		}
	}
	if want := uint32(0x6fa9089c); h != want {
		t.Errorf("bits hash to %#x, want %#x", h, want)
	}
}
