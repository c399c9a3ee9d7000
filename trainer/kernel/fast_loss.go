package kernel

// compareConstants are what a comparison of p = (y+shift)·scale with t needs.
type compareConstants struct {
	shift, scale float32
	gradient     float32 // of (p-t)² by p-t, or of |p-t|, and by y: all constant factors
	nearby       float32
}

// compareSums are the sums of one row in eight lanes: short chains in float32, to be added in float64.
type compareSums struct {
	se, ae [8]float32
	within [8]int32
}

func (f fast) Loss(ws *Workspace, dpred, pred, target Map, l Loss) Sums {
	checkLoss(pred, target, l)
	sameSize(dpred, pred)
	ws.reset()
	return f.loss(ws, &dpred, pred, target, l, l.Kind == MSESSIM)
}

func (f fast) Evaluate(ws *Workspace, pred, target Map, l Loss) Sums {
	checkLoss(pred, target, l)
	ws.reset()
	return evaluate(ws, pred, target, l, func(ws *Workspace, pred, target Map, l Loss, ssim bool) Sums {
		return f.loss(ws, nil, pred, target, l, ssim)
	})
}

func (f fast) loss(ws *Workspace, dpred *Map, pred, target Map, l Loss, ssim bool) Sums {
	s := Sums{Images: pred.N, Values: pred.N * l.H * l.W * pred.C}
	if s.Images == 0 {
		return s
	}
	c := compareConstants{scale: 1, nearby: nearby}
	if l.Output == Tanh {
		c.shift, c.scale = 1, 0.5
	}
	switch each := float64(c.scale) / float64(s.Values); l.Kind {
	case MAE:
		c.gradient = float32(each)
	case MSESSIM:
		c.gradient = float32(2 * each * (1 - l.SSIMWeight))
	default:
		c.gradient = float32(2 * each)
	}
	var field ssimField
	if ssim {
		field = newSSIMField(ws, l.H, l.W, pred.C)
	}
	n := l.W * pred.C
	for img := range pred.N {
		for y := range l.H {
			p := pred.Data[pred.At(img, y, 0, 0):][:n]
			t := target.Data[target.At(img, y, 0, 0):][:n]
			var row compareSums
			if dpred == nil {
				f.compare(nil, p, t, l.Kind, &c, &row)
			} else {
				g := dpred.Data[dpred.At(img, y, 0, 0):][:dpred.W*dpred.C]
				f.compare(g[:n], p, t, l.Kind, &c, &row)
				clear(g[n:])
			}
			for i := range row.se {
				s.SE += float64(row.se[i])
				s.AE += float64(row.ae[i])
				s.Within += int(row.within[i])
			}
			if ssim {
				field.load(y, p, t, &c)
			}
		}
		if ssim {
			s.SSIM += f.ssim(&field, dpred != nil)
		}
		if dpred == nil {
			continue
		}
		if ssim {
			scale := float32(-l.SSIMWeight * float64(c.scale) / (float64(pred.N) * field.count()))
			for y := range l.H {
				field.addGradient(dpred.Data[dpred.At(img, y, 0, 0):][:n], y, scale)
			}
		}
		for y := l.H; y < dpred.H; y++ {
			clear(dpred.Data[dpred.At(img, y, 0, 0):][:dpred.W*dpred.C])
		}
		dpred.clearBorder(img)
	}
	s.Loss = l.of(s)
	return s
}

// compare adds one row into the lanes, value i into lane i%8, and writes the gradient unless g is nil.
func (f fast) compare(g, p, t []float32, kind LossKind, c *compareConstants, s *compareSums) {
	if n := len(p) &^ 7; f.vector && n > 0 {
		switch {
		case g == nil:
			compareAVX2(&p[0], &t[0], n, c, s)
		case kind == MAE:
			compareSizeAVX2(&g[0], &p[0], &t[0], n, c, s)
		default:
			compareSquareAVX2(&g[0], &p[0], &t[0], n, c, s)
		}
		p, t = p[n:], t[n:]
		if g != nil {
			g = g[n:]
		}
	}
	for i, y := range p {
		d := float32((y+c.shift)*c.scale) - t[i]
		size := d
		if size < 0 {
			size = -size
		}
		s.se[i%8] += float32(d * d)
		s.ae[i%8] += size
		if size <= c.nearby {
			s.within[i%8]++
		}
		switch {
		case g == nil:
		case kind != MAE:
			g[i] = float32(d * c.gradient)
		case d > 0:
			g[i] = c.gradient
		case d < 0:
			g[i] = -c.gradient
		default:
			g[i] = d // 0, or NaN
		}
	}
}
