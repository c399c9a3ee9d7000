package kernel

func (reference) CrossEntropy(ws *Workspace, dlogits, logits Map, labels []byte, images []int, h, w int) Sums {
	checkEntropy(dlogits, logits, labels, images, h, w)
	ws.reset()
	s := Sums{Images: logits.N, Values: logits.N * h * w}
	e := ws.doubles(logits.C)
	for n, image := range images {
		for y := range h {
			for x := range w {
				z := logits.Data[logits.At(n, y, x, 0):][:logits.C]
				want := int(labels[(image*h+y)*w+x])
				got := greatest(z)
				var sum float64
				for c, v := range z {
					e[c] = float64(Exp(v - z[got]))
					sum += e[c]
				}
				s.Loss += float64(Log(float32(sum))) - float64(z[want]-z[got])
				s.judge(got, want, logits.C <= MaxMaskClasses)
				if dlogits.Data == nil {
					continue
				}
				for c, v := range e {
					p := v / sum
					if c == want {
						p--
					}
					dlogits.Data[dlogits.At(n, y, x, c)] = float32(p / float64(s.Values))
				}
			}
		}
		clearOutside(dlogits, n, h, w)
	}
	if s.Images > 0 {
		s.Loss /= float64(s.Values)
	}
	return s
}

// clearOutside writes zeros around the crop of h x w of image n; m may be the zero Map.
func clearOutside(m Map, n, h, w int) {
	if m.Data == nil {
		return
	}
	for y := range m.H {
		from := w
		if y >= h {
			from = 0
		}
		clear(m.Data[m.At(n, y, 0, 0):][from*m.C : m.W*m.C])
	}
	m.clearBorder(n)
}
