package checkpoint_test

import (
	"bytes"
	"image/png"
	"math"
	"testing"

	"sweep/trainer/checkpoint"
	"sweep/trainer/dataset"
)

func TestStrip(t *testing.T) {
	const n, h, w = 18, 3, 2
	for _, c := range []int{1, 3} {
		images, reconstructions := make([]float32, n*h*w*c), make([]float32, n*h*w*c)
		for i := range images {
			images[i], reconstructions[i] = float32(i%200)/255, 1-float32(i%200)/255
		}
		images[0], reconstructions[0] = -3, 7 // outside of the range
		images[1] = float32(math.NaN())
		b, err := checkpoint.Strip([][]float32{images, reconstructions}, h, w, c)
		must(t, err)
		again, err := checkpoint.Strip([][]float32{images, reconstructions}, h, w, c)
		if err != nil || !bytes.Equal(b, again) {
			t.Errorf("the same strip has other bytes: %v", err)
		}
		p, err := png.Decode(bytes.NewReader(b))
		must(t, err)
		if got := p.Bounds().Size(); got.X != 16*(w+2)-2 || got.Y != 2*(2*(h+2)-2)+8 {
			t.Errorf("the strip is %v", got)
		}
		level := func(v float32) uint32 {
			if !(v > 0) {
				return 0
			}
			return uint32(min(v, 1)*255+0.5) * 0x101
		}
		for i := range n {
			for place, set := range [][]float32{images, reconstructions} {
				for y := range h {
					for x := range w {
						at := ((i*h+y)*w + x) * c
						r, g, b, a := p.At(i%16*(w+2)+x, i/16*(2*(h+2)-2+8)+place*(h+2)+y).RGBA()
						want := [4]uint32{level(set[at]), level(set[at+c/3]), level(set[at+c/3*2]), 0xffff}
						if got := [4]uint32{r, g, b, a}; got != want {
							t.Fatalf("%d channels, image %d, row %d, pixel %d, %d: %v, want %v", c, i, place, x, y, got, want)
						}
					}
				}
			}
		}
		if _, _, _, a := p.At(w, 0).RGBA(); a != 0 {
			t.Error("the gap is not transparent")
		}
	}
	for name, f := range map[string]func() ([]byte, error){
		"none":    func() ([]byte, error) { return checkpoint.Strip([][]float32{nil, nil}, 2, 2, 1) },
		"no rows": func() ([]byte, error) { return checkpoint.Strip(nil, 2, 2, 1) },
		"two channels": func() ([]byte, error) {
			return checkpoint.Strip([][]float32{make([]float32, 8), make([]float32, 8)}, 2, 2, 2)
		},
		"a part": func() ([]byte, error) {
			return checkpoint.Strip([][]float32{make([]float32, 5), make([]float32, 5)}, 2, 2, 1)
		},
		"fewer": func() ([]byte, error) {
			return checkpoint.Strip([][]float32{make([]float32, 8), make([]float32, 4)}, 2, 2, 1)
		},
		"huge": func() ([]byte, error) {
			return checkpoint.Strip([][]float32{make([]float32, 8), make([]float32, 8)}, 1<<40, 1<<40, 1)
		},
		"no samples": func() ([]byte, error) { return checkpoint.Samples(&dataset.Images{Height: 2, Width: 2, Channels: 1}) },
	} {
		if _, err := f(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
