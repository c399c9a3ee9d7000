package baseline

import (
	"context"
	"errors"
	"math"

	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"

	"sweep/study"
	"sweep/trainer/kernel"
)

// products is how often the random start is multiplied by the covariance matrix, the Rayleigh-Ritz step's included.
const products = 8

// oversampling is how many directions beyond the k wanted ones are iterated: the error of the last wanted direction falls
// with each product by the ratio of the variances there.
func oversampling(k int) int { return max(16, k/8) }

// together is how many vectors are made orthogonal to each other in float64.
const together = 32

// subspace is an orthonormal basis of wide rows of size numbers that turns towards the leading eigenvectors.
type subspace struct {
	kernels    kernel.Kernels
	size, wide int
	ws         kernel.Workspace
	q, y       []float32 // (wide, size): the basis, and its product
	none       []float32 // (size): the bias that products do not have
}

// iterate makes the basis: random directions, times the covariance matrix again and again, made orthonormal each time.
// The start is drawn evenly from -1 … 1, which needs no logarithm; all that counts is that no direction is left out.
func (s *subspace) iterate(ctx context.Context, op operator, pace Pace) error {
	s.q, s.y, s.none = make([]float32, s.wide*s.size), make([]float32, s.wide*s.size), make([]float32, s.size)
	r := study.Stream(0, 0, study.ForBaseline, 0)
	for i := range s.q {
		s.q[i] = float32(int32(r.Uint64()>>40)-1<<23) / (1 << 23)
	}
	for range products - 1 {
		if err := op.apply(ctx, s.y, s.q, s.wide, pace); err != nil {
			return err
		}
		s.q, s.y = s.y, s.q
		if err := s.orthonormalise(ctx, pace); err != nil {
			return err
		}
	}
	return nil
}

// orthonormalise makes the rows of q orthonormal, some at a time: first to all rows before them, twice, because once
// leaves what rounding left ("twice is enough", Giraud, Langou, Rozložník 2005), then to one another. A row of which nothing
// is left is 0 from then on: the images have no more directions.
func (s *subspace) orthonormalise(ctx context.Context, pace Pace) error {
	along := make([]float32, together*s.wide)
	shadow := make([]float32, together*s.size)
	rows := make([]blas64.Vector, together)
	for i := range rows {
		rows[i] = blas64.Vector{N: s.size, Data: make([]float64, s.size), Inc: 1}
	}
	was := make([]float64, together)
	for from := 0; from < s.wide; from += together {
		if err := pace.next(ctx); err != nil {
			return err
		}
		n := min(together, s.wide-from)
		before, these := s.q[:from*s.size], s.q[from*s.size:][:n*s.size]
		for i := range n {
			was[i] = math.Sqrt(s.kernels.SumSquares(these[i*s.size:][:s.size]))
		}
		for range 2 {
			if from == 0 {
				break
			}
			s.kernels.DenseBackwardData(&s.ws, along, these, before, n, from, s.size)
			s.kernels.Dense(&s.ws, shadow, along, before, s.none, n, from, s.size, kernel.Identity)
			for i, v := range shadow[:n*s.size] {
				these[i] -= v
			}
		}
		for i := range n {
			for j, v := range these[i*s.size:][:s.size] {
				rows[i].Data[j] = float64(v)
			}
			gramSchmidt(rows[:i], rows[i], was[i])
			for j, v := range rows[i].Data {
				these[i*s.size+j] = float32(v)
			}
		}
	}
	return nil
}

// lost is the share of a row's length, of float32's precision, below which what is left of it is rounding.
const lost = 1e-6

// gramSchmidt makes row orthogonal to the orthonormal rows before it and one long; 0 where nothing but rounding is left of
// the length that it had.
func gramSchmidt(before []blas64.Vector, row blas64.Vector, was float64) {
	for range 2 {
		for _, b := range before {
			blas64.Axpy(-blas64.Dot(b, row), b, row)
		}
	}
	if norm := blas64.Nrm2(row); norm > lost*was {
		blas64.Scal(1/norm, row)
		return
	}
	clear(row.Data)
}

// leading turns the basis so that its first k rows are the leading eigenvectors of the covariance matrix within it
// (Rayleigh-Ritz), and returns them, (k, size), with their eigenvalues.
func (s *subspace) leading(ctx context.Context, op operator, k int, pace Pace) ([]float32, []float64, error) {
	if err := op.apply(ctx, s.y, s.q, s.wide, pace); err != nil {
		return nil, nil, err
	}
	small := make([]float32, s.wide*s.wide)
	s.kernels.DenseBackwardData(&s.ws, small, s.y, s.q, s.wide, s.wide, s.size)
	sym := mat.NewSymDense(s.wide, nil)
	for i := range s.wide {
		for j := i; j < s.wide; j++ {
			sym.SetSym(i, j, (float64(small[i*s.wide+j])+float64(small[j*s.wide+i]))/2)
		}
	}
	if err := pace.next(ctx); err != nil {
		return nil, nil, err
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(sym, true) {
		return nil, nil, errors.New("principal components: the eigenvalues were not found")
	}
	if err := pace.next(ctx); err != nil {
		return nil, nil, err
	}
	values := eigen.Values(nil) // rising
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	turn := make([]float32, k*s.wide)
	variance := make([]float64, k)
	for i := range k {
		variance[i] = max(values[s.wide-1-i], 0)
		for j := range s.wide {
			turn[i*s.wide+j] = float32(vectors.At(j, s.wide-1-i))
		}
	}
	basis := make([]float32, k*s.size)
	s.kernels.Dense(&s.ws, basis, turn, s.q, s.none, k, s.wide, s.size, kernel.Identity)
	return basis, variance, nil
}
