package model

import (
	"fmt"
	"math"

	"sweep/trainer/kernel"
)

// LayerKind names what a layer does.
type LayerKind string

// The kinds of layer. Maps are (H, W, C), vectors (C).
const (
	InputLayer   LayerKind = "input"   // the images, padded
	ConvLayer    LayerKind = "conv"    // Side x Side, stride 1, same padding; a bias if it has two weights
	ActLayer     LayerKind = "act"     // Act
	PoolLayer    LayerKind = "pool"    // 2x2, the greatest
	FlattenLayer LayerKind = "flatten" // a map to a vector, (h, w, c) order
	DenseLayer   LayerKind = "dense"   // with a bias
	MapLayer     LayerKind = "map"     // a vector to a map
	ConvTLayer   LayerKind = "convt"   // Side x Side, stride 2: sides double; a bias if it has two weights
	DropLayer    LayerKind = "drop"    // in training a share Rate of the values is dropped; else nothing happens
	SampleLayer  LayerKind = "sample"  // of a mean and a log variance: a draw in training, else the mean
	NormLayer    LayerKind = "norm"    // Norm, with scale and shift, and of a batch's the running mean and variance
	ImageLayer   LayerKind = "image"   // the images' own sides; Act tanh: from -1 … 1 to 0 … 1
)

// Layer is one line of a network's description: what the graph, the weights and the export formats are made from.
type Layer struct {
	Kind LayerKind
	Name string // unique; the prefix of its weights
	In   []int  // the layers that it reads, by their place in the list
	// H, W and C are the sizes of its result for one image; of a vector H and W are 0.
	H, W, C int

	Side int    // of a kernel
	Act  string // of an activation, as in the sweep file
	Norm string // of a normalisation: batch, layer
	Code bool   // its result is the latent code

	Rate float64 // of a dropout

	Weights []Weight
}

// Vector tells whether the layer's result is a vector.
func (l Layer) Vector() bool { return l.H == 0 }

// Layers describes the network of c, which [Config.Check] must have passed: the first layer is the input, the last the
// output, every other one reads layers before it.
func (c Config) Layers() []Layer {
	d := &describer{c: c, pooled: make([]int, c.Depth), stages: make([]int, c.Depth)}
	h, w := c.Padded()
	x := d.add(Layer{Kind: InputLayer, Name: "input", H: h, W: w, C: c.Channels})
	for i := range c.Depth {
		x = d.drop(d.encoderStage(i, x), c.DropoutConv, "enc.drop%d", i)
	}
	if c.Task == Classify {
		d.dense(d.code(x), "head", c.Classes, "none")
	} else {
		x = d.bottleneck(x)
		for i := c.Depth - 1; i >= 0; i-- {
			if x = d.decoderStage(i, x); i > 0 {
				x = d.drop(x, c.DropoutConv, "dec.drop%d", i)
			}
		}
		d.image(x)
	}
	for _, l := range d.list {
		for i := range l.Weights {
			l.Weights[i].Buffer = l.Weights[i].Buffer || c.frozen(l)
		}
	}
	return d.list
}

// describer appends layers; its methods return the place of the last.
type describer struct {
	c    Config
	list []Layer

	pooled []int // by encoder stage: what its pooling reads
	stages []int // by encoder stage: what it ends with
}

func (d *describer) add(l Layer) int {
	d.list = append(d.list, l)
	return len(d.list) - 1
}

// on starts a layer that reads x alone and keeps its sizes.
func (d *describer) on(x int, k LayerKind, name string) Layer {
	l := d.list[x]
	return Layer{Kind: k, Name: name, In: []int{x}, H: l.H, W: l.W, C: l.C}
}

// encoderStage halves the sides: convolution, activation, pooling, and what the variant adds.
func (d *describer) encoderStage(i, x int) int {
	x = d.conv(x, fmt.Sprintf("enc.conv%d", i), d.c.Filters[i], d.c.Activation)
	x = d.normalize(x, fmt.Sprintf("enc.norm%d", i))
	if d.c.Variant != SegNet {
		x = d.activate(x, d.c.Activation)
	}
	d.pooled[i] = x
	x = d.pool(x, fmt.Sprintf("enc.pool%d", i))
	switch {
	case d.c.Variant == SegNet:
		x = d.activate(x, d.c.Activation)
	case d.c.Variant == Residual:
		x = d.residual(x, fmt.Sprintf("enc.res%d", i))
	case d.c.Variant == Attention && i == d.c.Depth-1:
		x = d.attention(x, "enc.attn")
	}
	d.stages[i] = x
	return x
}

// bottleneck goes from the deepest map through the code back to a map of the same sizes.
func (d *describer) bottleneck(x int) int {
	h, w, ch := d.list[x].H, d.list[x].W, d.list[x].C
	x = d.code(x)
	if d.c.Variant == "variational" {
		x = d.sample(x)
	}
	x = d.dense(x, "dec.dense", h*w*ch, d.c.Activation)
	x = d.drop(d.activate(x, d.c.Activation), d.c.DropoutDense, "dec.drop")
	m := d.on(x, MapLayer, "dec.map")
	m.H, m.W, m.C = h, w, ch
	return d.add(m)
}

// code goes from the deepest map to the code.
func (d *describer) code(x int) int {
	flat := d.on(x, FlattenLayer, "enc.flat")
	flat.H, flat.W, flat.C = 0, 0, flat.H*flat.W*flat.C
	x = d.dense(d.drop(d.add(flat), d.c.DropoutDense, "enc.drop"), "enc.dense", d.c.Latent, "none")
	d.list[x].Code = true
	return x
}

// sample draws the code from the law that two dense layers describe: the code's own, of the mean, and one of the log
// variance beside it.
func (d *describer) sample(mean int) int {
	l := d.on(mean, SampleLayer, "enc.sample")
	l.In = append(l.In, d.dense(d.list[mean].In[0], "enc.logvar", d.c.Latent, "none"))
	return d.add(l)
}

// decoderStage doubles the sides: transposed convolution or what the variant has instead, activation; the last one has the
// output's.
func (d *describer) decoderStage(i, x int) int {
	out, act := d.c.outputs(), d.c.OutputActivation
	if d.c.Labelled() {
		act = "none" // logits
	}
	if i > 0 {
		out, act = d.c.Filters[i-1], d.c.Activation
	}
	follows := act
	if i == 0 {
		follows = "none" // whatever squashes the output, the layer before it starts as a linear one
	}
	if d.c.Variant == SegNet {
		x = d.unpool(x, d.pooled[i], fmt.Sprintf("dec.unpool%d", i))
		x = d.conv(x, fmt.Sprintf("dec.conv%d", i), out, follows)
	} else {
		if d.c.Variant == Residual {
			x = d.residual(x, fmt.Sprintf("dec.res%d", i))
		}
		x = d.convT(x, fmt.Sprintf("dec.convt%d", i), out, follows)
	}
	if i > 0 {
		x = d.normalize(x, fmt.Sprintf("dec.norm%d", i))
		if d.c.Variant == Skip {
			x = d.sum(x, d.stages[i-1], fmt.Sprintf("dec.skip%d", i))
		}
	}
	return d.activate(x, act)
}

func (d *describer) conv(x int, name string, out int, follows string) int {
	return d.convolve(x, name, d.c.Kernel, out, follows)
}

func (d *describer) convolve(x int, name string, side, out int, follows string) int {
	l := d.on(x, ConvLayer, name)
	in, area := l.C, side*side
	seen := area * in
	if d.list[x].Kind == UnpoolLayer {
		seen = (seen + 3) / 4 // of four values three are 0
	}
	l.Side, l.C = side, out
	l.Weights = d.weights(name, follows, seen, area*out, side, side, in, out)
	return d.add(l)
}

func (d *describer) convT(x int, name string, out int, follows string) int {
	l := d.on(x, ConvTLayer, name)
	in := l.C
	l.Side, l.H, l.W, l.C = 2, 2*l.H, 2*l.W, out
	// With a kernel as wide as its stride every output value sees each input channel once.
	l.Weights = d.weights(name, follows, in, 4*out, in, 2, 2, out)
	if d.c.Upsample == "k3" { // in the mean of four neighbours 9/4 times
		l.Side = 3
		l.Weights = d.weights(name, follows, (9*in+2)/4, 9*out, in, 3, 3, out)
	}
	return d.add(l)
}

func (d *describer) dense(x int, name string, out int, follows string) int {
	l := d.on(x, DenseLayer, name)
	in := l.C
	l.C = out
	l.Weights = d.weights(name, follows, in, out, in, out)
	return d.add(l)
}

// activate adds nothing for no activation.
func (d *describer) activate(x int, act string) int {
	if act == "none" {
		return x
	}
	l := d.on(x, ActLayer, d.list[x].Name+"."+act)
	l.Act = act
	return d.add(l)
}

func (d *describer) pool(x int, name string) int {
	l := d.on(x, PoolLayer, name)
	l.H, l.W = l.H/2, l.W/2
	return d.add(l)
}

// image crops and brings the output into the images' range where that is needed.
func (d *describer) image(x int) int {
	signed := d.c.OutputActivation == "tanh" && !d.c.Labelled()
	if l := d.list[x]; !signed && l.H == d.c.Height && l.W == d.c.Width {
		return x
	}
	l := d.on(x, ImageLayer, "image")
	l.H, l.W = d.c.Height, d.c.Width
	if l.Act = "none"; signed {
		l.Act = "tanh"
	}
	return d.add(l)
}

// weights are a weight, the last of whose axes is the output's, and a bias, for a layer with so many values going into
// each result and results coming out of each value.
func (d *describer) weights(name, follows string, fanIn, fanOut int, shape ...int) []Weight {
	return []Weight{
		{Name: name + ".weight", Shape: shape, Limit: initLimit(d.c.Init, follows, float64(fanIn), float64(fanOut))},
		{Name: name + ".bias", Shape: shape[len(shape)-1:]},
	}
}

// initLimit is the bound of the uniform law of a layer's initial weights, of a given law of [Config] and before a given
// activation: see [Init].
func initLimit(law, follows string, in, out float64) float64 {
	switch {
	case law == "glorot":
		follows = "none"
	case law == "he" && follows != "leaky_relu":
		follows = "relu"
	}
	switch follows {
	case "relu", "gelu":
		return math.Sqrt(6 / in)
	case "leaky_relu":
		return math.Sqrt(6 / ((1 + kernel.LeakySlope*kernel.LeakySlope) * in))
	}
	return math.Sqrt(6 / (in + out))
}
