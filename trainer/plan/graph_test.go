package plan_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"sweep/trainer/kernel"
	"sweep/trainer/model"
	"sweep/trainer/op"
	"sweep/trainer/plan"
)

// hand builds a network that no configuration gives: convolutions without a pooling, without an activation, and a pooling
// by itself.
type hand struct {
	t   *testing.T
	net *model.Network
}

func (h *hand) input(name string, shape ...int) *G.Node {
	return G.NewTensor(h.net.Graph, tensor.Float32, len(shape), G.WithShape(shape...), G.WithName(name))
}

func (h *hand) must(n *G.Node, err error) *G.Node {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

func (h *hand) layer(name string, x *G.Node, linear func(x, w *G.Node) (*G.Node, error), f kernel.Activation, shape ...int) *G.Node {
	w := h.input(name+".weight", shape...)
	b := h.input(name+".bias", shape[len(shape)-1])
	h.net.Weights = append(h.net.Weights, w, b)
	x = h.must(op.AddBias(h.must(linear(x, w)), b))
	if f != kernel.Identity {
		x = h.must(op.Activate(x, f))
	}
	return x
}

func handmade(t *testing.T, batch int) *model.Network {
	c := model.Config{Channels: 2, Height: 8, Width: 8, OutputActivation: "sigmoid", Loss: "mse"}
	h := &hand{t, &model.Network{Config: c, Batch: batch, Graph: G.NewGraph()}}
	n := h.net
	n.Input, n.Target = h.input("input", batch, 8, 8, 2), h.input("target", batch, 8, 8, 2)
	x := h.layer("a", n.Input, op.Conv2D, kernel.Tanh, 3, 3, 2, 3) // no pooling
	x = h.layer("b", x, op.Conv2D, kernel.Identity, 5, 5, 3, 4)    // pooling, no activation
	x = h.must(op.MaxPool(x))                                      // (4,4,4)
	x = h.layer("c", x, op.ConvTranspose2D, kernel.ReLU, 4, 2, 2, 3)
	x = h.must(op.MaxPool(x)) // by itself, (4,4,3)
	x = h.must(op.Fold(x, 48))
	n.Code = h.layer("d", x, op.MatMul, kernel.Identity, 48, 7)
	x = h.layer("e", n.Code, op.MatMul, kernel.LeakyReLU, 7, 48)
	x = h.must(op.Fold(x, 4, 4, 3))
	n.Output = h.layer("f", x, op.ConvTranspose2D, kernel.Sigmoid, 3, 2, 2, 2)
	n.Loss = h.must(op.LossOf(n.Output, n.Target, kernel.MSE, 0))
	grads, err := G.Grad(n.Loss, n.Weights...)
	if err != nil {
		t.Fatal(err)
	}
	n.Grads = grads
	return n
}

func TestPlanOfOtherGraphs(t *testing.T) {
	net := handmade(t, 5)
	r := rand.New(rand.NewPCG(9, 9))
	var w [][]float32
	for _, n := range net.Weights {
		a := make([]float32, n.Shape().TotalSize())
		for i := range a {
			a[i] = float32(r.Float64()-0.5) / 2
		}
		w = append(w, a)
	}
	compare(t, "by hand", images(net.Config, 12), w, func(batch int) *model.Network { return handmade(t, batch) })

	p, err := plan.Training(net)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[plan.Kind]int{}
	for _, s := range p.Steps {
		seen[s.Kind]++
	}
	if seen[plan.Conv] != 1 || seen[plan.ConvPool] != 1 || seen[plan.Pool] != 1 || seen[plan.PoolGrad] != 1 || seen[plan.ConvPoolGrad] != 1 {
		t.Errorf("not the steps that were meant:\n%s", p)
	}
}

// A graph that the steps cannot express is refused by name.
func TestGraphsWithoutAPlan(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		spoil      func(h *hand, x *G.Node) *G.Node
	}{
		{"no bias", "no bias follows", func(h *hand, x *G.Node) *G.Node {
			w := h.input("w", 3, 3, 1, 1)
			h.net.Weights = append(h.net.Weights, w)
			return h.must(op.Conv2D(x, w))
		}},
		{"a bias by itself", "no step for it by itself", func(h *hand, x *G.Node) *G.Node {
			b := h.input("b", 1)
			h.net.Weights = append(h.net.Weights, b)
			return h.must(op.AddBias(h.layer("a", x, op.Conv2D, kernel.ReLU, 3, 3, 1, 1), b))
		}},
		{"unpooling by what was not pooled", "its pooling has no step", func(h *hand, x *G.Node) *G.Node {
			a := h.layer("a", x, op.Conv2D, kernel.ReLU, 3, 3, 1, 1)
			p := h.must(op.MaxPool(h.layer("b", x, op.Conv2D, kernel.ReLU, 3, 3, 1, 1)))
			return h.must(op.Sum(a, h.must(op.MaxUnpool(p, a))))
		}},
		{"an operation of Gorgonia's", "there is no step for it", func(h *hand, x *G.Node) *G.Node {
			return h.must(G.Square(h.layer("a", x, op.Conv2D, kernel.Identity, 3, 3, 1, 1)))
		}},
	} {
		h := &hand{t, &model.Network{Batch: 2, Graph: G.NewGraph(), Config: model.Config{Channels: 1, Height: 4, Width: 4}}}
		h.net.Input, h.net.Target = h.input("input", 2, 4, 4, 1), h.input("target", 2, 4, 4, 1)
		h.net.Output = tt.spoil(h, h.net.Input)
		h.net.Code = h.net.Output
		h.net.Loss = h.must(op.LossOf(h.net.Output, h.net.Target, kernel.MSE, 0))
		grads, err := G.Grad(h.net.Loss, h.net.Weights...)
		if err != nil {
			t.Fatal(err)
		}
		h.net.Grads = grads
		if _, err := plan.Training(h.net); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q in it", tt.name, err, tt.want)
		}
	}
}
