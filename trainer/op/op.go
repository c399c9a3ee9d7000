package op

import (
	"fmt"
	"hash"
	"hash/fnv"
	"slices"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"sweep/trainer/kernel"
)

// Kind names an operation. The words are those of a plan's listing and of a device's capacity.
type Kind string

// The operations. Shapes are NHWC; N is the batch, the only size that may differ between two runs of one graph.
const (
	Conv        Kind = "conv"         // x (N,H,W,Ci), w (K,K,Ci,Co) -> (N,H,W,Co), zeros around x
	ConvData    Kind = "conv.data"    // dy (N,H,W,Co), w -> dx (N,H,W,Ci)
	ConvWeights Kind = "conv.weights" // x, dy -> dw (K,K,Ci,Co)

	ConvT        Kind = "convt"         // x (N,H,W,Ci), w (Ci,K,K,Co) -> (N,2H,2W,Co), stride 2; K 2 or 3, then with padding 1
	ConvTData    Kind = "convt.data"    // dy (N,2H,2W,Co), w -> dx (N,H,W,Ci)
	ConvTWeights Kind = "convt.weights" // x, dy -> dw (Ci,K,K,Co)

	Dense        Kind = "dense"         // x (N,I), w (I,O) -> (N,O)
	DenseData    Kind = "dense.data"    // dy (N,O), w -> dx (N,I)
	DenseWeights Kind = "dense.weights" // x, dy -> dw (I,O)

	Bias     Kind = "bias"      // x (N,…,C), b (C) -> x + b
	BiasGrad Kind = "bias.grad" // dy (N,…,C) -> db (C)

	Norm        Kind = "norm"         // x (N,H,W,C), scale (C) -> scale·(x-mean)/√(var+ε) by the statistics of x
	NormData    Kind = "norm.data"    // x, scale, dy -> dx
	NormWeights Kind = "norm.weights" // x, dy -> dscale
	NormBy      Kind = "norm.by"      // x, scale, mean, var (C) -> the same by these statistics

	Act     Kind = "act"      // x -> f(x), any shape
	ActGrad Kind = "act.grad" // y = f(x) (of one that keeps its input: x), dy -> dx

	Pool     Kind = "pool"      // x (N,H,W,C) -> (N,H/2,W/2,C), the greatest of 2x2
	PoolGrad Kind = "pool.grad" // x, dy (N,H/2,W/2,C) -> dx: dy at the first greatest value of each window

	Unpool     Kind = "unpool"      // x (N,H,W,C), p (N,2H,2W,C) -> (N,2H,2W,C): x at the first greatest value of each window of p
	UnpoolGrad Kind = "unpool.grad" // dy (N,2H,2W,C), p -> dx (N,H,W,C)

	Add Kind = "add" // a, b of one shape -> a + b

	Attention     Kind = "attention"      // q, k, v (N,H,W,C) -> (N,H,W,C), among the pixels of each image
	AttentionGrad Kind = "attention.grad" // q, k, v, dy -> the gradient by the Operand of them, 0 … 2

	Reshape Kind = "reshape" // x (N,…) -> (N, Shape…)

	Image     Kind = "image"      // y (N,Hp,Wp,C) -> its first Height rows and Width columns; of a Signed y, (y+1)/2
	ImageGrad Kind = "image.grad" // dx (N,Height,Width,C) -> dy (N,Shape[0],Shape[1],C), zero outside; halved if Signed

	Loss     Kind = "loss"      // p, t (N,H,W,C) -> scalar, a mean over all values of the actual batch
	LossGrad Kind = "loss.grad" // p, t, scalar g -> g·dLoss/dp

	Entropy     Kind = "entropy"      // z (N,…,C), class numbers t (N,…) -> scalar, the mean of -log softmax(z)[t]
	EntropyGrad Kind = "entropy.grad" // z, t, scalar g -> g·dEntropy/dz
)

// Attr are the attributes of an operation, those that its kind uses.
type Attr struct {
	Side          int               // of a convolution's kernel
	Act           kernel.Activation // of Act and ActGrad
	Norm          kernel.NormKind   // of Norm and its gradients
	Loss          kernel.LossKind   // of Loss and LossGrad
	SSIMWeight    float64           // of a loss with SSIM
	Shape         []int             // of one image after Reshape; rows and columns after ImageGrad
	Height, Width int               // of an image after Image
	Operand       int               // of AttentionGrad
	KLWeight      float64           // of KL, KLMean and KLLogVar
	Threshold     uint16            // of Drop, see kernel.DropThreshold
	Signed        bool              // of Image and ImageGrad: y lies in -1 … 1
}

// Op is one operation of a graph: a [gorgonia.Op] that differentiates symbolically ([gorgonia.SDOp]). It owns the
// buffer that it returns, which its next run overwrites, so an Op belongs to one node of one graph.
type Op struct {
	Kind Kind
	Attr

	dims []int // of the inputs, 0 for a scalar; the last one is the output's
	out  *tensor.Dense
	raw  []float32
	ref  kernel.Kernels
	ws   kernel.Workspace
}

// apply adds an operation to the graph of its inputs.
func apply(k Kind, a Attr, outDims int, inputs ...*G.Node) (*G.Node, error) {
	ref, err := kernel.New("ref")
	if err != nil {
		return nil, err
	}
	o := &Op{Kind: k, Attr: a, ref: ref}
	for _, n := range inputs {
		o.dims = append(o.dims, n.Dims())
	}
	o.dims = append(o.dims, outDims)
	n, err := G.ApplyOp(o, inputs...)
	if err != nil {
		return nil, fmt.Errorf("add %s to the graph: %w", o, err)
	}
	return n, nil
}

// Arity is the number of inputs.
func (o *Op) Arity() int { return len(o.dims) - 1 }

// Type is the function type: float32 tensors of the inputs' ranks to one of the output's.
func (o *Op) Type() hm.Type {
	types := make([]hm.Type, len(o.dims))
	for i, d := range o.dims {
		if types[i] = tensor.Float32; d > 0 {
			types[i] = G.TensorType{Dims: d, Of: tensor.Float32}
		}
	}
	return hm.NewFnType(types...)
}

// InferShape gives the output's shape, or says which input does not fit.
func (o *Op) InferShape(in ...G.DimSizer) (tensor.Shape, error) {
	if len(in) != o.Arity() {
		return nil, fmt.Errorf("%s takes %d inputs, not %d", o, o.Arity(), len(in))
	}
	shapes := make([]tensor.Shape, len(in))
	for i, d := range in {
		s, ok := d.(tensor.Shape)
		if !ok {
			return nil, fmt.Errorf("%s: the shape of input %d is not known", o, i)
		}
		shapes[i] = s
	}
	return o.shape(shapes)
}

// Do runs the operation on the plain reference kernels. The batch is that of the values, not of the graph.
func (o *Op) Do(in ...G.Value) (G.Value, error) {
	shapes := make([]tensor.Shape, len(in))
	data := make([][]float32, len(in))
	for i, v := range in {
		switch t := v.(type) {
		case *tensor.Dense:
			f, ok := t.Data().([]float32)
			if !ok || !t.DataOrder().IsContiguous() {
				return nil, fmt.Errorf("run %s: input %d is not a dense float32 tensor", o, i)
			}
			shapes[i], data[i] = t.Shape(), f
		case *G.F32:
			shapes[i], data[i] = tensor.ScalarShape(), []float32{float32(*t)}
		default:
			return nil, fmt.Errorf("run %s: input %d is a %T", o, i, v)
		}
	}
	shape, err := o.shape(shapes)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", o, err)
	}
	if o.raw == nil || len(o.raw) != shape.TotalSize() || (o.out != nil && !o.out.Shape().Eq(shape)) {
		o.raw = make([]float32, max(shape.TotalSize(), 1))
		if o.out = nil; shape.Dims() > 0 {
			o.out = tensor.New(tensor.WithShape(shape...), tensor.WithBacking(o.raw))
		}
	}
	o.run(o.raw, shape, data, shapes)
	if o.out == nil {
		return G.NewF32(o.raw[0]), nil
	}
	return o.out, nil
}

// ReturnsPtr is false although Do returns its own buffer: a neighbour must not write over it.
func (o *Op) ReturnsPtr() bool { return false }

// CallsExtern is false.
func (o *Op) CallsExtern() bool { return false }

// OverwritesInput is -1: no input.
func (o *Op) OverwritesInput() int { return -1 }

// WriteHash writes every attribute: Gorgonia makes nodes of one hash into one.
func (o *Op) WriteHash(h hash.Hash) { fmt.Fprintf(h, "sweep/%s %+v %v", o.Kind, o.Attr, o.dims) }

// Hashcode is the hash of WriteHash.
func (o *Op) Hashcode() uint32 {
	h := fnv.New32a()
	o.WriteHash(h)
	return h.Sum32()
}

// String names the operation.
func (o *Op) String() string { return string(o.Kind) }

// DiffWRT tells which inputs a derivative exists for. Derivatives of derivatives are not needed, so none exists.
func (o *Op) DiffWRT(inputs int) []bool {
	d := make([]bool, inputs)
	switch o.Kind {
	case Conv, ConvT, Dense, Bias, Add, Norm, Sample, KL, Total:
		d[0], d[1] = true, true
	case Act, Pool, Unpool, Reshape, Image, Loss, Entropy, Drop:
		d[0] = true
	case Attention:
		d[0], d[1], d[2] = true, true, true
	}
	return d
}

// SymDiff adds the nodes of the derivatives by each input of DiffWRT, given the derivative by the output.
func (o *Op) SymDiff(in G.Nodes, y, dy *G.Node) (G.Nodes, error) {
	d := make(G.Nodes, len(in))
	var err error
	add := func(i int, k Kind, a Attr, dims int, inputs ...*G.Node) {
		if err == nil {
			d[i], err = apply(k, a, dims, inputs...)
		}
	}
	switch o.Kind {
	case Conv:
		add(0, ConvData, o.Attr, 4, dy, in[1])
		add(1, ConvWeights, o.Attr, 4, in[0], dy)
	case ConvT:
		add(0, ConvTData, o.Attr, 4, dy, in[1])
		add(1, ConvTWeights, o.Attr, 4, in[0], dy)
	case Dense:
		add(0, DenseData, o.Attr, 2, dy, in[1])
		add(1, DenseWeights, o.Attr, 2, in[0], dy)
	case Bias:
		d[0] = dy
		add(1, BiasGrad, o.Attr, 1, dy)
	case Act:
		if o.Act.KeepsInput() {
			y = in[0]
		}
		add(0, ActGrad, o.Attr, dy.Dims(), y, dy)
	case Norm:
		add(0, NormData, o.Attr, 4, in[0], in[1], dy)
		add(1, NormWeights, o.Attr, 1, in[0], dy)
	case Pool:
		add(0, PoolGrad, o.Attr, 4, in[0], dy)
	case Unpool:
		add(0, UnpoolGrad, o.Attr, 4, dy, in[1])
	case Add, Total:
		d[0], d[1] = dy, dy
	case Attention:
		for i := range in {
			add(i, AttentionGrad, Attr{Operand: i}, 4, in[0], in[1], in[2], dy)
		}
	case Reshape:
		s := in[0].Shape()
		add(0, Reshape, Attr{Shape: slices.Clone(s[1:])}, s.Dims(), dy)
	case Image:
		a := o.Attr
		a.Shape = slices.Clone(in[0].Shape()[1:3])
		add(0, ImageGrad, a, 4, dy)
	case Loss:
		add(0, LossGrad, o.Attr, 4, in[0], in[1], dy)
	case Entropy:
		add(0, EntropyGrad, o.Attr, in[0].Dims(), in[0], in[1], dy)
	case Drop:
		add(0, Drop, o.Attr, dy.Dims(), dy, in[1])
	case Sample:
		d[0] = dy
		add(1, SampleGrad, o.Attr, 2, in[1], in[2], dy)
	case KL:
		add(0, KLMean, o.Attr, 2, in[0], dy)
		add(1, KLLogVar, o.Attr, 2, in[1], dy)
	default:
		err = fmt.Errorf("%s has no derivative", o)
	}
	return d, err
}
