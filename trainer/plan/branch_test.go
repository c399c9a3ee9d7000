package plan_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"

	"sweep/trainer/kernel"
	"sweep/trainer/model"
	"sweep/trainer/op"
	"sweep/trainer/plan"
)

// branching are graphs in which values have several readers, each with something that no configuration gives. x is (8,8,2);
// so must the result be, and code (n.Code) has to be set.
var branching = []struct {
	name string
	body func(h *hand, x *G.Node) *G.Node
	want map[plan.Kind]int // of the training plan
}{
	{"a sum of two convolutions, and one value read four times", func(h *hand, x *G.Node) *G.Node {
		a := h.layer("a", x, op.Conv2D, kernel.Tanh, 3, 3, 2, 3)
		b := h.layer("b", a, op.Conv2D, kernel.ReLU, 3, 3, 3, 3)
		c := h.layer("c", a, op.Conv2D, kernel.LeakyReLU, 5, 5, 3, 3)
		y := h.must(op.Activate(h.must(op.Sum(h.must(op.Sum(b, c)), a)), kernel.Tanh))
		y = h.must(op.Sum(a, y))
		c = h.code(y, 192, 5)
		y = h.must(op.Sum(y, h.must(op.Fold(h.layer("e", c, op.MatMul, kernel.Tanh, 5, 192), 8, 8, 3))))
		return h.layer("z", y, op.Conv2D, kernel.Sigmoid, 3, 3, 3, 2)
	}, map[plan.Kind]int{plan.Conv: 4, plan.Act: 0}},
	{"a residual block behind a pooling, flattened and read by a convolution", func(h *hand, x *G.Node) *G.Node {
		x = h.must(op.MaxPool(h.layer("a", x, op.Conv2D, kernel.ReLU, 3, 3, 2, 3))) // (4,4,3)
		x = h.residual("r", x, 3)
		c := h.code(x, 48, 5)
		y := h.must(op.Fold(h.layer("e", c, op.MatMul, kernel.Tanh, 5, 48), 4, 4, 3)) // read inside a border
		y = h.must(op.Sum(h.residual("s", y, 3), x))
		return h.layer("z", y, op.ConvTranspose2D, kernel.Sigmoid, 3, 2, 2, 2)
	}, map[plan.Kind]int{plan.ConvPool: 1, plan.Add: 6, plan.Copy: 3}},
	{"pooling before the activation, unpooled twice", func(h *hand, x *G.Node) *G.Node {
		p := h.layer("a", x, op.Conv2D, kernel.Identity, 3, 3, 2, 3)
		y := h.must(op.Activate(h.must(op.MaxPool(p)), kernel.ReLU)) // (4,4,3)
		c := h.code(y, 48, 5)
		d := h.must(op.Fold(h.layer("e", c, op.MatMul, kernel.ReLU, 5, 48), 4, 4, 3))
		u := h.must(op.Sum(h.must(op.MaxUnpool(d, p)), h.must(op.MaxUnpool(y, p))))
		return h.layer("z", u, op.Conv2D, kernel.Sigmoid, 3, 3, 3, 2)
	}, map[plan.Kind]int{plan.ConvPool: 1, plan.Unpool: 2, plan.UnpoolGrad: 1, plan.Act: 0}},
	{"unpooling by an activated map that is also read", func(h *hand, x *G.Node) *G.Node {
		p := h.layer("a", x, op.Conv2D, kernel.Tanh, 3, 3, 2, 3)
		y := h.must(op.MaxPool(p))
		c := h.code(y, 48, 5)
		d := h.must(op.Fold(h.layer("e", c, op.MatMul, kernel.ReLU, 5, 48), 4, 4, 3))
		u := h.must(op.Sum(h.must(op.MaxUnpool(d, p)), p))
		return h.layer("z", u, op.Conv2D, kernel.Sigmoid, 3, 3, 3, 2)
	}, map[plan.Kind]int{plan.Conv: 2, plan.Pool: 1}},
	{"attention, its operands read by others and by itself", func(h *hand, x *G.Node) *G.Node {
		x = h.must(op.MaxPool(h.layer("a", x, op.Conv2D, kernel.Tanh, 3, 3, 2, 3)))
		q := h.layer("q", x, op.Conv2D, kernel.Identity, 1, 1, 3, 3)
		k := h.layer("k", x, op.Conv2D, kernel.Tanh, 1, 1, 3, 3)
		v := h.layer("v", x, op.Conv2D, kernel.Identity, 1, 1, 3, 3)
		y := h.must(op.Sum(x, h.layer("o", h.must(op.Attend(q, k, v)), op.Conv2D, kernel.Identity, 1, 1, 3, 3)))
		y = h.must(op.Sum(y, q))
		y = h.must(op.Attend(y, y, y))
		c := h.code(y, 48, 5)
		y = h.must(op.Fold(h.layer("e", c, op.MatMul, kernel.Tanh, 5, 48), 4, 4, 3))
		return h.layer("z", y, op.ConvTranspose2D, kernel.Sigmoid, 3, 2, 2, 2)
	}, map[plan.Kind]int{plan.Attention: 2, plan.AttentionGrad: 2}},
	{"two activations, and a pooled value that is only added", func(h *hand, x *G.Node) *G.Node {
		p := h.must(op.MaxPool(h.layer("a", x, op.Conv2D, kernel.Sigmoid, 3, 3, 2, 3)))
		q := h.must(op.MaxPool(h.layer("b", x, op.Conv2D, kernel.Tanh, 3, 3, 2, 3)))
		y := h.must(op.Activate(h.must(op.Activate(h.must(op.Sum(p, q)), kernel.LeakyReLU)), kernel.Tanh))
		c := h.code(y, 48, 5)
		y = h.must(op.Fold(h.layer("e", c, op.MatMul, kernel.Tanh, 5, 48), 4, 4, 3))
		return h.layer("z", y, op.ConvTranspose2D, kernel.Sigmoid, 3, 2, 2, 2)
	}, map[plan.Kind]int{plan.ConvPool: 2, plan.Act: 1}},
}

// code makes the latent code of a map.
func (h *hand) code(x *G.Node, in, out int) *G.Node {
	h.net.Code = h.layer("d", h.must(op.Fold(x, in)), op.MatMul, kernel.Identity, in, out)
	return h.net.Code
}

func (h *hand) residual(name string, x *G.Node, c int) *G.Node {
	y := h.layer(name+"a", x, op.Conv2D, kernel.ReLU, 3, 3, c, c)
	y = h.layer(name+"b", y, op.Conv2D, kernel.Identity, 3, 3, c, c)
	return h.must(op.Activate(h.must(op.Sum(x, y)), kernel.ReLU))
}

func branched(t *testing.T, batch int, body func(h *hand, x *G.Node) *G.Node) *model.Network {
	c := model.Config{Channels: 2, Height: 8, Width: 8, OutputActivation: "sigmoid", Loss: "mse"}
	h := &hand{t, &model.Network{Config: c, Batch: batch, Graph: G.NewGraph()}}
	n := h.net
	n.Input, n.Target = h.input("input", batch, 8, 8, 2), h.input("target", batch, 8, 8, 2)
	n.Output = body(h, n.Input)
	n.Loss = h.must(op.LossOf(n.Output, n.Target, kernel.MSE, 0))
	grads, err := G.Grad(n.Loss, n.Weights...)
	if err != nil {
		t.Fatal(err)
	}
	n.Grads = grads
	return n
}

func TestPlanOfBranchingGraphs(t *testing.T) {
	for _, tt := range branching {
		build := func(batch int) *model.Network { return branched(t, batch, tt.body) }
		net := build(5)
		r := rand.New(rand.NewPCG(9, 9))
		var w [][]float32
		for _, n := range net.Weights {
			a := make([]float32, n.Shape().TotalSize())
			for i := range a {
				a[i] = float32(r.Float64() - 0.5)
			}
			w = append(w, a)
		}
		compare(t, tt.name, images(net.Config, 12), w, build)
		p, err := plan.Training(net)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[plan.Kind]int{}
		for _, s := range p.Steps {
			seen[s.Kind]++
		}
		for k, n := range tt.want {
			if seen[k] != n {
				t.Errorf("%s: %d steps %s, want %d\n%s", tt.name, seen[k], k, n, p)
			}
		}
	}
}

func TestBranchesDoNotAllocate(t *testing.T) {
	for _, variant := range []string{"skip", "residual", "segnet", "attention"} {
		c := config(func(c *model.Config) { c.Variant = variant })
		p, err := plan.Training(build(t, c, 4))
		if err != nil {
			t.Fatal(err)
		}
		set := images(c, 4)
		for _, name := range kernel.Names() {
			e := plan.NewExec(p, kernels(t, name), new(plan.Arena))
			w, g, b := block(p.Layout, weights(c)), p.Layout.NewBlock(), plan.Batch{Pixels: set.Pixels, Images: []int{3, 1, 0}}
			if n := testing.AllocsPerRun(3, func() {
				if _, err := e.Run(w, g, b); err != nil {
					t.Fatal(err)
				}
			}); n != 0 {
				t.Errorf("%s on %s: a run allocates %g times", variant, name, n)
			}
		}
	}
}

// Two arrays whose gradients are one node would be written once.
func TestOneGradientForTwoWeightsIsRefused(t *testing.T) {
	net := branched(t, 2, func(h *hand, x *G.Node) *G.Node {
		a := h.layer("a", x, op.Conv2D, kernel.Identity, 3, 3, 2, 2)
		b := h.layer("b", x, op.Conv2D, kernel.Identity, 3, 3, 2, 2)
		y := h.must(op.Activate(h.must(op.Sum(a, b)), kernel.Sigmoid))
		h.net.Code = y
		return y
	})
	if _, err := plan.Training(net); err == nil || !strings.Contains(err.Error(), "one node with") {
		t.Errorf("got %v", err)
	}
}
