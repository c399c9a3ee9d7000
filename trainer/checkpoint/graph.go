package checkpoint

import (
	"fmt"
	"math"
	"slices"

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

// The parts of a network that are models of their own.
const (
	wholePart   = "autoencoder"
	encoderPart = "encoder" // as far as the latent code
	decoderPart = "decoder" // from the code on
)

// network writes the graph of a part of c's network: pixels/255 in (N, C, H, W) to the latent code, (N, Latent), or this to
// images of the same shape in [0, 1], or both; of a network on labels to its logits, (N, Classes) or (N, Classes, H, W).
// Weights come in our layout and leave in ONNX's: kernels (out, in, y, x), transposed kernels (in, out, y, x), and dense
// layers on a map flattened as (channel, y, x), where ours is (y, x, channel).
func network(c model.Config, weights []trainer.Tensor, part string) (graph, error) {
	if err := checkTensors(weights, c, "weights"); err != nil {
		return graph{}, err
	}
	b := &builder{c: c, layers: c.Layers(), weights: make(map[string]trainer.Tensor, len(weights))}
	for _, t := range weights {
		b.weights[t.Name] = t
	}
	b.input = value{"input", []int{c.Channels, c.Height, c.Width}}
	last := len(b.layers) - 1
	code := slices.IndexFunc(b.layers, func(l model.Layer) bool { return l.Code })
	if b.name = part; part == wholePart && c.Labelled() {
		b.name = c.Task
	}
	if part == encoderPart {
		last = code
	}
	b.wanted = b.needed(last)
	at := make([]string, len(b.layers)) // by layer: the output that holds its result
	if part == decoderPart {
		var err error
		if b.wanted, err = model.BehindCode(b.layers); err != nil {
			return graph{}, err
		}
		b.input = value{"latent", []int{c.Latent}}
		at[code] = b.input.name
	}
	for i, l := range b.layers {
		if l.Kind == model.SampleLayer { // nothing is drawn
			at[i] = at[l.In[0]]
		}
		if !b.wanted[i] {
			continue
		}
		in := make([]string, len(l.In))
		for j, from := range l.In {
			in[j] = at[from]
		}
		at[i] = b.layer(i, l, in)
	}
	if part == encoderPart {
		return b.finish("latent", []int{c.Latent})
	}
	if c.Labelled() {
		return b.finish("output", logits(c))
	}
	// Not only for an output without activation: runtimes approximate tanh and sigmoid, and step over 1 by a rounding.
	b.array("zero", []float32{0}, nil)
	b.array("one", []float32{1}, nil)
	b.node("Clip", "clipped", []string{at[last], "zero", "one"})
	return b.finish("output", []int{c.Channels, c.Height, c.Width})
}

// builder adds nodes layer by layer.
type builder struct {
	graph
	c       model.Config
	layers  []model.Layer
	weights map[string]trainer.Tensor // by name
	wanted  []bool                    // by layer: whether the graph has it
	err     error
}

// needed marks the layers that the result of layer last comes from.
func (b *builder) needed(last int) []bool {
	out := make([]bool, len(b.layers))
	out[last] = true
	for i := last; i >= 0; i-- {
		if !out[i] {
			continue
		}
		if l := b.layers[i]; l.Kind == model.SampleLayer { // the mean stands for the draw
			out[i], out[l.In[0]] = false, true
			continue
		}
		for _, from := range b.layers[i].In {
			out[from] = true
		}
	}
	return out
}

// layer adds the nodes of layer i, which reads in, and returns the name of its result.
func (b *builder) layer(i int, l model.Layer, in []string) string {
	switch l.Kind {
	case model.InputLayer:
		if l.H == b.c.Height && l.W == b.c.Width {
			return "input"
		}
		b.array("pads", nil, []int64{0, 0, 0, 0, 0, 0, int64(l.H - b.c.Height), int64(l.W - b.c.Width)}, 8)
		return b.node("Pad", "padded", []string{"input", "pads"}) // by zeros
	case model.ConvLayer:
		k, p := int64(l.Side), int64(l.Side/2)
		return b.linear("Conv", l, in, transposed(3, 2, 0, 1), unchanged, // (k, k, in, out) to (out, in, k, k)
			ints("kernel_shape", k, k), ints("pads", p, p, p, p), ints("strides", 1, 1))
	case model.ConvTLayer:
		k := int64(l.Side)
		p := k - 2 // the 3x3 kernel reaches one further on each side, and needs one place more to double the sides
		attrs := []attr{ints("kernel_shape", k, k), ints("pads", p, p, p, p), ints("strides", 2, 2)}
		if p > 0 {
			attrs = append(attrs, ints("output_padding", p, p))
		}
		return b.linear("ConvTranspose", l, in, transposed(0, 3, 1, 2), unchanged, attrs...) // (in, k, k, out) to (in, out, k, k)
	case model.NormLayer:
		return b.norm(l, in)
	case model.DenseLayer:
		return b.dense(i, l, in)
	case model.ActLayer:
		return b.activate(l, in)
	case model.DropLayer: // of training alone
		return in[0]
	case model.PoolLayer:
		at := b.node("MaxPool", l.Name, in, ints("kernel_shape", 2, 2), ints("strides", 2, 2))
		if b.unpooled(i) {
			n := &b.nodes[len(b.nodes)-1]
			n.output = append(n.output, in[0]+".places")
		}
		return at
	case model.AddLayer:
		return b.node("Add", l.Name, in)
	case model.UnpoolLayer:
		return b.node("MaxUnpool", l.Name, []string{in[0], in[1] + ".places"}, ints("kernel_shape", 2, 2), ints("strides", 2, 2))
	case model.AttentionLayer:
		return b.attention(l, in)
	case model.FlattenLayer:
		return b.node("Flatten", l.Name, in, attr{name: "axis", kind: attrInt, i: 1})
	case model.MapLayer:
		b.array(l.Name+".shape", nil, []int64{0, int64(l.C), int64(l.H), int64(l.W)}, 4) // 0: N as it is
		return b.node("Reshape", l.Name, []string{in[0], l.Name + ".shape"})
	case model.ImageLayer:
		return b.image(l, in[0])
	}
	b.err = fmt.Errorf("layer %s of kind %s has no ONNX operator here", l.Name, l.Kind)
	return in[0]
}

// node adds a node with one output, and returns the output's name.
func (b *builder) node(op, output string, inputs []string, attrs ...attr) string {
	b.nodes = append(b.nodes, node{op, output, inputs, []string{output}, attrs})
	return output
}

func (b *builder) array(name string, floats []float32, ints []int64, shape ...int) {
	b.arrays = append(b.arrays, array{name, shape, floats, ints})
}

func (b *builder) finish(name string, shape []int) (graph, error) {
	b.nodes[len(b.nodes)-1].output[0] = name
	b.output = value{name, shape}
	return b.graph, b.err
}

// image crops and maps the output to the images' sides and range.
func (b *builder) image(l model.Layer, at string) string {
	if from := b.layers[l.In[0]]; from.H != l.H || from.W != l.W {
		b.array("crop.starts", nil, []int64{0, 0}, 2)
		b.array("crop.ends", nil, []int64{int64(l.H), int64(l.W)}, 2)
		b.array("crop.axes", nil, []int64{2, 3}, 2)
		at = b.node("Slice", "cropped", []string{at, "crop.starts", "crop.ends", "crop.axes"})
	}
	if l.Act == "tanh" { // [-1, 1] to [0, 1]
		b.array("shift", []float32{1}, nil)
		b.array("half", []float32{0.5}, nil)
		at = b.node("Add", "shifted", []string{at, "shift"})
		at = b.node("Mul", "scaled", []string{at, "half"})
	}
	return at
}

func (b *builder) activate(l model.Layer, in []string) string {
	switch l.Act {
	case "relu":
		return b.node("Relu", l.Name, in)
	case "leaky_relu":
		return b.node("LeakyRelu", l.Name, in, attr{name: "alpha", kind: attrFloat, f: kernel.LeakySlope})
	case "tanh":
		return b.node("Tanh", l.Name, in)
	case "sigmoid":
		return b.node("Sigmoid", l.Name, in)
	case "gelu":
		return b.gelu(l, in)
	}
	b.err = fmt.Errorf("activation %q has no ONNX operator here", l.Act)
	return in[0]
}

// linear adds a node with a layer's weight, rearranged, and its bias, if it has one.
func (b *builder) linear(op string, l model.Layer, in []string, weight, bias func(trainer.Tensor) array, attrs ...attr) string {
	inputs := slices.Clone(in)
	for i, w := range l.Weights {
		rearrange := weight
		if i > 0 {
			rearrange = bias
		}
		a := rearrange(b.weights[w.Name])
		a.name = w.Name
		b.arrays = append(b.arrays, a)
		inputs = append(inputs, w.Name)
	}
	return b.node(op, l.Name, inputs, attrs...)
}

// dense adds a dense layer. Rows that stand for a flattened map, and columns that become one, change their order.
func (b *builder) dense(i int, l model.Layer, in []string) string {
	how := denseOrder{unchanged, unchanged}
	if m, ok := b.flattened(l.In[0]); ok {
		how = rowsToNCHW(m.H, m.W, m.C)
	}
	if m, ok := b.becomes(i); ok {
		how = columnsToNCHW(m.H, m.W, m.C)
	}
	return b.linear("Gemm", l, in, how.weight, how.bias)
}

// flattened is the map that the vector of layer i holds the values of, in their order.
func (b *builder) flattened(i int) (model.Layer, bool) {
	for elementwise(b.layers[i].Kind) {
		i = b.layers[i].In[0]
	}
	if b.layers[i].Kind != model.FlattenLayer {
		return model.Layer{}, false
	}
	return b.layers[b.layers[i].In[0]], true
}

// becomes is the map that the vector of layer i is turned into.
func (b *builder) becomes(i int) (model.Layer, bool) {
	for j := i + 1; j < len(b.layers); j++ {
		if l := b.layers[j]; slices.Contains(l.In, i) {
			switch {
			case l.Kind == model.MapLayer:
				return l, true
			case elementwise(l.Kind):
				i = j
			}
		}
	}
	return model.Layer{}, false
}

// unpooled tells whether a layer of the graph asks for the places that the pooling of layer i took its values from.
func (b *builder) unpooled(i int) bool {
	for j, l := range b.layers {
		if b.wanted[j] && l.Kind == model.UnpoolLayer && l.In[1] == b.layers[i].In[0] {
			return true
		}
	}
	return false
}

// attention is softmax(kᵀ q / √C) by columns, and v times it: pixels are the columns of (C, H·W).
func (b *builder) attention(l model.Layer, in []string) string {
	name := func(s string) string { return l.Name + "." + s }
	b.array(name("flat"), nil, []int64{0, int64(l.C), int64(l.H * l.W)}, 3)
	b.array(name("map"), nil, []int64{0, int64(l.C), int64(l.H), int64(l.W)}, 4)
	b.array(name("scale"), []float32{float32(1 / math.Sqrt(float64(l.C)))}, nil)
	var flat [3]string
	for i, part := range []string{"queries", "keys", "values"} {
		flat[i] = b.node("Reshape", name(part), []string{in[i], name("flat")})
	}
	turned := b.node("Transpose", name("turned"), []string{flat[1]}, ints("perm", 0, 2, 1))
	scores := b.node("MatMul", name("scores"), []string{turned, flat[0]})
	scaled := b.node("Mul", name("scaled"), []string{scores, name("scale")})
	weights := b.node("Softmax", name("weights"), []string{scaled}, attr{name: "axis", kind: attrInt, i: 1})
	gathered := b.node("MatMul", name("gathered"), []string{flat[2], weights})
	return b.node("Reshape", l.Name, []string{gathered, name("map")})
}

// elementwise tells whether a layer of this kind keeps every value in its place.
func elementwise(k model.LayerKind) bool { return k == model.ActLayer || k == model.DropLayer }

// transposed reorders the axes of a weight.
func transposed(order ...int) func(trainer.Tensor) array {
	return func(t trainer.Tensor) array { return transpose(t, order...) }
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
// pixels/255 to output "output" of the same shape in [0, 1], or to the logits of a network on labels; and its encoder, the
// same input to output "latent" (N, Latent). N is free. Padding, cropping and the change of range are inside. It fails when the weights are not those
// of c's network.
func ONNX(c model.Config, weights []trainer.Tensor) (autoencoder, encoder []byte, err error) {
	g, err := network(c, weights, wholePart)
	if err != nil {
		return nil, nil, fmt.Errorf("write an ONNX model: %w", err)
	}
	e, err := network(c, weights, encoderPart)
	if err != nil {
		return nil, nil, fmt.Errorf("write an ONNX encoder: %w", err)
	}
	return writeONNX(g), writeONNX(e), nil
}

// DecoderONNX writes the part of a network that turns codes into images: input "latent" float32 (N, Latent) to output
// "output" (N, C, H, W) in [0, 1]. It fails for a network whose decoder reads more than the code.
func DecoderONNX(c model.Config, weights []trainer.Tensor) ([]byte, error) {
	g, err := network(c, weights, decoderPart)
	if err != nil {
		return nil, fmt.Errorf("write an ONNX decoder: %w", err)
	}
	return writeONNX(g), nil
}
