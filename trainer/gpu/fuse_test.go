//go:build gpu

package gpu

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"sweep/trainer"
	"sweep/trainer/device"
	"sweep/trainer/kernel/cuda"
	"sweep/trainer/model"
)

// A loss that the last convolution makes is that of a step of its own: gradients to the bit, and sums but for the order in which
// they are added. Slots with SSIM have their own way in the same launches.
func TestFusedLoss(t *testing.T) {
	gpu := open(t)
	for _, tt := range []struct {
		name   string
		fits   bool
		change func(*model.Config)
	}{
		{"32x32x3, sigmoid", true, func(c *model.Config) { c.Height, c.Width, c.Depth, c.Filters = 32, 32, 2, []int{5, 8} }},
		{"28x28x1 in 32x32, tanh", true, func(c *model.Config) {
			c.Height, c.Width, c.Channels, c.Depth, c.Filters, c.OutputActivation = 28, 28, 1, 3, []int{6, 4, 4}, "tanh"
		}},
		{"15x16x3, four images a block, no activation", true, func(c *model.Config) {
			c.Height, c.Width, c.Filters, c.OutputActivation = 15, 16, []int{4}, "none"
		}},
		{"13x32x1, images of 8x16", true, func(c *model.Config) {
			c.Height, c.Width, c.Channels, c.Depth, c.Filters = 13, 32, 1, 3, []int{4, 4, 4}
		}},
		{"parts of images in a block", false, func(c *model.Config) { c.Height, c.Width, c.Filters = 24, 24, []int{4} }},
		{"eight images in a block", false, func(c *model.Config) { c.Height, c.Width, c.Filters = 8, 16, []int{4} }},
		{"3x3", false, func(c *model.Config) { c.Height, c.Width, c.Filters, c.Upsample = 16, 16, []int{4}, "k3" }},
	} {
		var list []trainer.Config
		for i, loss := range []string{"mse", "mse+ssim", "mae"} {
			c := network(tt.change, 3+i, []int{3, 2, 34}[i])
			c.Loss = loss
			list = append(list, c)
		}
		for _, precision := range precisions {
			t.Run(tt.name+"/"+precision, func(t *testing.T) {
				b := newBench(t, gpu, precision, list, true)
				fused := *b.program
				fused.steps = slices.Clone(fused.steps)
				fused.fuse()
				at := slices.IndexFunc(fused.steps, func(s step) bool { return s.geometry.Fused })
				if fits := at >= 0; fits != tt.fits {
					t.Fatalf("fused: %v, want %v", fits, tt.fits)
				}
				if !tt.fits {
					return
				}
				apart := b.lossAt(at)
				b.tables.program = &fused
				b.put(b.tables.task(0), b.tables.fixed(b.slots)[0].bytes)
				b.program = &fused
				together := b.lossAt(at)
				for i, want := range apart {
					if err := near(want.gradient, together[i].gradient, 4, 0, 0); err != nil {
						t.Errorf("slot %d, gradient: %v", i, err)
					}
					for j, w := range want.sums {
						if g := together[i].sums[j]; !(math.Abs(g-w) <= 1e-12*max(1, math.Abs(w))) {
							t.Errorf("slot %d: sum %d of image %d is %g, want %g", i, j%cuda.ImageSums, j/cuda.ImageSums, g, w)
						}
					}
				}
			})
		}
	}
}

// lossOf is what a loss leaves behind.
type lossOf struct {
	gradient []float32
	sums     []float64 // of the images
}

// lossAt runs step at, which makes the output, and the next, which makes its loss, and gives what becomes of each seat.
func (b *bench) lossAt(at int) []lossOf {
	loss := b.program.steps[at+1].task
	r := rand.New(rand.NewPCG(11, 12))
	for _, s := range b.seats {
		b.check(b.stream.Fill(s.at, 0xff, s.room.bytes))
		b.weights(s, r, random)
		b.fillInputs(s, &b.program.steps[at], r, random)
		x := make([]float32, s.numbersOf(int(loss.Ref)))
		pictures(x, r, false, false)
		b.set(s, int(loss.Ref), x)
	}
	for i := at; i < at+2; i++ {
		b.check(b.code.launches(b.stream, &b.program.steps[i], b.tables.task(i), b.class))
	}
	b.check(b.stream.Wait())
	var out []lossOf
	for _, s := range b.seats {
		bytes := valueBytes(b.code.precision)
		l := lossOf{gradient: floats(b.get(s.at+device.Address(s.values[loss.Dst]), bytes*s.numbersOf(int(loss.Dst))), bytes)}
		l.sums = doubles(b.get(s.at+device.Address(s.room.image), 8*cuda.ImageSums*len(s.batch.Images)))
		out = append(out, l)
	}
	return out
}
