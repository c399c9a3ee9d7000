package checkpoint

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Sizes that are no multiples of the blocks, and pads that differ from side to side, against the definition.
func TestConvolution(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		n := func(most int) int { return 1 + r.IntN(most) }
		l := convolution{c: n(5), h: n(9), w: n(9), out: n(11), kh: n(4), kw: n(4), top: r.IntN(3), left: r.IntN(3)}
		l.oh, l.ow = l.top+l.h+r.IntN(3)-l.kh+1, l.left+l.w+r.IntN(3)-l.kw+1
		if l.oh < 1 || l.ow < 1 {
			continue
		}
		random := func(n int) []float32 {
			x := make([]float32, n)
			for i := range x {
				x[i] = float32(r.Float64()*2 - 1)
			}
			return x
		}
		src, weights, bias := random(l.c*l.h*l.w), random(l.out*l.c*l.kh*l.kw), random(l.out)
		dst := make([]float32, l.out*l.oh*l.ow)
		for i := range dst {
			dst[i] = float32(math.NaN())
		}
		l.pack(weights, bias)
		l.run(dst, src)
		for i, got := range dst {
			k, y, x := i/(l.oh*l.ow), i/l.ow%l.oh, i%l.ow
			want := float64(bias[k])
			for c := range l.c {
				for ty := range l.kh {
					for tx := range l.kw {
						sy, sx := y+ty-l.top, x+tx-l.left
						if sy >= 0 && sy < l.h && sx >= 0 && sx < l.w {
							want += float64(src[(c*l.h+sy)*l.w+sx]) * float64(weights[((k*l.c+c)*l.kh+ty)*l.kw+tx])
						}
					}
				}
			}
			if d := math.Abs(float64(got) - want); !(d < 1e-4) { // a float32 sum of up to 80 terms below 1
				t.Fatalf("%+v: value %d is %g, want %g", l, i, got, want)
			}
		}
	}
}
