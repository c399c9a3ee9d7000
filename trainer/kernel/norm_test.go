package kernel_test

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"

	"sweep/trainer/kernel"
)

// normCases are n, h, w, c and borders of x and of the result; sides are even, so that all can be pooled.
var normCases = []struct{ n, h, w, c, xpad, ypad int }{
	{0, 2, 2, 3, 0, 0},
	{1, 2, 2, 1, 0, 1},
	{1, 2, 2, 8, 1, 0},
	{3, 4, 6, 3, 1, 1},
	{2, 6, 2, 17, 0, 2},
	{33, 2, 4, 8, 1, 0},
	{2, 8, 4, 24, 1, 1},
	{3, 4, 2, 16, 0, 0},
	{2, 2, 10, 40, 2, 1},
	{4, 32, 32, 16, 1, 1},
}

// normTolerance bounds the error of a normalised value or its gradient, of the largest: mean and deviation are sums of
// up to some thousand float32 (see sumTolerance), and a value less its mean keeps the error of both.
const normTolerance = 4e-6

var normKinds = []kernel.NormKind{kernel.BatchNorm, kernel.LayerNorm}

// normalised is what a normalisation and its gradient make of a case.
type normalised struct {
	y, picked, dx, stats kernel.Map
	arg                  []byte
	dscale, dshift       []float32
	mean, variance       []float32
}

// scaleShift has negative scales too, for which the pooling takes the least.
func scaleShift(c int) (scale, shift []float32) {
	r := random(21)
	scale, shift = floats(r, c, 1), floats(r, c, 1)
	for i, v := range scale {
		scale[i] = v + float32(math.Copysign(0.3, float64(v)))
	}
	return scale, shift
}

func normalise(k kernel.Kernels, kind kernel.NormKind, x, dy kernel.Map, ypad int, pooled bool, act kernel.Activation) normalised {
	var ws kernel.Workspace
	h, w := x.H, x.W
	o := normalised{stats: poisonedMap(x.N, 1, 1, 2*x.C, 0)}
	if pooled {
		h, w = h/2, w/2
		o.arg = bytes.Repeat([]byte{9}, x.N*h*w*x.C)
		o.picked = poisonedMap(x.N, h, w, x.C, ypad)
	}
	o.y, o.dx = poisonedMap(x.N, h, w, x.C, ypad), poisonedMap(x.N, x.H, x.W, x.C, ypad)
	o.dscale, o.dshift = poisoned(x.C), poisoned(x.C)
	n := kernel.Norm{Kind: kind}
	n.Scale, n.Shift = scaleShift(x.C)
	if kind == kernel.BatchNorm {
		r := random(22)
		n.Mean, n.Var = floats(r, x.C, 1), floats(r, x.C, 1)
		o.mean, o.variance = n.Mean, n.Var
	}
	k.Moments(&ws, o.stats, x)
	k.Normalize(&ws, o.y, o.picked, o.arg, x, o.stats, n, act)
	k.NormalizeBackward(&ws, o.dx, o.dscale, o.dshift, dy, o.picked, o.arg, x, o.stats, n)
	return o
}

func normInput(c struct{ n, h, w, c, xpad, ypad int }, pooled bool, scale, shift float64) (x, dy kernel.Map) {
	r := random(17)
	x = randomMap(r, c.n, c.h, c.w, c.c, c.xpad, scale)
	px := x.Pixels(nil)
	for i := range px {
		px[i] += float32(shift * float64(1+i%c.c))
	}
	x.SetPixels(px)
	h, w := c.h, c.w
	if pooled {
		h, w = h/2, w/2
	}
	return x, randomMap(r, c.n, h, w, c.c, c.xpad, 1)
}

func TestNormAgainstReference(t *testing.T) {
	ref, _ := kernel.New("ref")
	each(t, func(t *testing.T, k kernel.Kernels) {
		for _, c := range normCases {
			for _, kind := range normKinds {
				for _, pooled := range []bool{false, true} {
					for _, act := range []kernel.Activation{kernel.Identity, kernel.ReLU, kernel.Tanh, kernel.GELU} {
						for _, scale := range []float64{1, 1e-4, 1e12} {
							if pooled && act.KeepsInput() || act != kernel.Identity && scale != 1 {
								continue
							}
							what := fmt.Sprintf("%v %+v pooled %t %v scale %g", kind, c, pooled, act, scale)
							x, dy := normInput(c, pooled, scale, scale/2)
							got, want := normalise(k, kind, x, dy, c.ypad, pooled, act), normalise(ref, kind, x, dy, c.ypad, pooled, act)
							sameMap(t, what+" y", got.y, want.y, normTolerance, 1)
							if pooled {
								sameMap(t, what+" picked", got.picked, want.picked, 0, 0)
								if !bytes.Equal(got.arg, want.arg) {
									t.Errorf("%s: the pools took other places", what)
								}
							}
							same(t, what+" stats", got.stats.Pixels(nil), want.stats.Pixels(nil), sumTolerance, 0)
							sameMap(t, what+" dx", got.dx, want.dx, normTolerance, 0)
							same(t, what+" dscale", got.dscale, want.dscale, normTolerance, 1)
							same(t, what+" dshift", got.dshift, want.dshift, normTolerance, 1)
							same(t, what+" mean", got.mean, want.mean, sumTolerance, scale)
							same(t, what+" var", got.variance, want.variance, sumTolerance, 1)
						}
					}
				}
			}
		}
	})
}

// The gradient may take the place of x itself, as a plan has it, to the same bits.
func TestNormBackwardInPlace(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		for _, c := range normCases {
			for _, kind := range normKinds {
				for _, pooled := range []bool{false, true} {
					x, dy := normInput(c, pooled, 1, 0)
					want := normalise(k, kind, x, dy, c.ypad, pooled, kernel.ReLU)
					var ws kernel.Workspace
					n := kernel.Norm{Kind: kind}
					n.Scale, n.Shift = scaleShift(c.c)
					k.NormalizeBackward(&ws, x, poisoned(c.c), poisoned(c.c), dy, want.picked, want.arg, x, want.stats, n)
					sameMap(t, fmt.Sprintf("%v %+v", kind, c), x, want.dx, 0, 0)
				}
			}
		}
	})
}

// By hand: four pixels 1 … 4 have the mean 2.5 and the variance 1.25, of which PyTorch keeps 5/3.
func TestNormKnown(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		var ws kernel.Workspace
		x, y, stats := kernel.NewMap(1, 2, 2, 1, 1), poisonedMap(1, 2, 2, 1, 0), poisonedMap(1, 1, 1, 2, 0)
		x.SetPixels([]float32{1, 2, 3, 4})
		n := kernel.Norm{Kind: kernel.BatchNorm, Scale: []float32{2}, Shift: []float32{10}, Mean: []float32{0}, Var: []float32{1}}
		k.Moments(&ws, stats, x)
		same(t, "moments", stats.Pixels(nil), []float32{2.5, 1.25}, 1e-7, 0)
		k.Normalize(&ws, y, kernel.Map{}, nil, x, stats, n, kernel.Identity)
		d := 2 / math.Sqrt(1.25+1e-5)
		same(t, "y", y.Pixels(nil), float32s(10-1.5*d, 10-0.5*d, 10+0.5*d, 10+1.5*d), 2e-7, 0)
		same(t, "running mean", n.Mean, float32s(0.25), 1e-7, 0)
		same(t, "running variance", n.Var, float32s(0.9+0.1*5/3), 1e-7, 0)

		// A layer's mean is over channels as well.
		x, y, stats = kernel.NewMap(1, 2, 1, 2, 0), poisonedMap(1, 2, 1, 2, 0), poisonedMap(1, 1, 1, 4, 0)
		x.SetPixels([]float32{1, 2, 3, 4})
		n = kernel.Norm{Kind: kernel.LayerNorm, Scale: []float32{2, -2}, Shift: []float32{10, 0}}
		k.Moments(&ws, stats, x)
		k.Normalize(&ws, y, kernel.Map{}, nil, x, stats, n, kernel.ReLU)
		same(t, "layer", y.Pixels(nil), float32s(10-1.5*d, 0.5*d, 10+0.5*d, 0), 2e-7, 0)

		// A single value has no variance: it becomes the shift, and nothing flows back.
		x, y, stats = kernel.NewMap(1, 1, 1, 1, 0), poisonedMap(1, 1, 1, 1, 0), poisonedMap(1, 1, 1, 2, 0)
		x.SetPixels([]float32{7})
		n = kernel.Norm{Kind: kernel.BatchNorm, Scale: []float32{2}, Shift: []float32{3}, Mean: []float32{0}, Var: []float32{1}}
		k.Moments(&ws, stats, x)
		k.Normalize(&ws, y, kernel.Map{}, nil, x, stats, n, kernel.Identity)
		same(t, "one value", append(y.Pixels(nil), n.Mean[0], n.Var[0]), []float32{3, 0.7, 0.9}, 1e-7, 0)
		dscale, dshift := poisoned(1), poisoned(1)
		k.NormalizeBackward(&ws, x, dscale, dshift, kernel.MapOn(append([]float32{5}, poisoned(16)...), 1, 1, 1, 1, 0), kernel.Map{}, nil, x, stats, n)
		same(t, "one value's gradients", append(x.Pixels(nil), dscale[0], dshift[0]), []float32{0, 0, 5}, 1e-7, 5*2/math.Sqrt(1e-5))
	})
}

func float32s(x ...float64) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = float32(v)
	}
	return out
}

// Values far from 0 keep their variance, which the mean of the squares less the square of the mean would lose.
func TestMomentsFarFromZero(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		for _, c := range []int{3, 16} {
			var ws kernel.Workspace
			r := random(4)
			x := randomMap(r, 2, 16, 16, c, 1, 1)
			px := x.Pixels(nil)
			for i, v := range px {
				px[i] = 4096 + float32(math.Round(float64(64*v)))/64 // exact
			}
			x.SetPixels(px)
			stats := poisonedMap(2, 1, 1, 2*c, 0)
			k.Moments(&ws, stats, x)
			for n := range 2 {
				for j := range c {
					var sum, sq float64
					for i := range 256 {
						v := float64(px[(n*256+i)*c+j]) - 4096
						sum += v / 256
						sq += v * v / 256
					}
					s := stats.Pixels(nil)[n*2*c:]
					if math.Abs(float64(s[j])-4096-sum) > 3e-4 || math.Abs(float64(s[c+j])/(sq-sum*sum)-1) > 3e-6 {
						t.Errorf("image %d, channel %d: mean %g and variance %g, want %g and %g", n, j, s[j], s[c+j], 4096+sum, sq-sum*sum)
					}
				}
			}
		}
	})
}

func TestNormGradient(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		for _, c := range normCases {
			if c.n == 0 || c.h > 9 || c.n*c.h*c.w < 8 {
				continue // of four values a step of the differences is too large a part
			}
			for _, kind := range normKinds {
				for _, pooled := range []bool{false, true} {
					what := fmt.Sprintf("%v %+v pooled %t", kind, c, pooled)
					x, dy := normInput(c, pooled, 1, 0)
					px := x.Pixels(nil)
					if pooled { // no two of a window within a step
						for i, p := range random(2).Perm(len(px)) {
							px[i] = float32(p)/float32(len(px))*4 - 2
						}
						if len(px) > 60 {
							continue // they cannot all stand apart
						}
						x.SetPixels(px)
					}
					var ws kernel.Workspace
					n := kernel.Norm{Kind: kind}
					n.Scale, n.Shift = scaleShift(c.c)
					o := normalise(k, kind, x, dy, c.ypad, pooled, kernel.Identity)
					value := func() float64 {
						x.SetPixels(px)
						k.Moments(&ws, o.stats, x)
						k.Normalize(&ws, o.y, o.picked, o.arg, x, o.stats, n, kernel.Identity)
						return dot(o.y.Pixels(nil), dy.Pixels(nil))
					}
					// The curvature of a mean over few values shows in the differences: step² of it.
					checkGradient(t, what+" x", px, o.dx.Pixels(nil), 1.0/128, 2e-3, value)
					checkGradient(t, what+" scale", n.Scale, o.dscale, 1.0/128, gradientTolerance, value)
					checkGradient(t, what+" shift", n.Shift, o.dshift, 1, gradientTolerance, value)
				}
			}
		}
	})
}

// A NaN spoils its channel of a batch, and its image of a layer, forward and back, and nothing else.
func TestNormCarriesNaN(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		for _, kind := range normKinds {
			for _, pooled := range []bool{false, true} {
				for _, channels := range []int{3, 16} {
					c := struct{ n, h, w, c, xpad, ypad int }{3, 4, 4, channels, 1, 1}
					x, dy := normInput(c, pooled, 1, 0)
					x.Data[x.At(1, 2, 3, 1)] = float32(math.NaN())
					o := normalise(k, kind, x, dy, 1, pooled, kernel.ReLU)
					for _, m := range []kernel.Map{o.y, o.dx} {
						for i := range m.Values() {
							p := i / m.C
							n, ch := p/(m.H*m.W), i%m.C
							want := kind == kernel.BatchNorm && ch == 1 || kind == kernel.LayerNorm && n == 1
							if v := m.Pixels(nil)[i]; (v != v) != want {
								t.Fatalf("%v, pooled %t, %d channels: image %d, channel %d is %g", kind, pooled, channels, n, ch, v)
							}
						}
					}
					if kind == kernel.BatchNorm && (o.mean[1] == o.mean[1] || o.variance[1] == o.variance[1] || o.mean[0] != o.mean[0]) {
						t.Errorf("the running statistics are %v and %v", o.mean, o.variance)
					}
				}
			}
		}
	})
}

// A convolution with folded weights does what it, without a bias, and a normalisation by running statistics do.
func TestFoldNorm(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		var ws kernel.Workspace
		r := random(6)
		const ci, co = 3, 18
		x := randomMap(r, 2, 6, 6, ci, 1, 1)
		w := floats(r, 9*ci*co, 0.3)
		n := kernel.Norm{Kind: kernel.BatchNorm, Mean: floats(r, co, 1), Var: floats(r, co, 1)}
		n.Scale, n.Shift = scaleShift(co)
		for i, v := range n.Var {
			n.Var[i] = v * v
		}
		dw, db := poisoned(len(w)), poisoned(co)
		kernel.FoldNorm(dw, db, w, n)
		plain, got := poisonedMap(2, 6, 6, co, 0), poisonedMap(2, 6, 6, co, 0)
		k.Conv(&ws, plain, x, w, nil, 3, kernel.Identity)
		k.Conv(&ws, got, x, dw, db, 3, kernel.Identity)
		want := plain.Pixels(nil)
		for i, v := range want {
			c := i % co
			want[i] = float32((float64(v)-float64(n.Mean[c]))/math.Sqrt(float64(n.Var[c])+1e-5)*float64(n.Scale[c]) + float64(n.Shift[c]))
		}
		same(t, "y", got.Pixels(nil), want, normTolerance, 4)
	})
}

// Without a bias a map is what it is with one of zeros, and its gradient by the weights the same.
func TestNoBias(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		var ws kernel.Workspace
		r := random(9)
		for _, co := range []int{3, 18} {
			x, zero, db := randomMap(r, 2, 4, 4, 5, 1, 1), make([]float32, co), poisoned(co)
			for _, side := range []int{1, 2, 3, 4} { // conv, convt, convt 3x3, conv + pool
				area, h := []int{0, 9, 4, 9, 9}[side], []int{0, 4, 8, 8, 2}[side]
				w := floats(r, area*5*co, 1)
				run := func(b []float32) []float32 {
					y := poisonedMap(2, h, h, co, 1)
					switch side {
					case 1:
						k.Conv(&ws, y, x, w, b, 3, kernel.ReLU)
					case 2:
						k.ConvT(&ws, y, x, w, b, kernel.ReLU)
					case 3:
						k.ConvT3(&ws, y, x, w, b, kernel.ReLU)
					case 4:
						k.ConvPool(&ws, y, make([]byte, y.Values()), x, w, b, 3, kernel.ReLU)
					}
					return y.Pixels(nil)
				}
				same(t, fmt.Sprintf("%d channels, map %d", co, side), run(nil), run(zero), 0, 0)
				if side == 4 {
					continue
				}
				grad := func(b []float32) []float32 {
					dy, dw := randomMap(random(3), 2, h, h, co, 1, 1), poisoned(len(w))
					switch side {
					case 1:
						k.ConvBackwardWeights(&ws, dw, b, x, dy, 3)
					case 2:
						k.ConvTBackwardWeights(&ws, dw, b, x, dy)
					case 3:
						k.ConvT3BackwardWeights(&ws, dw, b, x, dy)
					}
					return dw
				}
				same(t, fmt.Sprintf("%d channels, gradient %d", co, side), grad(nil), grad(db), 0, 0)
			}
		}
	})
}

func TestNormsDoNotAllocate(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		var ws kernel.Workspace
		c := normCases[5]
		x, dy := normInput(c, true, 1, 0)
		o := normalise(k, kernel.BatchNorm, x, dy, c.ypad, true, kernel.ReLU)
		n := kernel.Norm{Kind: kernel.BatchNorm, Mean: o.mean, Var: o.variance}
		n.Scale, n.Shift = scaleShift(c.c)
		pass := func() {
			k.Moments(&ws, o.stats, x)
			k.Normalize(&ws, o.y, o.picked, o.arg, x, o.stats, n, kernel.ReLU)
			k.NormalizeBackward(&ws, o.dx, o.dscale, o.dshift, dy, o.picked, o.arg, x, o.stats, n)
		}
		pass()
		if got := testing.AllocsPerRun(2, pass); got != 0 {
			t.Errorf("a pass allocates %g times", got)
		}
	})
}

func TestParseNorm(t *testing.T) {
	for want, name := range []string{"none", "batch", "layer"} {
		got, err := kernel.ParseNorm(name)
		if err != nil || int(got) != want || got.String() != name {
			t.Errorf("norm %q is %v, %v", name, got, err)
		}
	}
	if _, err := kernel.ParseNorm("group"); err == nil || slices.Contains([]string{"none", "batch", "layer"}, kernel.NormKind(9).String()) {
		t.Error("there is a norm of another name")
	}
}
