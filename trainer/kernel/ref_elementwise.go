package kernel

func (reference) MaxPool(dst Map, arg []byte, x Map) {
	checkPool(dst, arg, x)
	a := 0
	for n := range dst.N {
		for y := range dst.H {
			for xx := range dst.W {
				for c := range dst.C {
					best, at := x.Data[x.At(n, 2*y, 2*xx, c)], byte(0)
					for j := 1; j < 4; j++ {
						// NaN beats every number and is never beaten.
						if v := x.Data[x.At(n, 2*y+j/2, 2*xx+j%2, c)]; best == best && (v > best || v != v) {
							best, at = v, byte(j)
						}
					}
					dst.Data[dst.At(n, y, xx, c)] = best
					arg[a] = at
					a++
				}
			}
		}
		dst.clearBorder(n)
	}
}

func (reference) MaxPoolBackward(dx, dy Map, arg []byte) {
	checkPool(dy, arg, dx)
	a := 0
	for n := range dy.N {
		for y := range dy.H {
			for xx := range dy.W {
				for c := range dy.C {
					for j := range 4 {
						v := float32(0)
						if int(arg[a]) == j {
							v = dy.Data[dy.At(n, y, xx, c)]
						}
						dx.Data[dx.At(n, 2*y+j/2, 2*xx+j%2, c)] = v
					}
					a++
				}
			}
		}
		dx.clearBorder(n)
	}
}

func (reference) Activate(act Activation, x Map) {
	x.check()
	for n := range x.N {
		for y := range x.H {
			row := x.Data[x.At(n, y, 0, 0):][:x.W*x.C]
			for i, v := range row {
				row[i] = activate(act, v)
			}
		}
	}
}

func (r reference) ActivateTo(act Activation, dst, x Map) {
	r.Copy(dst, x)
	r.Activate(act, dst)
}

func (reference) ActivationBackward(act Activation, dy, y Map) {
	sameSize(dy, y)
	for n := range y.N {
		for r := range y.H {
			out := y.Data[y.At(n, r, 0, 0):][:y.W*y.C]
			g := dy.Data[dy.At(n, r, 0, 0):][:y.W*y.C]
			for i, v := range out {
				if act == ReLU && !(v > 0) {
					g[i] = 0 // also of an infinite dy
					continue
				}
				g[i] = float32(g[i] * slope(act, v))
			}
		}
	}
}

// pixelValues holds the value of each byte of an image, v/255.
var pixelValues = func() (t [256]float32) {
	for i := range t {
		t[i] = float32(i) / 255
	}
	return t
}()

func (reference) Gather(dst Map, pixels []byte, h, w int, images []int) {
	dst = checkGather(dst, pixels, h, w, images)
	n := w * dst.C
	for i, at := range images {
		for y := range dst.H {
			row := dst.Data[dst.At(i, y, 0, 0):][:dst.W*dst.C]
			if y >= h {
				clear(row)
				continue
			}
			for j, p := range pixels[(at*h+y)*n:][:n] {
				row[j] = pixelValues[p]
			}
			clear(row[n:])
		}
		dst.clearBorder(i)
	}
}

func (reference) SumSquares(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(float64(v) * float64(v))
	}
	return sum
}

func (reference) Finite(x []float32) bool {
	for _, v := range x {
		if v-v != 0 {
			return false
		}
	}
	return true
}

func checkPool(dst Map, arg []byte, x Map) {
	dst.check()
	x.check()
	if x.N != dst.N || x.H != 2*dst.H || x.W != 2*dst.W || x.C != dst.C {
		panic("kernel: maps differ in size")
	}
	if len(arg) < dst.Values() {
		panic("kernel: length mismatch")
	}
}

func checkGather(dst Map, pixels []byte, h, w int, images []int) Map {
	dst = dst.First(len(images))
	dst.check()
	if h < 1 || w < 1 || h > dst.H || w > dst.W {
		panic("kernel: images are larger than their map")
	}
	size := h * w * dst.C
	for _, i := range images {
		if i < 0 || (i+1)*size > len(pixels) {
			panic("kernel: no image of this index")
		}
	}
	return dst
}
