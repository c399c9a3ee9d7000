package kernel_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"sweep/trainer/kernel"
)

// Sums of a loss are float64 over float32 differences; SSIM in float32 errs by the cancellation in its variances,
// about 1e-7 against C2 = 9e-4.
const (
	lossTolerance = 1e-6
	ssimTolerance = 2e-4
	// ssimGradientTolerance is relative to the largest element of the gradient, for the same cause.
	ssimGradientTolerance = 1e-3
)

var lossCases = []struct{ n, h, w, c, cropH, cropW, ppad, tpad int }{
	{1, 1, 1, 1, 1, 1, 0, 0},
	{2, 4, 6, 3, 3, 5, 0, 1},
	{1, 8, 8, 1, 8, 8, 1, 0},
	{3, 12, 16, 3, 11, 13, 0, 1},
	{2, 32, 32, 3, 32, 32, 0, 1},
	{2, 32, 32, 1, 28, 28, 0, 2},
	{1, 16, 12, 5, 16, 12, 0, 0},
}

// lossInput makes a prediction and a target in [0, 1] that resemble each other in part.
func lossInput(r *rand.Rand, n, h, w, c, ppad, tpad int, output kernel.Activation) (pred, target kernel.Map) {
	p, t := make([]float32, n*h*w*c), make([]float32, n*h*w*c)
	for i := range t {
		t[i] = float32(r.Float64())
		p[i] = 0.8*t[i] + 0.2*float32(r.Float64())
		if output == kernel.Tanh {
			p[i] = 2*p[i] - 1
		}
	}
	pred, target = poisonedMap(n, h, w, c, ppad), poisonedMap(n, h, w, c, tpad)
	pred.SetPixels(p)
	target.SetPixels(t)
	return pred, target
}

func losses(h, w int) []kernel.Loss {
	var all []kernel.Loss
	for _, out := range []kernel.Activation{kernel.Identity, kernel.Sigmoid, kernel.Tanh} {
		all = append(all,
			kernel.Loss{Kind: kernel.MSE, Output: out, H: h, W: w},
			kernel.Loss{Kind: kernel.MAE, Output: out, H: h, W: w},
			kernel.Loss{Kind: kernel.MSESSIM, SSIMWeight: 0.3, Output: out, H: h, W: w})
	}
	return all
}

// formula evaluates the losses straight from their definitions: SSIM by a two-dimensional window and central moments.
func formula(pred, target kernel.Map, l kernel.Loss) kernel.Sums {
	s := kernel.Sums{Images: pred.N, Values: pred.N * l.H * l.W * pred.C}
	at := func(m kernel.Map, n, y, x, c int) float64 {
		v := float64(m.Data[m.At(n, y, x, c)])
		if l.Output == kernel.Tanh && &m.Data[0] == &pred.Data[0] {
			v = (v + 1) / 2
		}
		return v
	}
	k := 11
	for k > l.H || k > l.W {
		k -= 2
	}
	var total float64
	var weight [11][11]float64
	for i := range k {
		for j := range k {
			dy, dx := float64(i-k/2), float64(j-k/2)
			weight[i][j] = math.Exp(-(dy*dy + dx*dx) / (2 * 1.5 * 1.5))
			total += weight[i][j]
		}
	}
	for n := range pred.N {
		var ssim, windows float64
		for c := range pred.C {
			for y := range l.H {
				for x := range l.W {
					d := at(pred, n, y, x, c) - at(target, n, y, x, c)
					s.SE += d * d
					s.AE += math.Abs(d)
					if math.Abs(d) <= 0.05 {
						s.Within++
					}
				}
			}
			for y := range l.H - k + 1 {
				for x := range l.W - k + 1 {
					var mp, mt, vp, vt, cov float64
					for i := range k {
						for j := range k {
							g := weight[i][j] / total
							mp += g * at(pred, n, y+i, x+j, c)
							mt += g * at(target, n, y+i, x+j, c)
						}
					}
					for i := range k {
						for j := range k {
							g := weight[i][j] / total
							p, t := at(pred, n, y+i, x+j, c)-mp, at(target, n, y+i, x+j, c)-mt
							vp += g * p * p
							vt += g * t * t
							cov += g * p * t
						}
					}
					ssim += (2*mp*mt + 1e-4) * (2*cov + 9e-4) / ((mp*mp + mt*mt + 1e-4) * (vp + vt + 9e-4))
					windows++
				}
			}
		}
		s.SSIM += ssim / windows
	}
	switch l.Kind {
	case kernel.MSE:
		s.Loss = s.SE / float64(s.Values)
	case kernel.MAE:
		s.Loss = s.AE / float64(s.Values)
	case kernel.MSESSIM:
		s.Loss = 0.7*s.SE/float64(s.Values) + 0.3*(1-s.SSIM/float64(s.Images))
	}
	return s
}

func sameSums(t *testing.T, what string, got, want kernel.Sums, ssim bool) {
	t.Helper()
	near := func(name string, g, w, tolerance float64) {
		t.Helper()
		if !(math.Abs(g-w) <= tolerance) {
			t.Errorf("%s: %s is %.10g, want %.10g", what, name, g, w)
		}
	}
	if got.Images != want.Images || got.Values != want.Values {
		t.Errorf("%s: %d images and %d values, want %d and %d", what, got.Images, got.Values, want.Images, want.Values)
	}
	n := float64(max(1, want.Images))
	near("loss", got.Loss, want.Loss, ssimTolerance)
	near("squared error", got.SE, want.SE, lossTolerance*max(1, want.SE))
	near("absolute error", got.AE, want.AE, lossTolerance*max(1, want.AE))
	if d := got.Within - want.Within; d*d > 1 { // 0.05 itself may round either way
		t.Errorf("%s: %d values within 1/20, want %d", what, got.Within, want.Within)
	}
	if ssim {
		near("SSIM", got.SSIM, want.SSIM, ssimTolerance*n)
	} else if got.SSIM != 0 {
		t.Errorf("%s: SSIM is %g though not asked for", what, got.SSIM)
	}
}

func TestLossAgainstFormula(t *testing.T) {
	var ws kernel.Workspace
	for _, c := range lossCases {
		for _, l := range losses(c.cropH, c.cropW) {
			pred, target := lossInput(random(21), c.n, c.h, c.w, c.c, c.ppad, c.tpad, l.Output)
			want := formula(pred, target, l)
			for _, name := range kernel.Names() {
				what := fmt.Sprintf("%s %+v %+v", name, c, l)
				k, _ := kernel.New(name)
				sameSums(t, what, k.Evaluate(&ws, pred, target, l), want, true)
				dpred := poisonedMap(c.n, c.h, c.w, c.c, 1)
				sameSums(t, what, k.Loss(&ws, dpred, pred, target, l), want, l.Kind == kernel.MSESSIM)
				cleanBorder(t, what, dpred)
			}
		}
	}
}

// Without an output activation an evaluation's sums are of what a picture shows, and its loss of what the network said.
func TestEvaluateLimitsTheOutput(t *testing.T) {
	var ws kernel.Workspace
	for _, c := range lossCases {
		pred, target := lossInput(random(24), c.n, c.h, c.w, c.c, c.ppad, c.tpad, kernel.Identity)
		p := pred.Pixels(nil)
		for i, v := range p {
			p[i] = 3*v - 1 // a third below 0, a third above 1
		}
		p[0] = 1.5 // also where there is one value only
		pred.SetPixels(p)
		for i, v := range p {
			p[i] = min(max(v, 0), 1)
		}
		shown := poisonedMap(c.n, c.h, c.w, c.c, c.ppad)
		shown.SetPixels(p)
		for _, l := range losses(c.cropH, c.cropW) {
			if l.Output != kernel.Identity {
				continue
			}
			want := formula(shown, target, l)
			raw := formula(pred, target, l)
			want.Loss = raw.Loss
			before := pred.Pixels(nil)
			for _, name := range kernel.Names() {
				what := fmt.Sprintf("%s %+v %+v", name, c, l)
				k, _ := kernel.New(name)
				sameSums(t, what, k.Evaluate(&ws, pred, target, l), want, true)
				// Training is of the raw values.
				dpred := poisonedMap(c.n, c.h, c.w, c.c, 1)
				sameSums(t, what, k.Loss(&ws, dpred, pred, target, l), raw, l.Kind == kernel.MSESSIM)
			}
			same(t, "the prediction after an evaluation", pred.Pixels(nil), before, 0, 0)
		}
	}
}

func TestLossGradient(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		var ws kernel.Workspace
		for _, c := range lossCases {
			if c.h > 16 {
				continue
			}
			for _, l := range losses(c.cropH, c.cropW) {
				what := fmt.Sprintf("%+v %+v", c, l)
				pred, target := lossInput(random(22), c.n, c.h, c.w, c.c, c.ppad, c.tpad, l.Output)
				p, tt := pred.Pixels(nil), target.Pixels(nil)
				for i := range p {
					// The kink of the absolute error stays out of the step.
					d := p[i] - tt[i]
					if l.Output == kernel.Tanh {
						d = (p[i]+1)/2 - tt[i]
					}
					if l.Kind == kernel.MAE && d*d < 1e-4 {
						p[i] += 0.1
					}
				}
				pred.SetPixels(p)
				dpred := poisonedMap(c.n, c.h, c.w, c.c, 1)
				k.Loss(&ws, dpred, pred, target, l)
				// Outside the crop the gradient is 0, and so are the differences.
				ref, _ := kernel.New("ref")
				checkGradient(t, what, p, dpred.Pixels(nil), 1e-3, ssimGradientTolerance, func() float64 {
					pred.SetPixels(p)
					return ref.Evaluate(&ws, pred, target, l).Loss
				})
			}
		}
	})
}

func TestLossGradientAgainstReference(t *testing.T) {
	ref, _ := kernel.New("ref")
	each(t, func(t *testing.T, k kernel.Kernels) {
		var ws kernel.Workspace
		for _, c := range lossCases {
			for _, l := range losses(c.cropH, c.cropW) {
				pred, target := lossInput(random(23), c.n, c.h, c.w, c.c, c.ppad, c.tpad, l.Output)
				got, want := poisonedMap(c.n, c.h, c.w, c.c, 1), poisonedMap(c.n, c.h, c.w, c.c, 1)
				k.Loss(&ws, got, pred, target, l)
				ref.Loss(&ws, want, pred, target, l)
				tolerance := lossTolerance
				if l.Kind == kernel.MSESSIM {
					tolerance = ssimGradientTolerance
				}
				sameMap(t, fmt.Sprintf("%+v %+v", c, l), got, want, tolerance, 0)
			}
		}
	})
}

func TestLossKnown(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		var ws kernel.Workspace
		pred, target := kernel.NewMap(1, 1, 4, 1, 0), kernel.NewMap(1, 1, 4, 1, 0)
		pred.SetPixels([]float32{0, 0.5, 1, 9})
		target.SetPixels([]float32{0, 0.52, 0.75, 9})
		d := poisonedMap(1, 1, 4, 1, 0)
		s := k.Loss(&ws, d, pred, target, kernel.Loss{Kind: kernel.MAE, H: 1, W: 3})
		if s.Within != 2 || s.Values != 3 || math.Abs(s.AE-0.27) > 1e-7 || math.Abs(s.Loss-0.09) > 1e-7 {
			t.Errorf("sums are %+v", s)
		}
		same(t, "gradient", d.Pixels(nil), []float32{0, -1.0 / 3, 1.0 / 3, 0}, 1e-7, 0)

		// An image is its own best likeness; a negative of it is not.
		p, q := lossInput(random(1), 2, 16, 16, 3, 0, 0, kernel.Identity)
		l := kernel.Loss{Kind: kernel.MSESSIM, SSIMWeight: 1, H: 16, W: 16}
		if s := k.Evaluate(&ws, q, q, l); math.Abs(s.SSIM-2) > 1e-6 || math.Abs(s.Loss) > 1e-6 {
			t.Errorf("SSIM of two images with themselves sums to %g, the loss is %g", s.SSIM, s.Loss)
		}
		for i := range p.Values() {
			p.Data[i] = 1 - q.Data[i]
		}
		if s := k.Evaluate(&ws, p, q, l); s.SSIM > -1 {
			t.Errorf("SSIM of two images with their negatives sums to %g", s.SSIM)
		}
		// Without images there is no loss.
		if s := k.Evaluate(&ws, p.First(0), q.First(0), l); s != (kernel.Sums{}) {
			t.Errorf("no images sum to %+v", s)
		}
	})
}

func TestLossCarriesNaN(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		var ws kernel.Workspace
		for _, l := range losses(12, 12) {
			pred, target := lossInput(random(1), 1, 12, 12, 1, 0, 0, l.Output)
			pred.Data[17] = float32(math.NaN())
			d := poisonedMap(1, 12, 12, 1, 0)
			if s := k.Loss(&ws, d, pred, target, l); s.Loss == s.Loss {
				t.Errorf("%+v: the loss hides NaN: %+v", l, s)
			}
			pred.Data[18] = 2 // so that an output without activation is limited
			if s := k.Evaluate(&ws, pred, target, l); s.Loss == s.Loss || s.SE == s.SE || s.AE == s.AE || s.SSIM == s.SSIM {
				t.Errorf("%+v: the evaluation hides NaN: %+v", l, s)
			}
			if v := d.Data[17]; v == v {
				t.Errorf("%+v: the gradient hides NaN", l)
			}
		}
	})
}

func TestSSIMWindow(t *testing.T) {
	for _, c := range []struct{ h, w, want int }{{32, 32, 11}, {11, 40, 11}, {10, 40, 9}, {4, 4, 3}, {2, 9, 1}, {1, 1, 1}} {
		if got := kernel.SSIMWindow(c.h, c.w); got != c.want {
			t.Errorf("window for %dx%d is %d, want %d", c.h, c.w, got, c.want)
		}
	}
}

func TestReconstruct(t *testing.T) {
	nan := float32(math.NaN())
	pred := poisonedMap(2, 2, 3, 1, 1)
	pred.SetPixels([]float32{
		-1, 0, nan, 9, 9, 9,
		0.5, nan, 3, 9, 9, 9,
	})
	for _, c := range []struct {
		output kernel.Activation
		want   []float32
	}{
		{kernel.Identity, []float32{0, 0, 0.5, nan}},
		{kernel.Sigmoid, []float32{0, 0, 0.5, nan}},
		{kernel.Tanh, []float32{0, 0.5, 0.75, nan}},
	} {
		l := kernel.Loss{Output: c.output, H: 1, W: 2}
		same(t, c.output.String(), kernel.Reconstruct(nil, pred, l), c.want, 0, 0)
		dst := poisoned(4)
		same(t, c.output.String(), kernel.Reconstruct(dst, pred, l), dst, 0, 0)
	}
	l := kernel.Loss{H: 1, W: 3}
	same(t, "limit", kernel.Reconstruct(nil, pred, l), []float32{0, 0, nan, 0.5, nan, 1}, 0, 0)
}
