package kernel_test

import (
	"fmt"
	"math"
	"testing"

	"sweep/trainer/kernel"
)

var attentionCases = []struct{ n, h, w, c int }{
	{0, 2, 2, 3},
	{1, 1, 1, 1},
	{2, 1, 1, 7},
	{1, 1, 2, 5},
	{2, 2, 3, 4},
	{3, 4, 4, 17},
	{1, 3, 7, 16},
	{2, 4, 4, 64},
	{1, 8, 8, 33},
	{1, 16, 16, 9},
}

// attentionTolerance: a score is a sum in float32, an error of which is a relative one of its weight; the sums over the
// tokens add theirs. The scores of the cases are below ten.
const attentionTolerance = 2e-5

func TestAttentionKnown(t *testing.T) {
	nan := float32(math.NaN())
	each(t, func(t *testing.T, k kernel.Kernels) {
		var ws kernel.Workspace
		set := func(x ...float32) kernel.Map {
			m := kernel.NewMap(1, 1, len(x), 1, 0)
			m.SetPixels(x)
			return m
		}
		y := poisonedMap(1, 1, 3, 1, 0)
		// Of a query of 0 every weight is 1/3; one of ln 2 weighs keys 1, 0, -1 as 4 : 2 : 1.
		k.Attention(&ws, y, set(0, math.Ln2, 0), set(1, 0, -1), set(7, 14, 21))
		same(t, "attention", y.Pixels(nil), []float32{14, 11, 14}, 1e-6, 0)
		// A large score takes all, without an overflow.
		k.Attention(&ws, y, set(1, -1, 0), set(-200, 0, 200), set(7, 14, 21))
		same(t, "large", y.Pixels(nil), []float32{21, 7, 14}, 1e-6, 0)
		// NaN spoils the rows that meet it, not what stands beside them.
		k.Attention(&ws, y, set(1, nan, 0), set(1, 2, 3), set(5, 5, 5))
		same(t, "nan", y.Pixels(nil), []float32{5, nan, 5}, 1e-6, 0)
	})
}

func TestAttentionAgainstReference(t *testing.T) {
	ref, _ := kernel.New("ref")
	each(t, func(t *testing.T, k kernel.Kernels) {
		var ws, rws kernel.Workspace
		for _, c := range attentionCases {
			for _, scale := range []float64{1, 1e-3, 0} {
				what := fmt.Sprintf("%+v scale %g", c, scale)
				r := random(21)
				draw := func(s float64) kernel.Map { return randomMap(r, c.n, c.h, c.w, c.c, 0, s) }
				q, key, v, dy := draw(scale), draw(scale), draw(1), draw(1)
				got, want := poisonedMap(c.n, c.h, c.w, c.c, 0), poisonedMap(c.n, c.h, c.w, c.c, 0)
				k.Attention(&ws, got, q, key, v)
				ref.Attention(&rws, want, q, key, v)
				sameMap(t, what, got, want, attentionTolerance, 1)

				a, b := []kernel.Map{clone(q), clone(key), clone(v)}, []kernel.Map{clone(q), clone(key), clone(v)}
				k.AttentionBackward(&ws, a[0], a[1], a[2], dy)
				ref.AttentionBackward(&rws, b[0], b[1], b[2], dy)
				for i, name := range []string{" dq", " dk", " dv"} {
					sameMap(t, what+name, a[i], b[i], attentionTolerance, math.Max(scale, 1e-2))
				}
			}
		}
	})
}

func clone(m kernel.Map) kernel.Map {
	m.Data = append([]float32(nil), m.Data...)
	return m
}

func TestAttentionGradient(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		for _, c := range attentionCases {
			if c.n == 0 || c.n*c.h*c.w*c.c > 300 {
				continue
			}
			what := fmt.Sprintf("%+v", c)
			r := random(22)
			var ws kernel.Workspace
			size := c.n * c.h * c.w * c.c
			px := [3][]float32{floats(r, size, 1), floats(r, size, 1), floats(r, size, 1)}
			dy, y := randomMap(r, c.n, c.h, c.w, c.c, 0, 1), poisonedMap(c.n, c.h, c.w, c.c, 0)
			var m [3]kernel.Map
			load := func() {
				for i := range m {
					m[i] = poisonedMap(c.n, c.h, c.w, c.c, 0)
					m[i].SetPixels(px[i])
				}
			}
			load()
			k.AttentionBackward(&ws, m[0], m[1], m[2], dy)
			grads := [3][]float32{m[0].Pixels(nil), m[1].Pixels(nil), m[2].Pixels(nil)}
			for i, name := range []string{" q", " k", " v"} {
				if c.h*c.w == 1 && i < 2 { // one token has the weight 1, whatever its score
					same(t, what+name, grads[i], make([]float32, size), 0, 0)
					continue
				}
				checkGradient(t, what+name, px[i], grads[i], 0.02, attentionGradientTolerance, func() float64 {
					load()
					k.Attention(&ws, y, m[0], m[1], m[2])
					return dot(y.Pixels(nil), dy.Pixels(nil))
				})
			}
		}
	})
}

// attentionGradientTolerance: as gradientTolerance, and the third derivative of a softmax of scores of several units.
const attentionGradientTolerance = 1e-3

func TestAttentionRefusesABorder(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		defer func() {
			if recover() != "kernel: attention has no border" {
				t.Error("maps with a border were taken")
			}
		}()
		m := kernel.NewMap(1, 2, 2, 3, 1)
		k.Attention(new(kernel.Workspace), m, m, m, m)
	})
}
