package model

import (
	"errors"
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"

	"sweep/study"
	"sweep/trainer/kernel"
	"sweep/trainer/op"
)

// KLWeight is what the loss takes of the divergence of a variational network's codes (in nats, summed over the numbers of a
// code and averaged over images): Beta over the number of an image's values, because the rest of the loss is a mean over
// them. With beta 1 and the loss mse the sum is, up to factor and constant, the bound of Kingma and Welling ("Auto-encoding
// variational Bayes", ICLR 2014, equation 10) for pixels with a Gaussian law of variance ½; another beta is that of Higgins
// et al. ("beta-VAE", ICLR 2017, equation 4). Of other networks it is 0.
func (c Config) KLWeight() float64 {
	if !c.Generates() {
		return 0
	}
	return c.Beta / float64(c.Height*c.Width*c.Channels)
}

// checkCode reports a beta that is no weight.
func (c Config) checkCode() error {
	if !(c.Beta >= 0) || math.IsInf(c.Beta, 0) {
		return fmt.Errorf("beta %g is not a number of at least 0", c.Beta)
	}
	return nil
}

// sample adds the draw of a code, in training, and the divergence.
func (b *builder) sample(l Layer, mean, logvar *G.Node) *G.Node {
	b.divergence = b.add(op.Divergence(mean, logvar, b.net.Config.KLWeight()))
	if !b.training {
		return mean
	}
	b.net.Eps = b.input("eps", b.net.Batch, l.C)
	return b.add(op.DrawCode(mean, logvar, b.net.Eps))
}

// Decoder makes the part of c's network that turns codes into images, as it is used once trained. It fails for a network
// whose decoder reads more than the code.
func Decoder(c Config, batch int) (*Network, error) {
	building.Lock()
	defer building.Unlock()
	b, err := newBuilder(c, batch)
	if err != nil {
		return nil, err
	}
	b.weights()
	layers := c.Layers()
	nodes := make([]*G.Node, len(layers))
	behind, err := BehindCode(layers)
	if err != nil {
		return nil, err
	}
	for i, l := range layers {
		switch {
		case l.Code:
			nodes[i] = b.input("code", batch, l.C)
			b.net.Code = nodes[i]
		case l.Kind == SampleLayer:
			nodes[i] = nodes[l.In[0]]
		case behind[i]:
			nodes[i] = b.layer(l, nodes)
		}
		if b.err != nil {
			return nil, fmt.Errorf("build the decoder: layer %s: %w", l.Name, b.err)
		}
	}
	b.net.Output = nodes[len(layers)-1]
	return b.net, nil
}

// BehindCode marks the layers that the last one comes from and that come from the code. It fails where the last one comes
// from the images in another way too.
func BehindCode(layers []Layer) ([]bool, error) {
	out := make([]bool, len(layers))
	out[len(layers)-1] = true
	for i := len(layers) - 1; i >= 0; i-- {
		l := layers[i]
		switch {
		case !out[i] || l.Code:
			out[i] = false
		case l.Kind == InputLayer:
			return nil, errors.New("the decoder reads more than the code, so that a code alone makes no image")
		case l.Kind == SampleLayer:
			out[i], out[l.In[0]] = false, true
		default:
			for _, from := range l.In {
				out[from] = true
			}
		}
	}
	return out, nil
}

// CodeWords is how many random words the draw of one image's code takes.
func (c Config) CodeWords() int { return (c.Latent + 3) &^ 3 }

// CodeKey is what the code of image i is drawn with in an epoch, as [InputKey].
func CodeKey(seed uint64, replicate, epoch int) study.Key {
	return study.Keyed(seed, replicate, study.ForCode, epoch)
}

// GeneratedCodes are n codes (n, Latent) drawn from the standard normal law, which a variational decoder makes new images
// of: always the same for a study's seed, so that pictures of trials can be compared.
func (c Config) GeneratedCodes(seed uint64, n int) []float32 {
	out := make([]float32, n*c.Latent)
	words := make([]uint32, c.CodeWords())
	key := study.Keyed(seed, 0, study.ForGenerated, 0)
	for i := range n {
		key.Fill(words, uint32(i*len(words)/4))
		kernel.Normals(out[i*c.Latent:][:c.Latent], words)
	}
	return out
}

// Generates tells whether images can be made of codes that no image was turned into.
func (c Config) Generates() bool { return c.Variant == "variational" && !c.Labelled() }
