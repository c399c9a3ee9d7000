//go:build gpu

package gpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"sweep/trainer"
	"sweep/trainer/device"
	"sweep/trainer/kernel"
	"sweep/trainer/kernel/cuda"
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
// the steps of one kind alone, name it: go test -tags cuda -run 'TestSteps//fp32//conv' ./trainer/gpu
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

// fillInputs puts numbers into what a step reads, in both memories; what it writes alone is full of NaN on the device.
func (b *bench) fillInputs(s *seat, of *step, r *rand.Rand, f fill) {
	p := s.planStep(of)
	reads := map[int]float64{} // with the size of their numbers
	for _, v := range []int{p.Src, p.Ref} {
		if v != plan.None && !(p.Kind == plan.Norm && v == p.Ref) {
			reads[v] = 1
		}
	}
	switch p.Kind {
	case plan.ActGrad:
		reads[p.Dst] = 1
	case plan.Act:
		if p.Src == plan.None {
			reads[p.Dst] = 2
		}
	case plan.NormGrad:
		reads[p.Norm.Input], reads[p.Norm.Stats] = 1, 1
		if p.Ref == plan.None {
			delete(reads, p.Ref)
		}
	case plan.Norm:
		reads[p.Norm.Stats] = 1
	}
	for _, j := range of.plan[1:] {
		if next := s.plan.Steps[j]; p.Kind != plan.Loss { // whose slope is of the output that it reads
			reads[next.Ref] = 1
		}
	}
	size := s.plan.Values
	values := make([]int, 0, len(reads))
	for v := range reads {
		values = append(values, v)
	}
	slices.Sort(values) // the same numbers in every run
	for _, v := range values {
		if size[v].Bytes {
			continue
		}
		x := make([]float32, s.numbersOf(v))
		draw(x, r, f, reads[v])
		if (p.Kind == plan.Loss || p.Kind == plan.Evaluate) && f == random {
			pictures(x, r, v == p.Src && s.plan.Loss.Output == kernel.Tanh, v == p.Src && s.c.OutputActivation == "none")
		}
		b.set(s, v, x)
	}
	if p.Norm != nil && p.Norm.Stats != plan.None {
		b.stats(s, p, r)
	}
	if p.Arg != plan.None && p.Kind != plan.ConvPool && p.Kind != plan.Pool && p.Kind != plan.Norm {
		arg := s.exec.Bytes(p.Arg, len(s.batch.Images))
		for i := range arg {
			arg[i] = byte(r.Uint32())
			if p.Kind != plan.Drop {
				arg[i] &= 3
			}
		}
		b.put(s.at+device.Address(s.values[p.Arg]), arg)
	}
	if p.Kind == plan.NormGrad && p.Arg != plan.None {
		b.picked(s, p)
	}
}

// picked puts what a pooled normalisation picked of its input into its place.
func (b *bench) picked(s *seat, p plan.Step) {
	n := len(s.batch.Images)
	arg, x, small := s.exec.Bytes(p.Arg, n), s.exec.Value(p.Norm.Input, n), s.plan.Values[p.Ref]
	out := make([]float32, len(arg))
	for i, a := range arg {
		c, at := i%small.C, i/small.C
		image, y, column := at/small.W/small.H, at/small.W%small.H, at%small.W
		out[i] = x.Data[x.At(image, 2*y+int(a)/2, 2*column+int(a)%2, c)]
	}
	b.set(s, p.Ref, out)
}

// pictures makes what a loss compares: numbers in 0 … 1, or in -1 … 1, or a little outside of them.
func pictures(x []float32, r *rand.Rand, signed, outside bool) {
	for i := range x {
		v := r.Float64()
		if outside {
			v = 1.4*v - 0.2
		}
		if signed {
			v = 2*v - 1
		}
		x[i] = float32(v)
	}
}

// stats makes those of a normalisation: of its input for a norm, as a norm leaves them for its gradient.
func (b *bench) stats(s *seat, p plan.Step, r *rand.Rand) {
	v := p.Norm.Stats
	n, c := len(s.batch.Images), s.plan.Values[v].C/2
	switch p.Kind {
	case plan.Norm:
		reference(b.t).Moments(&kernel.Workspace{}, s.exec.Value(v, n), s.exec.Value(p.Src, n))
	case plan.NormGrad:
		x := make([]float32, n*2*c)
		for i := range x {
			x[i] = float32(r.NormFloat64())
			if i/c%2 == 1 {
				x[i] = 0.5 + float32(r.Float64())
			}
			if p.Norm.Kind == kernel.BatchNorm && i >= 2*c {
				x[i] = x[i-2*c] // all images of a batch share them
			}
			if p.Norm.Kind == kernel.LayerNorm && i%c != 0 {
				x[i] = x[i-1] // all channels of an image
			}
		}
		s.exec.Value(v, n).SetPixels(x)
	default:
		return
	}
	b.put(s.at+device.Address(s.values[v]), numbers(s.exec.Value(v, n).Pixels(nil), 4))
}

// split tells whether a step leaves the gradients of its weights in parts.
func (s *seat) split(p plan.Step) bool {
	return p.Kind == plan.ConvPoolGrad || p.Kind == plan.ConvWeights || p.Kind == plan.ConvTWeights
}

// gradients are the weights whose gradients a step writes.
func gradients(p plan.Step) []int {
	switch p.Kind {
	case plan.ConvPoolGrad, plan.ConvWeights, plan.ConvTWeights, plan.DenseWeights:
		if p.B == plan.None {
			return []int{p.W}
		}
		return []int{p.W, p.B}
	case plan.NormGrad:
		return []int{p.Norm.Scale, p.Norm.Shift}
	}
	return nil
}

// statistics are the weights that a step itself writes.
func statistics(p plan.Step) []int {
	if p.Kind == plan.Norm && p.Norm.Mean != plan.None {
		return []int{p.Norm.Mean, p.Norm.Var}
	}
	return nil
}

// written are the parts of a seat's room that a step may write.
func (b *bench) written(s *seat, of *step, folded bool) []interval {
	p := s.planStep(of)
	n := int64(len(s.batch.Images))
	var out []interval
	add := func(from, bytes int64) { out = append(out, interval{from, from + bytes}) }
	value := func(v int) {
		if v == plan.None {
			return
		}
		x := s.plan.Values[v]
		bytes := n * int64(x.H*x.W*x.C)
		switch {
		case isStats(s.plan, v):
			bytes = int64(s.plan.Batch * cuda.StatsBytes(x.C/2))
		case !x.Bytes:
			bytes *= int64(b.valueBytes(s, v))
		}
		add(s.values[v], bytes)
	}
	value(p.Dst)
	if p.Kind == plan.ConvPool || p.Kind == plan.Pool || p.Kind == plan.Norm {
		value(p.Arg)
	}
	if p.Kind == plan.Norm {
		value(p.Ref)
	}
	if p.Norm != nil {
		value(p.Norm.Stats)
	}
	l := s.plan.Layout
	for _, w := range gradients(p) {
		if !s.split(p) {
			add(s.room.g+4*int64(l.Offsets[w]), 4*int64(l.Sizes[w]))
			continue
		}
		for tile := range (n + cuda.Tile - 1) / cuda.Tile {
			add(s.room.partial+4*(tile*int64(s.room.stride)+int64(s.room.splits[w])), 4*int64(l.Sizes[w]))
		}
	}
	for _, w := range statistics(p) {
		add(s.room.w+4*int64(l.Offsets[w]), 4*int64(l.Sizes[w]))
	}
	if folded {
		add(s.room.folded, 4*int64(s.room.nfolded))
	}
	if p.Kind == plan.Loss || p.Kind == plan.Evaluate {
		add(s.room.image, 8*cuda.ImageSums*n)
	}
	return out
}

// outputs compares what a step has written with what the reference has.
func (b *bench) outputs(t *testing.T, slot int, of *step, f fill, sums kernel.Sums, room []byte) {
	t.Helper()
	s := b.seats[slot]
	p := s.planStep(of)
	n := len(s.batch.Images)
	limit, floor := b.tolerance(of, p, f), 0.0
	if b.code.precision != "fp32" && f == random && linear(p.Kind) {
		floor = 1 // sums of products of numbers around 1, of which a slope may leave only a small one
	}
	if p.Kind == plan.Loss && s.plan.Loss.Kind == kernel.MSESSIM {
		limit = max(limit, similarity)
	}
	numbers := func(what string, want, got []float32, bytes int, limit float64) {
		t.Helper()
		if err := near(want, got, bytes, limit, floor); err != nil {
			t.Errorf("slot %d, %v, %s: %v", slot, f, what, err)
		}
	}
	value := func(what string, v int) {
		t.Helper()
		if v == plan.None {
			return
		}
		x := s.plan.Values[v]
		if !x.Bytes {
			bytes, count := b.valueBytes(s, v), s.numbersOf(v)
			numbers(what, s.exec.Value(v, n).Pixels(nil), floats(room[s.values[v]:][:bytes*count], bytes), bytes, limit)
			return
		}
		want, got := s.exec.Bytes(v, n), room[s.values[v]:][:n*x.H*x.W*x.C]
		differ := 0
		for i := range want {
			if want[i] != got[i] {
				differ++
			}
		}
		// Values that are equal but for rounding may be taken in another order; what was taken is compared above.
		if most := len(want) / 20; differ > 0 && (f == integers && p.Norm == nil || p.Kind == plan.DropMask || differ > most+1) {
			t.Errorf("slot %d, %v, %s: %d of %d places differ: %v, want %v", slot, f, what, differ, len(want), head(got), head(want))
		}
	}
	value("dst", p.Dst)
	switch p.Kind {
	case plan.ConvPool, plan.Pool:
		value("arg", p.Arg)
	case plan.Norm:
		value("picked", p.Ref)
		value("arg", p.Arg)
		value("stats", p.Norm.Stats)
	case plan.Moments:
		value("moments", p.Norm.Stats)
	case plan.Loss, plan.Evaluate:
		if err := s.sums(room, sums, p.Kind == plan.Evaluate, b.code.precision); err != nil {
			t.Errorf("slot %d, %v: %v", slot, f, err)
		}
	}
	l := s.plan.Layout
	for _, w := range gradients(p) {
		got := floats(room[s.room.g+4*int64(l.Offsets[w]):][:4*l.Sizes[w]], 4)
		if s.split(p) {
			sum := make([]float64, l.Sizes[w])
			for tile := range (n + cuda.Tile - 1) / cuda.Tile {
				from := s.room.partial + 4*(int64(tile)*int64(s.room.stride)+int64(s.room.splits[w]))
				for i, x := range floats(room[from:][:4*l.Sizes[w]], 4) {
					sum[i] += float64(x)
				}
			}
			for i, x := range sum {
				got[i] = float32(x)
			}
		}
		numbers("gradient of "+l.Weights[w].Name, l.Of(s.g, w), got, 4, limit)
	}
	for _, w := range statistics(p) {
		numbers(l.Weights[w].Name, l.Of(s.w, w), floats(room[s.room.w+4*int64(l.Offsets[w]):][:4*l.Sizes[w]], 4), 4, limit)
	}
}

// head is the beginning of something long.
func head(b []byte) []byte { return b[:min(len(b), 16)] }

// linear tells whether a step is a product of matrices.
func linear(k plan.Kind) bool {
	switch k {
	case plan.Conv, plan.ConvPool, plan.ConvData, plan.ConvPoolGrad, plan.ConvWeights, plan.ConvT, plan.ConvTData, plan.ConvTWeights,
		plan.Dense, plan.DenseData, plan.DenseWeights:
		return true
	}
	return false
}

// tolerance is that of a step; 0: to the bit.
func (b *bench) tolerance(of *step, p plan.Step, f fill) float64 {
	simple := p.Act == kernel.Identity || p.Act == kernel.ReLU
	switch p.Kind {
	case plan.Gather, plan.DropMask, plan.Pool, plan.PoolGrad, plan.Unpool, plan.UnpoolGrad, plan.Copy, plan.Drop:
		if b.code.precision != "bf16" || p.Kind == plan.DropMask {
			return 0 // nothing is added up
		}
	default:
		if (linear(p.Kind) || p.Kind == plan.Add) && f == integers && simple && len(of.plan) == 1 && p.Norm == nil {
			return 0 // every sum of small integers is exact
		}
	}
	return tolerances[b.code.precision]
}

// near compares numbers: within limit parts of the largest of want, which counts as at least floor, or, with limit 0, as a value of so many bytes holds
// them. NaN equals NaN.
func near(want, got []float32, bytes int, limit, floor float64) error {
	scale := floor
	for _, w := range want {
		if a := math.Abs(float64(w)); a > scale && !math.IsInf(a, 0) {
			scale = a
		}
	}
	worst, at := -1.0, 0
	for i, w := range want {
		if limit == 0 {
			w = rounded(w, bytes)
		}
		g := got[i]
		switch {
		case w == g, w != w && g != g:
		case g != g || w != w:
			return fmt.Errorf("number %d of %d is %g, want %g", i, len(want), g, w)
		default:
			if d := math.Abs(float64(w) - float64(g)); d > worst {
				worst, at = d, i
			}
		}
	}
	if worst > limit*scale {
		return fmt.Errorf("number %d of %d is %g, want %g: off by %.2g of the largest, more than %.2g",
			at, len(want), got[at], want[at], worst/scale, limit)
	}
	return nil
}

// sums compares the sums of images with those of the reference, an evaluation's all, a loss's those that the loss is of.
func (s *seat) sums(room []byte, want kernel.Sums, all bool, precision string) error {
	n := len(s.batch.Images)
	var total [cuda.ImageSums]float64
	images := doubles(room[s.room.image:][:8*cuda.ImageSums*n])
	for i, x := range images {
		total[i%cuda.ImageSums] += x
	}
	l := s.plan.Loss
	values := float64(want.Values)
	loss := total[4] / values
	switch l.Kind {
	case kernel.MAE:
		loss = total[5] / values
	case kernel.MSESSIM:
		loss = (1-l.SSIMWeight)*total[4]/values + l.SSIMWeight*(1-total[6]/float64(n))
	}
	// Sums of float32 numbers in float64 or, of SSIM's windows, in float32.
	const limit = 2e-5
	off := func(what string, got, want, scale float64) error {
		if math.IsNaN(got) != math.IsNaN(want) || math.Abs(got-want) > limit*max(math.Abs(want), scale) {
			return fmt.Errorf("%s is %g, want %g", what, got, want)
		}
		return nil
	}
	if err := off("the loss", loss, want.Loss, 0.1); err != nil || !all {
		return err
	}
	for i, w := range []float64{want.SE, want.AE, want.SSIM} {
		if err := off([]string{"SE", "AE", "SSIM"}[i], total[i], w, 0.1*float64(n)); err != nil {
			return err
		}
	}
	if int(total[3]) != want.Within {
		return fmt.Errorf("%g values are within, want %d", total[3], want.Within)
	}
	return nil
}
