package model

import (
	"fmt"
	"sync"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"sweep/trainer/kernel"
	"sweep/trainer/op"
)

// Network is a configuration as an expression graph. The graph is a description: it may be walked and run from several
// goroutines only one at a time.
type Network struct {
	Config Config
	Batch  int
	Graph  *G.ExprGraph

	// Input is nil of a decoder, as are Target and Loss; its Code goes in.
	Input  *G.Node // (Batch, Hp, Wp, C): images in 0 … 1, zero right and below of their own size (see [Config.Padded])
	Target *G.Node // (Batch, H, W, C): what Output should be; of a network on labels the classes, (Batch, H, W) or (Batch)

	// Eps is what a variational network draws its codes with, (Batch, Latent) standard normal numbers; nil of any other
	// and of an inference network.
	Eps *G.Node
	// Drops are the dropouts of a training network.
	Drops []Drop

	Code   *G.Node // (Batch, Latent); of a variational network the means
	Output *G.Node // (Batch, H, W, C), in the images' own range; logits, (Batch, H, W, Classes) or (Batch, Classes)
	Loss   *G.Node // scalar; of a variational network with the divergence of its codes

	Weights G.Nodes // in the order of Config.Weights
	Buffers int     // how many of them, the last ones, are not trained
	Grads   G.Nodes // of Loss by each weight that is trained; none of an inference network
}

// building serialises Build. Gorgonia numbers the groups of its nodes with an unguarded global counter
// (internal/encoding.NewGroup), so that two goroutines building graphs of their own race; walking and running finished
// graphs does not touch it. The lock is Gorgonia's missing one and guards no state of ours.
var building sync.Mutex

// Build makes the network of c as it is trained, for batches of up to batch images, and its gradients by
// [gorgonia.Grad]. It fails for a c that [Config.Check] refuses. Safe for concurrent use.
func Build(c Config, batch int) (*Network, error) { return build(c, batch, true) }

// Inference makes the network of c as it is used once trained, without gradients.
func Inference(c Config, batch int) (*Network, error) { return build(c, batch, false) }

func build(c Config, batch int, training bool) (*Network, error) {
	building.Lock()
	defer building.Unlock()
	b, err := newBuilder(c, batch)
	if err != nil {
		return nil, err
	}
	b.training = training
	b.forward()
	if b.err == nil && training {
		b.net.Grads, b.err = G.Grad(b.net.Loss, b.net.Weights[:len(b.net.Weights)-b.net.Buffers]...)
	}
	if b.err != nil {
		return nil, fmt.Errorf("build the network: %w", b.err)
	}
	return b.net, nil
}

// builder adds nodes until the first error.
type builder struct {
	net      *Network
	training bool               // of the layer at work
	weight   map[string]*G.Node // by name
	err      error

	divergence *G.Node // of the codes, times its weight; nil of a network that is not variational
}

func newBuilder(c Config, batch int) (*builder, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	if batch < 1 {
		return nil, fmt.Errorf("batch %d is below 1", batch)
	}
	return &builder{net: &Network{Config: c, Batch: batch, Graph: G.NewGraph()}, weight: map[string]*G.Node{}}, nil
}

func (b *builder) forward() {
	c, n := b.net.Config, b.net.Batch
	switch c.Task {
	case Segment:
		b.net.Target = b.input("target", n, c.Height, c.Width)
	case Classify:
		b.net.Target = b.input("target", n)
	default:
		b.net.Target = b.input("target", n, c.Height, c.Width, c.Channels)
	}
	b.weights()
	layers := c.Layers()
	nodes := make([]*G.Node, len(layers))
	training := b.training
	for i, l := range layers {
		b.training = training && !c.frozen(l)
		if nodes[i] = b.layer(l, nodes); b.err != nil {
			b.err = fmt.Errorf("layer %s: %w", l.Name, b.err)
			return
		}
		if l.Kind == InputLayer {
			b.net.Input = nodes[i]
		}
		if l.Code {
			b.net.Code = nodes[i]
		}
	}
	b.net.Output = nodes[len(nodes)-1]
	if c.Labelled() {
		b.net.Loss = b.add(op.CrossEntropy(b.net.Output, b.net.Target))
		return
	}
	loss, err := kernel.ParseLoss(c.Loss)
	if err != nil {
		b.err = err
		return
	}
	b.net.Loss = b.add(op.LossOf(b.net.Output, b.net.Target, loss, c.SSIMWeight))
	if b.divergence != nil {
		b.net.Loss = b.add(op.SumLosses(b.net.Loss, b.divergence))
	}
}

// weights adds the inputs of all weights.
func (b *builder) weights() {
	for _, w := range b.net.Config.Weights() {
		node := b.input(w.Name, w.Shape...)
		b.weight[w.Name] = node
		b.net.Weights = append(b.net.Weights, node)
		if w.Buffer {
			b.net.Buffers++
		}
	}
}

// layer adds the nodes of one layer; nodes are the results of those before it.
func (b *builder) layer(l Layer, nodes []*G.Node) *G.Node {
	in := make([]*G.Node, len(l.In))
	for i, from := range l.In {
		in[i] = nodes[from]
	}
	switch l.Kind {
	case InputLayer:
		return b.input("input", b.net.Batch, l.H, l.W, l.C)
	case ConvLayer:
		return b.linear(l, in[0], op.Conv2D)
	case ConvTLayer:
		return b.linear(l, in[0], op.ConvTranspose2D)
	case DenseLayer:
		return b.linear(l, in[0], op.MatMul)
	case NormLayer:
		return b.norm(l, in[0])
	case ActLayer:
		f, err := kernel.ParseActivation(l.Act)
		if err != nil {
			b.err = err
			return nil
		}
		return b.add(op.Activate(in[0], f))
	case AddLayer:
		return b.add(op.Sum(in[0], in[1]))
	case UnpoolLayer:
		return b.add(op.MaxUnpool(in[0], in[1]))
	case AttentionLayer:
		return b.add(op.Attend(in[0], in[1], in[2]))
	case PoolLayer:
		return b.add(op.MaxPool(in[0]))
	case FlattenLayer:
		return b.add(op.Fold(in[0], l.C))
	case MapLayer:
		return b.add(op.Fold(in[0], l.H, l.W, l.C))
	case DropLayer:
		return b.drop(l, in[0])
	case SampleLayer:
		return b.sample(l, in[0], in[1])
	case ImageLayer:
		return b.add(op.ToImage(in[0], l.H, l.W, l.Act == "tanh"))
	}
	b.err = fmt.Errorf("a layer of kind %s has no operation", l.Kind)
	return nil
}

func (b *builder) input(name string, shape ...int) *G.Node {
	return G.NewTensor(b.net.Graph, tensor.Float32, len(shape), G.WithShape(shape...), G.WithName(name))
}

func (b *builder) add(n *G.Node, err error) *G.Node {
	if b.err == nil {
		b.err = err
	}
	return n
}

// linear is a linear map and, where the layer has one, its bias.
func (b *builder) linear(l Layer, x *G.Node, f func(x, w *G.Node) (*G.Node, error)) *G.Node {
	x = b.add(f(x, b.weight[l.Weights[0].Name]))
	if b.err != nil || len(l.Weights) < 2 {
		return x
	}
	return b.add(op.AddBias(x, b.weight[l.Weights[1].Name]))
}

// norm is a normalisation by the batch's or the image's own statistics, or, once trained, by a batch's running ones.
func (b *builder) norm(l Layer, x *G.Node) *G.Node {
	w := func(i int) *G.Node { return b.weight[l.Weights[i].Name] }
	k, err := kernel.ParseNorm(l.Norm)
	switch {
	case err != nil:
		b.err = err
	case k == kernel.BatchNorm && !b.training:
		x = b.add(op.NormalizeBy(x, w(0), w(2), w(3)))
	default:
		x = b.add(op.Normalize(x, w(0), k))
	}
	if b.err != nil {
		return nil
	}
	return b.add(op.AddBias(x, w(1)))
}
