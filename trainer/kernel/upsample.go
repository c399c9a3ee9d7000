package kernel

// Upsampling is the transposed convolution 3x3 with stride 2, padding 1 and output padding 1 (PyTorch's words), which
// doubles the sides as the 2x2 one does, but whose kernels overlap: no checkerboard of places that never see each other
// (Odena, Dumoulin and Olah, "Deconvolution and checkerboard artifacts", Distill 2016).
type Upsampling interface {
	// ConvT3 is dst (N, 2H, 2W, co) = act(b + …), x (N, H, W, ci), w (ci, 3, 3, co), b (co): x(y, x, ci)·w(ci, i, j, ·) goes
	// to pixel (2y+i-1, 2x+j-1), if there is one. Maps with a border save a copy of each image, x's here, dy's below.
	ConvT3(ws *Workspace, dst, x Map, w, b []float32, act Activation)
	// ConvT3BackwardData is its gradient with respect to x, before the activation.
	ConvT3BackwardData(ws *Workspace, dx, dy Map, w []float32)
	// ConvT3BackwardWeights is its gradient with respect to w and b; both are overwritten.
	ConvT3BackwardWeights(ws *Workspace, dw, db []float32, x, dy Map)
}

// checkConvT3 checks dst (N, 2H, 2W, co), x (N, H, W, ci), w (ci, 3, 3, co).
func checkConvT3(dst, x Map, w []float32) {
	dst.check()
	x.check()
	if dst.N != x.N || dst.H != 2*x.H || dst.W != 2*x.W {
		panic("kernel: maps differ in size")
	}
	checkVector(w, 9*x.C*dst.C)
}

func (reference) ConvT3(ws *Workspace, dst, x Map, w, b []float32, act Activation) {
	checkConvT3(dst, x, w)
	checkBias(b, dst.C)
	ws.reset()
	sums := ws.doubles(dst.H * dst.W * dst.C)
	for n := range x.N {
		for i := range sums {
			sums[i] = at(b, i%dst.C)
		}
		taps(x, func(y, xx, tap, at int) {
			to := sums[at*dst.C:][:dst.C]
			for i, v := range x.Data[x.At(n, y, xx, 0):][:x.C] {
				for o, u := range w[(i*9+tap)*dst.C:][:dst.C] {
					to[o] += float64(v) * float64(u)
				}
			}
		})
		for i, s := range sums {
			p := i / dst.C
			dst.Data[dst.At(n, p/dst.W, p%dst.W, i%dst.C)] = activate(act, float32(s))
		}
		dst.clearBorder(n)
	}
}

func (reference) ConvT3BackwardData(ws *Workspace, dx, dy Map, w []float32) {
	checkConvT3(dy, dx, w)
	ws.reset()
	sums := ws.doubles(dx.H * dx.W * dx.C)
	for n := range dx.N {
		clear(sums)
		taps(dx, func(y, xx, tap, at int) {
			to := sums[(y*dx.W+xx)*dx.C:][:dx.C]
			g := dy.Data[dy.At(n, at/dy.W, at%dy.W, 0):][:dy.C]
			for i := range to {
				for o, u := range w[(i*9+tap)*dy.C:][:dy.C] {
					to[i] += float64(g[o]) * float64(u)
				}
			}
		})
		for i, s := range sums {
			p := i / dx.C
			dx.Data[dx.At(n, p/dx.W, p%dx.W, i%dx.C)] = float32(s)
		}
		dx.clearBorder(n)
	}
}

func (reference) ConvT3BackwardWeights(ws *Workspace, dw, db []float32, x, dy Map) {
	checkConvT3(dy, x, dw)
	checkBias(db, dy.C)
	ws.reset()
	sums := ws.doubles(len(dw))
	clear(sums)
	for n := range x.N {
		taps(x, func(y, xx, tap, at int) {
			g := dy.Data[dy.At(n, at/dy.W, at%dy.W, 0):][:dy.C]
			for i, v := range x.Data[x.At(n, y, xx, 0):][:x.C] {
				to := sums[(i*9+tap)*dy.C:][:dy.C]
				for o, d := range g {
					to[o] += float64(v) * float64(d)
				}
			}
		})
	}
	round(dw, sums)
	refBias(ws, db, dy)
}

// taps calls f for every pixel (y, x) of m and every tap of the kernel that sends it to a pixel, the at-th of an image.
func taps(m Map, f func(y, x, tap, at int)) {
	for y := range m.H {
		for x := range m.W {
			for tap := range 9 {
				ty, tx := 2*y+tap/3-1, 2*x+tap%3-1
				if ty >= 0 && ty < 2*m.H && tx >= 0 && tx < 2*m.W {
					f(y, x, tap, ty*2*m.W+tx)
				}
			}
		}
	}
}
