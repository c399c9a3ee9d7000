package kernel_test

import (
	"fmt"
	"math"
	"testing"

	"sweep/trainer/kernel"
)

// optimisers is every rule with and without what may be added to it. A step is made in place and, in float64 and by the
// papers' own formulas, on a twin: see [twin.step].
var optimisers = []struct {
	name string
	sgd  bool
	mom  float64
	wd   float64
	pull kernel.Pull
}{
	{name: "adam"},
	{name: "adam clipped", pull: kernel.Pull{Scale: 0.125}},
	{name: "adam l2", pull: kernel.Pull{L2: 0.3}},
	{name: "adam l1", pull: kernel.Pull{L1: 0.2}},
	{name: "adamw", wd: 0.3},
	{name: "adamw with all", wd: 0.3, pull: kernel.Pull{Scale: 0.5, L1: 0.1, L2: 0.2}},
	{name: "sgd", sgd: true},
	{name: "sgd momentum", sgd: true, mom: 0.9},
	{name: "sgd with all", sgd: true, mom: 0.9, wd: 0.3, pull: kernel.Pull{Scale: 0.5, L1: 0.1, L2: 0.2}},
}

// twin is a weight with its moments in float64.
type twin struct{ w, m, v float64 }

func (x *twin) step(sgd bool, mom, wd, lr float64, p kernel.Pull, step int64, g float64) {
	if p.Scale != 0 {
		g *= p.Scale
	}
	g += p.L2 * x.w
	if x.w != 0 {
		g += math.Copysign(p.L1, x.w)
	}
	decayed := x.w * (1 - lr*wd)
	if sgd {
		x.m = mom*x.m + g
		x.w = decayed - lr*x.m
		return
	}
	x.m, x.v = 0.9*x.m+0.1*g, 0.999*x.v+0.001*g*g
	mh, vh := x.m/(1-math.Pow(0.9, float64(step))), x.v/(1-math.Pow(0.999, float64(step)))
	x.w = decayed - lr*mh/(math.Sqrt(vh)+1e-8)
}

func optimise(k kernel.Kernels, i int, lr float64, step int64, w, g, m, v []float32) {
	o := optimisers[i]
	if o.sgd {
		k.SGD(w, g, m, kernel.SGDStep{LR: lr, Momentum: o.mom, WeightDecay: o.wd, Pull: o.pull})
		return
	}
	s := kernel.DefaultAdam(lr, step)
	s.WeightDecay, s.Pull = o.wd, o.pull
	k.Adam(w, g, m, v, s)
}

func TestOptimisersAgainstFormula(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		for i, o := range optimisers {
			for _, n := range []int{0, 1, 7, 8, 9, 33, 200} {
				r := random(uint64(n + i))
				w, m, v := floats(r, n, 1), make([]float32, n), make([]float32, n)
				twins := make([]twin, n)
				for j := range w {
					if j%5 == 3 {
						w[j] = 0 // no sign, and no pull of l1
					}
					twins[j].w = float64(w[j])
				}
				for step := int64(1); step <= 20; step++ {
					g := floats(r, n, 0.1)
					for j := range g {
						if j%5 == 3 {
							g[j] = 0
						}
					}
					optimise(k, i, 1e-3, step, w, g, m, v)
					for j, d := range g {
						twins[j].step(o.sgd, o.mom, o.wd, 1e-3, o.pull, step, float64(d))
					}
				}
				want := make([]float32, n)
				for j := range twins {
					want[j] = float32(twins[j].w)
				}
				same(t, fmt.Sprintf("%s of %d weights", o.name, n), w, want, adamTolerance, 1)
			}
		}
	})
}

// No sum is fused or reordered, so all implementations give the same bits, zeros' signs included.
func TestOptimisersBits(t *testing.T) {
	ref, _ := kernel.New("ref")
	each(t, func(t *testing.T, k kernel.Kernels) {
		for i, o := range optimisers {
			r := random(9)
			g := append(floats(r, 70, 1), hostile...)
			n := len(g)
			w, m, v := append(floats(r, n-len(hostile), 1), hostile...), floats(r, n, 1), make([]float32, n)
			w2, m2, v2 := append([]float32{}, w...), append([]float32{}, m...), append([]float32{}, v...)
			for step := range int64(3) {
				optimise(k, i, 1e-3, step+1, w, g, m, v)
				optimise(ref, i, 1e-3, step+1, w2, g, m2, v2)
			}
			for what, pair := range map[string][2][]float32{"w": {w, w2}, "m": {m, m2}, "v": {v, v2}} {
				for j, x := range pair[0] {
					y := pair[1][j]
					if math.Float32bits(x) != math.Float32bits(y) && (x == x || y == y) {
						t.Errorf("%s: %s[%d] is %g, want %g", o.name, what, j, x, y)
					}
				}
			}
		}
	})
}

// The moments of a weight whose gradient vanishes reach 0: they do not stay at a denormal, which some processors take a
// hundred times as long to multiply.
func TestMomentsVanish(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		for i, o := range optimisers {
			if o.wd != 0 || o.pull != (kernel.Pull{}) {
				continue
			}
			w, m, v := []float32{1, 1, 1, 1, 1, 1, 1, 1, 1}, make([]float32, 9), make([]float32, 9)
			for j := range m {
				m[j], v[j] = 1.2e-38, 1.1755e-38 // at the edge of what is normal
			}
			g := make([]float32, 9)
			for step := range int64(3) {
				optimise(k, i, 1e-3, step+1, w, g, m, v)
			}
			if o.sgd {
				v = v[:0]
			}
			for _, x := range append(m, v...) {
				if x != 0 {
					t.Errorf("%s: a moment is still %g", o.name, x)
				}
			}
		}
	})
}
