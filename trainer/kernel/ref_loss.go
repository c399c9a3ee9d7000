package kernel

import "math"

const (
	ssimC1 = 0.01 * 0.01 // (K1·range)²
	ssimC2 = 0.03 * 0.03 // (K2·range)²
	// nearby is the distance within which a value counts as right (Sums.Within).
	nearby = float32(1.0 / 20)
)

// SSIMWindow gives the side of SSIM's window for images of h x w pixels: 11, or the largest odd number that fits.
func SSIMWindow(h, w int) int {
	k := min(h, w, 11)
	return k - 1 + k%2
}

// bell holds exp(-d²/(2·1.5²)) for d = 0 … 5, written out so that no machine's exponential enters.
var bell = [...]float64{
	1.0,
	0.8007374029168081,
	0.41111229050718745,
	0.1353352832366127,
	0.028565500784550377,
	0.0038659201394728076,
}

// gaussian fills g, of up to 11 taps, with a normalised Gaussian of standard deviation 1.5, centred.
func gaussian(g []float64) {
	var sum float64
	for i := range g {
		d := i - len(g)/2
		g[i] = bell[max(d, -d)]
		sum += g[i]
	}
	for i := range g {
		g[i] /= sum
	}
}

func (reference) Loss(ws *Workspace, dpred, pred, target Map, l Loss) Sums {
	checkLoss(pred, target, l)
	sameSize(dpred, pred)
	ws.reset()
	return refLoss(ws, &dpred, pred, target, l, l.Kind == MSESSIM)
}

func (reference) Evaluate(ws *Workspace, pred, target Map, l Loss) Sums {
	checkLoss(pred, target, l)
	ws.reset()
	return evaluate(ws, pred, target, l, func(ws *Workspace, pred, target Map, l Loss, ssim bool) Sums {
		return refLoss(ws, nil, pred, target, l, ssim)
	})
}

// refLoss does both: dpred may be nil.
func refLoss(ws *Workspace, dpred *Map, pred, target Map, l Loss, ssim bool) Sums {
	s := Sums{Images: pred.N, Values: pred.N * l.H * l.W * pred.C}
	scale := 1.0 // of p with respect to y
	if l.Output == Tanh {
		scale = 0.5
	}
	count := float64(s.Values)
	var field refSSIM
	var g, ds []float64
	if ssim {
		field = newRefSSIM(ws, l.H, l.W)
		if dpred != nil {
			ds = ws.doubles(l.H * l.W)
		}
	}
	g = ws.doubles(l.H * l.W)
	p, t := ws.doubles(l.H*l.W), ws.doubles(l.H*l.W)
	for n := range pred.N {
		for c := range pred.C {
			for y := range l.H {
				for x := range l.W {
					i := y*l.W + x
					pf := squash(pred.Data[pred.At(n, y, x, c)], l.Output)
					tf := target.Data[target.At(n, y, x, c)]
					p[i], t[i] = float64(pf), float64(tf)
					d := p[i] - t[i]
					s.SE += float64(d * d)
					s.AE += math.Abs(d)
					if df := pf - tf; df <= nearby && -df <= nearby {
						s.Within++
					}
					switch {
					case l.Kind == MAE && d > 0:
						g[i] = scale / count
					case l.Kind == MAE && d < 0:
						g[i] = -scale / count
					case l.Kind == MAE:
						g[i] = d // 0, or NaN
					case l.Kind == MSE:
						g[i] = 2 * d * scale / count
					default:
						g[i] = 2 * d * scale / count * (1 - l.SSIMWeight)
					}
				}
			}
			if ssim {
				s.SSIM += field.mean(p, t, ds) / float64(pred.C)
				for i, v := range ds {
					g[i] -= v * scale * l.SSIMWeight / float64(pred.N*pred.C)
				}
			}
			if dpred != nil {
				for y := range dpred.H {
					for x := range dpred.W {
						v := 0.0
						if y < l.H && x < l.W {
							v = g[y*l.W+x]
						}
						dpred.Data[dpred.At(n, y, x, c)] = float32(v)
					}
				}
			}
		}
		if dpred != nil {
			dpred.clearBorder(n)
		}
	}
	s.Loss = l.of(s)
	return s
}

// of is the batch's loss from its sums; 0 without images.
func (l Loss) of(s Sums) float64 {
	if s.Images == 0 {
		return 0
	}
	switch l.Kind {
	case MAE:
		return s.AE / float64(s.Values)
	case MSESSIM:
		return float64((1-l.SSIMWeight)*s.SE/float64(s.Values)) + float64(l.SSIMWeight*(1-s.SSIM/float64(s.Images)))
	}
	return s.SE / float64(s.Values)
}

// squash is p, the value that a loss compares, of a network's output y.
func squash(y float32, output Activation) float32 {
	if output == Tanh {
		return float32((y + 1) * 0.5)
	}
	return y
}

// refSSIM computes the SSIM of one channel of one image with a separable window.
type refSSIM struct {
	h, w, oh, ow int
	g            []float64
	row          []float64    // (h, ow)
	mean5        [5][]float64 // (oh, ow) each: windowed means of p, t, pp, tt, pt
	prod         []float64    // (h, w)
}

func newRefSSIM(ws *Workspace, h, w int) refSSIM {
	k := SSIMWindow(h, w)
	f := refSSIM{h: h, w: w, oh: h - k + 1, ow: w - k + 1, g: ws.doubles(k)}
	gaussian(f.g)
	f.row = ws.doubles(h * w)
	f.prod = ws.doubles(h * w)
	for i := range f.mean5 {
		f.mean5[i] = ws.doubles(f.oh * f.ow)
	}
	return f
}

// mean gives the mean SSIM over all windows of p and t, (h, w) each, and, if dp is not nil, its gradient with respect
// to p.
func (f *refSSIM) mean(p, t, dp []float64) float64 {
	f.blur(f.mean5[0], p)
	f.blur(f.mean5[1], t)
	for i, pair := range [3][2][]float64{{p, p}, {t, t}, {p, t}} {
		for j := range f.prod {
			f.prod[j] = pair[0][j] * pair[1][j]
		}
		f.blur(f.mean5[2+i], f.prod)
	}
	var sum float64
	for i := range f.mean5[0] {
		mp, mt := f.mean5[0][i], f.mean5[1][i]
		a1, b1 := 2*mp*mt+ssimC1, mp*mp+mt*mt+ssimC1
		a2 := 2*(f.mean5[4][i]-mp*mt) + ssimC2
		b2 := f.mean5[2][i] - mp*mp + f.mean5[3][i] - mt*mt + ssimC2
		s := a1 * a2 / (b1 * b2)
		sum += s
		// The derivatives with respect to the means of p, pp and pt replace those means.
		f.mean5[0][i] = 2 * (mt*(a2-a1)/(b1*b2) + s*mp*(1/b2-1/b1))
		f.mean5[2][i] = -s / b2
		f.mean5[4][i] = 2 * a1 / (b1 * b2)
	}
	windows := float64(len(f.mean5[0]))
	if dp != nil {
		f.unblur(dp, f.mean5[0])
		f.unblur(f.prod, f.mean5[2])
		for i, v := range f.prod {
			dp[i] += 2 * p[i] * v
		}
		f.unblur(f.prod, f.mean5[4])
		for i, v := range f.prod {
			dp[i] = (dp[i] + t[i]*v) / windows
		}
	}
	return sum / windows
}

// blur is the windowed mean: dst (oh, ow), src (h, w).
func (f *refSSIM) blur(dst, src []float64) {
	for y := range f.h {
		for x := range f.ow {
			var sum float64
			for j, g := range f.g {
				sum += g * src[y*f.w+x+j]
			}
			f.row[y*f.ow+x] = sum
		}
	}
	for y := range f.oh {
		for x := range f.ow {
			var sum float64
			for j, g := range f.g {
				sum += g * f.row[(y+j)*f.ow+x]
			}
			dst[y*f.ow+x] = sum
		}
	}
}

// unblur is the transpose of blur: dst (h, w), src (oh, ow).
func (f *refSSIM) unblur(dst, src []float64) {
	clear(f.row)
	for y := range f.oh {
		for x := range f.ow {
			for j, g := range f.g {
				f.row[(y+j)*f.ow+x] += g * src[y*f.ow+x]
			}
		}
	}
	clear(dst)
	for y := range f.h {
		for x := range f.ow {
			for j, g := range f.g {
				dst[y*f.w+x+j] += g * f.row[y*f.ow+x]
			}
		}
	}
}

func checkLoss(pred, target Map, l Loss) {
	sameSize(pred, target)
	if l.H < 1 || l.W < 1 || l.H > pred.H || l.W > pred.W {
		panic("kernel: the crop is larger than its map")
	}
}
