package kernel

func (f fast) Dense(ws *Workspace, dst, x, w, b []float32, n, in, out int, act Activation) {
	checkDense(x, w, dst, n, in, out)
	checkVector(b, out)
	ws.reset()
	packed := ws.floats(in * round16(out))
	pack(packed, w, in, out, out)
	f.product(ws, product{
		c: dst, cPixel: out, a: x, aPixel: in, rows: 1, pixels: n, outer: 1, inner: in,
		packed: packed, bias: padded(ws, b, 1), cols: out, relu: act == ReLU,
	})
	f.finish(act, Vector(dst, n, out))
}

func (f fast) DenseBackwardData(ws *Workspace, dx, dy, w []float32, n, in, out int) {
	checkDense(dx, w, dy, n, in, out)
	ws.reset()
	packed := ws.floats(out * round16(in))
	packTransposed(packed, w, out, 0, out, in, out)
	f.product(ws, product{
		c: dx, cPixel: in, a: dy, aPixel: out, rows: 1, pixels: n, outer: 1, inner: out,
		packed: packed, cols: in,
	})
}

func (f fast) DenseBackwardWeights(ws *Workspace, dw, db, x, dy []float32, n, in, out int) {
	checkDense(x, dw, dy, n, in, out)
	checkVector(db, out)
	ws.reset()
	if n == 0 {
		clear(dw)
		clear(db)
		return
	}
	// Columns of x are a power of two apart more often than not, which a cache does not like: pack four together.
	wide := (in + 3) &^ 3
	a := ws.floats(n * wide)
	for r := range n {
		row := x[r*in : (r+1)*in]
		for i := 0; i < in; i += 4 {
			copy(a[i*n+r*4:][:4], row[i:])
		}
	}
	packed := ws.floats(n * round16(out))
	pack(packed, dy, n, out, out)
	f.outer(ws, outer{
		c: dw, cRow: out, a: a, b: packed, numbers: in, cols: out, rows: 1, pixels: n,
		aPixel: 4, aTile: 4 * n, bPixel: 16, bBlock: 16 * n,
	})
	f.biasGradient(ws, db, Map{Data: dy, N: 1, H: 1, W: n, C: out})
}
