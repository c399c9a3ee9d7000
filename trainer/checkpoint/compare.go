package checkpoint

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"

	"sweep/trainer"
	"sweep/trainer/dataset"
	"sweep/trainer/kernel"
	"sweep/trainer/model"
)

// comparison is what a model makes of images, by image.
type comparison []kernel.Sums

// compare runs images, corrupted as k says with random numbers of seed, through the model and compares what comes out with
// the images themselves. The sums are the reference kernels', in float64: neither model nor figures share code with the
// fast engine whose work they judge.
func (m *Model) compare(ctx context.Context, set *dataset.Images, k kernel.Corruption, seed uint64) (comparison, error) {
	shape := []int{set.Channels, set.Height, set.Width}
	if !slices.Equal(m.input, shape) || !slices.Equal(m.output, shape) {
		return nil, fmt.Errorf("the model turns %v into %v, but the images are %v", m.input, m.output, shape)
	}
	truth, err := kernel.New("ref")
	if err != nil {
		return nil, err
	}
	const chunk = 256 // images in memory as floats
	size := set.Height * set.Width * set.Channels
	out := make(comparison, set.Len())
	for at := 0; at < len(out); at += chunk {
		n := min(chunk, len(out)-at)
		pixels := values(set.Pixels[at*size:][:n*size])
		images := make([]int, n)
		for i := range images {
			images[i] = at + i
		}
		input := make([]float32, len(pixels))
		for i, v := range model.Inputs(k, set.Channels, set.Pixels, images, seed) {
			input[place(i, set)] = v
		}
		output, err := m.Run(ctx, input)
		if err != nil {
			return nil, err
		}
		onCores(n, func(turns iter.Seq[int]) {
			var ws kernel.Workspace
			pred := kernel.NewMap(1, set.Height, set.Width, set.Channels, 0)
			target := kernel.NewMap(1, set.Height, set.Width, set.Channels, 0)
			for i := range turns {
				copy(target.Data, pixels[i*size:][:size])
				for k := range size {
					pred.Data[k] = output[place(i*size+k, set)]
				}
				out[at+i] = truth.Evaluate(&ws, pred, target, kernel.Loss{H: set.Height, W: set.Width})
			}
		})
	}
	return out, nil
}

// place is where value i of (N, H, W, C), the order of a data set, lies in (N, C, H, W), a model's.
func place(i int, set *dataset.Images) int {
	c, plane := set.Channels, set.Height*set.Width
	n, rest := i/(c*plane), i%(c*plane)
	return n*c*plane + rest%c*plane + rest/c
}

// mse is the mean squared error over all values of the first images.
func (c comparison) mse(first int) float64 {
	s := c[:first].sums()
	return s.SE / float64(s.Values)
}

func (c comparison) sums() (s trainer.Sums) {
	for _, v := range c {
		s.Add(trainer.SumsOf(v))
	}
	return s
}

// How far a figure may be from the claimed one. An absolute error is a mean of roundings that do not cancel; the fast
// engine's SSIM has variances in float32, whose cancellation costs four digits at worst.
const (
	maeTolerance  = 1e-5
	ssimTolerance = 2e-4
)

// agree, for a model that was judged on that many labels, says which of the claimed metrics of the test set found does not
// come to, or does not hold.
func agree(claimed, found map[string]float64, labels int) error {
	for _, key := range slices.Sorted(maps.Keys(claimed)) {
		a := claimed[key]
		b, known := found[key]
		tolerance := 0.0
		switch key {
		case "test_mse":
			tolerance = mseTolerance
		case "test_mae":
			tolerance = maeTolerance
		case "test_ssim":
			tolerance = ssimTolerance
		case "test_miou", "test_pixel_acc", "test_acc":
			tolerance = labelTolerance(labels)
		case "test_psnr": // a logarithm: held by what it is of
			tolerance = mseTolerance
			a, b = math.Pow(10, -a/10), math.Pow(10, -b/10)
		}
		if !known {
			return fmt.Errorf("%s claims a %s, which is not understood here", metricsFile, key)
		}
		if math.Abs(a-b) <= tolerance || math.IsNaN(a) && math.IsNaN(b) {
			continue
		}
		return fmt.Errorf("%s claims a %s of %.9g, but %s has %.9g: they differ by more than rounding", metricsFile, key, claimed[key], modelFile, found[key])
	}
	return nil
}
