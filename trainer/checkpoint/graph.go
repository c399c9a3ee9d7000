package checkpoint

import (
	"errors"
	"fmt"

	"sweep/trainer"
	"sweep/trainer/kernel"
	"sweep/trainer/model"
)

// IR version 8 and opset 17 are of ONNX 1.12 (2022): old enough for every onnxruntime in use, and none of the operators
// below has become another one since.
const (
	irVersion = 8
	opset     = 17
)

// graph is the part of an ONNX graph that this package writes and reads: one free dimension, the first of input and
// output, and otherwise shapes that are known.
type graph struct {
	name          string
	nodes         []node
	arrays        []array // initializers
	input, output value
}

// value is an input or output of the graph: float32 of shape (N, shape...).
type value struct {
	name  string
	shape []int
}

type node struct {
	op             string
	name           string
	inputs, output []string
	attrs          []attr
}

// attr is an attribute: a float, a whole number or a list of whole numbers, by kind.
type attr struct {
	name string
	kind attrKind
	f    float32
	i    int64
	ints []int64
}

type attrKind int

// The kinds, numbered as AttributeProto.AttributeType does.
const (
	attrFloat attrKind = 1
	attrInt   attrKind = 2
	attrInts  attrKind = 7
)

// array is an initializer: float32 or int64 values of a shape (none: a scalar).
type array struct {
	name   string
	shape  []int
	floats []float32
	ints   []int64 // set when floats is nil
}

func ints(name string, v ...int64) attr { return attr{name: name, kind: attrInts, ints: v} }

// network writes the graph of c's network: pixels/255 in (N, C, H, W) to the same shape in [0, 1], or only as far as the
// latent code, (N, Latent). Weights come in our layout and leave in ONNX's: kernels (out, in, y, x), transposed kernels
// (in, out, y, x), and dense layers on a map flattened as (channel, y, x), where ours is (y, x, channel).
func network(c model.Config, weights []trainer.Tensor, encoder bool) (graph, error) {
	if err := checkTensors(weights, c, "weights"); err != nil {
		return graph{}, err
	}
	b := &builder{c: c, weights: weights, at: "input"}
	b.input = value{"input", []int{c.Channels, c.Height, c.Width}}
	h, w := c.Padded()
	if h != c.Height || w != c.Width {
		b.array("pads", nil, []int64{0, 0, 0, 0, 0, 0, int64(h - c.Height), int64(w - c.Width)}, 8)
		b.node("Pad", "padded", []string{"pads"}) // by zeros
	}
	for i := range c.Depth {
		b.conv(fmt.Sprintf("enc.conv%d", i))
		b.activate(c.Activation)
		b.node("MaxPool", fmt.Sprintf("enc.pool%d", i), nil, ints("kernel_shape", 2, 2), ints("strides", 2, 2))
	}
	h, w = h>>c.Depth, w>>c.Depth
	last := c.Filters[c.Depth-1]
	b.node("Flatten", "enc.flat", nil, attr{name: "axis", kind: attrInt, i: 1})
	b.dense("enc.dense", rowsToNCHW(h, w, last))
	if encoder {
		b.name = "encoder"
		return b.finish("latent", []int{c.Latent})
	}
	b.dense("dec.dense", columnsToNCHW(h, w, last))
	b.activate(c.Activation)
	b.array("dec.map", nil, []int64{0, int64(last), int64(h), int64(w)}, 4) // 0: N as it is
	b.node("Reshape", "dec.reshaped", []string{"dec.map"})
	for i := c.Depth - 1; i >= 0; i-- {
		b.convTranspose(fmt.Sprintf("dec.convt%d", i))
		if i > 0 {
			b.activate(c.Activation)
		}
	}
	b.activate(c.OutputActivation)
	if hp, wp := c.Padded(); hp != c.Height || wp != c.Width {
		b.array("crop.starts", nil, []int64{0, 0}, 2)
		b.array("crop.ends", nil, []int64{int64(c.Height), int64(c.Width)}, 2)
		b.array("crop.axes", nil, []int64{2, 3}, 2)
		b.node("Slice", "cropped", []string{"crop.starts", "crop.ends", "crop.axes"})
	}
	b.array("one", []float32{1}, nil)
	if c.OutputActivation == "tanh" { // [-1, 1] to [0, 1]
		b.node("Add", "shifted", []string{"one"})
		b.array("half", []float32{0.5}, nil)
		b.node("Mul", "scaled", []string{"half"})
	}
	// Not only for an output without activation: runtimes approximate tanh and sigmoid, and step over 1 by a rounding.
	b.array("zero", []float32{0}, nil)
	b.node("Clip", "clipped", []string{"zero", "one"})
	b.name = "autoencoder"
	return b.finish("output", b.input.shape)
}

// builder chains nodes: each takes the output of the one before.
type builder struct {
	graph
	c       model.Config
	weights []trainer.Tensor
	next    int    // weight
	at      string // the last output
	err     error
}

func (b *builder) node(op, output string, more []string, attrs ...attr) {
	b.nodes = append(b.nodes, node{op, output, append([]string{b.at}, more...), []string{output}, attrs})
	b.at = output
}

func (b *builder) array(name string, floats []float32, ints []int64, shape ...int) {
	b.arrays = append(b.arrays, array{name, shape, floats, ints})
}

func (b *builder) finish(name string, shape []int) (graph, error) {
	b.nodes[len(b.nodes)-1].output[0] = name
	b.output = value{name, shape}
	if b.err == nil && b.name == "autoencoder" && b.next != len(b.weights) {
		b.err = errors.New("the graph does not use every weight")
	}
	return b.graph, b.err
}

// weight takes the next weight, which must be the one called name: the order is model.Config.Weights'.
func (b *builder) weight(name string) trainer.Tensor {
	t := b.weights[b.next]
	b.next++
	if t.Name != name && b.err == nil {
		b.err = fmt.Errorf("weight %s stands where %s should", t.Name, name)
	}
	return t
}

func (b *builder) activate(name string) {
	output := b.at + "." + name
	switch name {
	case "relu":
		b.node("Relu", output, nil)
	case "leaky_relu":
		b.node("LeakyRelu", output, nil, attr{name: "alpha", kind: attrFloat, f: kernel.LeakySlope})
	case "tanh":
		b.node("Tanh", output, nil)
	case "sigmoid":
		b.node("Sigmoid", output, nil)
	case "none":
	default:
		b.err = fmt.Errorf("activation %q has no ONNX operator here", name)
	}
}

// layer adds a node with a weight, rearranged, and a bias.
func (b *builder) layer(op, name string, rearrange func(trainer.Tensor) array, bias func(trainer.Tensor) array, attrs ...attr) {
	w, v := rearrange(b.weight(name+".weight")), bias(b.weight(name+".bias"))
	w.name, v.name = name+".weight", name+".bias"
	b.arrays = append(b.arrays, w, v)
	b.node(op, name, []string{w.name, v.name}, attrs...)
}

func (b *builder) conv(name string) {
	k, p := int64(b.c.Kernel), int64(b.c.Kernel/2)
	b.layer("Conv", name, func(t trainer.Tensor) array { // (k, k, in, out) to (out, in, k, k)
		return transpose(t, 3, 2, 0, 1)
	}, unchanged, ints("kernel_shape", k, k), ints("pads", p, p, p, p), ints("strides", 1, 1))
}

func (b *builder) convTranspose(name string) {
	b.layer("ConvTranspose", name, func(t trainer.Tensor) array { // (in, 2, 2, out) to (in, out, 2, 2)
		return transpose(t, 0, 3, 1, 2)
	}, unchanged, ints("kernel_shape", 2, 2), ints("pads", 0, 0, 0, 0), ints("strides", 2, 2))
}

// dense adds a layer whose weight is rearranged by how; of a layer that makes a map, the bias is a map too.
func (b *builder) dense(name string, how denseOrder) {
	b.layer("Gemm", name, how.weight, how.bias)
}

func unchanged(t trainer.Tensor) array { return array{shape: t.Shape, floats: t.Data} }

// transpose reorders the axes of t: axis i of the result is axis order[i] of t.
func transpose(t trainer.Tensor, order ...int) array {
	stride := make([]int, len(order))
	shape := make([]int, len(order))
	step := 1
	strides := make([]int, len(order))
	for i := len(t.Shape) - 1; i >= 0; i-- {
		strides[i] = step
		step *= t.Shape[i]
	}
	for i, o := range order {
		stride[i], shape[i] = strides[o], t.Shape[o]
	}
	out := make([]float32, 0, len(t.Data))
	var walk func(axis, at int)
	walk = func(axis, at int) {
		if axis == len(shape) {
			out = append(out, t.Data[at])
			return
		}
		for i := range shape[axis] {
			walk(axis+1, at+i*stride[axis])
		}
	}
	walk(0, 0)
	return array{shape: shape, floats: out}
}

// denseOrder rearranges a dense layer that takes or makes a map.
type denseOrder struct{ weight, bias func(trainer.Tensor) array }

// rowsToNCHW is for a layer that takes a map: its rows are in (y, x, channel) order and become (channel, y, x).
func rowsToNCHW(h, w, c int) denseOrder {
	return denseOrder{func(t trainer.Tensor) array {
		a := transpose(trainer.Tensor{Shape: []int{h * w, c, t.Shape[1]}, Data: t.Data}, 1, 0, 2)
		a.shape = t.Shape
		return a
	}, unchanged}
}

// columnsToNCHW is the same for a layer that makes a map, and for its bias.
func columnsToNCHW(h, w, c int) denseOrder {
	columns := func(t trainer.Tensor) array {
		a := transpose(trainer.Tensor{Shape: []int{len(t.Data) / (h * w * c), h * w, c}, Data: t.Data}, 0, 2, 1)
		a.shape = t.Shape
		return a
	}
	return denseOrder{columns, columns}
}

// ONNX writes a network as two models (IR version 8, opset 17): the autoencoder, input "input" float32 (N, C, H, W) of
// pixels/255 to output "output" of the same shape in [0, 1]; and its encoder, the same input to output "latent"
// (N, Latent). N is free. Padding, cropping and the change of range are inside. It fails when the weights are not those
// of c's network.
func ONNX(c model.Config, weights []trainer.Tensor) (autoencoder, encoder []byte, err error) {
	g, err := network(c, weights, false)
	if err != nil {
		return nil, nil, fmt.Errorf("write an ONNX model: %w", err)
	}
	e, err := network(c, weights, true)
	if err != nil {
		return nil, nil, fmt.Errorf("write an ONNX encoder: %w", err)
	}
	return writeONNX(g), writeONNX(e), nil
}
