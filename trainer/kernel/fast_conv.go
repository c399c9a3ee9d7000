package kernel

func (f fast) Conv(ws *Workspace, dst, x Map, w, b []float32, k int, act Activation) {
	checkConv(dst, x, w, k)
	checkBias(b, dst.C)
	ws.reset()
	g := f.packConv(ws, x.C, dst.C, w, b, k)
	g.relu = act == ReLU
	for n := range dst.N {
		f.conv(ws, &g, dst, n, x, k)
	}
	f.finish(act, dst)
}

// packConv prepares a convolution's weights and bias.
func (f fast) packConv(ws *Workspace, ci, co int, w, b []float32, k int) product {
	packed := ws.floats(k * k * ci * round16(co))
	pack(packed, w, k*k*ci, co, co)
	return product{packed: packed, bias: padded(ws, b, 1), cols: co, outer: k, inner: k * ci}
}

// conv runs image n of x, all rows, into image n of dst.
func (f fast) conv(ws *Workspace, g *product, dst Map, n int, x Map, k int) {
	g.a = x.Data[x.At(n, -(k/2), -(k/2), 0):]
	g.aRow, g.aPixel, g.outerA = x.Row(), x.C, x.Row()
	g.c = dst.Data[dst.At(n, 0, 0, 0):]
	g.cRow, g.cPixel = dst.Row(), dst.C
	g.rows, g.pixels = dst.H, dst.W
	f.product(ws, *g)
	dst.clearBorder(n)
}

// finish applies what the tiles did not.
func (f fast) finish(act Activation, dst Map) {
	if act != Identity && act != ReLU {
		f.Activate(act, dst)
	}
}

// poolChunk is the size, in floats, of the piece of a convolution's output that is pooled while it lies in the cache.
const poolChunk = 4096

func (f fast) ConvPool(ws *Workspace, dst Map, arg []byte, x Map, w, b []float32, k int, act Activation) {
	if dst.N != x.N || x.H != 2*dst.H || x.W != 2*dst.W || len(arg) < dst.Values() {
		panic("kernel: maps differ in size")
	}
	dst.check()
	x.check()
	if k < 1 || k%2 == 0 || x.Pad < k/2 {
		panic("kernel: convolution side is even or wider than the border")
	}
	checkMonotone(act)
	checkVector(w, k*k*x.C*dst.C)
	checkBias(b, dst.C)
	ws.reset()
	g := f.packConv(ws, x.C, dst.C, w, b, k)
	row := x.W * dst.C
	pairs := min(dst.H, max(1, poolChunk/(2*row)))
	buf := ws.floats(pairs * 2 * row)
	g.aRow, g.aPixel, g.outerA = x.Row(), x.C, x.Row()
	g.c, g.cRow, g.cPixel = buf, row, dst.C
	g.pixels = x.W
	out := dst.W * dst.C
	for n := range x.N {
		for y := 0; y < dst.H; y += pairs {
			now := min(pairs, dst.H-y)
			g.a = x.Data[x.At(n, 2*y-k/2, -(k/2), 0):]
			g.rows = 2 * now
			f.product(ws, g)
			for i := range now {
				to := dst.At(n, y+i, 0, 0)
				f.poolRow(dst.Data[to:to+out], arg[((n*dst.H)+y+i)*out:][:out],
					buf[2*i*row:][:row], buf[(2*i+1)*row:][:row], dst.C)
			}
		}
		dst.clearBorder(n)
	}
	if act != Identity {
		f.Activate(act, dst)
	}
}

func (f fast) ConvBackwardData(ws *Workspace, dx, dy Map, w []float32, k int) {
	checkConv(dx, dy, w, k)
	ws.reset()
	// It is a convolution of dy with the weights turned by 180 degrees and their channels swapped.
	ci, co := dx.C, dy.C
	rows := k * k * co
	packed := ws.floats(rows * round16(ci))
	for i := range k * k {
		packTransposed(packed, w[(k*k-1-i)*ci*co:], rows, i*co, co, ci, co)
	}
	g := product{packed: packed, cols: ci, outer: k, inner: k * co}
	for n := range dx.N {
		f.conv(ws, &g, dx, n, dy, k)
	}
}

// sumChunk is the number of floats of x and dy that one pass of the weights' gradient walks over, so that they stay in
// the first-level cache from one tile to the next.
const sumChunk = 5120

func (f fast) ConvBackwardWeights(ws *Workspace, dw, db []float32, x, dy Map, k int) {
	checkConv(dy, x, dw, k)
	checkBias(db, dy.C)
	ws.reset()
	ci, co := x.C, dy.C
	wide := round16(co)
	numbers := k * ci
	sums := ws.floats(k * numbers * wide)
	clear(sums)
	step := min(dy.H, max(1, sumChunk/(x.Row()+dy.Row())))
	g := outer{
		cRow: wide, numbers: numbers, cols: co, pixels: dy.W, add: true,
		aRow: x.Row(), aPixel: ci, aTile: 4, bRow: dy.Row(), bPixel: co, bBlock: 16,
	}
	for n := range dy.N {
		for y := 0; y < dy.H; y += step {
			g.rows = min(step, dy.H-y)
			g.b = dy.Data[dy.At(n, y, 0, 0):]
			for ky := range k {
				g.a = x.Data[x.At(n, y+ky-k/2, -(k/2), 0):]
				g.c = sums[ky*numbers*wide:]
				f.outer(ws, g)
			}
		}
	}
	for i := range k * numbers {
		copy(dw[i*co:(i+1)*co], sums[i*wide:])
	}
	f.biasGradient(ws, db, dy)
}

func (f fast) ConvT(ws *Workspace, dst, x Map, w, b []float32, act Activation) {
	checkConvT(dst, x, w)
	checkBias(b, dst.C)
	ws.reset()
	ci, co := x.C, dst.C
	// For each of the two output rows, an input pixel gives two output pixels that lie together.
	size := ci * round16(2*co)
	packed := ws.floats(2 * size)
	for i := range 2 {
		pack(packed[i*size:], w[i*2*co:], ci, 2*co, 4*co)
	}
	g := product{
		bias: padded(ws, b, 2), cols: 2 * co, relu: act == ReLU,
		outer: 1, inner: ci, aRow: x.Row(), aPixel: ci,
		cRow: 2 * dst.Row(), cPixel: 2 * co, rows: x.H, pixels: x.W,
	}
	for n := range x.N {
		g.a = x.Data[x.At(n, 0, 0, 0):]
		for i := range 2 {
			g.packed = packed[i*size:]
			g.c = dst.Data[dst.At(n, i, 0, 0):]
			f.product(ws, g)
		}
		dst.clearBorder(n)
	}
	f.finish(act, dst)
}

func (f fast) ConvTBackwardData(ws *Workspace, dx, dy Map, w []float32) {
	checkConvT(dy, dx, w)
	ws.reset()
	ci, co := dx.C, dy.C
	packed := ws.floats(4 * co * round16(ci))
	packTransposed(packed, w, 4*co, 0, 4*co, ci, 4*co)
	g := product{
		packed: packed, cols: ci, outer: 2, outerA: dy.Row(), inner: 2 * co,
		aRow: 2 * dy.Row(), aPixel: 2 * co, cRow: dx.Row(), cPixel: ci, rows: dx.H, pixels: dx.W,
	}
	for n := range dx.N {
		g.a = dy.Data[dy.At(n, 0, 0, 0):]
		g.c = dx.Data[dx.At(n, 0, 0, 0):]
		f.product(ws, g)
		dx.clearBorder(n)
	}
}

func (f fast) ConvTBackwardWeights(ws *Workspace, dw, db []float32, x, dy Map) {
	checkConvT(dy, x, dw)
	checkBias(db, dy.C)
	ws.reset()
	ci, co := x.C, dy.C
	wide := round16(2 * co)
	sums := ws.floats(2 * ci * wide)
	clear(sums)
	step := min(x.H, max(1, sumChunk/(x.Row()+dy.Row())))
	g := outer{
		cRow: wide, numbers: ci, cols: 2 * co, pixels: x.W, add: true,
		aRow: x.Row(), aPixel: ci, aTile: 4, bRow: 2 * dy.Row(), bPixel: 2 * co, bBlock: 16,
	}
	for n := range x.N {
		for y := 0; y < x.H; y += step {
			g.rows = min(step, x.H-y)
			g.a = x.Data[x.At(n, y, 0, 0):]
			for i := range 2 {
				g.b = dy.Data[dy.At(n, 2*y+i, 0, 0):]
				g.c = sums[i*ci*wide:]
				f.outer(ws, g)
			}
		}
	}
	for i := range 2 * ci {
		copy(dw[i*2*co:(i+1)*2*co], sums[(i%2*ci+i/2)*wide:])
	}
	f.biasGradient(ws, db, dy)
}

// biasGradient adds dy over images and pixels: a row's pixels in float32, the rows in float64.
func (f fast) biasGradient(ws *Workspace, db []float32, dy Map) {
	if db == nil {
		return
	}
	total := ws.doubles(dy.C)
	row := ws.floats(8 * dy.C)
	clear(total)
	for n := range dy.N {
		for y := range dy.H {
			f.addPixels(row, dy.Data[dy.At(n, y, 0, 0):][:dy.W*dy.C], dy.C)
			for c, v := range row[:dy.C] {
				total[c] += float64(v)
			}
		}
	}
	round(db, total)
}
