package kernel

func (reference) Moments(_ *Workspace, stats, x Map) {
	checkStats(stats, x)
	pixels := float64(x.H * x.W)
	for n := range x.N {
		for c := range x.C {
			var mean, variance float64
			for i := range x.H * x.W {
				mean += float64(x.Data[x.At(n, i/x.W, i%x.W, c)])
			}
			mean /= pixels
			for i := range x.H * x.W {
				d := float64(x.Data[x.At(n, i/x.W, i%x.W, c)]) - mean
				variance += float64(d * d)
			}
			stats.Data[stats.At(n, 0, 0, c)] = float32(mean)
			stats.Data[stats.At(n, 0, 0, x.C+c)] = float32(variance / pixels)
		}
	}
}

func (r reference) Normalize(ws *Workspace, dst, picked Map, arg []byte, x, stats Map, n Norm, act Activation) {
	n.check(x, stats, act, dst, picked, arg)
	settle(stats, x.H*x.W, n)
	ws.reset()
	coef := ws.floats(3 * x.C)
	full := dst
	if arg != nil {
		full = MapOn(ws.floats(Floats(x.N, x.H, x.W, x.C, 0)), x.N, x.H, x.W, x.C, 0)
	}
	for i := range x.N {
		normCoefs(coef, stats, i, n)
		for y := range x.H {
			from, to := x.Data[x.At(i, y, 0, 0):], full.Data[full.At(i, y, 0, 0):]
			for j := range x.W * x.C {
				c := j % x.C
				to[j] = float32((from[j]-coef[c])*coef[x.C+c]) + coef[2*x.C+c]
			}
		}
		full.clearBorder(i)
	}
	if arg != nil {
		r.MaxPool(dst, arg, full)
		for a := range dst.Values() {
			c, p := a%x.C, a/x.C
			xx, y, i := p%dst.W, p/dst.W%dst.H, p/dst.W/dst.H
			picked.Data[picked.At(i, y, xx, c)] = x.Data[x.At(i, 2*y+int(arg[a])/2, 2*xx+int(arg[a])%2, c)]
		}
		for i := range picked.N {
			picked.clearBorder(i)
		}
	}
	r.Activate(act, dst)
}

func (reference) NormalizeBackward(ws *Workspace, dx Map, dscale, dshift []float32, dy, picked Map, arg []byte, x, stats Map, n Norm) {
	n.check(x, stats, Identity, dy, picked, arg)
	sameSize(dx, x)
	checkVector(dscale, x.C)
	checkVector(dshift, x.C)
	ws.reset()
	// g(i, y, x, c) is the gradient by the result before it was pooled.
	g := func(i, y, xx, c int) float64 {
		if arg == nil {
			return float64(dy.Data[dy.At(i, y, xx, c)])
		}
		if int(arg[((i*dy.H+y/2)*dy.W+xx/2)*dy.C+c]) != y%2*2+xx%2 {
			return 0
		}
		return float64(dy.Data[dy.At(i, y/2, xx/2, c)])
	}
	sums := ws.doubles(x.N * 2 * x.C)
	clear(sums)
	for i := range x.N {
		for y := range x.H {
			for xx := range x.W {
				for c := range x.C {
					d := float64(x.Data[x.At(i, y, xx, c)]) - float64(stats.Data[stats.At(i, 0, 0, c)])
					sums[i*2*x.C+c] += g(i, y, xx, c)
					sums[i*2*x.C+x.C+c] += float64(g(i, y, xx, c) * d)
				}
			}
		}
	}
	coef := ws.floats(x.N * 4 * x.C)
	gradient(coef, dscale, dshift, sums, stats, x.H*x.W, n)
	for i := range x.N {
		k := coef[i*4*x.C:]
		for y := range x.H {
			for xx := range x.W {
				for c := range x.C {
					at := dx.At(i, y, xx, c)
					d := float64(x.Data[x.At(i, y, xx, c)]) - float64(k[c])
					dx.Data[at] = float32(float64(float64(k[x.C+c])*g(i, y, xx, c)) - float64(k[2*x.C+c]) - float64(float64(k[3*x.C+c])*d))
				}
			}
		}
		dx.clearBorder(i)
	}
}
