package kernel_test

import (
	"fmt"
	"math"
	"testing"

	"sweep/trainer/kernel"
)

// pooledGradient draws a gradient of pooled values, half of them 0 as behind a rectifier, some images all 0, and places.
func pooledGradient(n, h, w, c, pad int, scale float64) (kernel.Map, []byte) {
	r := random(17)
	values := floats(r, n*h*w*c, scale)
	arg := make([]byte, len(values))
	for i := range values {
		arg[i] = byte(r.IntN(4))
		if r.IntN(2) == 0 || i/(h*w*c) == 1 {
			values[i] = 0
		}
	}
	dy := poisonedMap(n, h, w, c, pad)
	dy.SetPixels(values)
	return dy, arg
}

// TestConvPoolBackward compares the fused gradient with the reference's three steps.
func TestConvPoolBackward(t *testing.T) {
	ref, _ := kernel.New("ref")
	cases := append(convCases[:len(convCases):len(convCases)], []struct{ n, h, w, ci, co, k, xpad, ypad int }{
		{3, 8, 8, 16, 32, 3, 1, 0}, // the layers of the reference network
		{6, 4, 4, 32, 64, 3, 1, 0},
		{2, 3, 2, 64, 5, 3, 2, 1},
		{9, 1, 1, 11, 3, 5, 2, 0}, // rows of 7 vectors, many images in a list
	}...)
	each(t, func(t *testing.T, k kernel.Kernels) {
		var ws, rws kernel.Workspace
		for _, c := range cases {
			for _, scale := range scales {
				what := fmt.Sprintf("%+v scale %g", c, scale)
				r := random(19)
				x := randomMap(r, c.n, 2*c.h, 2*c.w, c.ci, c.xpad, scale)
				dy, arg := pooledGradient(c.n, c.h, c.w, c.co, c.ypad, scale)
				w := floats(r, c.k*c.k*c.ci*c.co, scale)
				full := poisonedMap(c.n, 2*c.h, 2*c.w, c.co, c.k/2)
				ref.MaxPoolBackward(full, dy, arg)
				wdx, wdw, wdb := poisonedMap(c.n, 2*c.h, 2*c.w, c.ci, c.ypad), poisoned(len(w)), poisoned(c.co)
				ref.ConvBackwardData(&rws, wdx, full, w, c.k)
				ref.ConvBackwardWeights(&rws, wdw, wdb, x, full, c.k)

				size := 4 * scale * scale
				dx, dw, db := poisonedMap(c.n, 2*c.h, 2*c.w, c.ci, c.ypad), poisoned(len(w)), poisoned(c.co)
				k.ConvPoolBackward(&ws, dx, dw, db, x, dy, arg, w, c.k)
				sameMap(t, what+" dx", dx, wdx, sumTolerance, size)
				same(t, what+" dw", dw, wdw, sumTolerance, size)
				same(t, what+" db", db, wdb, sumTolerance, scale)

				alone, bias := poisoned(len(w)), poisoned(c.co)
				k.ConvPoolBackward(&ws, kernel.Map{}, alone, bias, x, dy, arg, w, c.k)
				same(t, what+" dw without dx", alone, dw, 0, 0)
				same(t, what+" db without dx", bias, db, 0, 0)
			}
		}
	})
}

// A gradient that is NaN reaches every sum that it belongs to.
func TestConvPoolBackwardCarriesNaN(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		var ws kernel.Workspace
		x := randomMap(random(3), 1, 4, 4, 2, 1, 1)
		dy, arg := pooledGradient(1, 2, 2, 3, 0, 1)
		dy.Data[dy.At(0, 1, 1, 2)], arg[3*3+2] = float32(math.NaN()), 0
		w := floats(random(4), 9*2*3, 1)
		dx, dw, db := poisonedMap(1, 4, 4, 2, 0), make([]float32, len(w)), make([]float32, 3)
		k.ConvPoolBackward(&ws, dx, dw, db, x, dy, arg, w, 3)
		for i, v := range dw {
			if (v != v) != (i%3 == 2) {
				t.Errorf("dw %d is %g", i, v)
			}
		}
		if v := dx.Data[dx.At(0, 1, 1, 0)]; v == v {
			t.Errorf("dx beside the NaN is %g", v)
		}
	})
}
