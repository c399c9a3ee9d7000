package kernel

// fast is the one design of the portable and the vector kernels: every convolution and dense layer becomes strips of
// 4x16 tiles ([panel]) over the padded maps themselves, without im2col. They differ in who computes the tiles and the
// elementwise loops.
type fast struct{ vector bool }

var _ Kernels = fast{}

func (f fast) Name() string {
	if f.vector {
		return "avx2"
	}
	return "portable"
}

func (f fast) tile(p *panel) {
	p.check()
	if f.vector {
		tileAVX2(p)
	} else {
		tileGo(p)
	}
}

// product is C = bias + A·B over a plane of pixels, rows x pixels of them. A pixel's A is outer runs of inner numbers,
// B is packed in blocks of 16 columns: [⌈cols/16⌉][outer·inner][16].
type product struct {
	c            []float32
	cRow, cPixel int
	a            []float32
	aRow, aPixel int
	rows, pixels int
	outer, inner int
	outerA       int
	packed, bias []float32 // bias: ⌈cols/16⌉·16 numbers or nil
	cols         int
	relu         bool
}

func (f fast) product(ws *Workspace, g product) {
	switch {
	case g.aRow == g.pixels*g.aPixel && g.cRow == g.pixels*g.cPixel:
		g.pixels, g.rows = g.rows*g.pixels, 1
	case g.pixels == 1:
		g.pixels, g.aPixel, g.cPixel, g.rows = g.rows, g.aRow, g.cRow, 1
	}
	p := &ws.p
	p.outer, p.inner, p.outerA, p.innerA = g.outer, g.inner, g.outerA, 1
	p.outerB, p.innerB = 16*g.inner, 16
	p.nextA, p.nextC = 4*g.aPixel, 4*g.cPixel
	p.add, p.relu, p.bias = 0, 0, nil
	if g.relu {
		p.relu = 1
	}
	size := 16 * g.outer * g.inner
	whole, rest := g.pixels/4, g.pixels%4
	for j := 0; j < g.cols; j += 16 {
		p.b = g.packed[j/16*size:][:size]
		p.cols = min(16, g.cols-j)
		if g.bias != nil {
			p.bias = g.bias[j : j+16]
		}
		y := 0
		if g.pixels == 2 && g.rows > 1 {
			// Two rows of two pixels make a whole tile.
			p.a, p.c, p.tiles = g.a, g.c[j:], g.rows/2
			p.rowA = [4]int{0, g.aPixel, g.aRow, g.aRow + g.aPixel}
			p.rowC = [4]int{0, g.cPixel, g.cRow, g.cRow + g.cPixel}
			p.nextA, p.nextC = 2*g.aRow, 2*g.cRow
			f.tile(p)
			y = g.rows &^ 1
			p.nextA, p.nextC = 4*g.aPixel, 4*g.cPixel
		}
		for ; y < g.rows; y++ {
			a, c := g.a[y*g.aRow:], g.c[y*g.cRow+j:]
			if whole > 0 {
				p.a, p.c, p.tiles = a, c, whole
				p.rows(4, g.aPixel, g.cPixel)
				f.tile(p)
			}
			if rest > 0 {
				p.a, p.c, p.tiles = a[whole*4*g.aPixel:], c[whole*4*g.cPixel:], 1
				p.rows(rest, g.aPixel, g.cPixel)
				f.tile(p)
			}
		}
	}
	*p = panel{} // holds no memory of the caller
}

// outer is C = A'·B (or C += A'·B) over pixels: numbers of A by columns of B, both as they lie in the maps.
type outer struct {
	c            []float32
	cRow         int // between two numbers of A
	a, b         []float32
	numbers      int
	cols         int
	rows, pixels int
	aRow, aPixel int
	bRow, bPixel int
	bBlock       int // between blocks of 16 columns: 16 in a map
	aTile        int // between tiles of 4 numbers: 4 in a map
	add          bool
}

func (f fast) outer(ws *Workspace, g outer) {
	p := &ws.p
	p.outer, p.outerA, p.outerB = g.rows, g.aRow, g.bRow
	p.inner, p.innerA, p.innerB = g.pixels, g.aPixel, g.bPixel
	p.nextA, p.nextC = g.aTile, 4*g.cRow
	p.add, p.relu, p.bias = 0, 0, nil
	if g.add {
		p.add = 1
	}
	whole, rest := g.numbers/4, g.numbers%4
	for j := 0; j < g.cols; j += 16 {
		p.b = g.b[j/16*g.bBlock:]
		p.cols = min(16, g.cols-j)
		if g.add {
			p.cols = 16
		}
		if whole > 0 {
			p.a, p.c, p.tiles = g.a, g.c[j:], whole
			p.rows(4, 1, g.cRow)
			f.tile(p)
		}
		if rest > 0 {
			p.a, p.c, p.tiles = g.a[whole*g.aTile:], g.c[whole*4*g.cRow+j:], 1
			p.rows(rest, 1, g.cRow)
			f.tile(p)
		}
	}
	*p = panel{}
}

// round16 is the next multiple of 16.
func round16(n int) int { return (n + 15) &^ 15 }

// pack lays a matrix of k rows and n columns out in blocks of 16 columns, [⌈n/16⌉][k][16], with zeros behind the last
// column. Row i starts at src[i·row].
func pack(dst, src []float32, k, n, row int) {
	for j := 0; j < n; j += 16 {
		cols := min(16, n-j)
		d := dst[j*k:]
		for i := range k {
			to := d[i*16 : i*16+16]
			copy(to, src[i*row+j:][:cols])
			clear(to[cols:])
		}
	}
}

// packTransposed is pack of the transpose: column i starts at src[i·col], and its k numbers lie together. The rows go
// to dst at r, r+1, … of blocks of height rows.
func packTransposed(dst, src []float32, rows, r, k, n, col int) {
	for j := 0; j < n; j += 16 {
		d := dst[j*rows+r*16:]
		for i := range 16 {
			if j+i >= n {
				for a := range k {
					d[a*16+i] = 0
				}
				continue
			}
			for a, v := range src[(j+i)*col:][:k] {
				d[a*16+i] = v
			}
		}
	}
}

// padded copies b into ⌈len/16⌉·16 floats, repeated times over before the padding. No bias stays none.
func padded(ws *Workspace, b []float32, times int) []float32 {
	if b == nil {
		return nil
	}
	p := ws.floats(round16(times * len(b)))
	n := 0
	for range times {
		n += copy(p[n:], b)
	}
	clear(p[n:])
	return p
}
