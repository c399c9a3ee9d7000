package plan_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sweep/trainer/kernel"
	"sweep/trainer/model"
	"sweep/trainer/op"
	"sweep/trainer/plan"
)

var normCases = []struct {
	name   string
	change func(*model.Config)
}{
	{"k3", func(c *model.Config) { c.Upsample = "k3" }},
	{"k3, wide, padded, signed output", func(c *model.Config) {
		c.Upsample, c.Filters, c.Height, c.Width, c.OutputActivation = "k3", []int{17, 33}, 13, 18, "tanh"
	}},
	{"gelu", func(c *model.Config) { c.Activation = "gelu" }},
	{"batch norm", func(c *model.Config) { c.Norm = "batch" }},
	{"batch norm, padded, leaky, wide", func(c *model.Config) {
		c.Norm, c.Activation, c.Filters, c.Height, c.Width = "batch", "leaky_relu", []int{8, 16}, 13, 18
	}},
	{"layer norm", func(c *model.Config) { c.Norm = "layer" }},
	{"layer norm, tanh, k3, depth 1", func(c *model.Config) {
		c.Norm, c.Activation, c.Upsample, c.Depth = "layer", "tanh", "k3", 1
	}},
	{"batch norm, gelu, k3, depth 3", func(c *model.Config) {
		c.Norm, c.Activation, c.Upsample, c.Depth, c.Loss = "batch", "gelu", "k3", 3, "mse+ssim"
	}},
	{"skip, batch norm", func(c *model.Config) { c.Norm, c.Variant, c.Depth = "batch", "skip", 3 }},
	{"residual, batch norm, tanh", func(c *model.Config) { c.Norm, c.Variant, c.Activation = "batch", "residual", "tanh" }},
	{"residual, layer norm, gelu", func(c *model.Config) { c.Norm, c.Variant, c.Activation = "layer", "residual", "gelu" }},
	{"segnet, batch norm, odd sides", func(c *model.Config) { c.Norm, c.Variant, c.Height, c.Width = "batch", "segnet", 13, 15 }},
	{"segnet, layer norm, gelu, depth 3", func(c *model.Config) { c.Norm, c.Variant, c.Activation, c.Depth = "layer", "segnet", "gelu", 3 }},
	{"skip, gelu, k3", func(c *model.Config) { c.Upsample, c.Variant, c.Activation = "k3", "skip", "gelu" }},
	{"skip, layer norm, gelu", func(c *model.Config) { c.Variant, c.Norm, c.Activation = "skip", "layer", "gelu" }},
	{"residual, batch norm, gelu", func(c *model.Config) { c.Variant, c.Norm, c.Activation = "residual", "batch", "gelu" }},
	{"residual, layer norm, k3", func(c *model.Config) { c.Variant, c.Norm, c.Upsample = "residual", "layer", "k3" }},
	{"segnet, batch norm", func(c *model.Config) { c.Variant, c.Norm = "segnet", "batch" }},
	{"segnet, gelu", func(c *model.Config) { c.Variant, c.Activation = "segnet", "gelu" }},
	{"segnet, layer norm, gelu", func(c *model.Config) { c.Variant, c.Norm, c.Activation = "segnet", "layer", "gelu" }},
	{"attention, batch norm, gelu", func(c *model.Config) { c.Variant, c.Norm, c.Activation = "attention", "batch", "gelu" }},
	{"layer norm, gelu, one channel", func(c *model.Config) { c.Norm, c.Activation, c.Channels = "layer", "gelu", 1 }},
}

// normWeights are weights with scales of both signs and running variances, so that none of them can be lost.
func normWeights(c model.Config) [][]float32 {
	w := weights(c)
	r := rand.New(rand.NewPCG(4, 4))
	for i, spec := range c.Weights() {
		for j := range w[i] {
			switch {
			case strings.HasSuffix(spec.Name, ".scale"):
				w[i][j] = float32(0.5+r.Float64()) * float32(1-2*(j%3/2))
			case strings.HasSuffix(spec.Name, ".var"):
				w[i][j] = float32(0.1 + r.Float64())
			}
		}
	}
	return w
}

func TestPlanOfNorms(t *testing.T) {
	for _, tt := range normCases {
		c := config(tt.change)
		compare(t, tt.name, images(c, 12), normWeights(c), func(n int) *model.Network { return build(t, c, n) })
	}
}

// A trained network in use: the running statistics are folded into the weights, and one image is not seen by another's.
func TestInferenceOfNorms(t *testing.T) {
	for _, tt := range normCases {
		c := config(tt.change)
		set, w := images(c, 12), normWeights(c)
		inference := func(n int) *model.Network {
			net, err := model.Inference(c, n)
			if err != nil {
				t.Fatal(err)
			}
			return net
		}
		p, err := plan.Forward(inference(5))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range p.Steps {
			if c.Norm == "batch" && (s.Kind == plan.Norm || s.Kind == plan.Moments) {
				t.Errorf("%s: a batch's statistics are taken in use\n%s", tt.name, p)
			}
		}
		for _, idx := range [][]int{{3, 9, 1, 0, 6}, {9}} {
			want := tape(t, inference(len(idx)), w, set, idx)
			for _, name := range kernel.Names() {
				tolerance := fastTolerance
				if name == "ref" {
					tolerance = 2 * refTolerance // folding rounds each weight once more
				}
				e, block := plan.NewExec(p, kernels(t, name), new(plan.Arena)), block(p.Layout, w)
				before := slices.Clone(block)
				for range 2 {
					sums, err := e.Run(block, nil, plan.Batch{Pixels: set.Pixels, Images: idx})
					if err != nil {
						t.Fatal(err)
					}
					what := fmt.Sprintf("%s/%d images/%s ", tt.name, len(idx), name)
					near(t, what+"loss", []float32{float32(sums.Loss)}, []float32{want.loss}, tolerance)
					near(t, what+"code", e.Code(len(idx)), want.code, tolerance)
					near(t, what+"output", cropped(e.Output(len(idx)), c), want.output, tolerance)
				}
				if !slices.Equal(before, block) {
					t.Errorf("%s/%s: a run in use changed the weights or the statistics", tt.name, name)
				}
			}
		}
	}
}

// The running statistics move by a tenth towards those of the batch that the tape's own convolutions have, whatever the size
// of the batch, once a step.
func TestRunningStatistics(t *testing.T) {
	c := config(func(c *model.Config) { c.Norm = "batch" })
	set, w := images(c, 12), normWeights(c)
	p, err := plan.Training(build(t, c, 5))
	if err != nil {
		t.Fatal(err)
	}
	for _, idx := range [][]int{{3, 9, 1, 0, 6}, {9}} {
		net := build(t, c, len(idx))
		tape(t, net, w, set, idx)
		want := map[string][]float32{}
		for _, n := range net.Graph.AllNodes() {
			if o, ok := n.Op().(*op.Op); !ok || o.Kind != op.Norm {
				continue
			}
			it := net.Graph.From(n.ID())
			it.Next()
			x := it.Node().(interface{ ID() int64 }).ID()
			it.Next()
			scale := it.Node().(interface{ ID() int64 }).ID()
			var values []float32
			name := ""
			for _, m := range net.Graph.AllNodes() {
				if m.ID() == x {
					values = m.Value().Data().([]float32)
				}
				if m.ID() == scale {
					name = strings.TrimSuffix(m.Name(), ".scale")
				}
			}
			ch := n.Shape()[3]
			mean, variance := make([]float32, ch), make([]float32, ch)
			for j := range ch {
				var sum, sq, count float64
				for i := j; i < len(values); i += ch {
					sum += float64(values[i])
					count++
				}
				for i := j; i < len(values); i += ch {
					d := float64(values[i]) - sum/count
					sq += d * d
				}
				mean[j], variance[j] = float32(sum/count), float32(sq/(count-1))
			}
			want[name+".mean"], want[name+".var"] = mean, variance
		}
		if len(want) != 2*(2+1) {
			t.Fatalf("statistics of %d normalisations were found", len(want)/2)
		}
		for _, name := range kernel.Names() {
			e, b := plan.NewExec(p, kernels(t, name), new(plan.Arena)), block(p.Layout, w)
			if _, err := e.Run(b, p.Layout.NewBlock(), plan.Batch{Pixels: set.Pixels, Images: idx}); err != nil {
				t.Fatal(err)
			}
			for i, spec := range p.Layout.Weights {
				now, ok := want[spec.Name]
				if !ok {
					continue
				}
				moved := make([]float32, len(now))
				for j, v := range now {
					moved[j] = float32(0.9*float64(w[i][j]) + 0.1*float64(v))
				}
				near(t, fmt.Sprintf("%s of %d images, %s", spec.Name, len(idx), name), p.Layout.Of(b, i), moved, 2e-6)
			}
		}
	}
}

func TestNormsDoNotAllocate(t *testing.T) {
	for _, tt := range normCases {
		c := config(tt.change)
		set := images(c, 8)
		train, err := plan.Training(build(t, c, 4))
		if err != nil {
			t.Fatal(err)
		}
		net, err := model.Inference(c, 4)
		if err != nil {
			t.Fatal(err)
		}
		forward, err := plan.Forward(net)
		if err != nil {
			t.Fatal(err)
		}
		var arena plan.Arena
		e, f := plan.NewExec(train, kernel.Best(), &arena), plan.NewExec(forward, kernel.Best(), &arena)
		w, g := block(train.Layout, normWeights(c)), train.Layout.NewBlock()
		idx := []int{1, 3, 5}
		run := func() {
			if _, err := e.Run(w, g, plan.Batch{Pixels: set.Pixels, Images: idx}); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Run(w, nil, plan.Batch{Pixels: set.Pixels, Images: idx}); err != nil {
				t.Fatal(err)
			}
		}
		run()
		if n := testing.AllocsPerRun(3, run); n != 0 {
			t.Errorf("%s: a run allocates %g times", tt.name, n)
		}
	}
}

// A normalisation with a pooling is three steps and no full map beside its input, in which its gradient comes to lie.
func TestNormListing(t *testing.T) {
	p, err := plan.Training(build(t, config(func(c *model.Config) { c.Norm = "batch" }), 4))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[plan.Kind]int{}
	for _, s := range p.Steps {
		seen[s.Kind]++
		if s.Kind == plan.NormGrad && s.Dst != s.Norm.Input {
			t.Errorf("a gradient has a place of its own\n%s", p)
		}
	}
	for k, n := range map[plan.Kind]int{
		plan.Moments: 3, plan.Norm: 3, plan.NormGrad: 3, plan.Conv: 2, plan.ConvPool: 0, plan.Pool: 0, plan.PoolGrad: 0,
	} {
		if seen[k] != n {
			t.Errorf("%d steps %s, want %d\n%s", seen[k], k, n, p)
		}
	}
}

// One image alone is a batch too: its deepest maps have 2x2 pixels, the fewest that a normalisation of a network sees.
func TestOneImageHasFiniteGradients(t *testing.T) {
	c := config(func(c *model.Config) { c.Norm, c.Depth = "batch", 4 })
	p, err := plan.Training(build(t, c, 2))
	if err != nil {
		t.Fatal(err)
	}
	e, w, g := plan.NewExec(p, kernel.Best(), new(plan.Arena)), block(p.Layout, normWeights(c)), p.Layout.NewBlock()
	sums, err := e.Run(w, g, plan.Batch{Pixels: images(c, 3).Pixels, Images: []int{2}})
	if err != nil || math.IsNaN(sums.Loss) || !kernel.Best().Finite(g) || !kernel.Best().Finite(w) {
		t.Errorf("loss %g, %v, gradients finite: %t, weights finite: %t", sums.Loss, err, kernel.Best().Finite(g), kernel.Best().Finite(w))
	}
}
