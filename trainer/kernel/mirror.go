package kernel

func (reference) Mirror(x Map, w int, marked []bool) {
	checkMirror(x, w, marked)
	for n, m := range marked {
		if !m {
			continue
		}
		for y := range x.H {
			for l := range w / 2 {
				for c := range x.C {
					a, b := x.At(n, y, l, c), x.At(n, y, w-1-l, c)
					x.Data[a], x.Data[b] = x.Data[b], x.Data[a]
				}
			}
		}
	}
}

func (fast) Mirror(x Map, w int, marked []bool) {
	checkMirror(x, w, marked)
	for n, m := range marked {
		if !m {
			continue
		}
		for y := range x.H {
			row := x.Data[x.At(n, y, 0, 0):][:w*x.C]
			for len(row) >= 2*x.C {
				left, right := row[:x.C], row[len(row)-x.C:]
				for c, v := range left {
					left[c], right[c] = right[c], v
				}
				row = row[x.C : len(row)-x.C]
			}
		}
	}
}

func checkMirror(x Map, w int, marked []bool) {
	x.check()
	if len(marked) > x.N || w < 1 || w > x.W {
		panic("kernel: images are larger than their map")
	}
}
