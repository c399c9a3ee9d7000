package kernel_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"sweep/trainer/kernel"
)

// sumTolerance bounds the error of a sum in float32 relative to the sum of the absolute values of its terms, which the
// tests bound by the largest result of the same sums over absolute values. A chain of n additions errs by n·2⁻²⁴ at
// worst and by about √n·2⁻²⁴ in practice; the chains here have up to some thousand terms.
const sumTolerance = 2e-6

// denormalTolerance is added to every tolerance: each of some hundred products that is denormal is off by up to 1.4e-45.
const denormalTolerance = 3e-43

// gradientTolerance bounds the difference between a gradient and central differences of functions that return float32:
// rounding (6e-8 over a step of 1e-2) and the third derivative (step²/6) leave about 2e-5 of the largest.
const gradientTolerance = 2e-4

// each runs a test for every implementation.
func each(t *testing.T, test func(t *testing.T, k kernel.Kernels)) {
	for _, name := range kernel.Names() {
		t.Run(name, func(t *testing.T) {
			k, err := kernel.New(name)
			if err != nil {
				t.Fatal(err)
			}
			test(t, k)
		})
	}
}

func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// floats draws n numbers of about ±scale.
func floats(r *rand.Rand, n int, scale float64) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(scale * r.NormFloat64())
	}
	return x
}

// poisoned makes n NaNs: what a kernel does not write, or reads and should not, shows.
func poisoned(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(math.NaN())
	}
	return x
}

// poisonedMap is a map full of NaN: pixels, border and slack.
func poisonedMap(n, h, w, c, pad int) kernel.Map {
	return kernel.MapOn(poisoned(kernel.Floats(n, h, w, c, pad)), n, h, w, c, pad)
}

// randomMap has random pixels, a zero border and NaN in its slack.
func randomMap(r *rand.Rand, n, h, w, c, pad int, scale float64) kernel.Map {
	m := poisonedMap(n, h, w, c, pad)
	m.SetPixels(floats(r, n*h*w*c, scale))
	return m
}

// same compares got with want; the worst element may differ by tolerance times the largest of want (and of size, a bound
// for the terms of the sums, if that is larger). NaN equals NaN, and infinities themselves.
func same(t *testing.T, what string, got, want []float32, tolerance, size float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	if worst, at, allowed := apart(got, want, tolerance, size); worst > allowed {
		t.Errorf("%s: element %d of %d is %g, want %g: off by %.3g, more than %.3g", what, at, len(want), got[at], want[at], worst, allowed)
	}
}

// apart finds the worst element, +Inf for one that is a NaN or an infinity alone, and how much is allowed.
func apart(got, want []float32, tolerance, size float64) (worst float64, at int, allowed float64) {
	at = -1
	for i, w := range want {
		g, w := float64(got[i]), float64(w)
		if !math.IsInf(w, 0) && !math.IsNaN(w) {
			size = max(size, math.Abs(w))
		}
		d := math.Abs(g - w)
		if g == w || math.IsNaN(g) && math.IsNaN(w) {
			d = 0
		} else if math.IsNaN(d) {
			d = math.Inf(1)
		}
		if d > worst {
			worst, at = d, i
		}
	}
	return worst, at, tolerance*size + denormalTolerance*min(1, tolerance/sumTolerance)
}

// A NaN that is wanted excuses nothing beside it.
func TestApart(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, x := range []struct {
		got, want []float32
		differ    bool
	}{
		{[]float32{1, nan, inf}, []float32{1, nan, inf}, false},
		{[]float32{2, nan}, []float32{1, nan}, true},
		{[]float32{nan, 2}, []float32{nan, 1}, true},
		{[]float32{nan, 1}, []float32{1, 1}, true},
		{[]float32{1, 1}, []float32{nan, 1}, true},
		{[]float32{inf, 1}, []float32{1, 1}, true},
		{[]float32{1, 1}, []float32{-inf, 1}, true},
	} {
		for _, tolerance := range []float64{0, 1e-6} {
			if worst, _, allowed := apart(x.got, x.want, tolerance, 0); worst > allowed != x.differ {
				t.Errorf("%g and %g within %g: off by %g, allowed %g", x.got, x.want, tolerance, worst, allowed)
			}
		}
	}
}

// sameMap compares pixels, and looks for an unwritten border.
func sameMap(t *testing.T, what string, got, want kernel.Map, tolerance, size float64) {
	t.Helper()
	same(t, what, got.Pixels(nil), want.Pixels(nil), tolerance, size)
	cleanBorder(t, what, got)
}

func cleanBorder(t *testing.T, what string, m kernel.Map) {
	t.Helper()
	for n := range m.N {
		for y := -m.Pad; y < m.H+m.Pad; y++ {
			for x := -m.Pad; x < m.W+m.Pad; x++ {
				if y >= 0 && y < m.H && x >= 0 && x < m.W {
					continue
				}
				for c := range m.C {
					if v := m.Data[m.At(n, y, x, c)]; v != 0 {
						t.Fatalf("%s: border of image %d at (%d, %d, %d) is %g, want 0", what, n, y, x, c, v)
					}
				}
			}
		}
	}
	for i, v := range m.Data[m.N*m.Image():] {
		if v == v {
			t.Fatalf("%s: float %d of the slack was written", what, i)
		}
	}
}

// dot is Σ a·b in float64.
func dot(a, b []float32) float64 {
	var s float64
	for i, v := range a {
		s += float64(v) * float64(b[i])
	}
	return s
}

// checkGradient compares grad, that of value with respect to x, with central differences. Every element, or an even
// choice of 60 of them, is moved by step; value reads x.
func checkGradient(t *testing.T, what string, x, grad []float32, step float64, tolerance float64, value func() float64) {
	t.Helper()
	if len(x) != len(grad) {
		t.Fatalf("%s: gradient has %d values, want %d", what, len(grad), len(x))
	}
	every := max(1, len(x)/60)
	var want, got []float32
	for i := 0; i < len(x); i += every {
		old := x[i]
		x[i] = old + float32(step)
		hi, up := x[i], value()
		x[i] = old - float32(step)
		lo, down := x[i], value()
		x[i] = old
		want = append(want, float32((up-down)/(float64(hi)-float64(lo))))
		got = append(got, grad[i])
	}
	same(t, what, got, want, tolerance, 0)
}
