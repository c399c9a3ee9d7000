//go:build gpu

package gpu

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"sweep/trainer"
	"sweep/trainer/device"
	"sweep/trainer/device/devicetest"
	"sweep/trainer/kernel/cuda"
	"sweep/trainer/model"
)

// raced are small stacks that together take every kernel there is, some in grids of several tiles and blocks of each slot.
var raced = []stack{
	{"plain", [][2]int{{8, 5}, {64, 33}, {3, 1}}, nil},
	{"pooled", [][2]int{{40, 2}, {7, 3}, {3, 1}}, func(c *model.Config) {
		c.Channels, c.Height, c.Width, c.Depth, c.Filters = 8, 16, 16, 4, []int{16, 32, 72, 40}
	}},
	{"batch norm, k3", [][2]int{{70, 2}, {7, 3}, {3, 1}}, func(c *model.Config) {
		c.Channels, c.Height, c.Width, c.Depth, c.Filters, c.Norm, c.Upsample = 8, 16, 16, 4, []int{16, 32, 72, 40}, "batch", "k3"
	}},
	{"odd", [][2]int{{1, 2}, {17, 3}, {33, 1}}, func(c *model.Config) {
		c.Height, c.Width, c.Depth, c.Filters, c.DropoutConv, c.DropoutDense = 16, 17, 4, []int{5, 21, 67, 35}, 0.3, 0.6
	}},
	{"odd, batch norm, gelu, k3", [][2]int{{1, 2}, {17, 3}, {33, 1}}, func(c *model.Config) {
		c.Height, c.Width, c.Depth, c.Filters, c.Norm, c.Activation, c.Upsample = 16, 17, 4, []int{5, 21, 67, 35}, "batch", "gelu", "k3"
	}},
	{"one channel, 26x24", [][2]int{{2, 1}, {3, 2}, {1, 1}}, func(c *model.Config) {
		c.Height, c.Width, c.Channels, c.Filters = 26, 24, 1, []int{24}
	}},
	{"three channels, 4x40", [][2]int{{2, 2}, {3, 33}, {1, 1}}, func(c *model.Config) {
		c.Height, c.Width, c.Filters = 4, 40, []int{8}
	}},
	// The weights of the last layer take two rounds of shared memory; outputs leave 0 … 1, so that SSIM is evaluated twice.
	{"72 channels to three, no output activation", [][2]int{{2, 1}, {3, 1}, {1, 1}}, func(c *model.Config) {
		c.Height, c.Width, c.Filters, c.OutputActivation = 4, 4, []int{72}, "none"
	}},
	{"two channels, 45x37", [][2]int{{2, 1}, {3, 1}, {1, 1}}, func(c *model.Config) {
		c.Height, c.Width, c.Channels, c.Filters = 45, 37, 2, []int{2}
	}},
	{"skip, gelu, k3", [][2]int{{8, 5}, {12, 3}, {3, 1}}, func(c *model.Config) {
		c.Variant, c.Upsample, c.Activation, c.Depth = model.Skip, "k3", "gelu", 2
	}},
	{"residual, layer norm", [][2]int{{8, 5}, {12, 33}, {3, 2}}, func(c *model.Config) { c.Variant, c.Norm = model.Residual, "layer" }},
	{"segnet, batch norm, odd sides", [][2]int{{8, 5}, {12, 3}, {3, 2}}, func(c *model.Config) {
		c.Variant, c.Norm, c.Height, c.Width = model.SegNet, "batch", 7, 5
	}},
	{"segnet", [][2]int{{8, 5}, {12, 3}, {3, 2}}, func(c *model.Config) { c.Variant, c.Depth = model.SegNet, 2 }},
}

// TestRaces runs the steps of networks, and trials of an engine, on the stand-in driver that checks for races between threads.
// Together they reach every kernel.
func TestRaces(t *testing.T) {
	devicetest.Races(t)
	for _, precision := range precisions {
		t.Run(precision, func(t *testing.T) {
			for _, n := range raced {
				t.Run(n.name, func(t *testing.T) { stepped(t, precision, n) })
			}
			t.Run("engine", func(t *testing.T) { trained(t, precision) })
			for _, m := range cuda.Modules() {
				text, err := cuda.PTX(m, precision)
				if err != nil {
					t.Fatal(err)
				}
				for _, entry := range strings.Split(string(text), ".entry ")[1:] {
					if name, _, _ := strings.Cut(entry, "("); !devicetest.Ran(t, name) {
						t.Errorf("nothing here runs %s", name)
					}
				}
			}
		})
	}
}

// stepped runs the steps of a network in order, for three slots with weights and images of their own.
func stepped(t *testing.T, precision string, n stack) {
	var list []trainer.Config
	for i, s := range n.slots {
		c := network(n.change, s[0], s[1])
		c.Loss = []string{"mse", "mae", "mse+ssim"}[i]
		list = append(list, c)
	}
	for _, training := range []bool{true, false} {
		b := newBench(t, open(t), precision, list, training)
		r := rand.New(rand.NewPCG(1, 2))
		for _, s := range b.seats {
			// Numbers, as what two threads write is a race where it differs: two NaN do not.
			b.check(b.stream.Fill(s.at, 0, s.room.bytes))
			b.put(s.at+device.Address(s.room.segments), cuda.Bytes(s.room.segment))
			b.weights(s, r, random)
		}
		for i := range b.program.steps {
			s := &b.program.steps[i]
			b.check(b.code.launches(b.stream, s, b.tables.task(i), b.class))
			if err := b.stream.Wait(); err != nil {
				t.Fatalf("%s, %d of training=%v: %v", s.kind, i, training, err)
			}
		}
	}
}

// trained runs an epoch of trials of several stacks beside each other, and an evaluation and a saved state of each.
func trained(t *testing.T, precision string) {
	list := []trainer.Config{
		small(func(c *trainer.Config) {
			c.Flip, c.ClipNorm, c.WeightDecay, c.Optimizer = "horizontal", 0.05, 0.1, "adamw"
		}),
		small(func(c *trainer.Config) {
			c.Batch, c.Optimizer, c.Momentum, c.Loss, c.L1 = 37, "sgd", 0.9, "mse+ssim", 1e-5
		}),
	}
	for i, loss := range []string{"mse", "mse+ssim", "mae"} { // of 16x16, where the loss is made with the output
		list = append(list, small(func(c *trainer.Config) {
			c.Height, c.Width, c.Channels, c.Loss = 16, 16, 3-2*(i/2), loss
			c.Train, c.Validation = blobs(20, 16, 16, c.Channels, 1), blobs(11, 16, 16, c.Channels, 2)
		}))
	}
	e := start(t, len(list), precision)
	var slots []int
	for i, c := range list {
		load(t, e, i, c, nil)
		slots = append(slots, i)
	}
	run(t, e, slots, 2)
	for i, c := range list {
		save(t, e, i)
		if _, err := e.Evaluate(context.Background(), i, trainer.Best, c.Validation, []int{3, 0}, trainer.Want{Codes: true, Reconstructions: true}); err != nil {
			t.Fatal(err)
		}
	}
}
