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
	if f.vector && c%8 == 0 {
		poolAVX2(&dst[0], &arg[0], &upper[0], &lower[0], len(dst)/c, c)
		return
	}
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
	if f.vector && c%8 == 0 {
		unpoolAVX2(&upper[0], &lower[0], &dy[0], &arg[0], len(dy)/c, c)
		return
	}
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

// addPixels adds the pixels of src, of c channels each, into sums[:c], which it overwrites; sums holds 8·c.
func (f fast) addPixels(sums, src []float32, c int) {
	pixels := len(src) / c
	switch {
	case f.vector && c%8 == 0:
		addPixelsAVX2(&sums[0], &src[0], pixels, c)
		return
	case f.vector && pixels%8 == 0:
		// Eight pixels side by side are a whole number of vectors.
		addPixelsAVX2(&sums[0], &src[0], pixels/8, 8*c)
		src = sums[c : 8*c]
	default:
		clear(sums[:c])
	}
	sums = sums[:c]
	for i := 0; i < len(src); i += c {
		for j, v := range src[i : i+c] {
			sums[j] += v
		}
	}
}

func (f fast) Activate(act Activation, x Map) {
	x.check()
	if x.Pad == 0 {
		f.activateRow(act, x.Data[:x.Values()])
		return
	}
	for n := range x.N {
		for y := range x.H {
			f.activateRow(act, x.Data[x.At(n, y, 0, 0):][:x.W*x.C])
		}
	}
}

func (f fast) ActivateTo(act Activation, dst, x Map) {
	sameSize(dst, x)
	n := x.W * x.C
	for i := range x.N {
		for y := range x.H {
			to, from := dst.Data[dst.At(i, y, 0, 0):][:n], x.Data[x.At(i, y, 0, 0):][:n]
			if whole := n &^ 7; f.vector && act == GELU && whole > 0 {
				geluAVX2(&to[0], &from[0], whole)
				to, from = to[whole:], from[whole:]
			}
			copy(to, from)
			f.activateRow(act, to)
		}
		dst.clearBorder(i)
	}
}

func (f fast) activateRow(act Activation, x []float32) {
	if n := len(x) &^ 7; f.vector && n > 0 {
		switch act {
		case ReLU:
			reluAVX2(&x[0], n)
		case LeakyReLU:
			leakyAVX2(&x[0], n)
		case Tanh:
			tanhAVX2(&x[0], n)
		case Sigmoid:
			sigmoidAVX2(&x[0], n)
		case GELU:
			geluAVX2(&x[0], &x[0], n)
		}
		x = x[n:]
	}
	activateRow(act, x)
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
	case GELU:
		for i, v := range x {
			x[i] = GELUOf(v)
		}
	}
}

func (f fast) ActivationBackward(act Activation, dy, y Map) {
	sameSize(dy, y)
	if dy.Pad == 0 && y.Pad == 0 {
		f.activationBackwardRow(act, dy.Data[:y.Values()], y.Data[:y.Values()])
		return
	}
	for n := range y.N {
		for r := range y.H {
			f.activationBackwardRow(act, dy.Data[dy.At(n, r, 0, 0):][:y.W*y.C], y.Data[y.At(n, r, 0, 0):][:y.W*y.C])
		}
	}
}

func (f fast) activationBackwardRow(act Activation, g, y []float32) {
	if n := len(y) &^ 7; f.vector && n > 0 {
		switch act {
		case ReLU:
			reluBackwardAVX2(&g[0], &y[0], n)
		case LeakyReLU:
			leakyBackwardAVX2(&g[0], &y[0], n)
		case Tanh:
			tanhBackwardAVX2(&g[0], &y[0], n)
		case Sigmoid:
			sigmoidBackwardAVX2(&g[0], &y[0], n)
		case GELU:
			geluBackwardAVX2(&g[0], &y[0], n)
		}
		g, y = g[n:], y[n:]
	}
	activationBackwardRow(act, g, y)
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
	case GELU:
		for i, v := range out {
			g[i] = float32(g[i] * geluSlope(v))
		}
	}
}

func (f fast) Gather(dst Map, pixels []byte, h, w int, images []int) {
	dst = checkGather(dst, pixels, h, w, images)
	n := w * dst.C
	for i, at := range images {
		for y := range h {
			row := dst.Data[dst.At(i, y, 0, 0):][:dst.W*dst.C]
			from := pixels[(at*h+y)*n:][:n]
			done := 0
			if f.vector && n >= 8 {
				done = n &^ 7
				gatherAVX2(&row[0], &from[0], done)
			}
			for j, p := range from[done:] {
				row[done+j] = pixelValues[p]
			}
			clear(row[n:])
		}
		for y := h; y < dst.H; y++ {
			clear(dst.Data[dst.At(i, y, 0, 0):][:dst.W*dst.C])
		}
		dst.clearBorder(i)
	}
}

func (f fast) SumSquares(x []float32) float64 {
	// Eight chains, whose sum does not depend on the machine: the square of a float32 is exact in float64.
	var s [8]float64
	if n := len(x) &^ 7; f.vector && n > 0 {
		sumSquaresAVX2(&x[0], n, &s)
		x = x[n:]
	}
	for ; len(x) >= 8; x = x[8:] {
		for i := range s {
			v := float64(x[i])
			s[i] += float64(v * v)
		}
	}
	for i, v := range x {
		s[i] += float64(float64(v) * float64(v))
	}
	return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]))
}

func (f fast) Finite(x []float32) bool {
	if n := len(x) &^ 7; f.vector && n > 0 {
		if !finiteAVX2(&x[0], n) {
			return false
		}
		x = x[n:]
	}
	for _, v := range x {
		// An exponent of all ones is an infinity or NaN.
		if math.Float32bits(v)&0x7f800000 == 0x7f800000 {
			return false
		}
	}
	return true
}
