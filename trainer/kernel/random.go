package kernel

import "math"

// Stream names a stream of random bits: blocks of four 32-bit words, of which any can be made by itself. Counter holds the
// three upper words of the counter, whose lowest is the block's number.
type Stream struct {
	Key     [2]uint32
	Counter [3]uint32
}

// block is block i: Philox4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
func (s *Stream) block(i uint32) [4]uint32 {
	c, k := [4]uint32{i, s.Counter[0], s.Counter[1], s.Counter[2]}, s.Key
	for range 10 {
		p0, p1 := uint64(philoxM0)*uint64(c[0]), uint64(philoxM1)*uint64(c[2])
		c = [4]uint32{uint32(p1>>32) ^ c[1] ^ k[0], uint32(p1), uint32(p0>>32) ^ c[3] ^ k[1], uint32(p0)}
		k[0] += philoxW0
		k[1] += philoxW1
	}
	return c
}

const (
	philoxM0, philoxM1 = 0xD2511F53, 0xCD9E8D57
	philoxW0, philoxW1 = 0x9E3779B9, 0xBB67AE85
)

// philoxLoop is what the vector code fills blocks from.
type philoxLoop struct {
	key     [2]uint32
	counter [4]uint32
}

// DropThreshold is the share p of dropped values, 0 … 1, in 1/65536: a value is dropped when its 16 random bits are below
// it.
func DropThreshold(p float64) uint16 { return uint16(min(max(p, 0)*65536+0.5, 65535)) }

// DropScale is what kept values are multiplied by, so that the expectation stays: 1/(1-p) of the p that threshold means.
func DropScale(threshold uint16) float32 { return float32(65536 / (65536 - float64(threshold))) }

// DropBytes is how many bytes the bits of an image of sides h and w with c channels take: each row starts a byte.
func DropBytes(h, w, c int) int { return h * ((w*c + 7) / 8) }

func checkRandom(dst []uint32) {
	if len(dst)%4 != 0 {
		panic("kernel: random words come in blocks of four")
	}
}

func checkDrop(dst, x Map, bits []byte) {
	sameSize(dst, x)
	if len(bits) < x.N*DropBytes(x.H, x.W, x.C) {
		panic("kernel: length mismatch")
	}
}

func (reference) Random(dst []uint32, s Stream, first uint32) {
	checkRandom(dst)
	for i := 0; i < len(dst); i += 4 {
		b := s.block(first + uint32(i/4))
		copy(dst[i:], b[:])
	}
}

func (reference) DropMask(_ *Workspace, bits []byte, s Stream, first uint32, threshold uint16) {
	for i := range bits {
		bits[i] = keepBits(s.block(first+uint32(i)), threshold)
	}
}

// keepBits are the bits of eight values, the first lowest: 1 keeps it.
func keepBits(block [4]uint32, threshold uint16) (b byte) {
	for j := range 8 {
		if uint16(block[j/2]>>(16*(j%2))) >= threshold {
			b |= 1 << j
		}
	}
	return b
}

func (reference) Drop(dst, x Map, bits []byte, threshold uint16) {
	checkDrop(dst, x, bits)
	scale := DropScale(threshold)
	row := (x.W*x.C + 7) / 8
	for n := range x.N {
		for y := range x.H {
			to, from, mask := dst.Data[dst.At(n, y, 0, 0):][:x.W*x.C], x.Data[x.At(n, y, 0, 0):], bits[(n*x.H+y)*row:]
			for i := range to {
				if mask[i/8]>>(i%8)&1 == 0 {
					to[i] = 0 // also of an infinite x
					continue
				}
				to[i] = float32(from[i] * scale)
			}
		}
		dst.clearBorder(n)
	}
}

func (f fast) Random(dst []uint32, s Stream, first uint32) {
	checkRandom(dst)
	if n := len(dst) &^ 31; f.vector && n > 0 {
		philoxAVX2(&dst[0], n/32, &philoxLoop{s.Key, [4]uint32{first, s.Counter[0], s.Counter[1], s.Counter[2]}})
		dst, first = dst[n:], first+uint32(n/4)
	}
	for i := 0; i < len(dst); i += 4 {
		b := s.block(first + uint32(i/4))
		dst[i], dst[i+1], dst[i+2], dst[i+3] = b[0], b[1], b[2], b[3]
	}
}

func (f fast) DropMask(ws *Workspace, bits []byte, s Stream, first uint32, threshold uint16) {
	if f.vector {
		words := ws.dropped[:]
		for len(bits) >= 8 {
			n := min(len(bits)&^7, len(words)/4)
			f.Random(words[:4*n], s, first)
			keepAVX2(&bits[0], &words[0], n, threshold)
			bits, first = bits[n:], first+uint32(n)
		}
	}
	for i := range bits {
		bits[i] = keepBits(s.block(first+uint32(i)), threshold)
	}
}

func (f fast) Drop(dst, x Map, bits []byte, threshold uint16) {
	checkDrop(dst, x, bits)
	scale := DropScale(threshold)
	size := x.W * x.C
	row := (size + 7) / 8
	for n := range x.N {
		for y := range x.H {
			to, from := dst.Data[dst.At(n, y, 0, 0):][:size], x.Data[x.At(n, y, 0, 0):][:size]
			mask := bits[(n*x.H+y)*row:][:row]
			if n := size &^ 7; f.vector && n > 0 {
				dropAVX2(&to[0], &from[0], &mask[0], n, scale)
				to, from, mask = to[n:], from[n:], mask[n/8:]
			}
			for i := 0; i < len(to); i += 8 {
				m := mask[i/8]
				for j, v := range from[i:min(i+8, len(from))] {
					// All ones for a kept value: random branches would be mispredicted.
					keep := -(uint32(m) >> j & 1)
					to[i+j] = math.Float32frombits(math.Float32bits(float32(v*scale)) & keep)
				}
			}
		}
		dst.clearBorder(n)
	}
}
