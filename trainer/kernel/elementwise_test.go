package kernel_test

import (
	"fmt"
	"math"
	"testing"

	"sweep/trainer/kernel"
)

var activations = []kernel.Activation{kernel.Identity, kernel.ReLU, kernel.LeakyReLU, kernel.Tanh, kernel.Sigmoid, kernel.GELU}

// hostile are values at which a fast loop may differ from a slow one.
var hostile = []float32{
	0, float32(math.Copysign(0, -1)), 1e-45, -1e-45, 1e-38, -1e-38, 0.3, -0.3, 0.62499, 0.625, -0.625, 1, -1, 8, -9, 20, -20,
	87, -87, 88.7, -88.8, 89, -89, 100, -104, 1e10, -1e10, 3e38, -3e38,
	float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()),
}

func TestActivateKnown(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		for act, want := range map[kernel.Activation][]float32{
			kernel.Identity:  {-2, 0, 3},
			kernel.ReLU:      {0, 0, 3},
			kernel.LeakyReLU: {-0.02, 0, 3},
			kernel.Tanh:      {-0.9640276, 0, 0.9950548},
			kernel.Sigmoid:   {0.11920292, 0.5, 0.95257413},
			kernel.GELU:      {-0.04550026, 0, 2.9959502}, // x·erfc(-x/√2)/2
		} {
			x := []float32{-2, 0, 3}
			k.Activate(act, kernel.Vector(x, 1, 3))
			same(t, act.String(), x, want, 1e-7, 1)
		}
	})
}

// TestActivate compares bits: the functions are the same everywhere.
func TestActivate(t *testing.T) {
	ref, _ := kernel.New("ref")
	each(t, func(t *testing.T, k kernel.Kernels) {
		for _, act := range activations {
			for _, n := range []int{0, 1, 3, 7, 8, 9, 16, 31, 100} {
				for _, pad := range []int{0, 1} {
					what := fmt.Sprintf("%v of %d, border %d", act, n, pad)
					r := random(uint64(n))
					values := floats(r, 2*2*n, 3)
					grads := floats(r, 2*2*n, 1)
					for i := range values {
						if r.IntN(2) == 0 {
							values[i] = hostile[r.IntN(len(hostile))]
						}
					}
					if n == 0 {
						k.Activate(act, kernel.Map{H: 1, W: 1, C: 1})
						continue
					}
					got, want := poisonedMap(2, 2, n, 1, pad), poisonedMap(2, 2, n, 1, pad)
					got.SetPixels(values)
					want.SetPixels(values)
					k.Activate(act, got)
					ref.Activate(act, want)
					sameMap(t, what, got, want, 0, 0)
					to, source := poisonedMap(2, 2, n, 1, 1-pad), poisonedMap(2, 2, n, 1, pad)
					source.SetPixels(values)
					k.ActivateTo(act, to, source)
					sameMap(t, what+" to another map", to, want, 0, 0)
					if act.KeepsInput() {
						want = source
					}

					dgot, dwant := poisonedMap(2, 2, n, 1, 1), poisonedMap(2, 2, n, 1, 1)
					dgot.SetPixels(grads)
					dwant.SetPixels(grads)
					k.ActivationBackward(act, dgot, want)
					ref.ActivationBackward(act, dwant, want)
					sameMap(t, what+" backward", dgot, dwant, 0, 0)
				}
			}
		}
	})
}

func TestActivationGradient(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		for _, act := range activations {
			r := random(4)
			x := floats(r, 100, 1.5)
			for i, v := range x {
				if math.Abs(float64(v)) < 0.05 {
					x[i] = 0.05 // keep the kink out of the step
				}
			}
			dy := floats(r, 100, 1)
			y, g := make([]float32, 100), make([]float32, 100)
			value := func() float64 {
				copy(y, x)
				k.Activate(act, kernel.Vector(y, 1, 100))
				return dot(y, dy)
			}
			value()
			copy(g, dy)
			if act.KeepsInput() {
				copy(y, x)
			}
			k.ActivationBackward(act, kernel.Vector(g, 1, 100), kernel.Vector(y, 1, 100))
			checkGradient(t, act.String(), x, g, 1e-2, gradientTolerance, value)
		}
	})
}

func TestGather(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		for _, c := range []struct{ h, w, c, mh, mw, pad int }{
			{1, 1, 1, 1, 1, 0}, {3, 5, 3, 4, 8, 1}, {28, 28, 1, 32, 32, 1}, {32, 32, 3, 32, 32, 2}, {2, 3, 1, 2, 4, 0},
		} {
			pixels := make([]byte, 5*c.h*c.w*c.c)
			for i := range pixels {
				pixels[i] = byte(i * 7)
			}
			images := []int{4, 0, 2}
			dst := poisonedMap(4, c.mh, c.mw, c.c, c.pad)
			k.Gather(dst, pixels, c.h, c.w, images)
			want := make([]float32, 3*c.mh*c.mw*c.c)
			for n, at := range images {
				for y := range c.h {
					for x := range c.w * c.c {
						want[(n*c.mh+y)*c.mw*c.c+x] = float32(pixels[(at*c.h+y)*c.w*c.c+x]) / 255
					}
				}
			}
			sameMap(t, fmt.Sprintf("%+v", c), kernel.MapOn(append(dst.Data[:3*dst.Image()], poisoned(kernel.Slack)...), 3, c.mh, c.mw, c.c, c.pad),
				kernel.MapOn(append(want, poisoned(kernel.Slack)...), 3, c.mh, c.mw, c.c, 0), 0, 0)
		}
	})
}

func TestAdamKnown(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		// The first step moves by LR in the direction of the sign, whatever the size (Kingma and Ba, section 2.1).
		w, m, v := []float32{1, 1, 1}, make([]float32, 3), make([]float32, 3)
		k.Adam(w, []float32{3, -1e-3, 0}, m, v, kernel.DefaultAdam(0.1, 1))
		same(t, "w", w, []float32{0.9, 1.1, 1}, 2e-5, 0)
		same(t, "m", m, []float32{0.3, -1e-4, 0}, 1e-6, 0)
		same(t, "v", v, []float32{9e-3, 1e-9, 0}, 1e-6, 0)

		s := kernel.DefaultAdam(0.1, 1)
		s.WeightDecay = 0.5
		w, m, v = []float32{2}, make([]float32, 1), make([]float32, 1)
		k.Adam(w, []float32{0}, m, v, s)
		same(t, "decay", w, []float32{1.9}, 1e-7, 0)
	})
}

// adamTolerance: four float32 operations a value a step.
const adamTolerance = 2e-6

func TestAdamAgainstFormula(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		for _, n := range []int{0, 1, 7, 8, 9, 33, 1000} {
			r := random(uint64(n))
			w, m, v := floats(r, n, 1), make([]float32, n), make([]float32, n)
			w64, m64, v64 := make([]float64, n), make([]float64, n), make([]float64, n)
			for i, x := range w {
				w64[i] = float64(x)
			}
			for step := int64(1); step <= 30; step++ {
				g := floats(r, n, math.Pow(10, float64(step%7)-4))
				s := kernel.AdamStep{LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, WeightDecay: 0.01, Step: step}
				k.Adam(w, g, m, v, s)
				for i, x := range g {
					d := float64(x)
					m64[i] = 0.9*m64[i] + 0.1*d
					v64[i] = 0.999*v64[i] + 0.001*d*d
					mh, vh := m64[i]/(1-math.Pow(0.9, float64(step))), v64[i]/(1-math.Pow(0.999, float64(step)))
					w64[i] -= 1e-3*0.01*w64[i] + 1e-3*mh/(math.Sqrt(vh)+1e-8)
				}
			}
			want := make([]float32, n)
			for i, x := range w64 {
				want[i] = float32(x)
			}
			same(t, fmt.Sprintf("%d weights", n), w, want, adamTolerance, 1)
		}
	})
}

// TestAdamBits: no sum is fused or reordered, so all implementations give the same bits.
func TestAdamBits(t *testing.T) {
	ref, _ := kernel.New("ref")
	each(t, func(t *testing.T, k kernel.Kernels) {
		r := random(9)
		g := append(floats(r, 70, 1), hostile...)
		n := len(g)
		w, m, v := floats(r, n, 1), floats(r, n, 1), make([]float32, n)
		w2, m2, v2 := append([]float32{}, w...), append([]float32{}, m...), append([]float32{}, v...)
		for step := range int64(3) {
			s := kernel.DefaultAdam(1e-3, step+1)
			s.WeightDecay = 0.1
			k.Adam(w, g, m, v, s)
			ref.Adam(w2, g, m2, v2, s)
		}
		same(t, "w", w, w2, 0, 0)
		same(t, "m", m, m2, 0, 0)
		same(t, "v", v, v2, 0, 0)
	})
}

func TestSumSquaresAndFinite(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		for _, n := range []int{0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 1000} {
			x := make([]float32, n)
			want := 0.0
			for i := range x {
				x[i] = float32(i+1) * 1e18
				want += float64(x[i]) * float64(x[i])
			}
			if got := k.SumSquares(x); math.Abs(got-want) > 1e-13*want {
				t.Errorf("sum of squares of %d values is %g, want %g", n, got, want)
			}
			if !k.Finite(x) {
				t.Errorf("%d finite values are called not finite", n)
			}
			for i := range x {
				for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
					old := x[i]
					x[i] = float32(bad)
					if k.Finite(x) {
						t.Errorf("%g at %d of %d is called finite", bad, i, n)
					}
					x[i] = old
				}
			}
		}
		if !k.Finite([]float32{math.MaxFloat32, -math.MaxFloat32, 1e-45, 0}) {
			t.Error("the largest numbers are called not finite")
		}
	})
}
