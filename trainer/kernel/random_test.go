package kernel_test

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"

	"sweep/study"
	"sweep/trainer/kernel"
)

func stream(seed uint64) (study.Key, kernel.Stream) {
	k := study.Keyed(seed, 3, study.ForDropout, 17)
	key, counter := k.Words()
	return k, kernel.Stream{Key: key, Counter: counter}
}

// The words are those of study's streams, which have known answers, in order, also where the number of a block wraps.
func TestRandom(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		key, s := stream(0x1234567890abcdef)
		for _, first := range []uint32{0, 5, math.MaxUint32 - 6} {
			for _, blocks := range []int{0, 1, 7, 8, 9, 31, 40} {
				got := make([]uint32, 4*blocks+1)
				got[4*blocks] = 77
				k.Random(got[:4*blocks], s, first)
				var want []uint32
				for i := range blocks {
					b := key.Block(first + uint32(i))
					want = append(want, b[:]...)
				}
				if !slices.Equal(got, append(want, 77)) {
					t.Errorf("%d blocks from %d are\n%x, want\n%x", blocks, first, got, want)
				}
			}
		}
	})
}

func TestDropMask(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		var ws kernel.Workspace
		key, s := stream(9)
		for _, threshold := range []uint16{0, 1, 6554, 0x8000, 0xfffe, 0xffff} {
			for _, n := range []int{0, 1, 3, 7, 8, 9, 300, 1000} { // more than fit into the scratch at once
				got := append(bytes.Repeat([]byte{9}, n), 77)
				k.DropMask(&ws, got[:n], s, 3, threshold)
				want := make([]byte, n)
				for i := range want {
					b := key.Block(3 + uint32(i))
					for j := range 8 {
						if uint16(b[j/2]>>(16*(j%2))) >= threshold {
							want[i] |= 1 << j
						}
					}
				}
				if !bytes.Equal(got, append(want, 77)) {
					t.Errorf("threshold %d, %d bytes: %x, want %x", threshold, n, got, want)
				}
			}
		}
	})
}

// The share that is kept is 1 - threshold/65536: of 800,000 values it strays by at most five standard deviations.
func TestDropShare(t *testing.T) {
	_, s := stream(1)
	for _, p := range []float64{0, 0.1, 0.5, 0.9} {
		bits := make([]byte, 100_000)
		kernel.Best().DropMask(new(kernel.Workspace), bits, s, 0, kernel.DropThreshold(p))
		kept := 0
		for _, b := range bits {
			for ; b > 0; b &= b - 1 {
				kept++
			}
		}
		n := float64(8 * len(bits))
		if d := math.Abs(float64(kept)/n - (1 - p)); d > 5*math.Sqrt(p*(1-p)/n)+1.0/65536 {
			t.Errorf("a dropout of %g keeps %g", p, float64(kept)/n)
		}
	}
	for p, want := range map[float64]uint16{-1: 0, 0: 0, 0.5: 0x8000, 1: 0xffff, 2: 0xffff} {
		if got := kernel.DropThreshold(p); got != want {
			t.Errorf("the threshold of %g is %d, want %d", p, got, want)
		}
	}
}

func TestDrop(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		for _, c := range []struct{ n, h, w, c, pad, padDst int }{
			{1, 1, 1, 1, 0, 0}, {2, 3, 5, 3, 0, 1}, {3, 4, 4, 8, 1, 0}, {2, 1, 1, 100, 0, 0}, {0, 2, 2, 2, 0, 0}, {1, 2, 3, 7, 1, 2},
		} {
			for _, threshold := range []uint16{0, 6554, 0x8000} {
				r := random(uint64(c.c))
				x := randomMap(r, c.n, c.h, c.w, c.c, c.pad, 1)
				if x.N > 0 {
					x.Data[x.At(0, 0, 0, 0)] = float32(math.Inf(1))
				}
				bits := make([]byte, c.n*kernel.DropBytes(c.h, c.w, c.c))
				for i := range bits {
					bits[i] = byte(r.Uint32())
				}
				if len(bits) > 0 {
					bits[0] &= 0xfe // the infinite value is dropped
				}
				scale := float32(65536 / (65536 - float64(threshold)))
				want := make([]float32, 0, x.Values())
				for n := range c.n {
					for y := range c.h {
						for i := range c.w * c.c {
							v := float32(x.Data[x.At(n, y, 0, 0)+i] * scale)
							if bits[(n*c.h+y)*((c.w*c.c+7)/8)+i/8]>>(i%8)&1 == 0 {
								v = 0
							}
							want = append(want, v)
						}
					}
				}
				what := fmt.Sprintf("%+v, threshold %d", c, threshold)
				dst := poisonedMap(c.n, c.h, c.w, c.c, c.padDst)
				k.Drop(dst, x, bits, threshold)
				same(t, what, dst.Pixels(nil), want, 0, 0)
				cleanBorder(t, what, dst)
				k.Drop(x, x, bits, threshold)
				same(t, what+" in place", x.Pixels(nil), want, 0, 0)
			}
		}
	})
}

func TestMirror(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		for _, c := range []struct{ h, w, c, mw, pad int }{{1, 1, 1, 1, 0}, {3, 4, 3, 4, 1}, {2, 5, 1, 8, 2}, {2, 3, 2, 4, 0}} {
			x := randomMap(random(3), 3, c.h, c.mw, c.c, c.pad, 1)
			before := x.Pixels(nil)
			k.Mirror(x, c.w, []bool{true, false, true})
			want := slices.Clone(before)
			for _, n := range []int{0, 2} {
				for y := range c.h {
					for l := range c.w {
						for ch := range c.c {
							row := (n*c.h + y) * c.mw
							want[(row+l)*c.c+ch] = before[(row+c.w-1-l)*c.c+ch]
						}
					}
				}
			}
			what := fmt.Sprintf("%+v", c)
			same(t, what, x.Pixels(nil), want, 0, 0)
			cleanBorder(t, what, x)
			k.Mirror(x, c.w, []bool{true, false, true})
			same(t, what+" twice", x.Pixels(nil), before, 0, 0)
		}
	})
}
