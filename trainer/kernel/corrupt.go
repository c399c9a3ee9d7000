package kernel

import "fmt"

// CorruptionKind names a way in which a network's input is made from its target.
type CorruptionKind uint8

// The ways. Values lie in 0 … 1 and stay there.
const (
	Untouched CorruptionKind = iota // the input is the target
	Gaussian                        // plus Level times a standard normal number for each value, cut off at 0 and 1
	Masking                         // a share of Level of the pixels is 0 in all channels
	Hole                            // a rectangle of half the sides, at a random place, is [HoleGrey]
	Centre                          // the same in the middle
	Averages                        // each 2x2 pixels are their mean, by channel; at an odd edge what there is of them
)

// HoleGrey is the value that fills a hole.
const HoleGrey = 0.5

var corruptionNames = [...]string{"none", "gaussian", "mask", "hole", "centre", "averages"}

func (k CorruptionKind) String() string {
	if int(k) < len(corruptionNames) {
		return corruptionNames[k]
	}
	return fmt.Sprintf("CorruptionKind(%d)", uint8(k))
}

// Corruption says how the input is made from images of H x W inside maps that may be larger (padded right and below): what
// lies outside stays 0.
type Corruption struct {
	Kind  CorruptionKind
	Level float64 // of Gaussian, a standard deviation of at least 0; of Masking, a share in 0 … 1
	H, W  int
}

// Words is how many words of 32 random bits one image of c channels takes, a multiple of 4 as they come in blocks.
func (c Corruption) Words(channels int) int {
	switch c.Kind {
	case Gaussian:
		return (c.H*c.W*channels + 3) &^ 3
	case Masking:
		return (c.H*c.W + 3) &^ 3
	case Hole:
		return 4
	}
	return 0
}

// hole is the rectangle of Hole and Centre.
func (c Corruption) hole(words []uint32) (top, left, h, w int) {
	h, w = c.H/2, c.W/2
	if c.Kind == Centre {
		return (c.H - h) / 2, (c.W - w) / 2, h, w
	}
	at := func(word uint32, places int) int { return int(uint64(word) * uint64(places) >> 32) }
	return at(words[0], c.H-h+1), at(words[1], c.W-w+1), h, w
}

// threshold is the number that a share of level of all words lies under.
func threshold(level float64) uint64 { return uint64(level * (1 << 32)) }

func checkCorrupt(dst, src Map, i int, c Corruption, words []uint32) {
	sameSize(dst, src)
	switch {
	case i < 0 || i >= dst.N:
		panic("kernel: no image of this index")
	case c.H < 1 || c.W < 1 || c.H > dst.H || c.W > dst.W:
		panic("kernel: images are larger than their map")
	case len(words) < c.Words(dst.C):
		panic("kernel: too few random words")
	case int(c.Kind) >= len(corruptionNames) || !(c.Level >= 0) || c.Kind == Masking && c.Level > 1:
		panic("kernel: no such corruption")
	}
}

// Corrupt computes value by value, each from its own definition.
func (reference) Corrupt(dst, src Map, i int, c Corruption, words []uint32) {
	checkCorrupt(dst, src, i, c, words)
	level, under := float32(c.Level), threshold(c.Level)
	top, left, hh, hw := 0, 0, 0, 0
	if c.Kind == Hole || c.Kind == Centre {
		top, left, hh, hw = c.hole(words)
	}
	for y := range dst.H {
		for x := range dst.W {
			for ch := range dst.C {
				v := src.Data[src.At(i, y, x, ch)]
				switch pixel := y*c.W + x; {
				case y >= c.H || x >= c.W:
					v = 0
				case c.Kind == Gaussian:
					v = noisy(v, level, words[pixel*dst.C+ch])
				case c.Kind == Masking && uint64(words[pixel]) < under:
					v = 0
				case (c.Kind == Hole || c.Kind == Centre) && y >= top && y < top+hh && x >= left && x < left+hw:
					v = HoleGrey
				case c.Kind == Averages:
					v = mean4(src, i, y&^1, x&^1, ch, c)
				}
				dst.Data[dst.At(i, y, x, ch)] = v
			}
		}
	}
	dst.clearBorder(i)
}

// noisy is a value with noise. NaN stays.
func noisy(v, level float32, word uint32) float32 {
	return min(max(v+float32(level*Normal(word)), 0), 1)
}

// mean4 is the mean of the 2x2 pixels from (y, x) on: rows first, so that every implementation gives the same bits.
func mean4(src Map, i, y, x, ch int, c Corruption) float32 {
	row := func(y int) float32 {
		v := src.Data[src.At(i, y, x, ch)]
		if x+1 < c.W {
			v = (v + src.Data[src.At(i, y, x+1, ch)]) / 2
		}
		return v
	}
	v := row(y)
	if y+1 < c.H {
		v = (v + row(y+1)) / 2
	}
	return v
}

// Corrupt goes by rows. It has no vector twin: next to a training step it is short.
func (fast) Corrupt(dst, src Map, i int, c Corruption, words []uint32) {
	checkCorrupt(dst, src, i, c, words)
	n, ch := c.W*dst.C, dst.C
	row := func(m Map, y int) []float32 { return m.Data[m.At(i, y, 0, 0):][:m.W*m.C] }
	for y := range dst.H {
		to := row(dst, y)
		if y >= c.H {
			clear(to)
			continue
		}
		copy(to, row(src, y)[:n])
		clear(to[n:])
	}
	dst.clearBorder(i)
	switch c.Kind {
	case Gaussian:
		level := float32(c.Level)
		for y := range c.H {
			to := row(dst, y)[:n]
			from := words[y*n:][:len(to)]
			for j, v := range to {
				to[j] = noisy(v, level, from[j])
			}
		}
	case Masking:
		under := threshold(c.Level)
		for y := range c.H {
			to := row(dst, y)
			for x, word := range words[y*c.W:][:c.W] {
				if uint64(word) < under {
					clear(to[x*ch:][:ch])
				}
			}
		}
	case Hole, Centre:
		top, left, h, w := c.hole(words)
		for y := range h {
			to := row(dst, top+y)[left*ch:][:w*ch]
			for j := range to {
				to[j] = HoleGrey
			}
		}
	case Averages:
		for y := 0; y < c.H; y += 2 {
			a := row(dst, y)[:n]
			pairs(a, ch)
			if y+1 == c.H {
				break
			}
			b := row(dst, y+1)[:n]
			pairs(b, ch)
			for j, v := range b {
				v = (a[j] + v) / 2
				a[j], b[j] = v, v
			}
		}
	}
}

// pairs sets each two pixels of a row to their mean.
func pairs(row []float32, channels int) {
	for x := 0; x+2*channels <= len(row); x += 2 * channels {
		p, q := row[x:][:channels], row[x+channels:][:channels]
		for j, v := range q {
			v = (p[j] + v) / 2
			p[j], q[j] = v, v
		}
	}
}
