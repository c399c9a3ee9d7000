package kernel

import "math"

func (f fast) Attention(ws *Workspace, dst, q, k, v Map) {
	checkAttention(dst, q, k, v)
	t, c := q.H*q.W, q.C
	ws.reset()
	p := ws.floats(t * t)
	columns := ws.floats(c * round16(t))
	rows := ws.floats(t * round16(c))
	for n := range q.N {
		f.attend(ws, p, columns, tokens(q, n), tokens(k, n), t, c)
		pack(rows, tokens(v, n), t, c, c)
		f.plain(ws, tokens(dst, n), p, rows, t, t, c)
	}
}

// attend makes the t x t weights p of one image's q and k (t, c); columns is room for k.
func (f fast) attend(ws *Workspace, p, columns, q, k []float32, t, c int) {
	packTransposed(columns, k, c, 0, c, t, c)
	f.plain(ws, p, q, columns, t, c, t)
	scale := attentionScale(c)
	for i := range t {
		f.softmaxRow(p[i*t:][:t], scale)
	}
}

// plain is the product dst (n, cols) of a (n, k) and a packed matrix (k, cols).
func (f fast) plain(ws *Workspace, dst, a, packed []float32, n, k, cols int) {
	f.product(ws, product{
		c: dst, cPixel: cols, a: a, aPixel: k, rows: 1, pixels: n, outer: 1, inner: k, packed: packed, cols: cols,
	})
}

// turned is the product dst (k, cols) of the transpose of a (n, k) and b (n, cols). 16 columns of b are read always.
func (f fast) turned(ws *Workspace, dst, a, b []float32, n, k, cols int) {
	f.outer(ws, outer{
		c: dst, cRow: cols, a: a, b: b, numbers: k, cols: cols, rows: 1, pixels: n,
		aPixel: k, aTile: 4, bPixel: cols, bBlock: 16,
	})
}

// softmaxRow makes weights of scores times scale.
func (f fast) softmaxRow(p []float32, scale float32) {
	most := float32(math.Inf(-1))
	for i, v := range p {
		v = float32(v * scale)
		p[i] = v
		if v > most || v != v {
			most = v
		}
	}
	for i, v := range p {
		p[i] = v - most
	}
	f.exp(p)
	var total float64
	for _, v := range p {
		total += float64(v)
	}
	share := float32(1 / total)
	for i, v := range p {
		p[i] = float32(v * share)
	}
}

func (f fast) AttentionBackward(ws *Workspace, q, k, v, dy Map) {
	checkAttention(dy, q, k, v)
	t, c := q.H*q.W, q.C
	scale := attentionScale(c)
	ws.reset()
	p, ds := ws.floats(t*t), ws.floats(t*t)
	columns := ws.floats(c * round16(t))
	rows := ws.floats(t * round16(c))
	for n := range q.N {
		qi, ki, vi, gi := tokens(q, n), tokens(k, n), tokens(v, n), tokens(dy, n)
		f.attend(ws, p, columns, qi, ki, t, c)
		packTransposed(columns, vi, c, 0, c, t, c)
		f.plain(ws, ds, gi, columns, t, c, t)
		f.turned(ws, vi, p, dy.Data[n*dy.Image():], t, t, c)
		for i := range t {
			softmaxBackwardRow(ds[i*t:][:t], p[i*t:][:t], scale)
		}
		pack(rows, ki, t, c, c) // before its gradient takes its place
		f.turned(ws, ki, ds, q.Data[n*q.Image():], t, t, c)
		f.plain(ws, qi, ds, rows, t, t, c)
	}
}

// softmaxBackwardRow takes the gradient d by the weights p through the softmax and the scale of its scores, in place.
func softmaxBackwardRow(d, p []float32, scale float32) {
	p = p[:len(d)]
	var mean float64
	for i, v := range d {
		mean += float64(v) * float64(p[i])
	}
	m := float32(mean)
	for i, v := range d {
		d[i] = float32(float32(p[i]*(v-m)) * scale)
	}
}

// AttentionScratch is how many bytes of a workspace attention among t pixels of c channels and its gradient take.
func AttentionScratch(t, c int) int { return 4 * (2*round16(t*t) + c*round16(t) + t*round16(c)) }
