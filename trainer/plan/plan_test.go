package plan_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"sweep/trainer/dataset"
	"sweep/trainer/kernel"
	"sweep/trainer/model"
	"sweep/trainer/plan"
)

func config(change func(*model.Config)) model.Config {
	c := model.Config{
		Channels: 3, Height: 16, Width: 16, Depth: 2, Filters: []int{4, 6, 5, 7}, Kernel: 3, Upsample: "k2", Latent: 9,
		Activation: "relu", OutputActivation: "sigmoid", Loss: "mse", SSIMWeight: 0.5,
	}
	change(&c)
	return c
}

func build(t testing.TB, c model.Config, batch int) *model.Network {
	t.Helper()
	net, err := model.Build(c, batch)
	if err != nil {
		t.Fatal(err)
	}
	return net
}

// images makes n images of noise over a gradient, so that no two values tie.
func images(c model.Config, n int) *dataset.Images {
	s := &dataset.Images{Height: c.Height, Width: c.Width, Channels: c.Channels}
	r := rand.New(rand.NewPCG(5, 6))
	for range n {
		for y := range c.Height {
			for x := range c.Width {
				for range c.Channels {
					s.Pixels = append(s.Pixels, byte(60*y/c.Height+60*x/c.Width+r.IntN(136)))
				}
			}
		}
	}
	return s
}

// oracle runs the graph on Gorgonia's TapeMachine.
type oracle struct {
	loss         float32
	grads        [][]float32
	code, output []float32
}

func tape(t testing.TB, net *model.Network, weights [][]float32, set *dataset.Images, idx []int) oracle {
	t.Helper()
	c := net.Config
	hp, wp := c.Padded()
	in, target := kernel.NewMap(len(idx), hp, wp, c.Channels, 0), kernel.NewMap(len(idx), c.Height, c.Width, c.Channels, 0)
	ref := kernels(t, "ref")
	ref.Gather(in, set.Pixels, c.Height, c.Width, idx)
	ref.Gather(target, set.Pixels, c.Height, c.Width, idx)
	let := func(n *G.Node, x []float32) {
		x = append([]float32(nil), x...)
		if err := G.Let(n, tensor.New(tensor.WithShape(n.Shape()...), tensor.WithBacking(x))); err != nil {
			t.Fatal(err)
		}
	}
	let(net.Input, in.Pixels(nil))
	if c.Labelled() {
		let(net.Target, classes(c, set, idx))
	} else {
		let(net.Target, target.Pixels(nil))
	}
	for i, w := range weights {
		let(net.Weights[i], w)
	}
	roots := append(G.Nodes{net.Loss, net.Code, net.Output}, net.Grads...)
	m := G.NewTapeMachine(net.Graph.SubgraphRoots(roots...))
	defer m.Close()
	if err := m.RunAll(); err != nil {
		t.Fatal(err)
	}
	values := func(n *G.Node) []float32 { return append([]float32(nil), n.Value().Data().([]float32)...) }
	o := oracle{loss: float32(*net.Loss.Value().(*G.F32)), code: values(net.Code), output: values(net.Output)}
	for _, g := range net.Grads {
		o.grads = append(o.grads, values(g))
	}
	return o
}

func kernels(t testing.TB, name string) kernel.Kernels {
	t.Helper()
	k, err := kernel.New(name)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// weights are initial weights with random biases, so that a lost bias shows.
func weights(c model.Config) [][]float32 {
	w := model.Init(c, 3, 1)
	r := rand.New(rand.NewPCG(7, 8))
	for _, b := range w {
		if b[0] == 0 {
			for i := range b {
				b[i] = float32(r.Float64()-0.5) / 5
			}
		}
	}
	return w
}

func block(l plan.Layout, arrays [][]float32) []float32 {
	b := l.NewBlock()
	for i, a := range arrays {
		copy(l.Of(b, i), a)
	}
	return b
}

// near reports the worst element of got against want, relative to the largest of want.
func near(t *testing.T, what string, got, want []float32, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s has %d values, want %d", what, len(got), len(want))
		return
	}
	if worst, at, scale := apart(got, want); !(worst <= tolerance*scale) {
		t.Errorf("%s differs most at %d: %g, want %g (largest %g, allowed %g of it)", what, at, got[at], want[at], scale, tolerance)
	}
}

// apart finds the largest difference, +Inf where one is a NaN, and the largest of want.
func apart(got, want []float32) (worst float64, at int, scale float64) {
	for i, w := range want {
		scale = max(scale, math.Abs(float64(w)))
		d := math.Abs(float64(got[i]) - float64(w))
		if math.IsNaN(d) {
			d = math.Inf(1)
		}
		if d > worst {
			worst, at = d, i
		}
	}
	return worst, at, scale
}

// A NaN is the largest difference, wherever it stands.
func TestApart(t *testing.T) {
	nan := float32(math.NaN())
	for i := range 3 {
		got := []float32{1, 1, 1}
		if worst, _, scale := apart(got, []float32{1, 1, 1}); worst != 0 || scale != 1 {
			t.Errorf("equal numbers differ by %g of %g", worst, scale)
		}
		got[i] = nan
		if worst, at, _ := apart(got, []float32{1, 2, 1}); !math.IsInf(worst, 1) || at != i {
			t.Errorf("a NaN at %d: the worst is %g at %d", i, worst, at)
		}
	}
}

// nearGradients compares those of all weights.
func nearGradients(t *testing.T, l plan.Layout, g []float32, want [][]float32, tolerance float64) {
	t.Helper()
	for i, grad := range want {
		if l.Weights[i].Name == "enc.attn.k.bias" {
			// A softmax does not see what is added to all scores of a row: this gradient is 0, and what is left of it
			// rounding, of sums as large as those of the weight before it.
			noise := append(slices.Clone(want[i-1]), l.Of(g, i)...)
			near(t, "gradient of a bias that has none", noise, append(slices.Clone(want[i-1]), grad...), tolerance)
			continue
		}
		near(t, "gradient of "+l.Weights[i].Name, l.Of(g, i), grad, tolerance)
	}
}

const (
	// The plain kernels round each result once; a plan skips the roundings between a layer and its bias, and a chain of
	// a dozen layers carries each on.
	refTolerance = 3e-6
	// The fast kernels add in float32, up to some thousand terms a sum, rounding 6e-8 each and growing with the root.
	fastTolerance = 2e-4
)

var cases = []struct {
	name   string
	change func(*model.Config)
}{
	{"reference small", func(*model.Config) {}},
	{"depth 1 kernel 5", func(c *model.Config) { c.Depth, c.Kernel = 1, 5 }},
	{"depth 3 odd sides one channel", func(c *model.Config) { c.Depth, c.Channels, c.Height, c.Width = 3, 1, 28, 28 }},
	{"depth 4 padded", func(c *model.Config) { c.Depth, c.Height, c.Width = 4, 20, 17 }},
	{"kernel 1", func(c *model.Config) { c.Kernel = 1 }},
	{"mae leaky", func(c *model.Config) { c.Loss, c.Activation = "mae", "leaky_relu" }},
	{"ssim tanh, signed output, padded", func(c *model.Config) {
		c.Loss, c.Activation, c.OutputActivation, c.Height, c.Width = "mse+ssim", "tanh", "tanh", 13, 18
	}},
	{"ssim sigmoid, no output activation, images below the window", func(c *model.Config) {
		c.Loss, c.Activation, c.OutputActivation, c.Height, c.Width, c.SSIMWeight = "mse+ssim", "sigmoid", "none", 6, 7, 0.8
	}},
	{"skip", func(c *model.Config) { c.Variant, c.Depth = "skip", 3 }},
	{"skip, leaky, padded", func(c *model.Config) {
		c.Variant, c.Activation, c.Height, c.Width, c.Kernel = "skip", "leaky_relu", 13, 18, 5
	}},
	{"residual", func(c *model.Config) { c.Variant = "residual" }},
	{"residual, tanh, kernel 1, depth 3, one channel", func(c *model.Config) {
		c.Variant, c.Activation, c.Kernel, c.Depth, c.Channels, c.Loss = "residual", "tanh", 1, 3, 1, "mae"
	}},
	{"residual, depth 1, ssim", func(c *model.Config) { c.Variant, c.Depth, c.Loss = "residual", 1, "mse+ssim" }},
	{"segnet", func(c *model.Config) { c.Variant, c.Depth = "segnet", 3 }},
	{"segnet, depth 2, odd sides, signed output", func(c *model.Config) {
		c.Variant, c.Height, c.Width, c.OutputActivation, c.Activation = "segnet", 13, 15, "tanh", "sigmoid"
	}},
	{"attention", func(c *model.Config) { c.Variant = "attention" }},
	{"attention, latent 1, odd sides, depth 1, tanh", func(c *model.Config) {
		c.Variant, c.Latent, c.Height, c.Width, c.Depth, c.Activation = "attention", 1, 9, 11, 1, "tanh"
	}},
	{"wide channels", func(c *model.Config) { c.Filters, c.Latent = []int{17, 33}, 40 }},
}

func TestPlanEqualsTapeMachine(t *testing.T) {
	for _, tt := range cases {
		c := config(tt.change)
		compare(t, tt.name, images(c, 12), weights(c), func(n int) *model.Network { return build(t, c, n) })
	}
}

// Flat images tie in every pooling, black ones at zero.
func TestPlanOnFlatImages(t *testing.T) {
	c := config(func(c *model.Config) { c.Height, c.Width = 13, 16 })
	set := images(c, 12)
	size := len(set.Pixels) / 12
	for n, grey := range map[int]byte{0: 0, 4: 255, 7: 80} {
		for i := range size {
			set.Pixels[n*size+i] = grey
		}
	}
	compare(t, "flat", set, weights(c), func(n int) *model.Network { return build(t, c, n) })
}

// compare runs the networks that build makes on Gorgonia's TapeMachine and as plans, on all kernels.
func compare(t *testing.T, title string, set *dataset.Images, weights [][]float32, build func(batch int) *model.Network) {
	const batch = 5
	net := build(batch)
	c := net.Config
	train, err := plan.Training(net)
	if err != nil {
		t.Fatal(err)
	}
	forward, err := plan.Forward(net)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []*plan.Program{train, forward} {
		for _, s := range p.Steps {
			if !slices.Contains(plan.Kinds(), string(s.Kind)) {
				t.Errorf("the step %s is not among the kinds", s.Kind)
			}
		}
	}
	for _, n := range []int{batch, 3} {
		idx := []int{4, 0, 11, 7, 2}[:n]
		// The oracle's graph is built for exactly n images; the plan, for up to batch.
		want := tape(t, build(n), weights, set, idx)
		for _, name := range kernel.Names() {
			t.Run(fmt.Sprintf("%s/%d images/%s", title, n, name), func(t *testing.T) {
				tolerance := fastTolerance
				if name == "ref" {
					tolerance = refTolerance
				}
				var arena plan.Arena
				k := kernels(t, name)
				e, f := plan.NewExec(train, k, &arena), plan.NewExec(forward, k, &arena)
				w, g := block(train.Layout, weights), train.Layout.NewBlock()
				before := append([]float32(nil), w...)
				for range 2 { // the second run finds the arena dirty
					sums, err := e.Run(w, g, plan.Batch{Pixels: set.Pixels, Labels: labelsOf(c, set), Images: idx})
					if err != nil {
						t.Fatal(err)
					}
					near(t, "loss", []float32{float32(sums.Loss)}, []float32{want.loss}, tolerance)
					nearGradients(t, train.Layout, g, want.grads, tolerance)
					sums, err = f.Run(w, nil, plan.Batch{Pixels: set.Pixels, Labels: labelsOf(c, set), Images: idx})
					if err != nil {
						t.Fatal(err)
					}
					near(t, "loss of the forward plan", []float32{float32(sums.Loss)}, []float32{want.loss}, tolerance)
					near(t, "code", f.Code(n), want.code, tolerance)
					near(t, "output", cropped(f.Output(n), c), want.output, tolerance)
				}
				if n := train.Layout.Trained; !slices.Equal(before[:n], w[:n]) { // the buffers are a run's own
					t.Error("a run changed the weights")
				}
			})
		}
	}
}

func cropped(m kernel.Map, c model.Config) []float32 {
	if c.Labelled() {
		return logits(m, c)
	}
	var out []float32
	for n := range m.N {
		for y := range c.Height {
			for _, v := range m.Data[m.At(n, y, 0, 0):][:c.Width*c.Channels] {
				if c.OutputActivation == "tanh" {
					v = (v + 1) / 2
				}
				out = append(out, v)
			}
		}
	}
	return out
}

func TestRunsDoNotAllocate(t *testing.T) {
	c := config(func(c *model.Config) { c.Loss = "mse+ssim" })
	net := build(t, c, 4)
	train, err := plan.Training(net)
	if err != nil {
		t.Fatal(err)
	}
	forward, err := plan.Forward(net)
	if err != nil {
		t.Fatal(err)
	}
	set, idx := images(c, 8), []int{1, 3, 5}
	for _, name := range kernel.Names() {
		var arena plan.Arena
		e, f := plan.NewExec(train, kernels(t, name), &arena), plan.NewExec(forward, kernels(t, name), &arena)
		w, g := block(train.Layout, weights(c)), train.Layout.NewBlock()
		if n := testing.AllocsPerRun(3, func() {
			if _, err := e.Run(w, g, plan.Batch{Pixels: set.Pixels, Images: idx}); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Run(w, nil, plan.Batch{Pixels: set.Pixels, Images: idx}); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: a run allocates %g times", name, n)
		}
	}
}

// Values whose lives overlap never overlap in the arena, and everything lies inside it.
func TestPlaces(t *testing.T) {
	for _, tt := range cases {
		net := build(t, config(tt.change), 4)
		for _, compile := range []func(*model.Network) (*plan.Program, error){plan.Training, plan.Forward} {
			p, err := compile(net)
			if err != nil {
				t.Fatal(err)
			}
			size := func(v plan.Value) int {
				if v.Bytes {
					return p.Batch * v.H * v.W * v.C
				}
				return kernel.Floats(p.Batch, v.H, v.W, v.C, v.Pad)
			}
			for i, a := range p.Values {
				end := p.Floats
				if a.Bytes {
					end = p.Bytes
				}
				if a.Offset%16 != 0 || a.Offset+size(a) > end {
					t.Errorf("%s: %s lies outside the arena or off the grid", tt.name, a.Name)
				}
				for _, b := range p.Values[:i] {
					apart := a.Offset+size(a) <= b.Offset || b.Offset+size(b) <= a.Offset
					same := a.Offset == b.Offset && a.First == b.First && a.Last == b.Last // one place, two views
					if a.Bytes == b.Bytes && a.First <= b.Last && b.First <= a.Last && !apart && !same {
						t.Errorf("%s: %s and %s overlap\n%s", tt.name, a.Name, b.Name, p)
					}
				}
			}
		}
	}
}

func TestWrongRuns(t *testing.T) {
	c := config(func(*model.Config) {})
	p, err := plan.Training(build(t, c, 2))
	if err != nil {
		t.Fatal(err)
	}
	e := plan.NewExec(p, kernels(t, "ref"), new(plan.Arena))
	w, g := p.Layout.NewBlock(), p.Layout.NewBlock()
	set := images(c, 3).Pixels
	for name, run := range map[string]func() error{
		"too many images":    func() error { _, err := e.Run(w, g, plan.Batch{Pixels: set, Images: []int{0, 1, 2}}); return err },
		"an index outside":   func() error { _, err := e.Run(w, g, plan.Batch{Pixels: set, Images: []int{3}}); return err },
		"a negative index":   func() error { _, err := e.Run(w, g, plan.Batch{Pixels: set, Images: []int{-1}}); return err },
		"a part of an image": func() error { _, err := e.Run(w, g, plan.Batch{Pixels: set[1:], Images: []int{0}}); return err },
	} {
		if run() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// The listing of the reference network is what DESIGN.md speaks of.
func TestListing(t *testing.T) {
	net := build(t, config(func(c *model.Config) {
		c.Height, c.Width, c.Depth, c.Filters, c.Latent = 32, 32, 3, []int{16, 32, 64}, 128
	}), 64)
	p, err := plan.Training(net)
	if err != nil {
		t.Fatal(err)
	}
	const file = "testdata/reference.txt"
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, []byte(p.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), p.String()); diff != "" {
		t.Errorf("the plan changed; if that is right, run the test with UPDATE=1:\n%s", diff)
	}
}
