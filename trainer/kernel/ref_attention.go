package kernel

import "math"

func (reference) Attention(ws *Workspace, dst, q, k, v Map) {
	checkAttention(dst, q, k, v)
	t, c := q.H*q.W, q.C
	ws.reset()
	p := ws.floats(t)
	for n := range q.N {
		qi, ki, vi, di := tokens(q, n), tokens(k, n), tokens(v, n), tokens(dst, n)
		for i := range t {
			refSoftmax(p, qi[i*c:][:c], ki)
			for j := range c {
				var sum float64
				for s, w := range p {
					sum += float64(w) * float64(vi[s*c+j])
				}
				di[i*c+j] = float32(sum)
			}
		}
	}
}

func (reference) AttentionBackward(ws *Workspace, q, k, v, dy Map) {
	checkAttention(dy, q, k, v)
	t, c := q.H*q.W, q.C
	scale := attentionScale(c)
	ws.reset()
	p := ws.floats(t)
	ds := ws.doubles(t)
	dq, dk, dv := ws.doubles(t*c), ws.doubles(t*c), ws.doubles(t*c)
	for n := range q.N {
		qi, ki, vi, gi := tokens(q, n), tokens(k, n), tokens(v, n), tokens(dy, n)
		for _, d := range [][]float64{dq, dk, dv} {
			clear(d)
		}
		for i := range t {
			refSoftmax(p, qi[i*c:][:c], ki)
			// By the weights, then through the softmax: dS = P·(dP - ΣP·dP).
			var mean float64
			for s := range t {
				ds[s] = 0
				for j, g := range gi[i*c:][:c] {
					ds[s] += float64(g) * float64(vi[s*c+j])
					dv[s*c+j] += float64(p[s]) * float64(g)
				}
				mean += float64(float64(p[s]) * ds[s])
			}
			for s := range t {
				d := float64(float64(float64(p[s])*(ds[s]-mean)) * float64(scale))
				for j := range c {
					dq[i*c+j] += float64(d * float64(ki[s*c+j]))
					dk[s*c+j] += float64(d * float64(qi[i*c+j]))
				}
			}
		}
		round(qi, dq)
		round(ki, dk)
		round(vi, dv)
	}
}

// refSoftmax makes the weights p of the rows of k for one row q.
func refSoftmax(p, q, k []float32) {
	c := len(q)
	most := float32(math.Inf(-1))
	for s := range p {
		var sum float64
		for j, v := range q {
			sum += float64(v) * float64(k[s*c+j])
		}
		p[s] = float32(sum * float64(attentionScale(c)))
		if p[s] > most || p[s] != p[s] {
			most = p[s]
		}
	}
	var total float64
	for s, v := range p {
		p[s] = Exp(v - most)
		total += float64(p[s])
	}
	for s, v := range p {
		p[s] = float32(float64(v) / total)
	}
}

// attentionScale is 1/√c.
func attentionScale(c int) float32 { return float32(1 / math.Sqrt(float64(c))) }

// tokens are the pixels of image n of a map without a border, one after another.
func tokens(m Map, n int) []float32 { return m.Data[n*m.Image():][:m.Image()] }

func checkAttention(a ...Map) {
	for _, m := range a {
		sameSize(m, a[0])
		if m.Pad != 0 {
			panic("kernel: attention has no border")
		}
	}
}
