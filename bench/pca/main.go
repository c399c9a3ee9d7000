// Command pca prints the validation MSE of principal component analysis with k components: the best linear code of k
// numbers, and so the line that an autoencoder with a latent of k must beat to have learned anything.
//
//	go run ./bench/pca -data DIR -name cifar10 -train 10000 -validation 2000 -seed 1 64 128 256 512
//
// The images are the ones that a sweep with the same data, counts and seed trains and validates on. Values are
// pixels/255; reconstructions are not clipped.
package main

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"

	"gonum.org/v1/gonum/mat"

	"sweep/trainer/dataset"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "pca:", err)
		os.Exit(1)
	}
}

func run() error {
	data := flag.String("data", os.Getenv("SWEEP_DATA"), "folder of data sets")
	name := flag.String("name", "cifar10", "data set")
	train := flag.Int("train", 10000, "training images")
	validation := flag.Int("validation", 2000, "validation images")
	seed := flag.Uint64("seed", 1, "the study's seed")
	flag.Parse()
	var components []int
	for _, arg := range flag.Args() {
		k, err := strconv.Atoi(arg)
		if err != nil || k < 1 {
			return fmt.Errorf("%q is not a number of components", arg)
		}
		components = append(components, k)
	}
	if len(components) == 0 {
		return errors.New("name one or more numbers of components: pca 64 128")
	}
	source, err := dataset.Open(*name, *data)
	if err != nil {
		return err
	}
	t, v, err := source.Split(*seed, *train, *validation)
	if err != nil {
		return err
	}
	size := t.Height * t.Width * t.Channels
	most := slices.Max(components)
	if most > size {
		return fmt.Errorf("an image has %d values, so there are no %d components", size, most)
	}
	mean := means(t)
	basis := leading(covariance(t, mean), most)
	fmt.Printf("%s, %d training and %d validation images, seed %d\n", *name, *train, *validation, *seed)
	for _, k := range components {
		fmt.Printf("pca-%-4d val_mse %.6f\n", k, residual(v, mean, basis, k))
	}
	return nil
}

// means is the mean image, in pixels/255.
func means(s *dataset.Images) []float64 {
	size := s.Height * s.Width * s.Channels
	m := make([]float64, size)
	for i, p := range s.Pixels {
		m[i%size] += float64(p)
	}
	for i := range m {
		m[i] /= 255 * float64(s.Len())
	}
	return m
}

// centred returns images from … to-1 less the mean as rows.
func centred(s *dataset.Images, mean []float64, from, to int) *mat.Dense {
	size := len(mean)
	x := mat.NewDense(to-from, size, nil)
	raw := x.RawMatrix().Data
	for i, p := range s.Pixels[from*size : to*size] {
		raw[i] = float64(p)/255 - mean[i%size]
	}
	return x
}

// covariance is the sum of the centred images' outer products, made of blocks so that memory stays small.
func covariance(s *dataset.Images, mean []float64) *mat.SymDense {
	c := mat.NewSymDense(len(mean), nil)
	const block = 1000
	for from := 0; from < s.Len(); from += block {
		x := centred(s, mean, from, min(from+block, s.Len()))
		var part mat.SymDense
		part.SymOuterK(1, x.T())
		c.AddSym(c, &part)
	}
	return c
}

// leading returns an orthonormal basis of the k leading eigenvectors of c as columns, by subspace iteration with
// oversampling (Halko, Martinsson, Tropp 2011, algorithm 4.4) and a Rayleigh-Ritz step, so that its first j columns are
// the j leading ones.
func leading(c *mat.SymDense, k int) *mat.Dense {
	n := c.SymmetricDim()
	wide := min(n, k+32)
	r := rand.New(rand.NewPCG(1, 1))
	q := mat.NewDense(n, wide, nil)
	for i, raw := 0, q.RawMatrix().Data; i < len(raw); i++ {
		raw[i] = r.NormFloat64()
	}
	for range 8 {
		var y mat.Dense
		y.Mul(c, q)
		orthonormal(q, &y)
	}
	var cq, small mat.Dense
	cq.Mul(c, q)
	small.Mul(q.T(), &cq)
	sym := mat.NewSymDense(wide, nil)
	for i := range wide {
		for j := i; j < wide; j++ {
			sym.SetSym(i, j, (small.At(i, j)+small.At(j, i))/2)
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(sym, true) {
		panic("pca: the eigenvalues of a symmetric matrix were not found")
	}
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	order := mat.NewDense(wide, k, nil) // gonum sorts ascending
	for j := range k {
		order.SetCol(j, mat.Col(nil, wide-1-j, &vectors))
	}
	var out mat.Dense
	out.Mul(q, order)
	return &out
}

// orthonormal sets q to an orthonormal basis of the columns of y, by the Cholesky factor of yᵀ·y, twice: once leaves
// an error of the condition number squared, the second time removes it (Yamamoto et al. 2015, "CholeskyQR2").
func orthonormal(q, y *mat.Dense) {
	for range 2 {
		_, wide := y.Dims()
		var gram mat.SymDense
		gram.SymOuterK(1, y.T())
		largest := 0.0
		for i := range wide {
			largest = max(largest, gram.At(i, i))
		}
		for i := range wide { // a shift keeps it positive definite (shifted CholeskyQR)
			gram.SetSym(i, i, gram.At(i, i)+1e-13*largest)
		}
		var chol mat.Cholesky
		if !chol.Factorize(&gram) {
			panic("pca: the basis has lost its rank")
		}
		var u mat.TriDense
		chol.UTo(&u)
		var inverse mat.TriDense
		if err := inverse.InverseTri(&u); err != nil {
			panic("pca: " + err.Error())
		}
		q.Mul(y, &inverse)
		y.Copy(q)
	}
}

// residual is the mean squared error of images after projection onto the first k columns of basis.
func residual(s *dataset.Images, mean []float64, basis *mat.Dense, k int) float64 {
	n, _ := basis.Dims()
	b := basis.Slice(0, n, 0, k)
	x := centred(s, mean, 0, s.Len())
	var code mat.Dense
	code.Mul(x, b)
	// |x - b·bᵀ·x|² = |x|² - |bᵀ·x|² for an orthonormal b.
	total := 0.0
	for _, v := range x.RawMatrix().Data {
		total += v * v
	}
	for _, v := range code.RawMatrix().Data {
		total -= v * v
	}
	return total / float64(s.Len()*n)
}
