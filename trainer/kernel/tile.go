package kernel

// panel is a strip of tiles for the one inner loop of this package. A tile is 4 rows by 16 columns of C:
//
//	C[i][j] = start + Σ_r Σ_k A[t·nextA + rowA[i] + r·outerA + k·innerA] · B[r·outerB + k·innerB + j]
//
// for the tiles t; start is 0, bias[j] or what C holds. All distances are in floats. Rows that a tile lacks are copies of
// its row 0 (rowA and rowC 0), computed and stored again. 16 columns of B are read always, cols of C written.
//
// The sum over r and k is one chain in order, so its bits depend on nothing else.
type panel struct {
	a, b, c        []float32
	bias           []float32 // 16 or nil
	rowA, rowC     [4]int
	tiles          int
	nextA, nextC   int
	outer, inner   int // at least 1; at least 0
	outerA, outerB int
	innerA, innerB int
	cols           int // 1 … 16
	add            int // 1: start from C; needs cols 16
	relu           int // 1: store max(0, sum)
}

// rows sets the distances of a tile's rows, n of which exist.
func (p *panel) rows(n, a, c int) {
	p.rowA, p.rowC = [4]int{}, [4]int{}
	for i := 1; i < n; i++ {
		p.rowA[i], p.rowC[i] = i*a, i*c
	}
}

// check panics where the tiles would reach beyond their slices: the assembly below does not look.
func (p *panel) check() {
	t := p.tiles - 1
	lastA := t*p.nextA + max(p.rowA[1], p.rowA[2], p.rowA[3]) + (p.outer-1)*p.outerA + (p.inner-1)*p.innerA
	lastB := (p.outer-1)*p.outerB + (p.inner-1)*p.innerB + 15
	lastC := t*p.nextC + max(p.rowC[1], p.rowC[2], p.rowC[3]) + p.cols - 1
	if lastA >= len(p.a) || lastB >= len(p.b) || lastC >= len(p.c) || p.add != 0 && p.cols != 16 ||
		p.bias != nil && len(p.bias) < 16 {
		panic("kernel: tile reaches beyond its data")
	}
}

// tileGo is the portable twin of the assembly: the same sums, each product rounded by itself.
func tileGo(p *panel) {
	for t := range p.tiles {
		for j := 0; j < p.cols; j += 4 {
			tileGo4(p, t, j)
		}
	}
}

// tileGo4 does 4 columns from j on: 16 sums, which stay in registers on most machines.
func tileGo4(p *panel, t, j int) {
	var s [4][4]float32
	cols := min(4, p.cols-j)
	c := t*p.nextC + j
	switch {
	case p.add != 0:
		for i, row := range p.rowC {
			copy(s[i][:], p.c[c+row:][:4])
		}
	case p.bias != nil:
		for i := range s {
			copy(s[i][:], p.bias[j:j+4])
		}
	}
	s00, s01, s02, s03 := s[0][0], s[0][1], s[0][2], s[0][3]
	s10, s11, s12, s13 := s[1][0], s[1][1], s[1][2], s[1][3]
	s20, s21, s22, s23 := s[2][0], s[2][1], s[2][2], s[2][3]
	s30, s31, s32, s33 := s[3][0], s[3][1], s[3][2], s[3][3]
	for r := range p.outer {
		a := p.a[t*p.nextA+r*p.outerA:]
		b := p.b[r*p.outerB+j:]
		a1, a2, a3 := a[p.rowA[1]:], a[p.rowA[2]:], a[p.rowA[3]:]
		for k := range p.inner {
			at := k * p.innerA
			x := b[k*p.innerB:][:4:4]
			b0, b1, b2, b3 := x[0], x[1], x[2], x[3]
			v := a[at]
			s00 += float32(v * b0)
			s01 += float32(v * b1)
			s02 += float32(v * b2)
			s03 += float32(v * b3)
			v = a1[at]
			s10 += float32(v * b0)
			s11 += float32(v * b1)
			s12 += float32(v * b2)
			s13 += float32(v * b3)
			v = a2[at]
			s20 += float32(v * b0)
			s21 += float32(v * b1)
			s22 += float32(v * b2)
			s23 += float32(v * b3)
			v = a3[at]
			s30 += float32(v * b0)
			s31 += float32(v * b1)
			s32 += float32(v * b2)
			s33 += float32(v * b3)
		}
	}
	s = [4][4]float32{{s00, s01, s02, s03}, {s10, s11, s12, s13}, {s20, s21, s22, s23}, {s30, s31, s32, s33}}
	for i, row := range p.rowC {
		if p.relu != 0 {
			for n, v := range s[i] {
				s[i][n] = activate(ReLU, v)
			}
		}
		copy(p.c[c+row:][:cols], s[i][:])
	}
}
