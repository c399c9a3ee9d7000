package kernel

import "math"

func (f fast) MaxPool(dst Map, arg []byte, x Map) {
	checkPool(dst, arg, x)
	out, in := dst.W*dst.C, x.W*x.C
	for n := range dst.N {
		for y := range dst.H {
			to := dst.At(n, y, 0, 0)
			f.poolRow(dst.Data[to:to+out], arg[(n*dst.H+y)*out:][:out],
				x.Data[x.At(n, 2*y, 0, 0):][:in], x.Data[x.At(n, 2*y+1, 0, 0):][:in], dst.C)
		}
		dst.clearBorder(n)
	}
}

// poolRow makes one row of a pool from two rows of pixels with c channels.
func (f fast) poolRow(dst []float32, arg []byte, upper, lower []float32, c int) {
	for i := 0; i < len(dst); i += c {
		d, a := dst[i:i+c], arg[i:i+c]
		p0, p1 := upper[2*i:2*i+c], upper[2*i+c:2*i+2*c]
		p2, p3 := lower[2*i:2*i+c], lower[2*i+c:2*i+2*c]
		for j, best := range p0 {
			at := byte(0)
			if v := p1[j]; beats(v, best) {
				best, at = v, 1
			}
			if v := p2[j]; beats(v, best) {
				best, at = v, 2
			}
			if v := p3[j]; beats(v, best) {
				best, at = v, 3
			}
			d[j], a[j] = best, at
		}
	}
}

// beats reports whether v takes the place of best in a pool: it is larger, or the first NaN.
func beats(v, best float32) bool { return v > best || v != v && best == best }

func (f fast) MaxPoolBackward(dx, dy Map, arg []byte) {
	checkPool(dy, arg, dx)
	out, in := dy.W*dy.C, dx.W*dx.C
	for n := range dy.N {
		for y := range dy.H {
			f.unpoolRow(dx.Data[dx.At(n, 2*y, 0, 0):][:in], dx.Data[dx.At(n, 2*y+1, 0, 0):][:in],
				dy.Data[dy.At(n, y, 0, 0):][:out], arg[(n*dy.H+y)*out:][:out], dy.C)
		}
		dx.clearBorder(n)
	}
}

// unpoolRow makes two rows of pixels with c channels from one row of a pool's gradient.
func (f fast) unpoolRow(upper, lower, dy []float32, arg []byte, c int) {
	clear(upper)
	clear(lower)
	for i := 0; i < len(dy); i += c {
		d, a := dy[i:i+c], arg[i:i+c]
		u, l := upper[2*i:2*i+2*c], lower[2*i:2*i+2*c]
		for j, v := range d {
			switch a[j] {
			case 0:
				u[j] = v
			case 1:
				u[c+j] = v
			case 2:
				l[j] = v
			default:
				l[c+j] = v
			}
		}
	}
}

// addPixels adds the pixels of src, of len(sums) channels each, into sums, which it overwrites.
func (f fast) addPixels(sums, src []float32) {
	clear(sums)
	c := len(sums)
	for i := 0; i < len(src); i += c {
		for j, v := range src[i : i+c] {
			sums[j] += v
		}
	}
}

func (f fast) Activate(act Activation, x Map) {
	x.check()
	for n := range x.N {
		for y := range x.H {
			activateRow(act, x.Data[x.At(n, y, 0, 0):][:x.W*x.C])
		}
	}
}

func activateRow(act Activation, x []float32) {
	switch act {
	case ReLU:
		for i, v := range x {
			if 0 > v {
				x[i] = 0
			}
		}
	case LeakyReLU:
		for i, v := range x {
			if 0 > v {
				x[i] = float32(LeakySlope * v)
			}
		}
	case Tanh:
		for i, v := range x {
			x[i] = TanhOf(v)
		}
	case Sigmoid:
		for i, v := range x {
			x[i] = SigmoidOf(v)
		}
	}
}

func (f fast) ActivationBackward(act Activation, dy, y Map) {
	sameSize(dy, y)
	for n := range y.N {
		for r := range y.H {
			activationBackwardRow(act, dy.Data[dy.At(n, r, 0, 0):][:y.W*y.C], y.Data[y.At(n, r, 0, 0):][:y.W*y.C])
		}
	}
}

func activationBackwardRow(act Activation, g, out []float32) {
	g = g[:len(out)]
	switch act {
	case ReLU:
		for i, v := range out {
			if !(v > 0) {
				g[i] = 0
			}
		}
	case LeakyReLU:
		for i, v := range out {
			if !(v > 0) {
				g[i] = float32(LeakySlope * g[i])
			}
		}
	case Tanh:
		for i, v := range out {
			g[i] = float32(g[i] * (1 - float32(v*v)))
		}
	case Sigmoid:
		for i, v := range out {
			g[i] = float32(g[i] * float32(v*(1-v)))
		}
	}
}

func (f fast) Gather(dst Map, pixels []byte, h, w int, images []int) {
	reference{}.Gather(dst, pixels, h, w, images)
}

func (f fast) Adam(w, g, m, v []float32, s AdamStep) {
	c := s.constants(w, g, m, v)
	adamGo(w, g, m, v, &c)
}

func adamGo(w, g, m, v []float32, c *adamConstants) {
	w, m, v = w[:len(g)], m[:len(g)], v[:len(g)]
	for i, d := range g {
		mi := float32(c.beta1*m[i]) + float32(c.rest1*d)
		vi := float32(c.beta2*v[i]) + float32(float32(c.rest2*d)*d)
		m[i], v[i] = mi, vi
		root := float32(math.Sqrt(float64(vi)))
		w[i] = float32(c.keep*w[i]) - float32(c.rate*mi)/(float32(root*c.root)+c.epsilon)
	}
}

func (f fast) SumSquares(x []float32) float64 {
	// Four chains, whose sum does not depend on the machine.
	var s0, s1, s2, s3 float64
	for ; len(x) >= 4; x = x[4:] {
		a, b, c, d := float64(x[0]), float64(x[1]), float64(x[2]), float64(x[3])
		s0 += float64(a * a)
		s1 += float64(b * b)
		s2 += float64(c * c)
		s3 += float64(d * d)
	}
	for _, v := range x {
		s0 += float64(float64(v) * float64(v))
	}
	return (s0 + s1) + (s2 + s3)
}

func (f fast) Finite(x []float32) bool {
	// An exponent of all ones is an infinity or NaN.
	for _, v := range x {
		if math.Float32bits(v)&0x7f800000 == 0x7f800000 {
			return false
		}
	}
	return true
}
