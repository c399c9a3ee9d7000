package kernel

func (f fast) CrossEntropy(ws *Workspace, dlogits, logits Map, labels []byte, images []int, h, w int) Sums {
	checkEntropy(dlogits, logits, labels, images, h, w)
	ws.reset()
	s := Sums{Images: logits.N, Values: logits.N * h * w}
	if s.Images == 0 {
		return s
	}
	c := logits.C
	e := ws.floats(w * c) // of one row of pixels
	scale := float32(1 / float64(s.Values))
	for n, image := range images {
		for y := range h {
			z := logits.Data[logits.At(n, y, 0, 0):][:w*c]
			want := labels[(image*h+y)*w:][:w]
			for x, label := range want {
				p, d := z[x*c:][:c], e[x*c:][:c]
				// A NaN may be overlooked here: the loss will be one.
				got, most := 0, p[0]
				for i, v := range p {
					if v > most {
						got, most = i, v
					}
				}
				for i, v := range p {
					d[i] = v - most
				}
				s.Loss -= float64(d[label])
				s.judge(got, int(label), c <= MaxMaskClasses)
			}
			f.exp(e)
			for x, label := range want {
				d := e[x*c:][:c]
				var sum, odd float32 // two chains, so that neither waits for the other
				for i := 1; i < c; i += 2 {
					sum += d[i-1]
					odd += d[i]
				}
				if c%2 == 1 {
					sum += d[c-1]
				}
				sum += odd
				s.Loss += float64(Log(sum))
				if dlogits.Data == nil {
					continue
				}
				g := dlogits.Data[dlogits.At(n, y, x, 0):][:c]
				each := scale / sum
				for i, v := range d {
					g[i] = float32(v * each)
				}
				g[label] -= scale
			}
		}
		clearOutside(dlogits, n, h, w)
	}
	s.Loss /= float64(s.Values)
	return s
}

// exp replaces each x by [Exp] of it, the same bits with and without vectors.
func (f fast) exp(x []float32) {
	if n := len(x) &^ 7; f.vector && n > 0 {
		expAVX2(&x[0], n)
		x = x[n:]
	}
	for i, v := range x {
		x[i] = Exp(v)
	}
}
