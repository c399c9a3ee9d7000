package kernel_test

import (
	"math"
	"slices"
	"testing"

	"sweep/trainer/kernel"
)

// normalTolerance is the stated error of Normal: PPND7 is good to 1e-7 of its result in exact arithmetic, and float32
// adds a few roundings of numbers up to 6.3.
const normalTolerance = 1.5e-6

// quantile is the inverse of the normal distribution function, by the standard library's own approximation.
func quantile(p float64) float64 { return -math.Sqrt2 * math.Erfcinv(2*p) }

func TestNormalIsTheQuantile(t *testing.T) {
	worst, at := 0.0, uint32(0)
	try := func(u uint32) {
		want := quantile((float64(u) + 0.5) / (1 << 32))
		if d := math.Abs(float64(kernel.Normal(u)) - want); !(d <= worst) && worst == worst {
			worst, at = d, u
		}
	}
	const n = 1 << 18
	for i := range uint32(n) {
		try(i * (1 << 32 / n))        // evenly
		try(i)                        // the end of the left tail
		try(math.MaxUint32 - i)       // and of the right one
		try(1<<31 - n/2 + i)          // about 0
		try(322122547 - n/2 + i)      // where the tail's approximation begins: a probability of 0.075
		try(3972844748 - n/2 + i)     // and 0.925
		try(uint32(1) << (i % 32))    // single bits
		try(^(uint32(1) << (i % 32))) //
	}
	t.Logf("worst: %.3g at %d", worst, at)
	if !(worst <= normalTolerance) {
		t.Errorf("Normal(%d) = %g is off by %.3g, more than %g", at, kernel.Normal(at), worst, normalTolerance)
	}
}

func TestNormalAtItsEnds(t *testing.T) {
	for _, u := range []uint32{0, 1, 2, 1 << 20, 322122547, 1<<31 - 1, 1<<30 + 12345} {
		if a, b := kernel.Normal(u), kernel.Normal(^u); a != -b || !(a < 0) {
			t.Errorf("Normal(%d) = %g and Normal(%d) = %g are not opposite", u, a, ^u, b)
		}
	}
	if x := kernel.Normal(math.MaxUint32); !(x > 6.3 && x < 6.34) {
		t.Errorf("the largest number is %g", x)
	}
	// It never falls: neither within an approximation by more than rounding, nor where they meet.
	before := kernel.Normal(0)
	for u := uint32(0); u < math.MaxUint32-1<<14; u += 1 << 14 {
		x := kernel.Normal(u + 1<<14)
		if x < before {
			t.Fatalf("Normal(%d) = %g, but it was %g before", u+1<<14, x, before)
		}
		before = x
	}
}

// TestNormalLaw draws with a generator of another kind and looks at the whole law.
func TestNormalLaw(t *testing.T) {
	const n = 1 << 20
	r := random(77)
	x := make([]float64, n)
	var sum, squares, cubes, fourths float64
	beyond := [3]int{} // 2, 3 and 4 standard deviations
	for i := range x {
		v := float64(kernel.Normal(r.Uint32()))
		x[i] = v
		sum, squares, cubes, fourths = sum+v, squares+v*v, cubes+v*v*v, fourths+v*v*v*v
		for k := range beyond {
			if math.Abs(v) > float64(k+2) {
				beyond[k]++
			}
		}
	}
	// Each bound is five standard errors of its estimate from n draws.
	within := func(what string, got, want, variance float64) {
		if bound := 5 * math.Sqrt(variance/n); math.Abs(got-want) > bound {
			t.Errorf("the %s is %.5f, want %.5f ± %.5f", what, got, want, bound)
		}
	}
	within("mean", sum/n, 0, 1)
	within("variance", squares/n, 1, 2)
	within("third moment", cubes/n, 0, 15)
	within("fourth moment", fourths/n, 3, 96)
	for k, count := range beyond {
		p := math.Erfc(float64(k+2) / math.Sqrt2)
		within("share beyond "+string(rune('2'+k))+" standard deviations", float64(count)/n, p, p*(1-p))
	}
	// Kolmogorov and Smirnov: the largest distance of the empirical distribution function, times √n, is under 1.95 with
	// a probability of 0.999.
	slices.Sort(x)
	worst := 0.0
	for i, v := range x {
		f := math.Erfc(-v/math.Sqrt2) / 2
		worst = max(worst, math.Abs(f-float64(i)/n), math.Abs(f-float64(i+1)/n))
	}
	t.Logf("Kolmogorov-Smirnov statistic %.3f", worst*math.Sqrt(n))
	if worst*math.Sqrt(n) > 1.95 {
		t.Errorf("the distribution function is off by %.3g, %.2f in units of 1/√n", worst, worst*math.Sqrt(n))
	}
}

// TestNormalBits pins bits, so that a compiler that fuses a product into a sum shows.
func TestNormalBits(t *testing.T) {
	h := uint32(2166136261)
	for i := range uint32(4000) {
		h = (h ^ math.Float32bits(kernel.Normal(i*1073741))) * 16777619
	}
	if want := uint32(0xa600bd14); h != want {
		t.Errorf("bits hash to %#x, want %#x", h, want)
	}
}

func BenchmarkNormal(b *testing.B) {
	var sum float32
	u := uint32(1)
	for range b.N {
		u = u*1664525 + 1013904223
		sum += kernel.Normal(u)
	}
	_ = sum
	b.SetBytes(1)
}
