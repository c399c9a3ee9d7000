package model

import "strings"

// Config describes a convolutional autoencoder, or a classifier with the encoder of one. Names and meanings
// are those of the parameters of the sweep file. A word that is empty is the default, which stands first.
type Config struct {
	Channels, Height, Width int // of an image

	Depth            int    // number of convolutions, and of transposed convolutions
	Filters          []int  // at least Depth; the first Depth are used
	Kernel           int    // side of the convolution kernel, odd
	Upsample         string // transposed convolution with stride 2: "k2" 2x2, "k3" 3x3 with padding 1 and output padding 1
	Latent           int    // width of the bottleneck
	Activation       string // relu, leaky_relu, tanh, sigmoid, gelu
	OutputActivation string // sigmoid, tanh, none
	Loss             string // mse, mae, mse+ssim
	SSIMWeight       float64

	Norm         string  `json:",omitempty"` // none, batch, layer
	DropoutConv  float64 `json:",omitempty"` // share of values dropped after a stage of convolution, 0 to below 1
	DropoutDense float64 `json:",omitempty"` // share dropped around the bottleneck
	Variant      string  `json:",omitempty"` // plain, denoising, variational, skip, residual, segnet, attention
	Task         string  `json:",omitempty"` // reconstruct, inpaint, superresolve, segment; classify of the trainer classifier
	Init         string  `json:",omitempty"` // auto, he, glorot

	Noise      string  `json:",omitempty"` // of the variant denoising: gaussian, mask
	NoiseLevel float64 `json:",omitempty"`
	Beta       float64 `json:",omitempty"` // of the variant variational
	Classes    int     `json:",omitempty"` // of labels; 0: the network sees none
	Freeze     string  `json:",omitempty"` // none; encoder: only the head of a classifier is trained
}

// The tasks of networks that are trained on labels.
const (
	Segment  = "segment"  // the class of each pixel: the output is (H, W, Classes) logits
	Classify = "classify" // the class of an image: encoder and head, the output is Classes logits
)

// Labelled reports whether the network of c is trained on classes, and so by cross-entropy, the loss of that name.
func (c Config) Labelled() bool { return c.Task == Segment || c.Task == Classify }

// LabelsEach is how many labels an image has: 0, 1, or one for each pixel.
func (c Config) LabelsEach() int {
	switch c.Task {
	case Segment:
		return c.Height * c.Width
	case Classify:
		return 1
	}
	return 0
}

// outputs is the number of channels of the output.
func (c Config) outputs() int {
	if c.Labelled() {
		return c.Classes
	}
	return c.Channels
}

// frozen reports whether l is a layer that training leaves as it is: its weights are buffers, and it behaves as in use.
func (c Config) frozen(l Layer) bool {
	return c.Freeze == "encoder" && strings.HasPrefix(l.Name, "enc.")
}

// Weight is one array of a network, in the layout that every engine shares.
type Weight struct {
	Name  string
	Shape []int
	// Buffer marks what training keeps but does not learn: the running statistics of a normalisation, and the weights of
	// frozen layers.
	Buffer bool
	// Limit and Start are the law of the initial values: uniform in ±Limit, or Start alone where Limit is 0.
	Limit, Start float64
}

// Size is the number of values.
func (w Weight) Size() int {
	n := 1
	for _, s := range w.Shape {
		n *= s
	}
	return n
}

// Penalised tells whether decay and penalties act on w: on what multiplies, never on biases, nor on the gains and shifts of
// a normalisation, nor on buffers. Its name ends in "weight" then.
func (w Weight) Penalised() bool { return !w.Buffer && strings.HasSuffix(w.Name, ".weight") }

// MaxValues is how many numbers one array of weights may have: 1 GiB of float32, which is what a file of sweep's holds in
// one array.
const MaxValues = 1 << 28

// Weights lists the arrays of c in their fixed order: those that are trained, layer by layer as [Config.Layers] has them,
// then the buffers. Of the plain network: for i = 0 … Depth-1 "enc.conv{i}.weight" (Kernel, Kernel, in, out) and
// "enc.conv{i}.bias" (out); "enc.dense.weight" (Hp·Wp·C, Latent), its bias; "dec.dense.weight" (Latent, Hp·Wp·C), its bias;
// for i = Depth-1 … 0 "dec.convt{i}.weight" (in, 2, 2, out), or (in, 3, 3, out) of k3, its bias. With a norm "enc.norm{i}.scale" and ".shift"
// (out) stand in the place of "enc.conv{i}.bias", those of "dec.norm{i}" in that of "dec.convt{i}.bias" but for i = 0; the
// buffers of a batch norm are its ".mean" and ".var".
//
// The variant residual has "enc.res{i}a" and "enc.res{i}b" (Kernel, Kernel, C, C) behind each stage of the encoder and
// "dec.res{i}a", "dec.res{i}b" before each of the decoder, with a norm called "enc.res{i}a.norm" and so on; segnet has
// "dec.conv{i}" (Kernel, Kernel, in, out) for the transposed convolutions; attention "enc.attn.q", ".k", ".v" and ".o"
// (1, 1, C, C) before the dense layers; variational "enc.logvar" beside "enc.dense". A classifier has "head.weight" (Latent,
// Classes) and its bias in the place of all of the decoder. Images are NHWC; a flattened code map is in (h, w, c) order.
func (c Config) Weights() []Weight {
	var trained, buffers []Weight
	for _, l := range c.Layers() {
		for _, w := range l.Weights {
			if w.Buffer {
				buffers = append(buffers, w)
			} else {
				trained = append(trained, w)
			}
		}
	}
	return append(trained, buffers...)
}

// Padded gives the sides of an image after zero padding right and below to a multiple of 2^Depth.
func (c Config) Padded() (h, w int) {
	m := 1 << c.Depth
	return (c.Height + m - 1) / m * m, (c.Width + m - 1) / m * m
}
