package kernel

// Slack is the number of floats behind the last value of a map that a fast kernel may read (never write, never use).
const Slack = 16

// Map is a batch of feature maps in NHWC order, each image inside a border of Pad pixels on all four sides.
// Channel c of pixel (y, x) of image n lies at Data[m.At(n, y, x, c)]; y and x from -Pad reach into the border.
//
// A vector of C numbers for each of N images is a map with H = W = 1 and Pad = 0 ([Vector]).
type Map struct {
	Data []float32
	N    int // images
	H, W int // pixels without the border
	C    int // channels
	Pad  int // border, pixels
}

// NewMap makes a map of zeros.
func NewMap(n, h, w, c, pad int) Map {
	return Map{Data: make([]float32, Floats(n, h, w, c, pad)), N: n, H: h, W: w, C: c, Pad: pad}
}

// Vector is a view of x, of n rows of c numbers, as a map without a border. It needs no slack.
func Vector(x []float32, n, c int) Map { return Map{Data: x, N: n, H: 1, W: 1, C: c} }

// Floats is the length of Data that a map of this size needs: border and slack included.
func Floats(n, h, w, c, pad int) int { return n*(h+2*pad)*(w+2*pad)*c + Slack }

// MapOn makes a map of this size on data, as in an arena; data must hold [Floats] floats. Nothing is cleared.
func MapOn(data []float32, n, h, w, c, pad int) Map {
	need := Floats(n, h, w, c, pad)
	if len(data) < need {
		panic("kernel: map does not fit its data")
	}
	return Map{Data: data[:need], N: n, H: h, W: w, C: c, Pad: pad}
}

// First is the map of the first n images.
func (m Map) First(n int) Map {
	if n > m.N {
		panic("kernel: map has fewer images")
	}
	m.N = n
	return m
}

// Row is the distance in floats between two rows of pixels.
func (m Map) Row() int { return (m.W + 2*m.Pad) * m.C }

// Image is the distance in floats between two images.
func (m Map) Image() int { return (m.H + 2*m.Pad) * m.Row() }

// At is the index of channel c of pixel (y, x) of image n.
func (m Map) At(n, y, x, c int) int {
	return ((n*(m.H+2*m.Pad)+y+m.Pad)*(m.W+2*m.Pad)+x+m.Pad)*m.C + c
}

// Values is the number of values without border and slack.
func (m Map) Values() int { return m.N * m.H * m.W * m.C }

// Pixels copies the values without the border into dst, (N, H, W, C), and returns it. A nil dst is made.
func (m Map) Pixels(dst []float32) []float32 {
	if dst == nil {
		dst = make([]float32, m.Values())
	}
	n := m.W * m.C
	i := 0
	for img := range m.N {
		for y := range m.H {
			copy(dst[i:i+n], m.Data[m.At(img, y, 0, 0):])
			i += n
		}
	}
	return dst
}

// SetPixels is the reverse of Pixels: it writes src, (N, H, W, C), and a zero border.
func (m Map) SetPixels(src []float32) {
	n := m.W * m.C
	for img := range m.N {
		for y := range m.H {
			copy(m.Data[m.At(img, y, 0, 0):][:n], src[(img*m.H+y)*n:])
		}
		m.clearBorder(img)
	}
}

// clearBorder writes zeros into the border of one image.
func (m Map) clearBorder(n int) {
	if m.Pad == 0 {
		return
	}
	row, side := m.Row(), m.Pad*m.C
	img := m.Data[n*m.Image() : (n+1)*m.Image()]
	// The left border of a row follows the right border of the row above it.
	edge := m.Pad*row + side
	clear(img[:edge])
	for y := range m.H - 1 {
		end := edge + y*row + m.W*m.C
		clear(img[end : end+2*side])
	}
	clear(img[edge+(m.H-1)*row+m.W*m.C:])
}

func (m Map) check() {
	if m.N < 0 || m.H < 1 || m.W < 1 || m.C < 1 || m.Pad < 0 || len(m.Data) < m.N*m.Image() {
		panic("kernel: map does not fit its data")
	}
}

// sameSize checks that two maps hold the same pixels; their borders may differ.
func sameSize(a, b Map) {
	a.check()
	b.check()
	if a.N != b.N || a.H != b.H || a.W != b.W || a.C != b.C {
		panic("kernel: maps differ in size")
	}
}
