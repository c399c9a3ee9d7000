package kernel_test

import (
	"bytes"
	"fmt"
	"math"
	"testing"

	"sweep/trainer/kernel"
)

func TestMaxPoolKnown(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	each(t, func(t *testing.T, k kernel.Kernels) {
		x := kernel.NewMap(1, 2, 10, 1, 1)
		x.SetPixels([]float32{
			1, 2, 5, 5, -1, -2, nan, 7, -inf, -inf,
			3, 4, 5, 5, -3, -4, 8, 9, -inf, 1,
		})
		dst, arg := poisonedMap(1, 1, 5, 1, 1), bytes.Repeat([]byte{9}, 5)
		k.MaxPool(dst, arg, x)
		same(t, "pool", dst.Pixels(nil), []float32{4, 5, -1, nan, 1}, 0, 0)
		if want := []byte{3, 0, 0, 0, 3}; !bytes.Equal(arg, want) {
			t.Errorf("places %v, want %v", arg, want)
		}
		dy := kernel.NewMap(1, 1, 5, 1, 0)
		dy.SetPixels([]float32{10, 20, 30, 40, 50})
		dx := poisonedMap(1, 2, 10, 1, 1)
		k.MaxPoolBackward(dx, dy, arg)
		same(t, "dx", dx.Pixels(nil), []float32{
			0, 0, 20, 0, 30, 0, 40, 0, 0, 0,
			0, 10, 0, 0, 0, 0, 0, 0, 0, 50,
		}, 0, 0)
		cleanBorder(t, "dx", dx)
	})
}

var poolCases = []struct{ n, h, w, c, xpad, ypad int }{
	{0, 2, 2, 3, 0, 0},
	{1, 2, 2, 1, 0, 1},
	{2, 4, 6, 3, 1, 0},
	{1, 6, 2, 8, 2, 1},
	{3, 4, 4, 17, 0, 2},
	{2, 8, 8, 16, 1, 1},
	{1, 2, 10, 40, 1, 0},
	{1, 4, 4, 12, 0, 0},
}

func TestMaxPoolAgainstReference(t *testing.T) {
	ref, _ := kernel.New("ref")
	each(t, func(t *testing.T, k kernel.Kernels) {
		for _, c := range poolCases {
			what := fmt.Sprintf("%+v", c)
			r := random(11)
			x := randomMap(r, c.n, c.h, c.w, c.c, c.xpad, 1)
			px := x.Pixels(nil)
			for i := range px {
				px[i] = float32(math.Round(float64(2 * px[i]))) // many equals
				if r.IntN(20) == 0 {
					px[i] = float32(math.NaN())
				}
			}
			x.SetPixels(px)
			dy := randomMap(r, c.n, c.h/2, c.w/2, c.c, c.ypad, 1)
			got, want := poisonedMap(c.n, c.h/2, c.w/2, c.c, c.ypad), poisonedMap(c.n, c.h/2, c.w/2, c.c, c.ypad)
			arg, rarg := bytes.Repeat([]byte{9}, dy.Values()), bytes.Repeat([]byte{9}, dy.Values())
			k.MaxPool(got, arg, x)
			ref.MaxPool(want, rarg, x)
			sameMap(t, what, got, want, 0, 0)
			if !bytes.Equal(arg, rarg) {
				t.Errorf("%s: places %v, want %v", what, arg, rarg)
			}
			gdx, wdx := poisonedMap(c.n, c.h, c.w, c.c, c.xpad), poisonedMap(c.n, c.h, c.w, c.c, c.xpad)
			k.MaxPoolBackward(gdx, dy, rarg)
			ref.MaxPoolBackward(wdx, dy, rarg)
			sameMap(t, what+" dx", gdx, wdx, 0, 0)
		}
	})
}

func TestMaxPoolGradient(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		r := random(2)
		x := poisonedMap(2, 4, 6, 5, 1)
		px := make([]float32, x.Values())
		for i, p := range r.Perm(len(px)) {
			px[i] = float32(p) / 10 // no two within the step
		}
		x.SetPixels(px)
		dy := randomMap(r, 2, 2, 3, 5, 0, 1)
		y, arg, dx := poisonedMap(2, 2, 3, 5, 0), make([]byte, dy.Values()), poisonedMap(2, 4, 6, 5, 0)
		k.MaxPool(y, arg, x)
		k.MaxPoolBackward(dx, dy, arg)
		checkGradient(t, "x", px, dx.Pixels(nil), 0.01, gradientTolerance, func() float64 {
			x.SetPixels(px)
			k.MaxPool(y, arg, x)
			return dot(y.Pixels(nil), dy.Pixels(nil))
		})
	})
}

// TestConvPool compares the fused operation with its parts, bit by bit.
func TestConvPool(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		for _, c := range convCases {
			h, w := 2*c.h, 2*c.w
			for _, act := range []kernel.Activation{kernel.Identity, kernel.ReLU, kernel.LeakyReLU, kernel.Tanh, kernel.Sigmoid} { // all that are monotone
				what := fmt.Sprintf("%+v %v", c, act)
				r := random(13)
				var ws kernel.Workspace
				x := randomMap(r, c.n, h, w, c.ci, c.xpad, 1)
				weights, b := floats(r, c.k*c.k*c.ci*c.co, 0.3), floats(r, c.co, 1)
				full := poisonedMap(c.n, h, w, c.co, 0)
				got, want := poisonedMap(c.n, c.h, c.w, c.co, c.ypad), poisonedMap(c.n, c.h, c.w, c.co, c.ypad)
				arg, rarg := bytes.Repeat([]byte{9}, want.Values()), bytes.Repeat([]byte{9}, want.Values())
				k.Conv(&ws, full, x, weights, b, c.k, kernel.Identity)
				k.MaxPool(want, rarg, full)
				k.Activate(act, want)
				k.ConvPool(&ws, got, arg, x, weights, b, c.k, act)
				sameMap(t, what, got, want, 0, 0)
				if !bytes.Equal(arg, rarg) {
					t.Errorf("%s: places differ", what)
				}
			}
		}
	})
}
