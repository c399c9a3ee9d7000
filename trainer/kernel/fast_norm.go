package kernel

// Sums are added up over a row of pixels in float32 and over rows in float64. Deviations are taken from a pixel in the
// middle first, then from the mean, so that values far from 0 keep their variance; a corner sees the border's zeros.

func (f fast) Moments(ws *Workspace, stats, x Map) {
	checkStats(stats, x)
	ws.reset()
	c := x.C
	row, total := ws.floats(2*c), ws.doubles(2*c)
	pixels := float64(x.H * x.W)
	for n := range x.N {
		middle := x.Data[x.At(n, x.H/2, x.W/2, 0):][:c]
		clear(total)
		for y := range x.H {
			f.momentsRow(row, x.Data[x.At(n, y, 0, 0):][:x.W*c], middle, c)
			for i, v := range row {
				total[i] += float64(v)
			}
		}
		s := stats.Data[n*2*c:][:2*c]
		for i := range c {
			d := total[i] / pixels
			s[i] = float32(float64(middle[i]) + d)
			s[c+i] = float32(max(0, total[c+i]/pixels-float64(d*d)))
		}
	}
}

func (f fast) momentsRow(sums, src, from []float32, c int) {
	if f.vector && c%8 == 0 {
		momentsAVX2(&sums[0], &src[0], &from[0], len(src)/c, c)
		return
	}
	clear(sums)
	first, second := sums[:c], sums[c:2*c]
	for i := 0; i < len(src); i += c {
		for j, v := range src[i : i+c] {
			d := v - from[j]
			first[j] += d
			second[j] += float32(d * d)
		}
	}
}

func (f fast) Normalize(ws *Workspace, dst, picked Map, arg []byte, x, stats Map, n Norm, act Activation) {
	n.check(x, stats, act, dst, picked, arg)
	settle(stats, x.H*x.W, n)
	ws.reset()
	c := x.C
	coef := ws.floats(3 * c)
	in, out := x.W*c, dst.W*c
	for i := range x.N {
		if i == 0 || n.Kind == LayerNorm {
			normCoefs(coef, stats, i, n)
		}
		for y := range dst.H {
			to := dst.Data[dst.At(i, y, 0, 0):][:out]
			if arg == nil {
				f.normRow(to, x.Data[x.At(i, y, 0, 0):][:in], coef, c)
			} else {
				f.normPoolRow(to, picked.Data[picked.At(i, y, 0, 0):][:out], arg[(i*dst.H+y)*out:][:out],
					x.Data[x.At(i, 2*y, 0, 0):][:in], x.Data[x.At(i, 2*y+1, 0, 0):][:in], coef, c)
			}
			f.activateRow(act, to)
		}
		dst.clearBorder(i)
		if arg != nil {
			picked.clearBorder(i)
		}
	}
}

func (f fast) normRow(dst, src, coef []float32, c int) {
	if f.vector && c%8 == 0 {
		normAVX2(&dst[0], &src[0], &coef[0], len(src)/c, c)
		return
	}
	mean, scale, shift := coef[:c], coef[c:2*c], coef[2*c:3*c]
	for i := 0; i < len(src); i += c {
		to := dst[i : i+c]
		for j, v := range src[i : i+c] {
			to[j] = float32((v-mean[j])*scale[j]) + shift[j]
		}
	}
}

func (f fast) normPoolRow(dst, picked []float32, arg []byte, upper, lower, coef []float32, c int) {
	if f.vector && c%8 == 0 {
		normPoolAVX2(&dst[0], &picked[0], &arg[0], &upper[0], &lower[0], &coef[0], len(dst)/c, c)
		return
	}
	mean, scale, shift := coef[:c], coef[c:2*c], coef[2*c:3*c]
	for i := 0; i < len(dst); i += c {
		d, p, a := dst[i:i+c], picked[i:i+c], arg[i:i+c]
		four := [4][]float32{upper[2*i : 2*i+c], upper[2*i+c : 2*i+2*c], lower[2*i : 2*i+c], lower[2*i+c : 2*i+2*c]}
		for j := range d {
			of := func(x float32) float32 { return float32((x-mean[j])*scale[j]) + shift[j] }
			best, at := of(four[0][j]), byte(0)
			for k := byte(1); k < 4; k++ {
				if v := of(four[k][j]); beats(v, best) {
					best, at = v, k
				}
			}
			d[j], p[j], a[j] = best, four[at][j], at
		}
	}
}

func (f fast) NormalizeBackward(ws *Workspace, dx Map, dscale, dshift []float32, dy, picked Map, arg []byte, x, stats Map, n Norm) {
	n.check(x, stats, Identity, dy, picked, arg)
	sameSize(dx, x)
	checkVector(dscale, x.C)
	checkVector(dshift, x.C)
	ws.reset()
	c := x.C
	sums, coef, row := ws.doubles(x.N*2*c), ws.floats(x.N*4*c), ws.floats(2*c)
	clear(sums)
	if arg == nil {
		picked = x
	}
	in, out := x.W*c, dy.W*c
	for i := range x.N {
		total := sums[i*2*c:][:2*c]
		for y := range dy.H {
			f.normSumsRow(row, dy.Data[dy.At(i, y, 0, 0):][:out], picked.Data[picked.At(i, y, 0, 0):][:out], stats.Data[i*2*c:][:c], c)
			for j, v := range row {
				total[j] += float64(v)
			}
		}
	}
	gradient(coef, dscale, dshift, sums, stats, x.H*x.W, n)
	for i := range x.N {
		k := coef[i*4*c:][:4*c]
		for y := range dy.H {
			g := dy.Data[dy.At(i, y, 0, 0):][:out]
			if arg == nil {
				f.normGradRow(dx.Data[dx.At(i, y, 0, 0):][:in], g, x.Data[x.At(i, y, 0, 0):][:in], k, c)
				continue
			}
			f.normUnpoolRow(dx.Data[dx.At(i, 2*y, 0, 0):][:in], dx.Data[dx.At(i, 2*y+1, 0, 0):][:in],
				x.Data[x.At(i, 2*y, 0, 0):][:in], x.Data[x.At(i, 2*y+1, 0, 0):][:in], g, arg[(i*dy.H+y)*out:][:out], k, c)
		}
		dx.clearBorder(i)
	}
}

// normSumsRow adds up dy and dy·(x-mean) over a row's pixels.
func (f fast) normSumsRow(sums, dy, x, mean []float32, c int) {
	if f.vector && c%8 == 0 {
		normSumsAVX2(&sums[0], &dy[0], &x[0], &mean[0], len(dy)/c, c)
		return
	}
	clear(sums)
	first, second := sums[:c], sums[c:2*c]
	for i := 0; i < len(dy); i += c {
		v := x[i : i+c]
		for j, g := range dy[i : i+c] {
			first[j] += g
			second[j] += float32(g * (v[j] - mean[j]))
		}
	}
}

func (f fast) normGradRow(dx, dy, x, coef []float32, c int) {
	if f.vector && c%8 == 0 {
		normGradAVX2(&dx[0], &dy[0], &x[0], &coef[0], len(dy)/c, c)
		return
	}
	for i := 0; i < len(dy); i += c {
		to, v := dx[i:i+c], x[i:i+c]
		for j, g := range dy[i : i+c] {
			to[j] = float32(coef[c+j]*g) - coef[2*c+j] - float32(coef[3*c+j]*(v[j]-coef[j]))
		}
	}
}

func (f fast) normUnpoolRow(du, dl, upper, lower, dy []float32, arg []byte, coef []float32, c int) {
	if f.vector && c%8 == 0 {
		normUnpoolAVX2(&du[0], &dl[0], &upper[0], &lower[0], &dy[0], &arg[0], &coef[0], len(dy)/c, c)
		return
	}
	for i := 0; i < len(dy); i += c {
		for k := range 4 {
			to, x := du, upper
			if k > 1 {
				to, x = dl, lower
			}
			at := 2*i + k%2*c
			to, x = to[at:at+c], x[at:at+c]
			for j, v := range x {
				g := float32(0)
				if int(arg[i+j]) == k {
					g = float32(coef[c+j] * dy[i+j])
				}
				to[j] = g - coef[2*c+j] - float32(coef[3*c+j]*(v-coef[j]))
			}
		}
	}
}
