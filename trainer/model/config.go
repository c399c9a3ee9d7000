package model

// Config describes a convolutional autoencoder. Names and meanings are those of the parameters of the sweep file.
type Config struct {
	Channels, Height, Width int // of an image

	Depth            int    // number of convolutions, and of transposed convolutions
	Filters          []int  // at least Depth; the first Depth are used
	Kernel           int    // side of the convolution kernel, odd
	Upsample         string // "k2": transposed convolution 2x2, stride 2
	Latent           int    // width of the bottleneck
	Activation       string // relu, leaky_relu, tanh, sigmoid
	OutputActivation string // sigmoid, tanh, none
	Loss             string // mse, mae, mse+ssim
	SSIMWeight       float64
}

// Weight is one trainable array of a network, in the layout that every engine shares.
type Weight struct {
	Name  string
	Shape []int
}

// MaxValues is how many numbers one array of weights may have: 1 GiB of float32, which is what a file of sweep's holds in
// one array.
const MaxValues = 1 << 28

// Weights lists the trainable arrays of c in their fixed order: for i = 0 … Depth-1 "enc.conv{i}.weight"
// (Kernel, Kernel, in, out) and "enc.conv{i}.bias" (out); "enc.dense.weight" (Hp·Wp·C, Latent), its bias;
// "dec.dense.weight" (Latent, Hp·Wp·C), its bias; for i = Depth-1 … 0 "dec.convt{i}.weight" (in, 2, 2, out), its bias.
// Images are NHWC; a flattened code map is in (h, w, c) order.
func (c Config) Weights() []Weight {
	h, w := c.Padded()
	var out []Weight
	add := func(name string, shape ...int) {
		out = append(out, Weight{name + ".weight", shape}, Weight{name + ".bias", shape[len(shape)-1:]})
	}
	in := c.Channels
	for i := range c.Depth {
		add("enc.conv"+string(rune('0'+i)), c.Kernel, c.Kernel, in, c.Filters[i])
		in = c.Filters[i]
	}
	flat := (h >> c.Depth) * (w >> c.Depth) * in
	add("enc.dense", flat, c.Latent)
	add("dec.dense", c.Latent, flat)
	for i := c.Depth - 1; i >= 0; i-- {
		to := c.Channels
		if i > 0 {
			to = c.Filters[i-1]
		}
		add("dec.convt"+string(rune('0'+i)), c.Filters[i], 2, 2, to)
	}
	return out
}

// Padded gives the sides of an image after zero padding right and below to a multiple of 2^Depth.
func (c Config) Padded() (h, w int) {
	m := 1 << c.Depth
	return (c.Height + m - 1) / m * m, (c.Width + m - 1) / m * m
}
