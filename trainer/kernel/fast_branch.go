package kernel

func (f fast) Add(act Activation, dst, a, b Map) {
	sameSize(dst, a)
	sameSize(dst, b)
	size := dst.W * dst.C
	for n := range dst.N {
		for y := range dst.H {
			row := dst.Data[dst.At(n, y, 0, 0):][:size]
			f.addRow(row, a.Data[a.At(n, y, 0, 0):][:size], b.Data[b.At(n, y, 0, 0):][:size])
			if act != Identity {
				f.activateRow(act, row)
			}
		}
		dst.clearBorder(n)
	}
}

func (f fast) addRow(dst, a, b []float32) {
	if n := len(dst) &^ 7; f.vector && n > 0 {
		addAVX2(&dst[0], &a[0], &b[0], n)
		dst, a, b = dst[n:], a[n:], b[n:]
	}
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}

func (fast) Copy(dst, x Map) { reference{}.Copy(dst, x) }

func (fast) UnpoolBackward(dx, dy Map, arg []byte) {
	checkPool(dx, arg, dy)
	c := dx.C
	for n := range dx.N {
		for y := range dx.H {
			row := dx.Data[dx.At(n, y, 0, 0):][:dx.W*c]
			places := arg[(n*dx.H+y)*len(row):][:len(row)]
			upper, lower := dy.Data[dy.At(n, 2*y, 0, 0):][:2*len(row)], dy.Data[dy.At(n, 2*y+1, 0, 0):][:2*len(row)]
			for x := 0; x < len(row); x += c {
				for i, j := range places[x : x+c] {
					from := upper
					if j > 1 {
						from = lower
					}
					row[x+i] = from[2*x+int(j&1)*c+i]
				}
			}
		}
		dx.clearBorder(n)
	}
}
