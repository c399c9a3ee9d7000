package kernel_test

import (
	"math"
	"testing"

	"sweep/trainer/kernel"
)

// The stated errors, in units in the last place of the result (2⁻²³ of its power of two).
const (
	expUnits     = 2
	tanhUnits    = 3
	sigmoidUnits = 4
	logUnits     = 1
)

// units is the distance of got from want in units in the last place of want as a float32.
func units(got float32, want float64) float64 {
	if float64(got) == want {
		return 0
	}
	_, e := math.Frexp(want)
	return math.Abs(float64(got)-want) / math.Ldexp(1, max(e-24, -149))
}

func TestFunctions(t *testing.T) {
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	for _, c := range []struct {
		name     string
		f        func(float32) float32
		want     func(float64) float64
		lo, hi   float32
		units    float64
		smallest float64 // results under it are not held to units
	}{
		{"exp", kernel.Exp, math.Exp, -103.9, 88.72, expUnits, 1.2e-38},
		{"tanh", kernel.TanhOf, math.Tanh, -12, 12, tanhUnits, 0},
		{"sigmoid", kernel.SigmoidOf, sigmoid, -87, 40, sigmoidUnits, 1.2e-38},
		{"log", kernel.Log, math.Log, 1e-45, 3e38, logUnits, 0},
		{"log near 1", kernel.Log, math.Log, 0.5, 2, logUnits, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			worst, at := 0.0, float32(0)
			try := func(x float32) {
				want := c.want(float64(x))
				if math.Abs(want) < c.smallest {
					if d := math.Abs(float64(c.f(x)) - want); d > 1e-44 {
						t.Fatalf("%s(%g) is off by %g", c.name, x, d)
					}
					return
				}
				if u := units(c.f(x), want); !(u <= worst) && worst == worst { // the first NaN stays
					worst, at = u, x
				}
			}
			// Evenly over the values, and evenly over the bit patterns (so over magnitudes, both signs).
			const n = 200_000
			for i := range n {
				try(c.lo + (c.hi-c.lo)*float32(i)/n)
				if x := math.Float32frombits(uint32(i) * (math.MaxUint32 / n)); x >= c.lo && x <= c.hi {
					try(x)
				}
			}
			t.Logf("worst: %.2f units at %g", worst, at)
			if !(worst <= c.units) {
				t.Errorf("%s(%g) = %g is off by %.2f units in the last place, more than %g", c.name, at, c.f(at), worst, c.units)
			}
		})
	}
}

// geluError bounds the error of GELU and of its slope, of the larger of 1 and the result: four roundings of 2⁻²⁴.
const geluError = 2.5e-7

func TestGELU(t *testing.T) {
	worst, at := 0.0, float32(0)
	slope := func(x float32) float32 {
		g := []float32{1}
		ref, err := kernel.New("ref")
		if err != nil {
			t.Fatal(err)
		}
		ref.ActivationBackward(kernel.GELU, kernel.Vector(g, 1, 1), kernel.Vector([]float32{x}, 1, 1))
		return g[0]
	}
	for i := -150_000; i <= 150_000; i++ {
		x := float32(i) * 1e-4
		phi := math.Erfc(-float64(x)/math.Sqrt2) / 2
		want := float64(x) * phi
		d := math.Abs(float64(kernel.GELUOf(x))-want) / max(1, math.Abs(want))
		if i%16 == 0 {
			exact := phi + float64(x)*math.Exp(-float64(x)*float64(x)/2)/math.Sqrt(2*math.Pi)
			d = max(d, math.Abs(float64(slope(x))-exact))
		}
		if !(d <= worst) && worst == worst {
			worst, at = d, x
		}
		// The small results of the left tail are right by themselves, not only beside 1.
		if x < 0 && x > -10 && math.Abs(float64(kernel.GELUOf(x))-want) > 4e-6*-want {
			t.Fatalf("gelu(%g) = %g, want %g", x, kernel.GELUOf(x), want)
		}
	}
	t.Logf("worst: %.3g at %g", worst, at)
	if !(worst <= geluError) {
		t.Errorf("gelu or its slope at %g is off by %.3g, more than %g", at, worst, geluError)
	}
}

func TestFunctionsAtTheirEnds(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, c := range []struct {
		name    string
		f       func(float32) float32
		x, want float32
	}{
		{"exp", kernel.Exp, 0, 1},
		{"exp", kernel.Exp, inf, inf},
		{"exp", kernel.Exp, 88.73, inf},
		{"exp", kernel.Exp, -inf, 0},
		{"exp", kernel.Exp, -104, 0},
		{"exp", kernel.Exp, nan, nan},
		{"tanh", kernel.TanhOf, 0, 0},
		{"tanh", kernel.TanhOf, inf, 1},
		{"tanh", kernel.TanhOf, -inf, -1},
		{"tanh", kernel.TanhOf, 100, 1},
		{"tanh", kernel.TanhOf, nan, nan},
		{"sigmoid", kernel.SigmoidOf, 0, 0.5},
		{"sigmoid", kernel.SigmoidOf, inf, 1},
		{"sigmoid", kernel.SigmoidOf, -inf, 0},
		{"sigmoid", kernel.SigmoidOf, nan, nan},
		{"log", kernel.Log, 0, -inf},
		{"log", kernel.Log, 1, 0},
		{"log", kernel.Log, inf, inf},
		{"log", kernel.Log, -1, nan},
		{"log", kernel.Log, nan, nan},
		{"gelu", kernel.GELUOf, 0, 0},
		{"gelu", kernel.GELUOf, inf, inf},
		{"gelu", kernel.GELUOf, -inf, nan}, // 0 times infinity, as everywhere
		{"gelu", kernel.GELUOf, -100, 0},
		{"gelu", kernel.GELUOf, 3e38, 3e38},
		{"gelu", kernel.GELUOf, -3e38, 0},
		{"gelu", kernel.GELUOf, nan, nan},
	} {
		if got := c.f(c.x); got != c.want && !(got != got && c.want != c.want) {
			t.Errorf("%s(%g) = %g, want %g", c.name, c.x, got, c.want)
		}
	}
}

// TestFunctionBits pins bits, so that a compiler that fuses a product into a sum shows.
func TestFunctionBits(t *testing.T) {
	h := uint32(2166136261)
	for i := range 4000 {
		x := float32(i)*0.011 - 22
		for _, v := range []float32{kernel.Exp(x), kernel.TanhOf(x), kernel.SigmoidOf(x), kernel.GELUOf(x)} {
			h = (h ^ math.Float32bits(v)) * 16777619
		}
	}
	if want := uint32(0xcc3a81e6); h != want {
		t.Errorf("bits hash to %#x, want %#x", h, want)
	}
}
