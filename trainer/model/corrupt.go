package model

import (
	"errors"
	"fmt"

	"sweep/study"
	"sweep/trainer/kernel"
)

// Corruption says how the network's input is made from its target, an image: by the noise of a denoising autoencoder
// (Vincent et al., "Stacked denoising autoencoders", JMLR 11, 2010: Gaussian or masking noise, clean target), or by what
// the task is to mend. What an image shows is asked of the image itself.
func (c Config) Corruption() kernel.Corruption {
	out := kernel.Corruption{H: c.Height, W: c.Width}
	switch {
	case c.Labelled():
	case c.Variant == "denoising" && c.Noise == "mask":
		out.Kind, out.Level = kernel.Masking, c.NoiseLevel
	case c.Variant == "denoising":
		out.Kind, out.Level = kernel.Gaussian, c.NoiseLevel
	case c.Task == "inpaint":
		out.Kind = kernel.Hole
	case c.Task == "superresolve":
		out.Kind = kernel.Averages
	}
	return out
}

// checkInput reports what makes no input: a level of noise outside 0 … 1 (a standard deviation or a share of the pixels),
// and two ways of making one input.
func (c Config) checkInput() error {
	var errs []error
	if !(c.NoiseLevel >= 0 && c.NoiseLevel <= 1) {
		errs = append(errs, fmt.Errorf("noise_level %g is outside 0 to 1", c.NoiseLevel))
	}
	if c.Variant == "denoising" && (c.Task == "inpaint" || c.Task == "superresolve") {
		errs = append(errs, fmt.Errorf("variant denoising and task %s each make the input from the image; use task reconstruct, or another variant", c.Task))
	}
	return errors.Join(errs...)
}

// Repeatable is the corruption without randomness that stands for c's own where anybody is to repeat a figure: none for
// noise, and a hole in the centre. words says so, and is empty where the input is the image itself anyway.
func (c Config) Repeatable() (corruption kernel.Corruption, words string) {
	out := c.Corruption()
	switch out.Kind {
	case kernel.Gaussian, kernel.Masking:
		out.Kind, out.Level = kernel.Untouched, 0
		return out, "the images themselves, without noise"
	case kernel.Hole:
		out.Kind = kernel.Centre
		return out, "the images with a hole of half the height and width, rounded down, in the centre (rows and columns before it: half " +
			"of what is left, rounded down), where every value is 0.5"
	case kernel.Averages:
		return out, "the images with each 2x2 pixels (from the top left; fewer at an odd edge) replaced by their mean, by channel"
	}
	if c.Generates() {
		return out, "the images themselves; the code is the mean of its law, nothing is drawn"
	}
	return out, ""
}

// InputKey is what the corruption of image i is drawn with: the blocks from i·words/4 on, of as many words as it takes.
// Epoch 0 stands for everything outside of training: there an image looks the same in every epoch and replicate of a
// study, as the split does.
func InputKey(seed uint64, replicate, epoch int) study.Key {
	if epoch == 0 {
		replicate = 0
	}
	return study.Keyed(seed, replicate, study.ForCorruption, epoch)
}

// Inputs is what a network with the corruption k sees of images of a set outside of training, (len(images), H, W, C) in
// 0 … 1, by the reference kernels. pixels is the set, of as many channels.
func Inputs(k kernel.Corruption, channels int, pixels []byte, images []int, seed uint64) []float32 {
	ref, err := kernel.New("ref")
	if err != nil { // there is always the reference
		panic(err)
	}
	size := k.H * k.W * channels
	out := make([]float32, len(images)*size)
	src, dst := kernel.NewMap(1, k.H, k.W, channels, 0), kernel.NewMap(1, k.H, k.W, channels, 0)
	key, words := InputKey(seed, 0, 0), make([]uint32, k.Words(channels))
	for i, image := range images {
		ref.Gather(src, pixels, k.H, k.W, []int{image})
		key.Fill(words, uint32(image*len(words)/4))
		ref.Corrupt(dst, src, 0, k, words)
		dst.Pixels(out[i*size:][:size])
	}
	return out
}
