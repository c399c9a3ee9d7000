package kernel_test

import (
	"fmt"
	"math"
	"testing"

	"sweep/trainer/kernel"
)

// entropyTolerance is relative: a softmax in float32 errs by some units in the last place, a chain of at most 20
// additions of like size.
const entropyTolerance = 2e-6

var entropyCases = []struct{ n, h, w, c, cropH, cropW, pad int }{
	{1, 1, 1, 1, 1, 1, 0},  // one class: no loss
	{3, 1, 1, 10, 1, 1, 0}, // a classifier's row
	{2, 1, 1, 17, 1, 1, 0}, // more classes than are counted
	{2, 4, 6, 3, 3, 5, 0},  // a crop
	{1, 8, 8, 11, 8, 8, 1}, // a border
	{2, 32, 32, 11, 28, 28, 1},
	{1, 3, 7, 16, 3, 7, 2},
}

// entropyFormula is the definition in float64, with the library's functions.
func entropyFormula(logits kernel.Map, labels []byte, images []int, h, w int) (s kernel.Sums, g []float64) {
	s = kernel.Sums{Images: logits.N, Values: logits.N * h * w}
	g = make([]float64, logits.Values())
	for n, image := range images {
		for y := range h {
			for x := range w {
				z := logits.Data[logits.At(n, y, x, 0):][:logits.C]
				want := int(labels[image*h*w+y*w+x])
				var sum float64
				got := 0
				for c, v := range z {
					sum += math.Exp(float64(v))
					if v > z[got] {
						got = c
					}
				}
				s.Loss += math.Log(sum) - float64(z[want])
				for c, v := range z {
					d := math.Exp(float64(v)) / sum
					if c == want {
						d--
					}
					g[((n*logits.H+y)*logits.W+x)*logits.C+c] = d / float64(s.Values)
				}
				if got == want {
					s.Right++
				}
				if logits.C <= kernel.MaxMaskClasses {
					if got == want {
						s.Intersection[got]++
					} else {
						s.Union[got]++
					}
					s.Union[want]++
				}
			}
		}
	}
	s.Loss /= float64(s.Values)
	return s, g
}

func TestCrossEntropy(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		for _, c := range entropyCases {
			for _, scale := range []float64{0.1, 1, 30} {
				what := fmt.Sprintf("%+v of size %g", c, scale)
				r := random(uint64(c.h))
				logits := randomMap(r, c.n, c.h, c.w, c.c, c.pad, scale)
				labels := make([]byte, (c.n+2)*c.cropH*c.cropW)
				for i := range labels {
					labels[i] = byte(r.IntN(c.c))
				}
				images := r.Perm(c.n + 2)[:c.n]
				want, g := entropyFormula(logits, labels, images, c.cropH, c.cropW)
				wantG := make([]float32, len(g))
				for i, v := range g {
					wantG[i] = float32(v)
				}
				var ws kernel.Workspace
				got := poisonedMap(c.n, c.h, c.w, c.c, 1)
				s := k.CrossEntropy(&ws, got, logits, labels, images, c.cropH, c.cropW)
				same(t, what+": gradient", got.Pixels(nil), wantG, entropyTolerance, 1e-30)
				cleanBorder(t, what, got)
				if d := math.Abs(s.Loss - want.Loss); d > entropyTolerance*max(want.Loss, 1e-3) {
					t.Errorf("%s: the loss is %g, want %g", what, s.Loss, want.Loss)
				}
				if alone := k.CrossEntropy(&ws, kernel.Map{}, logits, labels, images, c.cropH, c.cropW); alone != s {
					t.Errorf("%s: without a gradient the sums are %+v, with one %+v", what, alone, s)
				}
				if s.Loss = want.Loss; s != want {
					t.Errorf("%s: sums %+v, want %+v", what, s, want)
				}
			}
		}
	})
}

func TestCrossEntropyGradient(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		logits := randomMap(random(2), 2, 2, 3, 5, 1, 1)
		labels := []byte{0, 1, 2, 3, 4, 0, 4, 3, 2, 1, 0, 1}
		images := []int{1, 0}
		x := logits.Pixels(nil)
		g := kernel.NewMap(2, 2, 3, 5, 0)
		var ws kernel.Workspace
		value := func() float64 {
			logits.SetPixels(x)
			return k.CrossEntropy(&ws, g, logits, labels, images, 2, 3).Loss
		}
		value()
		checkGradient(t, "logits", x, g.Pixels(nil), 1e-2, gradientTolerance, value)
	})
}

func TestCrossEntropyAtItsEnds(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	each(t, func(t *testing.T, k kernel.Kernels) {
		var ws kernel.Workspace
		d := kernel.NewMap(1, 1, 1, 3, 0)
		row := func(x ...float32) kernel.Map { return kernel.Vector(x, 1, 3) }
		// Logits far apart overflow nothing.
		if s := k.CrossEntropy(&ws, d, row(3e4, -3e4, 0), []byte{1}, []int{0}, 1, 1); s.Loss != 6e4 || s.Right != 0 || s.Union[0] != 1 || s.Union[1] != 1 {
			t.Errorf("far apart: %+v", s)
		}
		same(t, "far apart", d.Pixels(nil), []float32{1, -1, 0}, 1e-7, 0)
		// Equal logits are taken for the first class.
		if s := k.CrossEntropy(&ws, d, row(0, 0, 0), []byte{0}, []int{0}, 1, 1); s.Right != 1 || math.Abs(s.Loss-math.Log(3)) > 1e-7 {
			t.Errorf("equal: %+v", s)
		}
		for _, z := range [][3]float32{{1, nan, 2}, {nan, 0, 0}, {inf, 0, inf}, {0, 1, inf}} {
			if s := k.CrossEntropy(&ws, d, row(z[0], z[1], z[2]), []byte{1}, []int{0}, 1, 1); s.Loss-s.Loss == 0 {
				t.Errorf("%v: the loss %g hides it", z, s.Loss)
			}
		}
		if s := k.CrossEntropy(&ws, kernel.Map{}, kernel.Map{Data: []float32{}, H: 1, W: 1, C: 2}, nil, nil, 1, 1); s != (kernel.Sums{}) {
			t.Errorf("no images sum to %+v", s)
		}
	})
}

func TestClassify(t *testing.T) {
	nan := float32(math.NaN())
	m := kernel.NewMap(2, 2, 2, 3, 1)
	m.SetPixels([]float32{
		0, 1, 2, 9, 0, 0, 1, 1, 0, 0, 0, 5,
		-1, -2, -3, 0, nan, 7, 0, 0, 0, 0, 0, 0,
	})
	got := kernel.Classify(nil, m, 2, 1)
	if want := []byte{2, 0, 0, 0}; string(got) != string(want) {
		t.Errorf("classes %v, want %v", got, want)
	}
	if got := kernel.Classify(make([]byte, 4), m.First(1), 2, 2); string(got) != string([]byte{2, 0, 0, 2}) {
		t.Errorf("classes %v", got)
	}
}

func BenchmarkCrossEntropy(b *testing.B) {
	for _, name := range kernel.Names() {
		b.Run(name, func(b *testing.B) {
			k, err := kernel.New(name)
			if err != nil {
				b.Fatal(err)
			}
			logits := randomMap(random(1), 64, 32, 32, 11, 0, 1)
			d := kernel.NewMap(64, 32, 32, 11, 0)
			labels, images := make([]byte, 64*1024), make([]int, 64)
			for i := range images {
				images[i] = i
			}
			var ws kernel.Workspace
			for b.Loop() {
				k.CrossEntropy(&ws, d, logits, labels, images, 32, 32)
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/64*1e6, "µs/image")
		})
	}
}
