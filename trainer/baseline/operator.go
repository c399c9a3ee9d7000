package baseline

import (
	"context"

	"sweep/trainer/dataset"
	"sweep/trainer/kernel"
)

// operator multiplies vectors by the covariance matrix C of a set of images.
type operator interface {
	// apply is dst = q·C, both (wide, size).
	apply(ctx context.Context, dst, q []float32, wide int, pace Pace) error
}

const (
	// panel is the width of the strips in which the covariance matrix is made.
	panel = 512
	// block is how many images are added up in float32, before their sum is added to a float64 one.
	block = 1024
	// mostMatrix is the greatest side of a covariance matrix that is made; it takes 12 bytes an element meanwhile.
	mostMatrix = 4096
)

// newOperator chooses between the two ways of multiplying by the covariance matrix, by counting multiplications. With
// its n images of d values and a basis of w vectors, making the matrix takes n·d²/2, a product with it d²·w, and a product
// without it 2·n·d·w. The choice depends on sizes alone, so that the result does not depend on the machine's load.
func newOperator(ctx context.Context, k kernel.Kernels, images *dataset.Images, mean []float32, wide int, pace Pace) (operator, error) {
	n, d := float64(images.Len()), float64(len(mean))
	w := float64(wide)
	if len(mean) <= mostMatrix && n*d*d/2+products*d*d*w < products*2*n*d*w {
		return newMatrix(ctx, k, images, mean, pace)
	}
	return &stream{k: k, images: images, mean: mean}, nil
}

// matrix is the covariance matrix itself, (size, size).
type matrix struct {
	k    kernel.Kernels
	ws   kernel.Workspace
	c    []float32
	none []float32 // the bias that products do not have
}

// newMatrix makes the covariance matrix: panels of it, those on and above the diagonal.
func newMatrix(ctx context.Context, k kernel.Kernels, images *dataset.Images, mean []float32, pace Pace) (*matrix, error) {
	size, n := len(mean), images.Len()
	m := &matrix{k: k, c: make([]float32, size*size), none: make([]float32, size)}
	type strip struct {
		low, wide int
		x         []float32 // (block, wide)
	}
	var strips []strip
	for low := 0; low < size; low += panel {
		wide := min(panel, size-low)
		strips = append(strips, strip{low, wide, make([]float32, min(block, n)*wide)})
	}
	sums := make([][]float64, len(strips)*len(strips))
	for i, a := range strips {
		for j := i; j < len(strips); j++ {
			sums[i*len(strips)+j] = make([]float64, a.wide*strips[j].wide)
		}
	}
	part, bias := make([]float32, panel*panel), make([]float32, panel)
	for from := 0; from < n; from += block {
		to := min(from+block, n)
		for _, s := range strips {
			centre(s.x, images, mean, from, to, s.low, s.low+s.wide)
		}
		for i, a := range strips {
			for j := i; j < len(strips); j++ {
				if err := pace.next(ctx); err != nil {
					return nil, err
				}
				b, sum := strips[j], sums[i*len(strips)+j]
				part := part[:a.wide*b.wide]
				k.DenseBackwardWeights(&m.ws, part, bias[:b.wide], a.x, b.x, to-from, a.wide, b.wide)
				for at, v := range part {
					sum[at] += float64(v)
				}
			}
		}
	}
	for i, a := range strips {
		for j := i; j < len(strips); j++ {
			b, sum := strips[j], sums[i*len(strips)+j]
			for r := range a.wide {
				for c := range b.wide {
					v := float32(sum[r*b.wide+c] / float64(n))
					m.c[(a.low+r)*size+b.low+c] = v
					m.c[(b.low+c)*size+a.low+r] = v
				}
			}
		}
	}
	return m, nil
}

func (m *matrix) apply(ctx context.Context, dst, q []float32, wide int, pace Pace) error {
	size := len(m.none)
	const rows = 256
	for at := 0; at < wide; at += rows {
		if err := pace.next(ctx); err != nil {
			return err
		}
		n := min(rows, wide-at)
		m.k.Dense(&m.ws, dst[at*size:][:n*size], q[at*size:][:n*size], m.c, m.none, n, size, size, kernel.Identity)
	}
	return nil
}

// stream goes through the images for every product: q·C = Σ (x·qᵀ)ᵀ·x / n over the centred images x.
type stream struct {
	k      kernel.Kernels
	ws     kernel.Workspace
	images *dataset.Images
	mean   []float32
}

func (s *stream) apply(ctx context.Context, dst, q []float32, wide int, pace Pace) error {
	const rows = 256
	size, n := len(s.mean), s.images.Len()
	x, z := make([]float32, min(rows, n)*size), make([]float32, min(rows, n)*wide)
	part, bias := make([]float32, wide*size), make([]float32, size)
	sum := make([]float64, wide*size)
	for from := 0; from < n; from += rows {
		if err := pace.next(ctx); err != nil {
			return err
		}
		to := min(from+rows, n)
		centre(x, s.images, s.mean, from, to, 0, size)
		s.k.DenseBackwardData(&s.ws, z, x, q, to-from, wide, size)
		s.k.DenseBackwardWeights(&s.ws, part, bias, z, x, to-from, wide, size)
		for i, v := range part {
			sum[i] += float64(v)
		}
	}
	for i, v := range sum {
		dst[i] = float32(v / float64(n))
	}
	return nil
}
