package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"sweep/study"
	"sweep/trainer/kernel"
	"sweep/trainer/model"
	"sweep/trainer/plan"
)

var randomCases = []struct {
	name   string
	change func(*model.Config)
}{
	{"gaussian", func(c *model.Config) { c.Variant, c.NoiseLevel = "denoising", 0.2 }},
	{"mask, padded", func(c *model.Config) {
		c.Variant, c.Noise, c.NoiseLevel, c.Height, c.Width = "denoising", "mask", 0.4, 13, 18
	}},
	{"inpaint one channel", func(c *model.Config) { c.Task, c.Channels, c.Kernel = "inpaint", 1, 5 }},
	{"superresolve, odd sides, tanh", func(c *model.Config) {
		c.Task, c.Height, c.Width, c.OutputActivation, c.Loss = "superresolve", 13, 15, "tanh", "mse+ssim"
	}},
	{"variational", func(c *model.Config) { c.Variant, c.Beta = "variational", 1 }},
	{"variational, beta 50, odd latent, mae", func(c *model.Config) {
		c.Variant, c.Beta, c.Latent, c.Loss, c.Activation = "variational", 50, 7, "mae", "leaky_relu"
	}},
	{"dropout", func(c *model.Config) { c.DropoutConv, c.DropoutDense = 0.2, 0.5 }},
	{"dropout, batch norm, k3", func(c *model.Config) {
		c.DropoutConv, c.DropoutDense, c.Norm, c.Upsample = 0.25, 0.25, "batch", "k3"
	}},
	{"dropout, gelu, variational", func(c *model.Config) {
		c.DropoutConv, c.DropoutDense, c.Activation, c.Variant, c.Beta = 0.25, 0.25, "gelu", "variational", 0.5
	}},
	{"denoising, layer norm, gelu", func(c *model.Config) {
		c.Variant, c.Noise, c.NoiseLevel, c.Norm, c.Activation = "denoising", "gaussian", 0.2, "layer", "gelu"
	}},
	{"dropout of convolutions, tanh, padded, odd widths", func(c *model.Config) {
		c.DropoutConv, c.Activation, c.Height, c.Width, c.Depth = 0.5, "tanh", 13, 18, 3
	}},
	{"dropout around the code, leaky, one stage", func(c *model.Config) { c.DropoutDense, c.Activation, c.Depth, c.Latent = 0.1, "leaky_relu", 1, 17 }},
	{"dropout, variational, denoising an odd code", func(c *model.Config) {
		c.Variant, c.Beta, c.DropoutConv, c.DropoutDense, c.Latent = "variational", 4, 0.3, 0.3, 5
	}},
	{"skip, dropout, inpaint", func(c *model.Config) {
		c.Variant, c.Task, c.DropoutConv, c.DropoutDense = "skip", "inpaint", 0.3, 0.2
	}},
	{"residual, dropout", func(c *model.Config) { c.Variant, c.DropoutConv, c.DropoutDense = "residual", 0.3, 0.2 }},
	{"segnet, dropout, superresolve, odd sides", func(c *model.Config) {
		c.Variant, c.Task, c.DropoutConv, c.Height, c.Width = "segnet", "superresolve", 0.3, 13, 15
	}},
	{"dropout, residual", func(c *model.Config) { c.Variant, c.DropoutConv, c.DropoutDense = "residual", 0.2, 0.3 }},
	{"dropout, skip, layer norm", func(c *model.Config) { c.Variant, c.Norm, c.DropoutConv, c.Depth = "skip", "layer", 0.3, 3 }},
	{"dropout, segnet", func(c *model.Config) { c.Variant, c.DropoutConv, c.DropoutDense = "segnet", 0.3, 0.2 }},
	{"dropout, attention, gelu", func(c *model.Config) { c.Variant, c.DropoutConv, c.Activation = "attention", 0.3, "gelu" }},
	{"dropout, batch norm", func(c *model.Config) { c.Norm, c.DropoutConv, c.DropoutDense = "batch", 0.3, 0.2 }},
	{"variational, no beta", func(c *model.Config) { c.Variant, c.Latent = "variational", 1 }},
	{"variational, inpaint", func(c *model.Config) {
		c.Variant, c.Beta, c.Task, c.Depth, c.Height = "variational", 4, "inpaint", 1, 14
	}},
}

// words draws block by block what image i has n words of.
func words(b plan.Batch, purpose study.Purpose, epoch, image, n int) []uint32 {
	replicate := b.Replicate
	if epoch == 0 {
		replicate = 0
	}
	var out []uint32
	for i := range n / 4 {
		block := study.Keyed(b.Seed, replicate, purpose, epoch).Block(uint32(image*n/4 + i))
		out = append(out, block[:]...)
	}
	return out
}

// feed is what a run of the images of b puts into a network: inputs and targets, and what codes are drawn with.
func feed(t *testing.T, net *model.Network, b plan.Batch) map[*G.Node][]float32 {
	t.Helper()
	c, n := net.Config, len(b.Images)
	hp, wp := c.Padded()
	ref := kernels(t, "ref")
	padded, in := kernel.NewMap(n, hp, wp, c.Channels, 0), kernel.NewMap(n, hp, wp, c.Channels, 0)
	target := kernel.NewMap(n, c.Height, c.Width, c.Channels, 0)
	ref.Gather(padded, b.Pixels, c.Height, c.Width, b.Images)
	ref.Gather(target, b.Pixels, c.Height, c.Width, b.Images)
	out := map[*G.Node][]float32{net.Target: target.Pixels(nil)}
	k := c.Corruption()
	for i, image := range b.Images {
		ref.Corrupt(in, padded, i, k, words(b, study.ForCorruption, b.Epoch, image, k.Words(c.Channels)))
	}
	out[net.Input] = in.Pixels(nil)
	for stream, d := range net.Drops {
		out[d.Mask] = keeps(b, uint32(stream), d)
	}
	if net.Eps != nil {
		var eps []float32
		for _, image := range b.Images {
			for _, w := range words(b, study.ForCode, b.Epoch, image, (c.Latent+3)/4*4)[:c.Latent] {
				eps = append(eps, kernel.Normal(w))
			}
		}
		out[net.Eps] = eps
	}
	return out
}

// fed runs the graph on Gorgonia's TapeMachine.
func fed(t *testing.T, net *model.Network, weights [][]float32, values map[*G.Node][]float32, roots ...*G.Node) [][]float32 {
	t.Helper()
	let := func(n *G.Node, x []float32) {
		if err := G.Let(n, tensor.New(tensor.WithShape(n.Shape()...), tensor.WithBacking(slices.Clone(x)))); err != nil {
			t.Fatal(err)
		}
	}
	for n, x := range values {
		let(n, x)
	}
	for i, w := range weights {
		let(net.Weights[i], w)
	}
	m := G.NewTapeMachine(net.Graph.SubgraphRoots(roots...))
	defer m.Close()
	if err := m.RunAll(); err != nil {
		t.Fatal(err)
	}
	var out [][]float32
	for _, r := range roots {
		if f, ok := r.Value().(*G.F32); ok {
			out = append(out, []float32{float32(*f)})
		} else {
			out = append(out, slices.Clone(r.Value().Data().([]float32)))
		}
	}
	return out
}

func inference(t *testing.T, c model.Config, batch int) *model.Network {
	t.Helper()
	net, err := model.Inference(c, batch)
	if err != nil {
		t.Fatal(err)
	}
	return net
}

func program(t *testing.T, compile func(*model.Network) (*plan.Program, error), net *model.Network) *plan.Program {
	t.Helper()
	p, err := compile(net)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestRandomPlans: plans that corrupt inputs and draw codes are Gorgonia's graphs, fed with the same numbers drawn block
// by block.
func TestRandomPlans(t *testing.T) {
	const batch = 5
	for _, tt := range randomCases {
		c := config(tt.change)
		set, w := images(c, 12), weights(c)
		train, forward := program(t, plan.Training, build(t, c, batch)), program(t, plan.Forward, inference(t, c, batch))
		for _, n := range []int{batch, 3} {
			b := plan.Batch{Pixels: set.Pixels, Images: []int{4, 0, 11, 7, 2}[:n], Seed: 1 << 40, Replicate: 2, Epoch: 3, Step: 9}
			net, use := build(t, c, n), inference(t, c, n)
			want := fed(t, net, w, feed(t, net, b), append(G.Nodes{net.Loss}, net.Grads...)...)
			quiet := b
			quiet.Epoch = 0
			show := fed(t, use, w, feed(t, use, quiet), use.Loss, use.Code, use.Output)
			for _, name := range kernel.Names() {
				t.Run(fmt.Sprintf("%s/%d images/%s", tt.name, n, name), func(t *testing.T) {
					tolerance := fastTolerance
					if name == "ref" {
						tolerance = refTolerance
					}
					var arena plan.Arena
					k := kernels(t, name)
					e, f := plan.NewExec(train, k, &arena), plan.NewExec(forward, k, &arena)
					weights, g := block(train.Layout, w), train.Layout.NewBlock()
					given := slices.Clone(weights) // training moves the running statistics
					for range 2 {                  // the second run finds the arena dirty
						sums, err := e.Run(weights, g, b)
						if err != nil {
							t.Fatal(err)
						}
						near(t, "loss", []float32{float32(sums.Loss)}, want[0], tolerance)
						nearGradients(t, train.Layout, g, want[1:], tolerance)
						if sums, err = f.Run(given, nil, quiet); err != nil {
							t.Fatal(err)
						}
						near(t, "loss of the forward plan", []float32{float32(sums.Loss)}, show[0], tolerance)
						near(t, "code", f.Code(n), show[1], tolerance)
						near(t, "output", cropped(f.Output(n), c), show[2], tolerance)
						if (sums.KL > 0) != (c.Variant == "variational") {
							t.Errorf("the divergence is %g", sums.KL)
						}
					}
				})
			}
		}
	}
}

// TestRandomRuns: what an image becomes depends on seed, replicate and epoch, not on the batch it falls into; outside of
// training on the seed alone.
func TestRandomRuns(t *testing.T) {
	for _, tt := range randomCases {
		c := config(tt.change)
		set, w := images(c, 12), weights(c)
		forward := program(t, plan.Forward, inference(t, c, 4))
		f := plan.NewExec(forward, kernels(t, "portable"), new(plan.Arena))
		weights := block(forward.Layout, w)
		run := func(b plan.Batch) []float32 {
			b.Pixels = set.Pixels
			if _, err := f.Run(weights, nil, b); err != nil {
				t.Fatal(err)
			}
			return slices.Clone(f.Code(len(b.Images))[:c.Latent]) // of the first image
		}
		first := run(plan.Batch{Images: []int{7, 1}, Seed: 5, Epoch: 2})
		if !slices.Equal(first, run(plan.Batch{Images: []int{7, 3, 4}, Seed: 5, Epoch: 2})) {
			t.Errorf("%s: an image depends on its batch", tt.name)
		}
		always := run(plan.Batch{Images: []int{7}, Seed: 5})
		if !slices.Equal(always, run(plan.Batch{Images: []int{7}, Seed: 5, Replicate: 1})) {
			t.Errorf("%s: a validation image depends on the replicate", tt.name)
		}
		drawn := c.Corruption().Words(c.Channels) > 0
		for name, b := range map[string]plan.Batch{
			"epoch":     {Images: []int{7}, Seed: 5, Epoch: 3},
			"seed":      {Images: []int{7}, Seed: 6, Epoch: 2},
			"replicate": {Images: []int{7}, Seed: 5, Replicate: 1, Epoch: 2},
		} {
			if slices.Equal(first, run(b)) == drawn {
				t.Errorf("%s: that an image is drawn anew for each %s is %v", tt.name, name, !drawn)
			}
		}
	}
}

// TestDecode: codes that an image was turned into become what the whole network makes of it.
func TestDecode(t *testing.T) {
	for _, change := range []func(*model.Config){
		func(c *model.Config) {},
		func(c *model.Config) { c.Variant, c.Beta = "variational", 1 },
		func(c *model.Config) { c.OutputActivation, c.Height, c.Width = "tanh", 13, 18 },
	} {
		c := config(change)
		set, w := images(c, 6), weights(c)
		net, err := model.Decoder(c, 4)
		if err != nil {
			t.Fatal(err)
		}
		decoder, forward := program(t, plan.Decode, net), program(t, plan.Forward, inference(t, c, 4))
		for _, name := range kernel.Names() {
			var arena plan.Arena
			arena.Reserve(decoder)
			arena.Reserve(forward)
			d, f := plan.NewExec(decoder, kernels(t, name), &arena), plan.NewExec(forward, kernels(t, name), &arena)
			weights := block(forward.Layout, w)
			if _, err := f.Run(weights, nil, plan.Batch{Pixels: set.Pixels, Images: []int{5, 2, 3}}); err != nil {
				t.Fatal(err)
			}
			codes := slices.Clone(f.Code(3))
			want := kernel.Reconstruct(nil, f.Output(3), forward.Loss)
			for range 2 {
				if err := d.Decode(weights, codes, 3); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(want, kernel.Reconstruct(nil, d.Output(3), decoder.Loss)) {
					t.Errorf("%s: the decoder alone makes other images", name)
				}
			}
			if err := d.Decode(weights, codes[1:], 3); err == nil {
				t.Error("a part of a code was decoded")
			}
		}
	}
}

// TestRandomRunsDoNotAllocate once the arena has grown.
func TestRandomRunsDoNotAllocate(t *testing.T) {
	c := config(func(c *model.Config) {
		c.Variant, c.Task, c.Beta, c.DropoutConv, c.DropoutDense = "variational", "inpaint", 1, 0.1, 0.2
	})
	train := program(t, plan.Training, build(t, c, 4))
	e := plan.NewExec(train, kernels(t, "portable"), new(plan.Arena))
	w, g := block(train.Layout, weights(c)), train.Layout.NewBlock()
	b := plan.Batch{Pixels: images(c, 8).Pixels, Images: []int{1, 3, 5}, Mirrored: []bool{true, false, true}, Epoch: 1, Step: 1}
	if n := testing.AllocsPerRun(3, func() {
		if _, err := e.Run(w, g, b); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("a run allocates %g times", n)
	}
}

// TestInputs: what pictures and verifications show is what a network sees.
func TestInputs(t *testing.T) {
	for _, tt := range randomCases {
		c := config(tt.change)
		set := images(c, 6)
		b := plan.Batch{Pixels: set.Pixels, Images: []int{5, 0}, Seed: 9, Replicate: 3}
		got := model.Inputs(c.Corruption(), c.Channels, set.Pixels, b.Images, 9)
		net := inference(t, c, 2)
		hp, wp := c.Padded()
		seen := kernel.NewMap(2, hp, wp, c.Channels, 0)
		seen.SetPixels(feed(t, net, b)[net.Input])
		if want := kernel.Reconstruct(nil, seen, kernel.Loss{H: c.Height, W: c.Width}); !slices.Equal(got, want) {
			t.Errorf("%s: the inputs are others", tt.name)
		}
	}
}

// A network whose decoder reads maps of the encoder has none by itself.
func TestNoDecoder(t *testing.T) {
	c := config(func(c *model.Config) { c.Variant = model.Skip })
	if _, err := model.Decoder(c, 4); err == nil || !strings.Contains(err.Error(), "more than the code") {
		t.Errorf("the decoder of skip connections: %v", err)
	}
}
