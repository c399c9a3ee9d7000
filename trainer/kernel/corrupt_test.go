package kernel_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"sweep/trainer/kernel"
)

func bits(seed uint64, n int) []uint32 {
	r := random(seed)
	out := make([]uint32, n)
	for i := range out {
		out[i] = r.Uint32()
	}
	return out
}

// pictures are n images of h x w values in 0 … 1 inside maps of mh x mw, zero outside, NaN in border and slack.
func pictures(seed uint64, n, h, w, c, mh, mw, pad int) kernel.Map {
	r := random(seed)
	m := kernel.NewMap(n, mh, mw, c, pad)
	for i := range m.Data {
		m.Data[i] = float32(math.NaN())
	}
	for i := range n {
		for y := range mh {
			for x := range mw {
				for ch := range c {
					v := float32(0)
					if y < h && x < w {
						v = r.Float32()
					}
					m.Data[m.At(i, y, x, ch)] = v
				}
			}
		}
	}
	return m
}

// TestCorrupt: all implementations give the same bits, write the border, and touch no other image.
func TestCorrupt(t *testing.T) {
	ref, err := kernel.New("ref")
	if err != nil {
		t.Fatal(err)
	}
	each(t, func(t *testing.T, k kernel.Kernels) {
		for _, s := range []struct{ h, w, c, mh, mw, pad int }{
			{1, 1, 1, 1, 1, 0}, {2, 3, 1, 2, 4, 1}, {7, 5, 3, 8, 8, 2}, {28, 28, 1, 32, 32, 1}, {32, 32, 3, 32, 32, 1}, {17, 64, 3, 32, 64, 0},
		} {
			for _, c := range []kernel.Corruption{
				{},
				{Kind: kernel.Gaussian},
				{Kind: kernel.Gaussian, Level: 0.1},
				{Kind: kernel.Gaussian, Level: 30},
				{Kind: kernel.Masking},
				{Kind: kernel.Masking, Level: 0.3},
				{Kind: kernel.Masking, Level: 1},
				{Kind: kernel.Hole},
				{Kind: kernel.Centre},
				{Kind: kernel.Averages},
			} {
				c.H, c.W = s.h, s.w
				name := fmt.Sprintf("%+v of %+v", c, s)
				src := pictures(3, 3, s.h, s.w, s.c, s.mh, s.mw, 0)
				before := append([]float32(nil), src.Data...)
				words := bits(9, c.Words(s.c))
				dst, want := poisonedMap(3, s.mh, s.mw, s.c, s.pad), poisonedMap(3, s.mh, s.mw, s.c, s.pad)
				k.Corrupt(dst, src, 1, c, words)
				ref.Corrupt(want, src, 1, c, words)
				same(t, name, dst.Data, want.Data, 0, 0)
				same(t, name+": source", src.Data, before, 0, 0)
				for i, v := range dst.Data {
					if inside := i >= dst.Image() && i < 2*dst.Image(); inside == (v != v) {
						t.Fatalf("%s: float %d is %g", name, i, v)
					}
				}
			}
		}
	})
}

// image is one image of ones, corrupted.
func corrupted(t *testing.T, k kernel.Kernels, c kernel.Corruption, channels int, at func(y, x, ch int) float32, words []uint32) []float32 {
	t.Helper()
	src, dst := kernel.NewMap(1, c.H, c.W, channels, 0), kernel.NewMap(1, c.H, c.W, channels, 0)
	for y := range c.H {
		for x := range c.W {
			for ch := range channels {
				src.Data[src.At(0, y, x, ch)] = at(y, x, ch)
			}
		}
	}
	k.Corrupt(dst, src, 0, c, words)
	return dst.Pixels(nil)
}

func grey(v float32) func(y, x, ch int) float32 { return func(int, int, int) float32 { return v } }

func TestCorruptKnown(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		// Quarters and halves of 5x3: blocks of 2x2, 1x2 below and 2x1 at the right, and the corner by itself.
		got := corrupted(t, k, kernel.Corruption{Kind: kernel.Averages, H: 3, W: 3}, 1,
			func(y, x, _ int) float32 { return float32(y*3+x) / 8 }, nil)
		same(t, "averages", got, []float32{
			0.25, 0.25, 0.4375,
			0.25, 0.25, 0.4375,
			0.8125, 0.8125, 1,
		}, 0, 0)

		got = corrupted(t, k, kernel.Corruption{Kind: kernel.Centre, H: 4, W: 5}, 1, grey(1), nil)
		same(t, "centre", got, []float32{
			1, 1, 1, 1, 1,
			1, .5, .5, 1, 1,
			1, .5, .5, 1, 1,
			1, 1, 1, 1, 1,
		}, 0, 0)

		// The first and the last place of a hole.
		for _, p := range []struct {
			word uint32
			want []float32
		}{
			{0, []float32{.5, .5, 1, 1, .5, .5, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
			{math.MaxUint32, []float32{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, .5, .5, 1, 1, .5, .5}},
		} {
			got := corrupted(t, k, kernel.Corruption{Kind: kernel.Hole, H: 4, W: 4}, 1, grey(1), []uint32{p.word, p.word, 0, 0})
			same(t, "hole", got, p.want, 0, 0)
		}

		// A pixel is masked in all channels, when its word is among the lowest share.
		got = corrupted(t, k, kernel.Corruption{Kind: kernel.Masking, Level: 0.5, H: 1, W: 4}, 2, grey(1), []uint32{1 << 31, 1<<31 - 1, 0, math.MaxUint32})
		same(t, "mask", got, []float32{1, 1, 0, 0, 0, 0, 1, 1}, 0, 0)

		// Word 0 is 6.3 standard deviations below, its complement above; both ends are cut off.
		got = corrupted(t, k, kernel.Corruption{Kind: kernel.Gaussian, Level: 0.05, H: 2, W: 2}, 1, grey(0.5),
			[]uint32{1 << 31, 0, math.MaxUint32, 1 << 28})
		same(t, "gaussian", got, []float32{0.5, 0.5 - 0.05*6.3379, 0.5 + 0.05*6.3379, 0.5 - 0.05*1.5341}, 1e-4, 0)
		got = corrupted(t, k, kernel.Corruption{Kind: kernel.Gaussian, Level: 1, H: 1, W: 2}, 1, grey(0.5), []uint32{0, math.MaxUint32, 0, 0})
		same(t, "gaussian cut off", got, []float32{0, 1}, 0, 0)
	})
}

// TestCorruptLaw: the share of masked pixels, the places of holes and the size of noise over many images.
func TestCorruptLaw(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		const side, n = 32, 64
		masked, noise := 0, 0.0
		var places [17]int // of a hole's first row
		for i := range uint64(n) {
			c := kernel.Corruption{Kind: kernel.Masking, Level: 0.3, H: side, W: side}
			for _, v := range corrupted(t, k, c, 1, grey(1), bits(100+i, c.Words(1))) {
				if v == 0 {
					masked++
				}
			}
			c = kernel.Corruption{Kind: kernel.Gaussian, Level: 0.1, H: side, W: side}
			for _, v := range corrupted(t, k, c, 3, grey(0.5), bits(200+i, c.Words(3))) {
				noise += (float64(v) - 0.5) * (float64(v) - 0.5)
			}
			for j := range uint64(16) {
				c = kernel.Corruption{Kind: kernel.Hole, H: side, W: side}
				at := -1
				for p, v := range corrupted(t, k, c, 1, grey(1), bits(300+16*i+j, c.Words(1))) {
					if v == 0.5 && at < 0 {
						at = p / side
					}
				}
				places[at]++
			}
		}
		if share := float64(masked) / (n * side * side); math.Abs(share-0.3) > 0.01 {
			t.Errorf("%g of the pixels are masked, want 0.3", share)
		}
		if variance := noise / (n * side * side * 3); math.Abs(variance-0.01) > 2e-4 {
			t.Errorf("the noise has a variance of %g, want 0.01", variance)
		}
		// 1024 holes over 17 places: 60 each, with a standard deviation of 7.5.
		for y, count := range places {
			if count < 30 || count > 95 {
				t.Errorf("%d of 1024 holes begin in row %d, want about 60", count, y)
			}
		}
	})
}

// TestCorruptKeepsNaN: a target that is not a number does not become one.
func TestCorruptKeepsNaN(t *testing.T) {
	each(t, func(t *testing.T, k kernel.Kernels) {
		got := corrupted(t, k, kernel.Corruption{Kind: kernel.Gaussian, Level: 0.1, H: 1, W: 1}, 1, grey(float32(math.NaN())), make([]uint32, 4))
		if got[0] == got[0] {
			t.Errorf("NaN became %g", got[0])
		}
	})
}

func TestCorruptMisuse(t *testing.T) {
	m := func(n, h, w, c, pad int) kernel.Map { return kernel.NewMap(n, h, w, c, pad) }
	each(t, func(t *testing.T, k kernel.Kernels) {
		for name, call := range map[string]func(){
			"corrupt to other size": func() {
				k.Corrupt(m(1, 4, 5, 1, 0), m(1, 4, 4, 1, 0), 0, kernel.Corruption{H: 4, W: 4}, nil)
			},
			"corrupt of no image": func() {
				k.Corrupt(m(1, 4, 4, 1, 0), m(1, 4, 4, 1, 0), 1, kernel.Corruption{H: 4, W: 4}, nil)
			},
			"corrupt without bits": func() {
				k.Corrupt(m(1, 4, 4, 1, 0), m(1, 4, 4, 1, 0), 0, kernel.Corruption{Kind: kernel.Gaussian, H: 4, W: 4}, make([]uint32, 15))
			},
			"corrupt over the side": func() {
				k.Corrupt(m(1, 4, 4, 1, 0), m(1, 4, 4, 1, 0), 0, kernel.Corruption{H: 4, W: 5}, nil)
			},
			"corrupt by a share over 1": func() {
				k.Corrupt(m(1, 4, 4, 1, 0), m(1, 4, 4, 1, 0), 0, kernel.Corruption{Kind: kernel.Masking, Level: 1.5, H: 4, W: 4}, make([]uint32, 16))
			},
			"sample of few numbers": func() { kernel.Sample(make([]float32, 4), make([]float32, 4), make([]float32, 4), make([]float32, 3)) },
			"normals of few words":  func() { kernel.Normals(make([]float32, 4), make([]uint32, 3)) },
		} {
			t.Run(name, func(t *testing.T) {
				defer func() {
					if msg, ok := recover().(string); !ok || !strings.HasPrefix(msg, "kernel: ") {
						t.Errorf("panics with %v, want a message of this package", msg)
					}
				}()
				call()
			})
		}
	})
}

func BenchmarkCorrupt(b *testing.B) {
	k := kernel.Best()
	src, dst := pictures(1, 1, 32, 32, 3, 32, 32, 0), kernel.NewMap(1, 32, 32, 3, 1)
	for _, c := range []kernel.Corruption{
		{Kind: kernel.Gaussian, Level: 0.1}, {Kind: kernel.Masking, Level: 0.3}, {Kind: kernel.Hole}, {Kind: kernel.Averages},
	} {
		c.H, c.W = 32, 32
		words := bits(1, c.Words(3))
		b.Run(c.Kind.String(), func(b *testing.B) {
			for range b.N {
				k.Corrupt(dst, src, 0, c, words)
			}
		})
	}
}
