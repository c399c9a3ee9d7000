package kernel

// reference is the truth: plain loops in the order of the formulas, every sum in float64 and rounded once at its end. The
// product of two float32 is exact in float64, so that a compiler that fuses it into a sum changes nothing.
type reference struct{}

var _ Kernels = reference{}

func (reference) Name() string { return "ref" }

func (reference) Conv(_ *Workspace, dst, x Map, w, b []float32, k int, act Activation) {
	checkConv(dst, x, w, k)
	checkBias(b, dst.C)
	for n := range dst.N {
		for y := range dst.H {
			for xx := range dst.W {
				for o := range dst.C {
					sum := at(b, o)
					for ky := range k {
						for kx := range k {
							px := x.Data[x.At(n, y+ky-k/2, xx+kx-k/2, 0):][:x.C]
							for i, v := range px {
								sum += float64(v) * float64(w[((ky*k+kx)*x.C+i)*dst.C+o])
							}
						}
					}
					dst.Data[dst.At(n, y, xx, o)] = activate(act, float32(sum))
				}
			}
		}
		dst.clearBorder(n)
	}
}

func (r reference) ConvPool(ws *Workspace, dst Map, arg []byte, x Map, w, b []float32, k int, act Activation) {
	checkMonotone(act)
	ws.reset()
	full := MapOn(ws.floats(Floats(x.N, x.H, x.W, dst.C, 0)), x.N, x.H, x.W, dst.C, 0)
	r.Conv(ws, full, x, w, b, k, Identity)
	r.MaxPool(dst, arg, full)
	r.Activate(act, dst)
}

func (r reference) ConvPoolBackward(ws *Workspace, dx Map, dw, db []float32, x, dy Map, arg []byte, w []float32, k int) {
	checkConvPoolBackward(dx, dw, db, x, dy, arg, w, k)
	ws.reset()
	full := MapOn(ws.floats(Floats(x.N, x.H, x.W, dy.C, k/2)), x.N, x.H, x.W, dy.C, k/2)
	r.MaxPoolBackward(full, dy, arg)
	r.ConvBackwardWeights(ws, dw, db, x, full, k)
	if dx.Data != nil {
		r.ConvBackwardData(ws, dx, full, w, k)
	}
}

func (reference) ConvBackwardData(_ *Workspace, dx, dy Map, w []float32, k int) {
	checkConv(dx, dy, w, k)
	for n := range dx.N {
		for y := range dx.H {
			for xx := range dx.W {
				for i := range dx.C {
					var sum float64
					for ky := range k {
						for kx := range k {
							// x at (y, xx) met w at (ky, kx) when the output stood at (y-ky+k/2, xx-kx+k/2).
							g := dy.Data[dy.At(n, y-ky+k/2, xx-kx+k/2, 0):][:dy.C]
							row := w[((ky*k+kx)*dx.C+i)*dy.C:]
							for o, v := range g {
								sum += float64(v) * float64(row[o])
							}
						}
					}
					dx.Data[dx.At(n, y, xx, i)] = float32(sum)
				}
			}
		}
		dx.clearBorder(n)
	}
}

func (reference) ConvBackwardWeights(ws *Workspace, dw, db []float32, x, dy Map, k int) {
	checkConv(dy, x, dw, k)
	checkBias(db, dy.C)
	ws.reset()
	sums := ws.doubles(k * k * x.C * dy.C)
	clear(sums)
	for n := range dy.N {
		for y := range dy.H {
			for xx := range dy.W {
				g := dy.Data[dy.At(n, y, xx, 0):][:dy.C]
				for ky := range k {
					for kx := range k {
						for i, v := range x.Data[x.At(n, y+ky-k/2, xx+kx-k/2, 0):][:x.C] {
							row := sums[((ky*k+kx)*x.C+i)*dy.C:]
							for o, d := range g {
								row[o] += float64(v) * float64(d)
							}
						}
					}
				}
			}
		}
	}
	round(dw, sums)
	refBias(ws, db, dy)
}

func (reference) ConvT(ws *Workspace, dst, x Map, w, b []float32, act Activation) {
	checkConvT(dst, x, w)
	checkBias(b, dst.C)
	ws.reset()
	sums := ws.doubles(4 * dst.C)
	for n := range x.N {
		for y := range x.H {
			for xx := range x.W {
				for j := range sums {
					sums[j] = at(b, j%dst.C)
				}
				for i, v := range x.Data[x.At(n, y, xx, 0):][:x.C] {
					for j, u := range w[i*len(sums):][:len(sums)] {
						sums[j] += float64(v) * float64(u)
					}
				}
				for j, s := range sums {
					dst.Data[dst.At(n, 2*y+j/dst.C/2, 2*xx+j/dst.C%2, j%dst.C)] = activate(act, float32(s))
				}
			}
		}
		dst.clearBorder(n)
	}
}

func (reference) ConvTBackwardData(_ *Workspace, dx, dy Map, w []float32) {
	checkConvT(dy, dx, w)
	for n := range dx.N {
		for y := range dx.H {
			for xx := range dx.W {
				for i := range dx.C {
					var sum float64
					for j := range 4 {
						row := w[(i*4+j)*dy.C:]
						for o, v := range dy.Data[dy.At(n, 2*y+j/2, 2*xx+j%2, 0):][:dy.C] {
							sum += float64(v) * float64(row[o])
						}
					}
					dx.Data[dx.At(n, y, xx, i)] = float32(sum)
				}
			}
		}
		dx.clearBorder(n)
	}
}

func (reference) ConvTBackwardWeights(ws *Workspace, dw, db []float32, x, dy Map) {
	checkConvT(dy, x, dw)
	checkBias(db, dy.C)
	ws.reset()
	sums := ws.doubles(x.C * 4 * dy.C)
	clear(sums)
	for n := range x.N {
		for y := range x.H {
			for xx := range x.W {
				for i, v := range x.Data[x.At(n, y, xx, 0):][:x.C] {
					for j := range 4 {
						row := sums[(i*4+j)*dy.C:]
						for o, d := range dy.Data[dy.At(n, 2*y+j/2, 2*xx+j%2, 0):][:dy.C] {
							row[o] += float64(v) * float64(d)
						}
					}
				}
			}
		}
	}
	round(dw, sums)
	refBias(ws, db, dy)
}

func (reference) Dense(_ *Workspace, dst, x, w, b []float32, n, in, out int, act Activation) {
	checkDense(x, w, dst, n, in, out)
	checkVector(b, out)
	for r := range n {
		for o := range out {
			sum := float64(b[o])
			for i, v := range x[r*in : (r+1)*in] {
				sum += float64(v) * float64(w[i*out+o])
			}
			dst[r*out+o] = activate(act, float32(sum))
		}
	}
}

func (reference) DenseBackwardData(_ *Workspace, dx, dy, w []float32, n, in, out int) {
	checkDense(dx, w, dy, n, in, out)
	for r := range n {
		for i := range in {
			var sum float64
			for o, v := range dy[r*out : (r+1)*out] {
				sum += float64(v) * float64(w[i*out+o])
			}
			dx[r*in+i] = float32(sum)
		}
	}
}

func (reference) DenseBackwardWeights(ws *Workspace, dw, db, x, dy []float32, n, in, out int) {
	checkDense(x, dw, dy, n, in, out)
	checkVector(db, out)
	ws.reset()
	sums := ws.doubles(in * out)
	clear(sums)
	for r := range n {
		for i, v := range x[r*in : (r+1)*in] {
			for o, d := range dy[r*out : (r+1)*out] {
				sums[i*out+o] += float64(v) * float64(d)
			}
		}
	}
	round(dw, sums)
	refBias(ws, db, Vector(dy, n, out))
}

// refBias adds dy over images and pixels: db (C), dy (N, H, W, C).
func refBias(ws *Workspace, db []float32, dy Map) {
	if db == nil {
		return
	}
	sums := ws.doubles(dy.C)
	clear(sums)
	for n := range dy.N {
		for y := range dy.H {
			for x := range dy.W {
				for o, d := range dy.Data[dy.At(n, y, x, 0):][:dy.C] {
					sums[o] += float64(d)
				}
			}
		}
	}
	round(db, sums)
}

func round(dst []float32, sums []float64) {
	for i, s := range sums {
		dst[i] = float32(s)
	}
}

// checkConv checks dst (N, H, W, co), x (N, H, W, ci), w (k, k, ci, co).
func checkConv(dst, x Map, w []float32, k int) {
	dst.check()
	x.check()
	if dst.N != x.N || dst.H != x.H || dst.W != x.W {
		panic("kernel: maps differ in size")
	}
	if k < 1 || k%2 == 0 || x.Pad < k/2 {
		panic("kernel: convolution side is even or wider than the border")
	}
	checkVector(w, k*k*x.C*dst.C)
}

// checkConvT checks dst (N, 2H, 2W, co), x (N, H, W, ci), w (ci, 2, 2, co).
func checkConvT(dst, x Map, w []float32) {
	dst.check()
	x.check()
	if dst.N != x.N || dst.H != 2*x.H || dst.W != 2*x.W {
		panic("kernel: maps differ in size")
	}
	checkVector(w, 4*x.C*dst.C)
}

func checkMonotone(act Activation) {
	if act.KeepsInput() {
		panic("kernel: activation cannot follow its pooling")
	}
}

func checkDense(x, w, y []float32, n, in, out int) {
	if n < 0 || in < 1 || out < 1 || len(x) < n*in || len(w) != in*out || len(y) < n*out {
		panic("kernel: length mismatch")
	}
}

// checkBias allows for none.
func checkBias(b []float32, n int) {
	if b != nil {
		checkVector(b, n)
	}
}

// at is a bias, or 0 where there is none.
func at(b []float32, i int) float64 {
	if b == nil {
		return 0
	}
	return float64(b[i])
}

func checkVector(v []float32, n int) {
	if len(v) != n {
		panic("kernel: length mismatch")
	}
}
