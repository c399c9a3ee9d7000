package kernel

import "math"

// entry is one value of a pooled gradient that is not 0: v goes to the pixel whose window begins at float at.
type entry struct {
	at int32
	v  float32
}

// listLength is about how many entries a channel's list may hold: enough that the loops over it run, few enough that the
// lists of all channels stay in the second-level cache.
const listLength = 32

// ConvPoolBackward works on lists. Of the gradient between pooling and convolution three values of four are 0, and behind
// a rectifier half of the rest: what is left is a list of (place, value) for each output channel, and both gradients are
// sums over it of whole windows of x or of w. The order is that of images, then pixels, whatever the values are.
func (f fast) ConvPoolBackward(ws *Workspace, dx Map, dw, db []float32, x, dy Map, arg []byte, w []float32, k int) {
	checkConvPoolBackward(dx, dw, db, x, dy, arg, w, k)
	ws.reset()
	s := sparse{fast: f, x: x, k: k, ci: x.C, co: dy.C, numbers: k * x.C}
	s.wide = (s.numbers + 7) &^ 7
	s.images = min(pooledImages(dy.H, dy.W), max(1, dy.N))
	if s.images*x.Image() > math.MaxInt32 {
		panic("kernel: an image is too large") // 8 GiB; no trial holds two
	}
	s.length = pooledLength(s.images, dy.H, dy.W)
	s.list, s.n = ws.entries.take(s.co*s.length), ws.counts.take(s.co)
	s.sums = ws.floats(s.co * k * s.wide)
	clear(s.sums)
	data := dx.Data != nil
	if data {
		s.packWeights(ws, w)
		s.image = ws.floats(s.images*x.Image() + Slack)
	}
	for n := 0; n < dy.N; n += s.images {
		images := min(s.images, dy.N-n)
		s.gather(dy, arg, n, images)
		s.addWeights(n)
		if data {
			s.addData(dx, n, images)
		}
	}
	for c := range s.co {
		for r := range k {
			for i, v := range s.sums[(c*k+r)*s.wide:][:s.numbers] {
				dw[(r*s.numbers+i)*s.co+c] = v
			}
		}
	}
	f.biasGradient(ws, db, dy)
}

// pooledImages is how many images are listed at a time, whose pooled maps are (h, w).
func pooledImages(h, w int) int { return max(1, listLength/(h*w)) }

// pooledLength is the room of a channel's list: a cache line more than its entries, or all lists would meet in a few sets
// of the cache.
func pooledLength(images, h, w int) int { return images*h*w + 8 }

// ConvPoolScratch is how many bytes of a workspace ConvPoolBackward takes of images (h, w, ci) inside a border of pad pixels
// with co output channels, beside the two copies of its weights.
func ConvPoolScratch(h, w, ci, co, pad int) int {
	images := pooledImages(h/2, w/2)
	return 8*round16(co*pooledLength(images, h/2, w/2)) + 4*round16(co) + 4*round16(Floats(images, h, w, ci, pad))
}

// checkConvPoolBackward checks dx (N, H, W, ci) or none, dw and w (k, k, ci, co), db (co), x (N, H, W, ci), dy (N, H/2, W/2,
// co) and its places.
func checkConvPoolBackward(dx Map, dw, db []float32, x, dy Map, arg []byte, w []float32, k int) {
	x.check()
	dy.check()
	if dx.Data != nil {
		sameSize(dx, x)
	}
	if x.N != dy.N || x.H != 2*dy.H || x.W != 2*dy.W || len(arg) < dy.Values() {
		panic("kernel: maps differ in size")
	}
	if k < 1 || k%2 == 0 || x.Pad < k/2 {
		panic("kernel: convolution side is even or wider than the border")
	}
	if len(x.Data) < x.N*x.Image()+Slack {
		panic("kernel: map has no slack")
	}
	checkVector(dw, k*k*x.C*dy.C)
	checkVector(w, k*k*x.C*dy.C)
	checkVector(db, dy.C)
}

// sparse is a call of ConvPoolBackward. A window is k rows of numbers = k·ci floats; rows are kept wide floats apart, a
// multiple of 8, so that the loops know no remainder: x is read beyond the window there, and what comes of it is not used.
type sparse struct {
	fast
	x             Map
	k, ci, co     int
	numbers, wide int
	images        int // whose entries are listed at a time
	length        int // of a channel's part of list
	list          []entry
	n             []int32   // entries of each channel
	sums          []float32 // (co, k, wide): the gradient of the weights
	weights       []float32 // (co, k, wide): w, zeros behind each row
	image         []float32 // the gradient of x, laid out as x is
}

func (s *sparse) packWeights(ws *Workspace, w []float32) {
	s.weights = ws.floats(s.co * s.k * s.wide)
	clear(s.weights)
	for c := range s.co {
		for r := range s.k {
			row := s.weights[(c*s.k+r)*s.wide:][:s.numbers]
			for i := range row {
				row[i] = w[(r*s.numbers+i)*s.co+c]
			}
		}
	}
}

// gather lists the entries of some images, their places counted from the corner of the first one's border.
func (s *sparse) gather(dy Map, arg []byte, n, images int) {
	clear(s.n)
	row, co, counts := s.x.Row(), s.co, s.n[:s.co]
	corner := (s.x.Pad-s.k/2)*row + (s.x.Pad-s.k/2)*s.ci
	step := [4]int32{0, int32(s.ci), int32(row), int32(row + s.ci)}
	for i := range images {
		for y := range dy.H {
			for x := range dy.W {
				at := int32(i*s.x.Image() + corner + 2*y*row + 2*x*s.ci)
				values := dy.Data[dy.At(n+i, y, x, 0):][:co]
				places := arg[(((n+i)*dy.H+y)*dy.W+x)*co:][:co]
				if s.vector {
					listAVX2(&s.list[0], &counts[0], &values[0], &places[0], &step, int(at), co, s.length)
					continue
				}
				for c, v := range values {
					s.list[c*s.length+int(counts[c])] = entry{at + step[places[c]&3], v}
					// The entry counts if v is not 0: no branch, which would be a coin's toss.
					u := math.Float32bits(v) << 1
					counts[c] += int32((u | -u) >> 31)
				}
			}
		}
	}
}

// addWeights adds the windows of x, each times its entry, to the sums of the entries' channels.
func (s *sparse) addWeights(n int) {
	x := s.x.Data[n*s.x.Image():]
	row := s.x.Row()
	for c := range s.co {
		list := s.list[c*s.length:][:s.n[c]]
		if len(list) == 0 {
			continue
		}
		sums := s.sums[c*s.k*s.wide:][:s.k*s.wide]
		if s.vector {
			windowsAVX2(&sums[0], &x[0], &list[0], len(list), s.k, row, s.wide/8)
			continue
		}
		for _, e := range list {
			for r := range s.k {
				d := sums[r*s.wide:][:s.numbers]
				for i, v := range x[int(e.at)+r*row:][:s.numbers] {
					d[i] += float32(v * e.v)
				}
			}
		}
	}
}

// addData adds the entries' windows of w to the images' gradients.
func (s *sparse) addData(dx Map, n, images int) {
	row := s.x.Row()
	clear(s.image)
	for c := range s.co {
		list := s.list[c*s.length:][:s.n[c]]
		if len(list) == 0 {
			continue
		}
		w := s.weights[c*s.k*s.wide:][:s.k*s.wide]
		if s.vector {
			spreadAVX2(&s.image[0], &w[0], &list[0], len(list), s.k, row, s.wide/8)
			continue
		}
		for _, e := range list {
			for r := range s.k {
				d := s.image[int(e.at)+r*row:][:s.numbers]
				for i, v := range w[r*s.wide:][:s.numbers] {
					d[i] += float32(v * e.v)
				}
			}
		}
	}
	for i := range images {
		for y := range dx.H {
			from := s.x.At(i, y, 0, 0)
			copy(dx.Data[dx.At(n+i, y, 0, 0):][:dx.W*dx.C], s.image[from:])
		}
		dx.clearBorder(n + i)
	}
}
