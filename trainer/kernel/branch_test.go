package kernel_test

import (
	"bytes"
	"fmt"
	"math"
	"testing"

	"sweep/trainer/kernel"
)

var branchCases = []struct{ n, h, w, c, apad, bpad, ypad int }{
	{0, 2, 2, 3, 0, 0, 1},
	{1, 1, 1, 1, 0, 0, 0},
	{2, 3, 5, 3, 1, 0, 2},
	{1, 4, 2, 8, 0, 2, 1},
	{3, 4, 4, 17, 1, 1, 1},
	{1, 1, 1, 1024, 0, 0, 0},
	{2, 7, 3, 5, 0, 0, 0},
}

func TestAddKnown(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	each(t, func(t *testing.T, k kernel.Kernels) {
		a, b := kernel.NewMap(1, 1, 9, 1, 0), kernel.NewMap(1, 1, 9, 1, 1)
		a.SetPixels([]float32{1, -2, 3, nan, inf, inf, -1, 0, 2})
		b.SetPixels([]float32{4, -5, -4, 1, -inf, 1, 1, 0, -8})
		y := poisonedMap(1, 1, 9, 1, 1)
		k.Add(kernel.Identity, y, a, b)
		same(t, "sum", y.Pixels(nil), []float32{5, -7, -1, nan, nan, inf, 0, 0, -6}, 0, 0)
		k.Add(kernel.ReLU, y, a, b)
		same(t, "relu", y.Pixels(nil), []float32{5, 0, 0, nan, nan, inf, 0, 0, 0}, 0, 0)
		cleanBorder(t, "sum", y)
	})
}

// Bit for bit: there is one addition and one activation a value.
func TestAddAgainstReference(t *testing.T) {
	ref, _ := kernel.New("ref")
	each(t, func(t *testing.T, k kernel.Kernels) {
		for _, c := range branchCases {
			for _, act := range []kernel.Activation{kernel.Identity, kernel.ReLU, kernel.LeakyReLU, kernel.Tanh, kernel.Sigmoid} {
				what := fmt.Sprintf("%+v %v", c, act)
				r := random(3)
				a, b := randomMap(r, c.n, c.h, c.w, c.c, c.apad, 2), randomMap(r, c.n, c.h, c.w, c.c, c.bpad, 2)
				got, want := poisonedMap(c.n, c.h, c.w, c.c, c.ypad), poisonedMap(c.n, c.h, c.w, c.c, c.ypad)
				ref.Add(act, want, a, b)
				k.Add(act, got, a, b)
				sameMap(t, what, got, want, 0, 0)
				k.Add(act, a, a, b)
				same(t, what+" onto the first", a.Pixels(nil), want.Pixels(nil), 0, 0)
				cleanBorder(t, what+" onto the first", a)
			}
		}
	})
}

func TestAddOntoTheSecond(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		r := random(3)
		a, b := randomMap(r, 2, 3, 5, 3, 0, 2), randomMap(r, 2, 3, 5, 3, 1, 2)
		want := a.Pixels(nil)
		for i, v := range b.Pixels(nil) {
			want[i] += v
		}
		k.Add(kernel.Identity, b, a, b)
		same(t, "sum", b.Pixels(nil), want, 0, 0)
		cleanBorder(t, "sum", b)
	})
}

func TestCopy(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		for _, c := range branchCases {
			x := randomMap(random(4), c.n, c.h, c.w, c.c, c.apad, 1)
			y := poisonedMap(c.n, c.h, c.w, c.c, c.ypad)
			k.Copy(y, x)
			sameMap(t, fmt.Sprintf("%+v", c), y, x, 0, 0)
		}
	})
}

func TestUnpoolKnown(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		x := kernel.NewMap(1, 1, 2, 2, 0)
		x.SetPixels([]float32{1, 2, 3, 4})
		arg := []byte{0, 3, 2, 1} // by pixel and channel
		y := poisonedMap(1, 2, 4, 2, 1)
		k.MaxPoolBackward(y, x, arg)
		same(t, "unpooled", y.Pixels(nil), []float32{
			1, 0, 0, 0, 0, 0, 0, 4,
			0, 0, 0, 2, 3, 0, 0, 0,
		}, 0, 0)
		y.SetPixels([]float32{
			1, 2, 3, 4, 5, 6, 7, 8,
			9, 10, 11, 12, 13, 14, 15, 16,
		})
		dx := poisonedMap(1, 1, 2, 2, 1)
		k.UnpoolBackward(dx, y, arg)
		same(t, "dx", dx.Pixels(nil), []float32{1, 12, 13, 8}, 0, 0)
		cleanBorder(t, "dx", dx)
	})
}

func TestUnpoolAgainstReference(t *testing.T) {
	ref, _ := kernel.New("ref")
	each(t, func(t *testing.T, k kernel.Kernels) {
		for _, c := range poolCases {
			r := random(12)
			dy := randomMap(r, c.n, c.h, c.w, c.c, c.xpad, 1)
			got, want := poisonedMap(c.n, c.h/2, c.w/2, c.c, c.ypad), poisonedMap(c.n, c.h/2, c.w/2, c.c, c.ypad)
			arg := make([]byte, got.Values())
			for i := range arg {
				arg[i] = byte(r.IntN(4))
			}
			before := bytes.Clone(arg)
			k.UnpoolBackward(got, dy, arg)
			ref.UnpoolBackward(want, dy, arg)
			sameMap(t, fmt.Sprintf("%+v", c), got, want, 0, 0)
			if !bytes.Equal(arg, before) {
				t.Errorf("%+v: the places were changed", c)
			}
			// What unpooling sends out comes back: UnpoolBackward after MaxPoolBackward is the identity.
			up := poisonedMap(c.n, c.h, c.w, c.c, c.xpad)
			k.MaxPoolBackward(up, want, arg)
			k.UnpoolBackward(got, up, arg)
			sameMap(t, fmt.Sprintf("%+v there and back", c), got, want, 0, 0)
		}
	})
}
