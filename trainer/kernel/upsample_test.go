package kernel_test

import (
	"fmt"
	"math"
	"testing"

	"sweep/trainer/kernel"
)

// convT3Cases adds to those of the 2x2 kernel the widths at which the columns are no longer computed in pairs.
var convT3Cases = append([]struct{ n, h, w, ci, co, xpad, ypad int }{
	{1, 2, 3, 4, 9, 0, 0},
	{2, 3, 2, 5, 16, 0, 1},
	{1, 5, 4, 3, 8, 2, 3},
	{1, 1, 3, 2, 33, 1, 0},
	{1, 7, 1, 1, 1, 0, 0},
}, convTCases...)

func TestConvT3Known(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		// Two pixels, 1 and 10, and a kernel 1 … 9: its middle stands on pixel 2x, its neighbours add up between them.
		x := kernel.NewMap(1, 1, 2, 1, 0)
		x.SetPixels([]float32{1, 10})
		dst := poisonedMap(1, 2, 4, 1, 1)
		var ws kernel.Workspace
		k.ConvT3(&ws, dst, x, []float32{1, 2, 3, 4, 5, 6, 7, 8, 9}, []float32{0.5}, kernel.Identity)
		same(t, "convt", dst.Pixels(nil), []float32{5.5, 46.5, 50.5, 60.5, 8.5, 79.5, 80.5, 90.5}, 0, 0)
		k.ConvT3(&ws, dst, x, []float32{1, 2, 3, 4, 5, 6, 7, 8, 9}, []float32{-50}, kernel.ReLU)
		same(t, "relu", dst.Pixels(nil), []float32{0, 0, 0, 10, 0, 29, 30, 40}, 0, 0)
	})
}

func TestConvT3AgainstReference(t *testing.T) {
	ref, _ := kernel.New("ref")
	each(t, func(t *testing.T, k kernel.Kernels) {
		var ws, rws kernel.Workspace
		for _, c := range convT3Cases {
			for _, scale := range scales {
				what := fmt.Sprintf("%+v scale %g", c, scale)
				r := random(5)
				x := randomMap(r, c.n, c.h, c.w, c.ci, c.xpad, scale)
				dy := randomMap(r, c.n, 2*c.h, 2*c.w, c.co, c.ypad, scale)
				w, b := floats(r, 9*c.ci*c.co, scale), floats(r, c.co, scale)
				size := 4 * scale * scale
				for _, act := range []kernel.Activation{kernel.Identity, kernel.ReLU, kernel.GELU} {
					got := poisonedMap(c.n, 2*c.h, 2*c.w, c.co, c.ypad)
					want := poisonedMap(c.n, 2*c.h, 2*c.w, c.co, c.ypad)
					k.ConvT3(&ws, got, x, w, b, act)
					ref.ConvT3(&rws, want, x, w, b, act)
					sameMap(t, what+" convt "+act.String(), got, want, sumTolerance, size)
				}

				got, want := poisonedMap(c.n, c.h, c.w, c.ci, c.xpad), poisonedMap(c.n, c.h, c.w, c.ci, c.xpad)
				k.ConvT3BackwardData(&ws, got, dy, w)
				ref.ConvT3BackwardData(&rws, want, dy, w)
				sameMap(t, what+" dx", got, want, sumTolerance, size)

				dw, db, rdw, rdb := poisoned(len(w)), poisoned(c.co), poisoned(len(w)), poisoned(c.co)
				k.ConvT3BackwardWeights(&ws, dw, db, x, dy)
				ref.ConvT3BackwardWeights(&rws, rdw, rdb, x, dy)
				same(t, what+" dw", dw, rdw, sumTolerance, size)
				same(t, what+" db", db, rdb, sumTolerance, scale)
			}
		}
	})
}

func TestConvT3Gradient(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		for _, c := range convT3Cases {
			if c.n == 0 || c.h > 5 || c.ci > 20 {
				continue
			}
			what := fmt.Sprintf("%+v", c)
			r := random(3)
			var ws kernel.Workspace
			x := randomMap(r, c.n, c.h, c.w, c.ci, c.xpad, 1)
			dy := randomMap(r, c.n, 2*c.h, 2*c.w, c.co, c.ypad, 1)
			w, b := floats(r, 9*c.ci*c.co, 1), floats(r, c.co, 1)
			y := poisonedMap(c.n, 2*c.h, 2*c.w, c.co, 1)
			value := func() float64 {
				k.ConvT3(&ws, y, x, w, b, kernel.Identity)
				return dot(y.Pixels(nil), dy.Pixels(nil))
			}
			dx, dw, db := poisonedMap(c.n, c.h, c.w, c.ci, 0), poisoned(len(w)), poisoned(len(b))
			k.ConvT3BackwardData(&ws, dx, dy, w)
			k.ConvT3BackwardWeights(&ws, dw, db, x, dy)
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

// NaN reaches the pixels that its own pixel's taps reach, and no others.
func TestConvT3CarriesNaN(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		for _, co := range []int{3, 20} {
			for _, pad := range []int{0, 1} {
				var ws kernel.Workspace
				r := random(8)
				x := randomMap(r, 2, 4, 4, 3, pad, 1)
				x.Data[x.At(0, 1, 2, 1)] = float32(math.NaN())
				y := poisonedMap(2, 8, 8, co, 1)
				k.ConvT3(&ws, y, x, floats(r, 9*3*co, 1), floats(r, co, 1), kernel.ReLU)
				for n := range 2 {
					for yy := range 8 {
						for xx := range 8 {
							touched := n == 0 && yy >= 1 && yy <= 3 && xx >= 3 && xx <= 5
							// A pair's even column is multiplied by 0 at the pixel to its right.
							unsure := co == 3 && n == 0 && yy >= 1 && yy <= 3 && xx == 2
							for c := range co {
								if v := y.Data[y.At(n, yy, xx, c)]; (v != v) != touched && !unsure {
									t.Fatalf("%d channels, border %d: output at (%d, %d, %d, %d) is %g", co, pad, n, yy, xx, c, v)
								}
							}
						}
					}
				}
			}
		}
	})
}
