package kernel

import "math"

// ssimField computes the SSIM of one image, all channels at once. Channels are interleaved as in a map, so a blur along
// x is a filter with stride c over a row and one along y a filter with stride w·c, both over the whole image as one run
// of numbers: what a filter makes across the end of a row falls into columns that are not windows and is not used.
//
// Values are shifted by 1/2, which variances do not notice and which halves their cancellation in float32.
type ssimField struct {
	h, w, c, k, oh, ow int
	g                  []float32
	mask               []float32    // (oh, w·c), all bits set where a window starts, else none
	p, t               []float32    // (h, w·c), shifted
	prod, row          []float32    // (h, w·c)
	means              [5][]float32 // (oh, w·c), valid up to ow·c: of p, t, pp, tt, pt
	slopes             [3][]float32 // (oh+2(k-1), w·c) with zeros around: of the means of p, pp, pt
}

// ssimShift is what p and t lose.
const ssimShift = 0.5

// ssimLoop is the argument of the vector loop over windows: n places (a multiple of 8) from the pointers on.
type ssimLoop struct {
	means  [5]*float32
	slopes [3]*float32 // the first nil: none wanted
	mask   *float32
	n      int
	sums   [8]float64
}

func newSSIMField(ws *Workspace, h, w, c int) ssimField {
	k := SSIMWindow(h, w)
	f := ssimField{h: h, w: w, c: c, k: k, oh: h - k + 1, ow: w - k + 1}
	exact := ws.doubles(k)
	gaussian(exact)
	f.g = ws.floats(k)
	round(f.g, exact)
	// A filter reads (k-1) strides on, and works in blocks of 16.
	size := h*w*c + k*w*c + 32
	f.p, f.t, f.prod, f.row = ws.floats(size), ws.floats(size), ws.floats(size), ws.floats(size)
	f.mask = ws.floats(round16(f.oh * w * c))
	clear(f.mask)
	for y := range f.oh {
		row := f.mask[y*w*c:][:f.ow*c]
		for i := range row {
			row[i] = math.Float32frombits(math.MaxUint32)
		}
	}
	for i := range f.means {
		f.means[i] = ws.floats(size)
	}
	for i := range f.slopes {
		f.slopes[i] = ws.floats(size + k*w*c)
	}
	return f
}

// count is the number of windows of all channels.
func (f *ssimField) count() float64 { return float64(f.oh * f.ow * f.c) }

// load takes row y of an image.
func (f *ssimField) load(y int, p, t []float32, c *compareConstants) {
	fp, ft := f.p[y*len(p):][:len(p)], f.t[y*len(p):][:len(p)]
	t = t[:len(p)]
	for i, v := range p {
		fp[i] = float32((v+c.shift)*c.scale) - ssimShift
		ft[i] = t[i] - ssimShift
	}
}

// ssim gives the mean over channels and windows; with slopes it also prepares addGradient.
func (f fast) ssim(s *ssimField, slopes bool) float64 {
	row, n := s.w*s.c, s.h*s.w*s.c
	pairs := [5][2][]float32{{s.p, nil}, {s.t, nil}, {s.p, s.p}, {s.t, s.t}, {s.p, s.t}}
	for i, pair := range pairs {
		src := pair[0]
		if pair[1] != nil {
			a, b, d := pair[0][:n], pair[1][:n], s.prod[:n]
			for j, v := range a {
				d[j] = float32(v * b[j])
			}
			src = s.prod
		}
		f.filter(s.row, src, s.g, s.c, n)
		f.filter(s.means[i], s.row, s.g, row, s.oh*row)
	}
	edge := (s.k - 1) * row // zeros above and below
	if slopes {
		for _, d := range s.slopes {
			clear(d[:edge])
			clear(d[edge+s.oh*row : 2*edge+s.oh*row])
		}
	}
	var sum float64
	if f.vector {
		sum = s.windowsAVX2(slopes, edge)
	} else {
		sum = s.windows(slopes, edge)
	}
	if slopes {
		// The transpose of a blur with a symmetric window is the same blur of the field with zeros around it.
		for i, d := range s.slopes {
			clear(s.row[:(s.k-1)*s.c])
			f.filter(s.row[(s.k-1)*s.c:], d, s.g, row, n)
			f.filter(s.means[i], s.row, s.g, s.c, n)
		}
	}
	return sum / s.count()
}

// windows gives the sum of SSIM over all windows and, if wanted, its slopes, from place edge on.
func (s *ssimField) windows(slopes bool, edge int) float64 {
	row := s.w * s.c
	var sum float64
	valid := s.ow * s.c
	for y := range s.oh {
		mps, mts := s.means[0][y*row:][:valid], s.means[1][y*row:][:valid]
		pps, tts, pts := s.means[2][y*row:][:valid], s.means[3][y*row:][:valid], s.means[4][y*row:][:valid]
		var d0, d1, d2 []float32
		if slopes {
			at := edge + y*row
			d0, d1, d2 = s.slopes[0][at:][:row], s.slopes[1][at:][:row], s.slopes[2][at:][:row]
			clear(d0[valid:])
			clear(d1[valid:])
			clear(d2[valid:])
			d0, d1, d2 = d0[:valid], d1[:valid], d2[:valid]
		}
		for i, mp := range mps {
			mt := mts[i]
			p, t := mp+ssimShift, mt+ssimShift
			a1 := float32(2*float32(p*t)) + ssimC1
			b1 := float32(p*p) + float32(t*t) + ssimC1
			a2 := float32(2*(pts[i]-float32(mp*mt))) + ssimC2
			b2 := (pps[i] - float32(mp*mp)) + (tts[i] - float32(mt*mt)) + ssimC2
			r := 1 / float32(b1*b2)
			v := float32(float32(a1*a2) * r)
			sum += float64(v)
			if !slopes {
				continue
			}
			pp := -float32(v * float32(b1*r))
			pt := float32(2 * float32(a1*r))
			// Brightness: p in a1 and b1. Contrast: the mean in the variance and the covariance.
			bright := float32(2 * (float32(t*float32(a2*r)) - float32(p*float32(v*float32(b2*r)))))
			d0[i] = bright - float32(2*float32(mp*pp)) - float32(mt*pt)
			d1[i] = pp
			d2[i] = pt
		}
	}
	return sum
}

// windowsAVX2 is windows in assembly: it also walks over the places where no window starts, and masks them.
func (s *ssimField) windowsAVX2(slopes bool, edge int) float64 {
	l := ssimLoop{mask: &s.mask[0], n: (s.oh*s.w*s.c + 7) &^ 7}
	for i, m := range s.means {
		l.means[i] = &m[0]
	}
	if slopes {
		for i, d := range s.slopes {
			l.slopes[i] = &d[edge]
		}
	}
	ssimAVX2(&l)
	return ((l.sums[0] + l.sums[1]) + (l.sums[2] + l.sums[3])) + ((l.sums[4] + l.sums[5]) + (l.sums[6] + l.sums[7]))
}

// addGradient adds scale times the gradient of the sum over windows to row y.
func (f *ssimField) addGradient(g []float32, y int, scale float32) {
	at := y * len(g)
	p, t := f.p[at:][:len(g)], f.t[at:][:len(g)]
	d0, d1, d2 := f.means[0][at:][:len(g)], f.means[1][at:][:len(g)], f.means[2][at:][:len(g)]
	for i := range g {
		g[i] += float32(scale * (d0[i] + float32(2*float32(p[i]*d1[i])) + float32(t[i]*d2[i])))
	}
}

// filter is dst[i] = Σ_t g[t]·src[i+t·stride] for n values, and for up to 15 more as they come.
func (f fast) filter(dst, src, g []float32, stride, n int) {
	n = round16(n)
	if len(dst) < n || len(src) < n+(len(g)-1)*stride {
		panic("kernel: filter reaches beyond its data")
	}
	if f.vector {
		filterAVX2(&dst[0], &src[0], &g[0], len(g), stride, n)
		return
	}
	for i := range dst[:n] {
		var sum float32
		for t, w := range g {
			sum += float32(w * src[i+t*stride])
		}
		dst[i] = sum
	}
}
