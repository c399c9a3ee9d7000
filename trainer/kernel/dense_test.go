package kernel_test

import (
	"fmt"
	"testing"

	"sweep/trainer/kernel"
)

var denseCases = []struct{ n, in, out int }{
	{0, 3, 5},
	{1, 1, 1},
	{1, 7, 3},
	{2, 16, 16},
	{3, 5, 17},
	{5, 33, 12},
	{4, 64, 40},
	{7, 100, 31},
	{33, 128, 64},
	{64, 200, 24},
	{256, 9, 10},
}

func TestDenseKnown(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		var ws kernel.Workspace
		y := poisoned(4)
		k.Dense(&ws, y, []float32{1, 2, 3, -4, 5, 6}, []float32{1, 10, 2, 20, 3, 30}, []float32{0.5, -1000}, 2, 3, 2, kernel.Identity)
		same(t, "dense", y, []float32{14.5, -860, 24.5, -760}, 0, 0)
		k.Dense(&ws, y, []float32{1, 2, 3, -4, 5, 6}, []float32{1, 10, 2, 20, 3, 30}, []float32{0.5, -1000}, 2, 3, 2, kernel.ReLU)
		same(t, "relu", y, []float32{14.5, 0, 24.5, 0}, 0, 0)
	})
}

func TestDenseAgainstReference(t *testing.T) {
	ref, _ := kernel.New("ref")
	each(t, func(t *testing.T, k kernel.Kernels) {
		var ws, rws kernel.Workspace
		for _, c := range denseCases {
			for _, scale := range scales {
				what := fmt.Sprintf("%+v scale %g", c, scale)
				r := random(5)
				x, dy := floats(r, c.n*c.in, scale), floats(r, c.n*c.out, scale)
				w, b := floats(r, c.in*c.out, scale), floats(r, c.out, scale)
				size := 4 * scale * scale
				for _, act := range []kernel.Activation{kernel.Identity, kernel.ReLU, kernel.LeakyReLU} {
					got, want := poisoned(c.n*c.out), poisoned(c.n*c.out)
					k.Dense(&ws, got, x, w, b, c.n, c.in, c.out, act)
					ref.Dense(&rws, want, x, w, b, c.n, c.in, c.out, act)
					same(t, what+" "+act.String(), got, want, sumTolerance, size)
				}
				got, want := poisoned(c.n*c.in), poisoned(c.n*c.in)
				k.DenseBackwardData(&ws, got, dy, w, c.n, c.in, c.out)
				ref.DenseBackwardData(&rws, want, dy, w, c.n, c.in, c.out)
				same(t, what+" dx", got, want, sumTolerance, size)

				dw, db, rdw, rdb := poisoned(len(w)), poisoned(c.out), poisoned(len(w)), poisoned(c.out)
				k.DenseBackwardWeights(&ws, dw, db, x, dy, c.n, c.in, c.out)
				ref.DenseBackwardWeights(&rws, rdw, rdb, x, dy, c.n, c.in, c.out)
				same(t, what+" dw", dw, rdw, sumTolerance, size)
				same(t, what+" db", db, rdb, sumTolerance, scale)
			}
		}
	})
}

func TestDenseGradient(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		for _, c := range denseCases {
			if c.n == 0 || c.n > 7 {
				continue
			}
			what := fmt.Sprintf("%+v", c)
			r := random(3)
			var ws kernel.Workspace
			x, dy := floats(r, c.n*c.in, 1), floats(r, c.n*c.out, 1)
			w, b := floats(r, c.in*c.out, 1), floats(r, c.out, 1)
			y := poisoned(c.n * c.out)
			value := func() float64 {
				k.Dense(&ws, y, x, w, b, c.n, c.in, c.out, kernel.Identity)
				return dot(y, dy)
			}
			dx, dw, db := poisoned(len(x)), poisoned(len(w)), poisoned(len(b))
			k.DenseBackwardData(&ws, dx, dy, w, c.n, c.in, c.out)
			k.DenseBackwardWeights(&ws, dw, db, x, dy, c.n, c.in, c.out)
			checkGradient(t, what+" x", x, dx, 1, gradientTolerance, value)
			checkGradient(t, what+" w", w, dw, 1, gradientTolerance, value)
			checkGradient(t, what+" b", b, db, 1, gradientTolerance, value)
		}
	})
}
