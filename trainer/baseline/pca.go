// Package baseline computes what a trial has to be compared with: the reconstructions of principal component analysis
// with k components, which is the best linear code of k numbers, and of the mean image, which is a code of none.
//
// It promises the metrics of trials on the same images by the same kernels, and equal bits for equal images on the same
// kernels. It works in pieces of mostly a few hundredths of a second (the small eigenvalue problem takes up to some
// seconds, and Gonum multiplies in it on all cores) on the goroutine that calls it, so that whoever has more important things
// to do can hold it up.
package baseline

import (
	"context"
	"errors"
	"fmt"

	"sweep/trainer"
	"sweep/trainer/dataset"
	"sweep/trainer/kernel"
)

// Most is the greatest number of components that is computed: beyond it the small eigenvalue problem, of a size a little
// above that number, takes longer than all the rest.
const Most = 1024

// evaluated is how many images are reconstructed at a time.
const evaluated = 256

// Pace is called between two pieces of work. It may sleep; its error ends the work. nil: no holding up, and the work
// ends with its context.
type Pace func(context.Context) error

func (p Pace) next(ctx context.Context) error {
	if p != nil {
		return p(ctx)
	}
	return ctx.Err()
}

// PCA is the principal component analysis of a set of images: their mean and the directions of their greatest variance.
// It is not changed after [Fit] and may be used by several goroutines.
type PCA struct {
	kernels                 kernel.Kernels
	height, width, channels int
	mean                    []float32 // (size), pixels/255
	basis                   []float32 // (components, size): orthonormal rows, the direction of the greatest variance first
	asked, components       int
	variance                []float64 // (components): of the images along each row
}

// Fit finds the most leading components of images, 1 … [Most]; fewer where the images have fewer: n images have at most
// n-1, and none more than an image has values. One call serves every smaller number of components.
//
// It is a randomised subspace iteration with oversampling (Halko, Martinsson, Tropp, "Finding structure with randomness",
// 2011, algorithm 4.4) and a Rayleigh-Ritz step at its end. The products are the kernels', in float32; they are taken
// with the images' covariance matrix, which is made once, or image by image where that is less work or the matrix would
// not fit ([newOperator]).
func Fit(ctx context.Context, kernels kernel.Kernels, images *dataset.Images, most int, pace Pace) (*PCA, error) {
	switch {
	case images.Len() == 0:
		return nil, errors.New("principal components: there are no images")
	case most < 1 || most > Most:
		return nil, fmt.Errorf("principal components: %d are not between 1 and %d", most, Most)
	}
	p := &PCA{kernels: kernels, height: images.Height, width: images.Width, channels: images.Channels, mean: meanOf(images), asked: most}
	size := len(p.mean)
	p.components = min(most, images.Len()-1, size)
	if p.components == 0 {
		return p, pace.next(ctx)
	}
	wide := min(size, p.components+oversampling(p.components))
	op, err := newOperator(ctx, kernels, images, p.mean, wide, pace)
	if err != nil {
		return nil, err
	}
	s := subspace{kernels: kernels, size: size, wide: wide}
	if err := s.iterate(ctx, op, pace); err != nil {
		return nil, err
	}
	if p.basis, p.variance, err = s.leading(ctx, op, p.components, pace); err != nil {
		return nil, err
	}
	return p, nil
}

// Components is how many components there are.
func (p *PCA) Components() int { return p.components }

// Asked is how many components Fit was asked for: Evaluate answers for all sizes up to it.
func (p *PCA) Asked() int { return p.asked }

// Variance is the variance of the images that were given to Fit along each component, in falling order.
func (p *PCA) Variance() []float64 { return p.variance }

// Evaluate reconstructs set from the first k components, for each k of components, and compares it with itself as a
// trial's validation does. k = 0 is the mean image; a k above [PCA.Components] means all there are. Reconstructions are
// limited to [0, 1], as those of a network without an output activation are. Sums.Loss is the squared error of the
// reconstructions as they are.
func (p *PCA) Evaluate(ctx context.Context, set *dataset.Images, components []int, pace Pace) ([]trainer.Sums, error) {
	if set.Height != p.height || set.Width != p.width || set.Channels != p.channels {
		return nil, fmt.Errorf("evaluate principal components: they are of images of %dx%dx%d, these have %dx%dx%d",
			p.height, p.width, p.channels, set.Height, set.Width, set.Channels)
	}
	most := 0
	for _, k := range components {
		if k < 0 {
			return nil, fmt.Errorf("evaluate principal components: %d is no number of components", k)
		}
		most = max(most, min(k, p.components))
	}
	var (
		ws     kernel.Workspace
		size   = len(p.mean)
		out    = make([]trainer.Sums, len(components))
		n      = min(evaluated, set.Len())
		target = kernel.NewMap(n, p.height, p.width, p.channels, 0)
		pred   = kernel.NewMap(n, p.height, p.width, p.channels, 0)
		x      = make([]float32, n*size)
		code   = make([]float32, n*most)
		part   = make([]float32, n*most)
		loss   = kernel.Loss{Kind: kernel.MSE, Output: kernel.Identity, H: p.height, W: p.width}
		index  = make([]int, n)
	)
	for from := 0; from < set.Len(); from += n {
		n := min(n, set.Len()-from)
		for i := range n {
			index[i] = from + i
		}
		p.kernels.Gather(target, set.Pixels, p.height, p.width, index[:n])
		if most > 0 {
			centre(x, set, p.mean, from, from+n, 0, size)
			p.kernels.DenseBackwardData(&ws, code, x, p.basis[:most*size], n, most, size)
		}
		for i, k := range components {
			if err := pace.next(ctx); err != nil {
				return nil, err
			}
			if k = min(k, p.components); k == 0 {
				for at := range n {
					copy(pred.Data[at*size:][:size], p.mean)
				}
			} else {
				for at := range n {
					copy(part[at*k:][:k], code[at*most:])
				}
				p.kernels.Dense(&ws, pred.Data[:n*size], part, p.basis[:k*size], p.mean, n, k, size, kernel.Identity)
			}
			out[i].Add(trainer.SumsOf(p.kernels.Evaluate(&ws, pred.First(n), target.First(n), loss)))
		}
	}
	return out, nil
}

// meanOf is the mean image, in pixels/255: sums of bytes, so exact but for one rounding.
func meanOf(images *dataset.Images) []float32 {
	size := images.Height * images.Width * images.Channels
	sums := make([]uint64, size)
	for at := 0; at < len(images.Pixels); at += size {
		for i, b := range images.Pixels[at : at+size] {
			sums[i] += uint64(b)
		}
	}
	mean := make([]float32, size)
	for i, s := range sums {
		mean[i] = float32(float64(s) / (255 * float64(images.Len())))
	}
	return mean
}

// centre writes values low … high-1 of the images from … to-1, less the mean, as rows: dst (to-from, high-low).
func centre(dst []float32, images *dataset.Images, mean []float32, from, to, low, high int) {
	size := len(mean)
	mean = mean[low:high]
	for i := from; i < to; i++ {
		row := dst[(i-from)*(high-low):][:len(mean)]
		for j, b := range images.Pixels[i*size+low:][:len(mean)] {
			row[j] = float32(b)/255 - mean[j]
		}
	}
}
