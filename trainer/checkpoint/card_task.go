package checkpoint

import (
	"fmt"

	"sweep/trainer/kernel"
	"sweep/trainer/model"
)

// purpose is what the model card says of what the model is trained to do, beyond giving back what goes in; nil for nothing.
func purpose(c model.Config) []string {
	var out []string
	switch k := c.Corruption(); k.Kind {
	case kernel.Gaussian:
		out = append(out, fmt.Sprintf("It is trained to take noise away: what went in were images with Gaussian noise of standard deviation %g "+
			"(pixels in 0…1, cut off there), what had to come out the images without it.", k.Level))
	case kernel.Masking:
		out = append(out, fmt.Sprintf("It is trained to fill in what is missing: of the images that went in a share of %g of the pixels was black, "+
			"what had to come out were the whole images.", k.Level))
	case kernel.Hole:
		out = append(out, "It is trained to fill holes: a grey rectangle of half the height and width (every value 0.5) stood at a random place "+
			"of each image that went in, what had to come out was the whole image.")
	case kernel.Averages:
		out = append(out, "It is trained to sharpen images of half the height and width: what went in had the mean of each 2x2 pixels in their "+
			"place, what had to come out was the image itself. Give it small images with every pixel repeated 2x2.")
	}
	if c.Generates() {
		out = append(out, fmt.Sprintf("Its code is variational (beta %g): codes drawn from the standard normal law become new images, in the picture below "+
			"and by `%s`.", c.Beta, decoderFile))
	}
	return out
}

// title names the picture of test images.
func title(c model.Config) string {
	switch {
	case c.Labelled():
		return "Images over what the model takes them for"
	case c.Corruption().Kind != kernel.Untouched:
		return "Inputs, outputs and originals"
	}
	return "Originals over reconstructions"
}

// shows says what the picture of an autoencoder's test images shows.
func shows(c model.Config) string {
	if c.Corruption().Kind != kernel.Untouched {
		return "Test images: what goes in, what the model makes of it, and what it should be."
	}
	return "Test images, each over what the model makes of it."
}
