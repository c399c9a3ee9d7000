//go:build gpu

package gpu

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"sweep/trainer"
	"sweep/trainer/device"
	"sweep/trainer/kernel"
	"sweep/trainer/model"
	"sweep/trainer/plan"
)

// stack is a network to compare the steps of.
type stack struct {
	name   string
	slots  [][2]int // latent and batch of each
	change func(*model.Config)
}

// networks are the stacks whose every step is compared with the reference kernels: sides that are no multiple of anything,
// channels around those of tiles, every activation, loss, normalisation and variant. A kernel's author adds rows; to run
// the steps of one kind alone, name it: make cuda-test PKG=./trainer/gpu RUN='TestSteps//fp32//conv'
var networks = []stack{
	{"plain", [][2]int{{8, 5}, {64, 33}, {3, 1}}, nil},
	{"33x31, depth 3, odd channels", [][2]int{{1, 3}, {17, 2}, {33, 4}}, func(c *model.Config) {
		c.Height, c.Width, c.Depth, c.Filters, c.Kernel = 33, 31, 3, []int{1, 17, 33}, 5
	}},
	{"5x7, one channel, depth 2", [][2]int{{513, 3}, {2, 70}, {65, 32}}, func(c *model.Config) {
		c.Height, c.Width, c.Channels, c.Depth, c.Filters, c.Activation, c.Loss = 5, 7, 1, 2, []int{5, 65}, "leaky_relu", "mae"
	}},
	{"kernel 7, tanh", [][2]int{{4, 2}, {5, 40}, {6, 3}}, func(c *model.Config) {
		c.Kernel, c.Activation, c.OutputActivation, c.Filters = 7, "tanh", "tanh", []int{3}
	}},
	{"kernel 1, sigmoid, no output activation", [][2]int{{4, 2}, {130, 31}, {6, 3}}, func(c *model.Config) {
		c.Kernel, c.Activation, c.OutputActivation, c.Filters = 1, "sigmoid", "none", []int{7}
	}},
	{"gelu, k3, ssim", [][2]int{{9, 3}, {16, 2}, {31, 6}}, func(c *model.Config) {
		c.Activation, c.Upsample, c.Loss, c.Depth, c.Height, c.Width = "gelu", "k3", "mse+ssim", 2, 13, 18
	}},
	{"ssim, tanh output, 12x14", [][2]int{{9, 3}, {16, 33}, {31, 6}}, func(c *model.Config) {
		c.Loss, c.OutputActivation, c.Height, c.Width, c.Filters = "mse+ssim", "tanh", 12, 14, []int{2}
	}},
	{"ssim, no output activation, narrow", [][2]int{{9, 3}, {7, 5}, {31, 6}}, func(c *model.Config) {
		c.Loss, c.OutputActivation, c.Height, c.Width, c.Filters, c.Channels = "mse+ssim", "none", 4, 21, []int{2}, 4
	}},
	{"ssim in parts, 45x37", [][2]int{{9, 2}, {7, 3}, {31, 1}}, func(c *model.Config) {
		c.Loss, c.OutputActivation, c.Height, c.Width, c.Filters, c.Channels = "mse+ssim", "sigmoid", 45, 37, []int{2}, 2
	}},
	{"ssim in parts, 12x80, no output activation", [][2]int{{9, 2}, {7, 34}, {31, 1}}, func(c *model.Config) {
		c.Loss, c.OutputActivation, c.Height, c.Width, c.Filters, c.Channels = "mse+ssim", "none", 12, 80, []int{2}, 1
	}},
	{"ssim, 2x3", [][2]int{{9, 2}, {7, 3}, {31, 65}}, func(c *model.Config) {
		c.Loss, c.OutputActivation, c.Height, c.Width, c.Depth, c.Filters = "mse+ssim", "tanh", 2, 3, 1, []int{2}
	}},
	{"mae, none, 32x32", [][2]int{{9, 1}, {7, 2}, {31, 1}}, func(c *model.Config) {
		c.Loss, c.OutputActivation, c.Height, c.Width, c.Filters = "mae", "none", 32, 32, []int{6}
	}},
	{"as the reference network", [][2]int{{128, 1}, {64, 2}, {96, 1}}, func(c *model.Config) {
		c.Height, c.Width, c.Depth, c.Filters = 32, 32, 3, []int{16, 32, 64}
	}},
	{"first layer of one channel and 24 filters, 28x28", [][2]int{{2, 34}, {3, 2}, {1, 1}}, func(c *model.Config) {
		c.Height, c.Width, c.Channels, c.Filters = 28, 28, 1, []int{24}
	}},
	{"first layer of three channels, 16x40, then 8 to 40 and to 72", [][2]int{{2, 3}, {3, 33}, {1, 1}}, func(c *model.Config) {
		c.Height, c.Width, c.Filters, c.Depth = 16, 40, []int{8, 40, 72}, 3
	}},
	{"dropout", [][2]int{{8, 5}, {65, 33}, {3, 2}}, func(c *model.Config) { c.DropoutConv, c.DropoutDense = 0.3, 0.6 }},
	{"dropout, odd sides", [][2]int{{7, 5}, {9, 3}, {1, 2}}, func(c *model.Config) {
		c.DropoutConv, c.DropoutDense, c.Height, c.Width, c.Filters, c.Depth = 0.5, 0.1, 9, 11, []int{3, 5}, 2
	}},
	{"batch norm", [][2]int{{8, 5}, {12, 33}, {3, 1}}, func(c *model.Config) { c.Norm, c.Depth = "batch", 2 }},
	{"batch norm, gelu, k3, odd", [][2]int{{8, 5}, {12, 34}, {3, 2}}, func(c *model.Config) {
		c.Norm, c.Activation, c.Upsample, c.Depth, c.Height, c.Width, c.Filters = "batch", "gelu", "k3", 2, 11, 9, []int{5, 33}
	}},
	{"batch norm, many channels, large batch", [][2]int{{8, 2}, {2, 300}, {3, 1}}, func(c *model.Config) {
		c.Norm, c.Height, c.Width, c.Filters, c.Kernel = "batch", 2, 4, []int{259}, 1
	}},
	{"layer norm, more channels than a block's threads", [][2]int{{8, 3}, {2, 35}, {3, 1}}, func(c *model.Config) {
		c.Norm, c.Height, c.Width, c.Filters, c.Kernel, c.Activation = "layer", 4, 2, []int{1028}, 1, "tanh"
	}},
	{"layer norm, leaky", [][2]int{{8, 5}, {12, 33}, {3, 2}}, func(c *model.Config) {
		c.Norm, c.Activation, c.Depth, c.Filters = "layer", "leaky_relu", 2, []int{7, 9}
	}},
	{"layer norm, gelu", [][2]int{{8, 5}, {12, 3}, {3, 2}}, func(c *model.Config) { c.Norm, c.Activation = "layer", "gelu" }},
	{"skip", [][2]int{{8, 5}, {12, 33}, {3, 1}}, func(c *model.Config) { c.Variant, c.Depth = model.Skip, 2 }},
	{"skip, k3, gelu", [][2]int{{8, 5}, {12, 3}, {3, 1}}, func(c *model.Config) {
		c.Variant, c.Upsample, c.Activation, c.Depth = model.Skip, "k3", "gelu", 2
	}},
	{"residual, batch norm", [][2]int{{8, 5}, {12, 3}, {3, 2}}, func(c *model.Config) { c.Variant, c.Norm = model.Residual, "batch" }},
	{"residual, gelu", [][2]int{{8, 5}, {12, 3}, {3, 2}}, func(c *model.Config) { c.Variant, c.Activation = model.Residual, "gelu" }},
	{"segnet", [][2]int{{8, 5}, {12, 33}, {3, 2}}, func(c *model.Config) { c.Variant, c.Depth = model.SegNet, 2 }},
	{"segnet, batch norm, odd", [][2]int{{8, 5}, {12, 3}, {3, 2}}, func(c *model.Config) {
		c.Variant, c.Norm, c.Height, c.Width = model.SegNet, "batch", 7, 5
	}},
}

// tolerances, as parts of the largest number of an array.
var tolerances = map[string]float64{
	// Sums of up to a few thousand products, in another order than the reference's; exponentials within a few units in
	// the last place.
	"fp32": 1e-5,
	// Factors of products rounded to 11 bits: 2⁻¹² to 2⁻¹¹ each, which mostly cancel in a sum; in one of two products, of a
	// latent of 2, they do not.
	"tf32": 3e-3,
	// Factors and results rounded to 8 bits: up to 2⁻⁹ each.
	"bf16": 2e-2,
}

// similarity is the same of a gradient of SSIM: of a window without variance its terms are up to 1/C2, about 1100, times what
// they come to, and each is rounded by 2⁻²⁴.
const similarity = 7e-5

// TestSteps compares every step of every network, for three slots at once, with the reference kernels: what it writes, that
// it writes all of it, over memory full of NaN, and that it writes nothing else.
func TestSteps(t *testing.T) {
	testSteps(t, open(t), networks, precisions, func(b *bench, last *step) bool {
		// In tf32 the others are the same code as in fp32.
		return b.code.precision != "tf32" || linear(b.seats[0].planStep(last).Kind)
	})
}

// testSteps compares the steps of networks that are wanted. A fold is one with the linear map that it is for.
func testSteps(t *testing.T, gpu device.GPU, networks []stack, precisions []string, wanted func(*bench, *step) bool) {
	for _, tt := range networks {
		t.Run(tt.name, func(t *testing.T) {
			var list []trainer.Config
			for i, s := range tt.slots {
				c := network(tt.change, s[0], s[1])
				if i == 2 && c.Variant == "" { // kinds of loss live together
					c.Loss = map[string]string{"mse": "mae", "mae": "mse+ssim", "mse+ssim": "mse"}[c.Loss]
				}
				list = append(list, c)
			}
			for _, precision := range precisions {
				t.Run(precision, func(t *testing.T) {
					for _, training := range []bool{true, false} {
						name := "forward"
						if training {
							name = "training"
						}
						t.Run(name, func(t *testing.T) {
							b := newBench(t, gpu, precision, list, training)
							for i := 0; i < len(b.program.steps); i++ {
								s := &b.program.steps[i]
								group := []int{i}
								if s.kind == fold { // with the linear map that it is for
									i++
									group = append(group, i)
								}
								last := &b.program.steps[i]
								if len(last.plan) == 0 {
									continue // of the round, not of the plan
								}
								if !wanted(b, last) {
									continue
								}
								t.Run(fmt.Sprintf("%s %d", last.kind, last.plan[0]), func(t *testing.T) {
									for _, j := range group {
										if s := &b.program.steps[j]; !s.runs() {
											t.Fatalf("there is no kernel for %s", s.kind)
										}
									}
									for _, f := range []fill{random, integers} {
										b.compare(t, group, f)
									}
								})
							}
						})
					}
				})
			}
		})
	}
}

// compare runs the steps of a group, the last of which is one of the plan, for all seats.
func (b *bench) compare(t *testing.T, group []int, f fill) {
	t.Helper()
	outer := b.t
	b.t = t
	defer func() { b.t = outer }()
	last := &b.program.steps[group[len(group)-1]]
	r := rand.New(rand.NewPCG(uint64(last.plan[0]), uint64(f)))
	before := make([][]byte, len(b.seats))
	for i, s := range b.seats {
		b.check(b.stream.Fill(s.at, 0xff, s.room.bytes))
		b.weights(s, r, f)
		b.fillInputs(s, last, r, f)
		flips := make([]byte, poolImages)
		for j, image := range s.batch.Images {
			if s.batch.Mirrored != nil && s.batch.Mirrored[j] {
				flips[image] = 1
			}
		}
		b.put(s.at+device.Address(s.room.flips), flips)
		before[i] = b.get(s.at, int(s.room.bytes))
	}
	for _, j := range group {
		b.check(b.code.launches(b.stream, &b.program.steps[j], b.tables.task(j), b.class))
	}
	b.check(b.stream.Wait())
	for i, s := range b.seats {
		var sums kernel.Sums
		for _, j := range last.plan {
			got, err := s.exec.RunStep(j, s.w, s.g, s.batch)
			b.check(err)
			if got.Images > 0 {
				sums = got
			}
		}
		after := b.get(s.at, int(s.room.bytes))
		b.outputs(t, i, last, f, sums, after)
		if err := untouched(before[i], after, b.written(s, last, len(group) > 1)); err != nil {
			t.Errorf("slot %d, %v: %v", i, f, err)
		}
	}
}

// planStep is the first step of the plan that a step does, whose inputs are all that it reads.
func (s *seat) planStep(of *step) plan.Step { return s.plan.Steps[of.plan[0]] }
