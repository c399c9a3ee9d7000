package study

import (
	"math"
	"slices"
	"testing"
)

// The known answers of the reference implementation (Random123, kat_vectors, philox4x32 with 10 rounds).
func TestPhiloxKnownAnswers(t *testing.T) {
	const all = math.MaxUint32
	for _, test := range []struct {
		counter [4]uint32
		key     [2]uint32
		want    [4]uint32
	}{
		{want: [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{[4]uint32{all, all, all, all}, [2]uint32{all, all}, [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{
			[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
			[2]uint32{0xa4093822, 0x299f31d0},
			[4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
		},
	} {
		if got := philox4x32(test.counter, test.key); got != test.want {
			t.Errorf("%08x %08x: got %08x, want %08x", test.counter, test.key, got, test.want)
		}
	}
}

// A stream hands out the words of its blocks in order: two a number, the first in the low half.
func TestStreamIsItsBlocks(t *testing.T) {
	s := Stream(7, 2, ForSampling, 5)
	p := philox{key: [2]uint32{7, 0}, counter: [4]uint32{0, 5, 0, 2}}
	p.counter[2] = purposeWord(ForSampling)
	for block := range uint32(3) {
		p.counter[0] = block
		w := philox4x32(p.counter, p.key)
		for half := range 2 {
			want := uint64(w[2*half]) | uint64(w[2*half+1])<<32
			if got := s.Uint64(); got != want {
				t.Fatalf("block %d, half %d: got %016x, want %016x", block, half, got, want)
			}
		}
	}
}

// purposeWord is FNV-1a of 32 bits, written out, so that a change of the hash shows: stored studies depend on it.
func purposeWord(p Purpose) uint32 {
	h := uint32(2166136261)
	for i := range len(p) {
		h = (h ^ uint32(p[i])) * 16777619
	}
	return h
}

// Each part of the key matters, the high half of the seed included, and a stream does not depend on what others drew.
func TestStreamsDiffer(t *testing.T) {
	type key struct {
		seed      uint64
		replicate int
		purpose   Purpose
		epoch     int
	}
	first := map[uint64]key{}
	for _, seed := range []uint64{0, 1, 2, 1 << 32, 1<<32 + 1, math.MaxUint64} {
		for _, replicate := range []int{0, 1, 7} {
			for _, purpose := range []Purpose{
				ForSampling, ForSplit, ForWeights, ForShuffle, ForBaseline, ForDropout, ForFlip, ForShapes, ForCorruption, ForCode, ForGenerated,
			} {
				for _, epoch := range []int{0, 1, 2, 1000} {
					k := key{seed, replicate, purpose, epoch}
					v := Stream(k.seed, k.replicate, k.purpose, k.epoch).Uint64()
					if other, ok := first[v]; ok {
						t.Errorf("%+v and %+v start alike", k, other)
					}
					first[v] = k
					if again := Stream(k.seed, k.replicate, k.purpose, k.epoch).Uint64(); again != v {
						t.Errorf("%+v gave %x, then %x", k, v, again)
					}
				}
			}
		}
	}
}

// First numbers of neighbouring streams are even and uncorrelated: that is how samplers use them.
func TestFirstNumbersAreEven(t *testing.T) {
	const seeds, epochs, bins = 100, 100, 16
	var count [bins]int
	sumXY, sumX, sumY := 0.0, 0.0, 0.0
	for seed := range uint64(seeds) {
		for epoch := range epochs {
			x, y := Stream(seed, 0, "x", epoch).Float64(), Stream(seed, 0, "y", epoch).Float64()
			count[int(x*bins)]++
			sumX, sumY, sumXY = sumX+x, sumY+y, sumXY+x*y
		}
	}
	const n = seeds * epochs
	chi := 0.0
	for _, c := range count {
		d := float64(c) - n/bins
		chi += d * d / (n / bins)
	}
	// Chi-squared with 15 degrees of freedom is above 44.3 with probability 1e-4.
	if chi > 44.3 {
		t.Errorf("chi squared is %.1f over %v", chi, count)
	}
	// The covariance of independent even numbers has the standard deviation 1/(12·√n).
	if cov, bound := sumXY/n-sumX/n*sumY/n, 4.0/12/math.Sqrt(n); math.Abs(cov) > bound {
		t.Errorf("covariance of two purposes is %.5f, more than %.5f", cov, bound)
	}
}

// A block is what the stream with its key hands out there.
func TestBlock(t *testing.T) {
	s := Stream(9, 2, ForShuffle, 7)
	for i := range uint32(5) {
		b := Keyed(9, 2, ForShuffle, 7).Block(i)
		for j := 0; j < 4; j += 2 {
			if got, want := uint64(b[j])|uint64(b[j+1])<<32, s.Uint64(); got != want {
				t.Errorf("block %d, word %d is %x, the stream has %x", i, j, got, want)
			}
		}
	}
}

func TestFill(t *testing.T) {
	k := Keyed(3, 1, ForCorruption, 2)
	got := make([]uint32, 12)
	k.Fill(got, 1<<32-2)
	var want []uint32
	for _, i := range []uint32{1<<32 - 2, 1<<32 - 1, 0} {
		b := k.Block(i)
		want = append(want, b[:]...)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
