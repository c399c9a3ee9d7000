package kernel_test

import (
	"fmt"
	"math"
	"testing"

	"sweep/trainer/kernel"
)

// convCases are sizes that a fast kernel could get wrong: no image, one pixel, widths and channels that are no multiple
// of 4, 8 or 16, borders wider than needed.
var convCases = []struct{ n, h, w, ci, co, k, xpad, ypad int }{
	{0, 4, 4, 3, 5, 3, 1, 1},
	{1, 1, 1, 1, 1, 1, 0, 0},
	{1, 1, 1, 1, 1, 3, 1, 1},
	{2, 1, 2, 3, 3, 3, 1, 1},
	{1, 2, 1, 3, 17, 3, 1, 2},
	{2, 7, 1, 3, 5, 3, 1, 1},
	{2, 5, 2, 3, 18, 3, 1, 1},
	{1, 4, 2, 6, 16, 5, 2, 0},
	{3, 3, 5, 1, 12, 3, 2, 1},
	{2, 6, 7, 3, 16, 3, 1, 1},
	{2, 4, 6, 5, 24, 5, 2, 2},
	{1, 7, 4, 2, 31, 7, 3, 3},
	{2, 4, 4, 16, 32, 3, 1, 1},
	{1, 8, 8, 33, 15, 3, 1, 1},
	{5, 2, 2, 8, 3, 3, 1, 1},
	{1, 9, 10, 4, 7, 1, 0, 1},
	{1, 1, 13, 3, 40, 3, 1, 1},
	{2, 32, 32, 3, 16, 3, 1, 1},
	{33, 2, 2, 3, 2, 3, 1, 1},
}

// scales are sizes of inputs: usual, large, and products that are denormal.
var scales = []float64{1, 1e15, 1e-20}

func TestConvKnown(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		// A 3x3 image 1 … 9, a kernel of ones: each pixel becomes the sum of its neighbourhood, plus 0.5.
		x := kernel.NewMap(1, 3, 3, 1, 1)
		x.SetPixels([]float32{1, 2, 3, 4, 5, 6, 7, 8, 9})
		w := []float32{1, 1, 1, 1, 1, 1, 1, 1, 1}
		dst := poisonedMap(1, 3, 3, 1, 1)
		var ws kernel.Workspace
		k.Conv(&ws, dst, x, w, []float32{0.5}, 3, kernel.Identity)
		same(t, "sums", dst.Pixels(nil), []float32{12.5, 21.5, 16.5, 27.5, 45.5, 33.5, 24.5, 39.5, 28.5}, 0, 0)
		// One weight at (ky, kx) = (0, 2) looks up and right (cross-correlation, as in every framework).
		k.Conv(&ws, dst, x, []float32{0, 0, 1, 0, 0, 0, 0, 0, 0}, []float32{0}, 3, kernel.Identity)
		same(t, "shift", dst.Pixels(nil), []float32{0, 0, 0, 2, 3, 0, 5, 6, 0}, 0, 0)
		k.Conv(&ws, dst, x, w, []float32{-30}, 3, kernel.ReLU)
		same(t, "relu", dst.Pixels(nil), []float32{0, 0, 0, 0, 15, 3, 0, 9, 0}, 0, 0)
	})
}

// TestConvCarriesNaN: neither a tile nor ReLU nor a pool hides that a network has diverged, and NaN stays where it is.
func TestConvCarriesNaN(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		var ws kernel.Workspace
		r := random(8)
		x := randomMap(r, 1, 8, 8, 3, 1, 1)
		x.Data[x.At(0, 3, 3, 1)] = float32(math.NaN())
		w, b := floats(r, 9*3*20, 1), floats(r, 20, 1)
		y := poisonedMap(1, 8, 8, 20, 0)
		k.Conv(&ws, y, x, w, b, 3, kernel.ReLU)
		pooled, arg := poisonedMap(1, 4, 4, 20, 0), make([]byte, 4*4*20)
		k.ConvPool(&ws, pooled, arg, x, w, b, 3, kernel.ReLU)
		for yy := range 8 {
			for xx := range 8 {
				for c := range 20 {
					touched := yy >= 2 && yy <= 4 && xx >= 2 && xx <= 4
					if v := y.Data[y.At(0, yy, xx, c)]; (v != v) != touched {
						t.Fatalf("output at (%d, %d, %d) is %g", yy, xx, c, v)
					}
					touched = yy/2 >= 1 && yy/2 <= 2 && xx/2 >= 1 && xx/2 <= 2
					if v := pooled.Data[pooled.At(0, yy/2, xx/2, c)]; (v != v) != touched {
						t.Fatalf("pool at (%d, %d, %d) is %g", yy/2, xx/2, c, v)
					}
				}
			}
		}
	})
}

func TestConvAgainstReference(t *testing.T) {
	ref, _ := kernel.New("ref")
	each(t, func(t *testing.T, k kernel.Kernels) {
		var ws, rws kernel.Workspace
		for _, c := range convCases {
			for _, scale := range scales {
				what := fmt.Sprintf("%+v scale %g", c, scale)
				r := random(7)
				x := randomMap(r, c.n, c.h, c.w, c.ci, c.xpad, scale)
				dy := randomMap(r, c.n, c.h, c.w, c.co, max(c.ypad, c.k/2), scale)
				w := floats(r, c.k*c.k*c.ci*c.co, scale)
				b := floats(r, c.co, scale)
				size := 4 * scale * scale
				for _, act := range []kernel.Activation{kernel.Identity, kernel.ReLU, kernel.LeakyReLU} {
					got, want := poisonedMap(c.n, c.h, c.w, c.co, c.ypad), poisonedMap(c.n, c.h, c.w, c.co, c.ypad)
					k.Conv(&ws, got, x, w, b, c.k, act)
					ref.Conv(&rws, want, x, w, b, c.k, act)
					sameMap(t, what+" conv "+act.String(), got, want, sumTolerance, size)
				}

				got, want := poisonedMap(c.n, c.h, c.w, c.ci, c.xpad), poisonedMap(c.n, c.h, c.w, c.ci, c.xpad)
				k.ConvBackwardData(&ws, got, dy, w, c.k)
				ref.ConvBackwardData(&rws, want, dy, w, c.k)
				sameMap(t, what+" dx", got, want, sumTolerance, size)

				dw, db, rdw, rdb := poisoned(len(w)), poisoned(c.co), poisoned(len(w)), poisoned(c.co)
				k.ConvBackwardWeights(&ws, dw, db, x, dy, c.k)
				ref.ConvBackwardWeights(&rws, rdw, rdb, x, dy, c.k)
				same(t, what+" dw", dw, rdw, sumTolerance, size)
				same(t, what+" db", db, rdb, sumTolerance, scale)
			}
		}
	})
}

func TestConvGradient(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		for _, c := range convCases {
			if c.n == 0 || c.n > 3 || c.h > 9 {
				continue
			}
			what := fmt.Sprintf("%+v", c)
			r := random(3)
			var ws kernel.Workspace
			x := randomMap(r, c.n, c.h, c.w, c.ci, c.xpad, 1)
			dy := randomMap(r, c.n, c.h, c.w, c.co, c.k/2, 1)
			w, b := floats(r, c.k*c.k*c.ci*c.co, 1), floats(r, c.co, 1)
			y := poisonedMap(c.n, c.h, c.w, c.co, 0)
			value := func() float64 {
				k.Conv(&ws, y, x, w, b, c.k, kernel.Identity)
				return dot(y.Pixels(nil), dy.Pixels(nil))
			}
			dx, dw, db := poisonedMap(c.n, c.h, c.w, c.ci, 0), poisoned(len(w)), poisoned(len(b))
			k.ConvBackwardData(&ws, dx, dy, w, c.k)
			k.ConvBackwardWeights(&ws, dw, db, x, dy, c.k)
			// The function is linear in each, so a long step is exact.
			checkGradient(t, what+" w", w, dw, 1, gradientTolerance, value)
			checkGradient(t, what+" b", b, db, 1, gradientTolerance, value)
			px := x.Pixels(nil)
			checkGradient(t, what+" x", px, dx.Pixels(nil), 1, gradientTolerance, func() float64 {
				x.SetPixels(px)
				return value()
			})
		}
	})
}

// convTCases are n, h, w of the input, ci, co and borders.
var convTCases = []struct{ n, h, w, ci, co, xpad, ypad int }{
	{0, 2, 2, 3, 3, 0, 0},
	{1, 1, 1, 1, 1, 0, 0},
	{2, 1, 2, 3, 3, 1, 1},
	{1, 3, 1, 5, 8, 0, 2},
	{2, 5, 2, 6, 8, 1, 1},
	{2, 2, 2, 64, 32, 0, 0},
	{3, 4, 4, 64, 32, 0, 0},
	{2, 3, 5, 7, 12, 1, 0},
	{1, 4, 6, 17, 9, 0, 1},
	{2, 16, 16, 16, 3, 0, 0},
	{1, 2, 7, 2, 24, 2, 1},
}

func TestConvTKnown(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		x := kernel.NewMap(1, 1, 2, 1, 0)
		x.SetPixels([]float32{1, 10})
		dst := poisonedMap(1, 2, 4, 1, 1)
		var ws kernel.Workspace
		k.ConvT(&ws, dst, x, []float32{1, 2, 3, 4}, []float32{0.5}, kernel.Identity)
		same(t, "convt", dst.Pixels(nil), []float32{1.5, 2.5, 10.5, 20.5, 3.5, 4.5, 30.5, 40.5}, 0, 0)
	})
}

func TestConvTAgainstReference(t *testing.T) {
	ref, _ := kernel.New("ref")
	each(t, func(t *testing.T, k kernel.Kernels) {
		var ws, rws kernel.Workspace
		for _, c := range convTCases {
			for _, scale := range scales {
				what := fmt.Sprintf("%+v scale %g", c, scale)
				r := random(5)
				x := randomMap(r, c.n, c.h, c.w, c.ci, c.xpad, scale)
				dy := randomMap(r, c.n, 2*c.h, 2*c.w, c.co, c.ypad, scale)
				w, b := floats(r, 4*c.ci*c.co, scale), floats(r, c.co, scale)
				size := 4 * scale * scale
				for _, act := range []kernel.Activation{kernel.Identity, kernel.ReLU, kernel.LeakyReLU} {
					got := poisonedMap(c.n, 2*c.h, 2*c.w, c.co, c.ypad)
					want := poisonedMap(c.n, 2*c.h, 2*c.w, c.co, c.ypad)
					k.ConvT(&ws, got, x, w, b, act)
					ref.ConvT(&rws, want, x, w, b, act)
					sameMap(t, what+" convt "+act.String(), got, want, sumTolerance, size)
				}

				got, want := poisonedMap(c.n, c.h, c.w, c.ci, c.xpad), poisonedMap(c.n, c.h, c.w, c.ci, c.xpad)
				k.ConvTBackwardData(&ws, got, dy, w)
				ref.ConvTBackwardData(&rws, want, dy, w)
				sameMap(t, what+" dx", got, want, sumTolerance, size)

				dw, db, rdw, rdb := poisoned(len(w)), poisoned(c.co), poisoned(len(w)), poisoned(c.co)
				k.ConvTBackwardWeights(&ws, dw, db, x, dy)
				ref.ConvTBackwardWeights(&rws, rdw, rdb, x, dy)
				same(t, what+" dw", dw, rdw, sumTolerance, size)
				same(t, what+" db", db, rdb, sumTolerance, scale)
			}
		}
	})
}

func TestConvTGradient(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		for _, c := range convTCases {
			if c.n == 0 || c.h > 4 {
				continue
			}
			what := fmt.Sprintf("%+v", c)
			r := random(3)
			var ws kernel.Workspace
			x := randomMap(r, c.n, c.h, c.w, c.ci, c.xpad, 1)
			dy := randomMap(r, c.n, 2*c.h, 2*c.w, c.co, 0, 1)
			w, b := floats(r, 4*c.ci*c.co, 1), floats(r, c.co, 1)
			y := poisonedMap(c.n, 2*c.h, 2*c.w, c.co, 1)
			value := func() float64 {
				k.ConvT(&ws, y, x, w, b, kernel.Identity)
				return dot(y.Pixels(nil), dy.Pixels(nil))
			}
			dx, dw, db := poisonedMap(c.n, c.h, c.w, c.ci, 0), poisoned(len(w)), poisoned(len(b))
			k.ConvTBackwardData(&ws, dx, dy, w)
			k.ConvTBackwardWeights(&ws, dw, db, x, dy)
			checkGradient(t, what+" w", w, dw, 1, gradientTolerance, value)
			checkGradient(t, what+" b", b, db, 1, gradientTolerance, value)
			px := x.Pixels(nil)
			checkGradient(t, what+" x", px, dx.Pixels(nil), 1, gradientTolerance, func() float64 {
				x.SetPixels(px)
				return value()
			})
		}
	})
}
