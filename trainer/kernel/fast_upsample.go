package kernel

// The pixels of the result fall into four classes, by the oddness of their row and column, each a convolution of x with
// the taps that reach it: 1 where both are even, 1x2, 2x1 and 2x2. Where an odd row's pixels look one row further than x
// has, they find its border.

// paired is the number of channels up to which the two columns of a pair are computed in one product, of which a
// quarter of the weights are zeros, because a tile has 16 columns anyway.
const paired = 8

func (f fast) ConvT3(ws *Workspace, dst, x Map, w, b []float32, act Activation) {
	checkConvT3(dst, x, w)
	checkBias(b, dst.C)
	ws.reset()
	ci, co := x.C, dst.C
	in := bordered(ws, x)
	g := product{
		relu: act == ReLU, aPixel: ci, aRow: in.Row(), outerA: in.Row(),
		cRow: 2 * dst.Row(), cPixel: 2 * co, rows: x.H, pixels: x.W,
	}
	var packed [2][2][]float32 // by the oddness of row and column
	if co <= paired {
		g.cols, g.bias = 2*co, padded(ws, b, 2)
		packed[0][0] = packPair(ws, w, ci, co, 1)
		packed[1][0] = packPair(ws, w, ci, co, 2, 0)
	} else {
		g.cols, g.bias = co, padded(ws, b, 1)
		packed[0][0] = packTaps(ws, w, ci, co, 4)
		packed[0][1] = packTaps(ws, w, ci, co, 5, 3)
		packed[1][0] = packTaps(ws, w, ci, co, 7, 1)
		packed[1][1] = packTaps(ws, w, ci, co, 8, 6, 2, 0)
	}
	for n := range x.N {
		g.a = in.Data[in.At(in.load(x, n), 0, 0, 0):]
		for i, row := range packed {
			for j, p := range row {
				if p == nil {
					continue
				}
				g.packed, g.outer, g.inner = p, 1+i, (1+j)*ci
				if co <= paired {
					g.inner = 2 * ci
				}
				g.c = dst.Data[dst.At(n, i, j, 0):]
				f.product(ws, g)
			}
		}
		dst.clearBorder(n)
	}
	f.finish(act, dst)
}

// packTaps packs the weights of these taps, one below the other.
func packTaps(ws *Workspace, w []float32, ci, co int, taps ...int) []float32 {
	rows := len(taps) * ci
	packed := ws.floats(rows * round16(co))
	for t, tap := range taps {
		for j := 0; j < co; j += 16 {
			cols := min(16, co-j)
			to := packed[j*rows+t*ci*16:]
			for i := range ci {
				d := to[i*16 : i*16+16]
				copy(d, w[(i*9+tap)*co+j:][:cols])
				clear(d[cols:])
			}
		}
	}
	return packed
}

// packPair packs the weights of these rows of taps for an even and an odd column side by side: the first sees the pixel by
// the middle tap, the second by the last, and the pixel to the right by the first.
func packPair(ws *Workspace, w []float32, ci, co int, rows ...int) []float32 {
	packed := ws.floats(len(rows) * 2 * ci * 16)
	clear(packed)
	for r, row := range rows {
		for i := range ci {
			here, right := packed[(2*r*ci+i)*16:], packed[((2*r+1)*ci+i)*16:]
			from := w[(i*9+3*row)*co:]
			copy(here, from[co:3*co])
			copy(right[co:], from[:co])
		}
	}
	return packed
}

func (f fast) ConvT3BackwardData(ws *Workspace, dx, dy Map, w []float32) {
	checkConvT3(dy, dx, w)
	ws.reset()
	ci, co := dx.C, dy.C
	in := bordered(ws, dy)
	packed := ws.floats(9 * co * round16(ci))
	packTransposed(packed, w, 9*co, 0, 9*co, ci, 9*co)
	g := product{
		packed: packed, cols: ci, outer: 3, outerA: in.Row(), inner: 3 * co,
		aRow: 2 * in.Row(), aPixel: 2 * co, cRow: dx.Row(), cPixel: ci, rows: dx.H, pixels: dx.W,
	}
	for n := range dx.N {
		g.a = in.Data[in.At(in.load(dy, n), -1, -1, 0):]
		g.c = dx.Data[dx.At(n, 0, 0, 0):]
		f.product(ws, g)
		dx.clearBorder(n)
	}
}

func (f fast) ConvT3BackwardWeights(ws *Workspace, dw, db []float32, x, dy Map) {
	checkConvT3(dy, x, dw)
	checkBias(db, dy.C)
	ws.reset()
	ci, co := x.C, dy.C
	in := bordered(ws, dy)
	// The three taps of a row lie together in dw as their pixels do in dy.
	wide := round16(3 * co)
	sums := ws.floats(3 * ci * wide)
	clear(sums)
	step := min(x.H, max(1, sumChunk/(x.Row()+2*dy.Row())))
	g := outer{
		cRow: wide, numbers: ci, cols: 3 * co, pixels: x.W, add: true,
		aRow: x.Row(), aPixel: ci, aTile: 4, bRow: 2 * in.Row(), bPixel: 2 * co, bBlock: 16,
	}
	for n := range x.N {
		img := in.load(dy, n)
		for y := 0; y < x.H; y += step {
			g.rows = min(step, x.H-y)
			g.a = x.Data[x.At(n, y, 0, 0):]
			for i := range 3 {
				g.b = in.Data[in.At(img, 2*y+i-1, -1, 0):]
				g.c = sums[i*ci*wide:]
				f.outer(ws, g)
			}
		}
	}
	for i := range ci {
		for row := range 3 {
			copy(dw[(i*9+3*row)*co:][:3*co], sums[(row*ci+i)*wide:])
		}
	}
	f.biasGradient(ws, db, dy)
}

// border is a map whose images have a border of at least one pixel: another map itself, or a place for one image of it.
type border struct {
	Map
	copied bool
}

func bordered(ws *Workspace, m Map) border {
	if m.Pad > 0 {
		return border{Map: m}
	}
	b := border{Map: MapOn(ws.floats(Floats(1, m.H, m.W, m.C, 1)), 1, m.H, m.W, m.C, 1), copied: true}
	b.clearBorder(0)
	return b
}

// load makes image n of m ready and says which image of the border it is.
func (b *border) load(m Map, n int) int {
	if !b.copied {
		return n
	}
	row := m.W * m.C
	for y := range m.H {
		copy(b.Data[b.At(0, y, 0, 0):][:row], m.Data[m.At(n, y, 0, 0):])
	}
	return 0
}
