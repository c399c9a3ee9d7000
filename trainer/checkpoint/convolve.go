package checkpoint

// convolution is a Conv of one image, src (c, h, w) to dst (out, oh, ow), with kernels of kh x kw. It works on four output
// channels and two columns at a time, whose sums stay in registers; each sum begins with the bias and goes through the
// input channels and taps in the order of the weights.
type convolution struct {
	c, h, w, out, oh, ow, kh, kw, top, left int
	weights                                 []float32 // (out/4, c, kh, kw, 4): out filled up with zeros
	bias                                    []float32 // (out/4, 4)
}

// pack takes weights (out, c, kh, kw) and bias (out).
func (l *convolution) pack(weights, bias []float32) {
	groups, taps := (l.out+3)/4, l.c*l.kh*l.kw
	l.weights, l.bias = make([]float32, groups*taps*4), make([]float32, groups*4)
	copy(l.bias, bias)
	for k := range l.out {
		for t, v := range weights[k*taps:][:taps] {
			l.weights[(k/4*taps+t)*4+k%4] = v
		}
	}
}

func (l *convolution) run(dst, src []float32) {
	ph, pw := l.oh+l.kh-1, l.ow+l.kw // one column more, for the second of the last two
	padded := make([]float32, l.c*ph*pw)
	for r := range l.c * l.h {
		copy(padded[(r/l.h*ph+l.top+r%l.h)*pw+l.left:], src[r*l.w:][:l.w])
	}
	taps := l.c * l.kh * l.kw
	plane := l.oh * l.ow
	for g := range len(l.bias) / 4 {
		weights, bias := l.weights[g*taps*4:][:taps*4], l.bias[g*4:][:4]
		for y := range l.oh {
			for x := 0; x < l.ow; x += 2 {
				a0, a1, a2, a3 := bias[0], bias[1], bias[2], bias[3]
				b0, b1, b2, b3 := a0, a1, a2, a3
				w := weights
				for i := range l.c {
					at := (i*ph+y)*pw + x
					for range l.kh {
						row := padded[at:][:l.kw+1]
						at += pw
						p := row[0]
						for _, q := range row[1:] {
							t := w[:4:4]
							w = w[4:]
							a0 += p * t[0]
							a1 += p * t[1]
							a2 += p * t[2]
							a3 += p * t[3]
							b0 += q * t[0]
							b1 += q * t[1]
							b2 += q * t[2]
							b3 += q * t[3]
							p = q
						}
					}
				}
				a, b := [4]float32{a0, a1, a2, a3}, [4]float32{b0, b1, b2, b3}
				for k := range min(4, l.out-4*g) {
					o := (4*g+k)*plane + y*l.ow + x
					dst[o] = a[k]
					if x+1 < l.ow {
						dst[o+1] = b[k]
					}
				}
			}
		}
	}
}
