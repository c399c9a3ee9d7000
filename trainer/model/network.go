package model

import (
	"fmt"
	"sync"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"sweep/trainer/kernel"
	"sweep/trainer/op"
)

// Network is a configuration as an expression graph with its gradients. The graph is a description: it may be walked and
// run from several goroutines only one at a time.
type Network struct {
	Config Config
	Batch  int
	Graph  *G.ExprGraph

	Input  *G.Node // (Batch, Hp, Wp, C): images in 0 … 1, zero right and below of their own size (see [Config.Padded])
	Target *G.Node // (Batch, H, W, C): what Output should be

	Code   *G.Node // (Batch, Latent)
	Output *G.Node // (Batch, H, W, C), in the images' own range
	Loss   *G.Node // scalar

	Weights G.Nodes // in the order of Config.Weights
	Grads   G.Nodes // of Loss by each weight
}

// building serialises Build. Gorgonia numbers the groups of its nodes with an unguarded global counter
// (internal/encoding.NewGroup), so that two goroutines building graphs of their own race; walking and running finished
// graphs does not touch it. The lock is Gorgonia's missing one and guards no state of ours.
var building sync.Mutex

// Build makes the network of c for batches of up to batch images, and its gradients by [gorgonia.Grad]. It fails for a c
// that [Config.Check] refuses. Safe for concurrent use.
func Build(c Config, batch int) (*Network, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	if batch < 1 {
		return nil, fmt.Errorf("batch %d is below 1", batch)
	}
	building.Lock()
	defer building.Unlock()

	b := &builder{net: &Network{Config: c, Batch: batch, Graph: G.NewGraph()}}
	b.forward()
	if b.err == nil {
		b.net.Grads, b.err = G.Grad(b.net.Loss, b.net.Weights...)
	}
	if b.err != nil {
		return nil, fmt.Errorf("build the network: %w", b.err)
	}
	return b.net, nil
}

// builder adds nodes until the first error.
type builder struct {
	net  *Network
	next int // weight
	err  error
}

func (b *builder) forward() {
	c, n := b.net.Config, b.net.Batch
	hp, wp := c.Padded()
	b.net.Input = b.input("input", n, hp, wp, c.Channels)
	b.net.Target = b.input("target", n, c.Height, c.Width, c.Channels)
	for _, w := range c.Weights() {
		b.net.Weights = append(b.net.Weights, b.input(w.Name, w.Shape...))
	}
	f := b.activation(c.Activation)
	loss, err := kernel.ParseLoss(c.Loss)
	if err != nil {
		b.err = err
	}

	x := b.net.Input
	for range c.Depth {
		x = b.layer(x, op.Conv2D, f)
		x = b.add(func() (*G.Node, error) { return op.MaxPool(x) })
	}
	last := c.Filters[c.Depth-1]
	h, w := hp>>c.Depth, wp>>c.Depth
	x = b.add(func() (*G.Node, error) { return op.Fold(x, h*w*last) })
	x = b.layer(x, op.MatMul, kernel.Identity)
	b.net.Code = x
	x = b.layer(x, op.MatMul, f)
	x = b.add(func() (*G.Node, error) { return op.Fold(x, h, w, last) })
	for i := c.Depth - 1; i > 0; i-- {
		x = b.layer(x, op.ConvTranspose2D, f)
	}
	x = b.layer(x, op.ConvTranspose2D, b.activation(c.OutputActivation))
	signed := c.OutputActivation == "tanh"
	if signed || h<<c.Depth != c.Height || w<<c.Depth != c.Width {
		x = b.add(func() (*G.Node, error) { return op.ToImage(x, c.Height, c.Width, signed) })
	}
	b.net.Output = x
	b.net.Loss = b.add(func() (*G.Node, error) {
		return op.LossOf(x, b.net.Target, loss, c.SSIMWeight)
	})
}

func (b *builder) input(name string, shape ...int) *G.Node {
	return G.NewTensor(b.net.Graph, tensor.Float32, len(shape), G.WithShape(shape...), G.WithName(name))
}

func (b *builder) add(f func() (*G.Node, error)) *G.Node {
	if b.err != nil {
		return nil
	}
	n, err := f()
	b.err = err
	return n
}

func (b *builder) activation(name string) kernel.Activation {
	a, err := kernel.ParseActivation(name)
	if err != nil {
		b.err = err
	}
	return a
}

// layer takes the next two weights: a linear map, its bias, then f.
func (b *builder) layer(x *G.Node, linear func(x, w *G.Node) (*G.Node, error), f kernel.Activation) *G.Node {
	w, bias := b.net.Weights[b.next], b.net.Weights[b.next+1]
	b.next += 2
	x = b.add(func() (*G.Node, error) { return linear(x, w) })
	x = b.add(func() (*G.Node, error) { return op.AddBias(x, bias) })
	if f == kernel.Identity {
		return x
	}
	return b.add(func() (*G.Node, error) { return op.Activate(x, f) })
}
