package kernel

func (reference) Add(act Activation, dst, a, b Map) {
	sameSize(dst, a)
	sameSize(dst, b)
	for n := range dst.N {
		for y := range dst.H {
			for x := range dst.W {
				for c := range dst.C {
					sum := a.Data[a.At(n, y, x, c)] + b.Data[b.At(n, y, x, c)]
					dst.Data[dst.At(n, y, x, c)] = activate(act, sum)
				}
			}
		}
		dst.clearBorder(n)
	}
}

func (reference) Copy(dst, x Map) {
	sameSize(dst, x)
	for n := range dst.N {
		for y := range dst.H {
			copy(dst.Data[dst.At(n, y, 0, 0):][:dst.W*dst.C], x.Data[x.At(n, y, 0, 0):])
		}
		dst.clearBorder(n)
	}
}

func (reference) UnpoolBackward(dx, dy Map, arg []byte) {
	checkPool(dx, arg, dy)
	a := 0
	for n := range dx.N {
		for y := range dx.H {
			for x := range dx.W {
				for c := range dx.C {
					j := int(arg[a])
					dx.Data[dx.At(n, y, x, c)] = dy.Data[dy.At(n, 2*y+j/2, 2*x+j%2, c)]
					a++
				}
			}
		}
		dx.clearBorder(n)
	}
}
