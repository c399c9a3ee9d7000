package kernel

import (
	"fmt"
	"math"
)

// NormKind names a normalisation.
type NormKind uint8

// The normalisations of a map (N, H, W, C). Each has a scale and a shift by channel.
const (
	// BatchNorm takes each channel's mean and variance over the batch and the pixels: Ioffe and Szegedy, "Batch
	// normalization", ICML 2015. Of a single value the variance is 0.
	BatchNorm NormKind = iota + 1
	// LayerNorm takes each image's over its pixels and channels: Ba, Kiros and Hinton, "Layer normalization", 2016; with a
	// scale by channel it is the group normalisation of Wu and He, ECCV 2018, with one group.
	LayerNorm
)

var normNames = [...]string{"none", "batch", "layer"}

func (k NormKind) String() string {
	if int(k) < len(normNames) {
		return normNames[k]
	}
	return fmt.Sprintf("NormKind(%d)", uint8(k))
}

// ParseNorm reads the name that the sweep file uses: batch, layer; 0 for none.
func ParseNorm(name string) (NormKind, error) {
	for i, n := range normNames {
		if n == name {
			return NormKind(i), nil
		}
	}
	return 0, fmt.Errorf("unknown norm %q: use one of %v", name, normNames)
}

// The constants of every normalisation, PyTorch's defaults.
const (
	NormEpsilon  = 1e-5 // added to a variance
	NormMomentum = 0.1  // weight of a batch in the running statistics
)

// Norm is a normalisation with its numbers: y = Scale·(x-mean)/√(var+NormEpsilon) + Shift.
type Norm struct {
	Kind         NormKind
	Scale, Shift []float32 // (C)
	// Mean and Var (C) are the running statistics of a BatchNorm, which Normalize moves by NormMomentum towards the batch's
	// mean and unbiased variance (n/(n-1) of the variance of n values), as PyTorch does; nil: none are kept.
	Mean, Var []float32
}

// Norms are normalisations as they are trained. What they share with all of a batch, or of an image, is in stats, a map (N,
// 1, 1, 2·C) without a border.
type Norms interface {
	// Moments writes into stats, for each image and channel of x (N, H, W, C), the mean over its pixels and, from C on, their
	// mean squared deviation from it.
	Moments(ws *Workspace, stats, x Map)
	// Normalize is dst = act(norm(x)), or with an arg act(MaxPool(norm(x))), dst then being (N, H/2, W/2, C) and picked, of
	// dst's size, taking those values of x that the pooling took; arg is as in MaxPool. stats are x's Moments and become, for
	// each image and channel, the mean and, from C on, the 1/√(var+NormEpsilon) that it was normalised by.
	Normalize(ws *Workspace, dst, picked Map, arg []byte, x, stats Map, n Norm, act Activation)
	// NormalizeBackward is its gradient with respect to x (dx, of x's size, which may be x itself), the scale and the shift, all
	// overwritten, given that by the result before act, dy. Without an arg picked is not looked at.
	NormalizeBackward(ws *Workspace, dx Map, dscale, dshift []float32, dy, picked Map, arg []byte, x, stats Map, n Norm)
}

// FoldNorm writes the weights and the bias of a linear map, the last of whose axes is that of the C channels, that does what w
// without a bias and a normalisation by n's running statistics do: dw has the size of w, db (C).
func FoldNorm(dw, db, w []float32, n Norm) {
	c := len(n.Scale)
	checkVector(n.Shift, c)
	checkVector(n.Mean, c)
	checkVector(n.Var, c)
	checkVector(db, c)
	checkVector(dw, len(w))
	for i := range db {
		db[i] = float32(float64(n.Scale[i]) / math.Sqrt(float64(n.Var[i])+NormEpsilon))
	}
	for i := 0; i < len(w); i += c {
		for j, a := range db {
			dw[i+j] = float32(w[i+j] * a)
		}
	}
	for i, a := range db {
		db[i] = float32(float64(n.Shift[i]) - float64(a)*float64(n.Mean[i]))
	}
}

// settle turns the moments of images of so many pixels into what their values are normalised by, and moves the running
// statistics. Moments of parts are joined as in Chan, Golub and LeVeque, "Algorithms for computing the sample variance",
// 1983.
func settle(stats Map, pixels int, n Norm) {
	c := stats.C / 2
	at := func(i, j int) float64 { return float64(stats.Data[i*2*c+j]) }
	// join gives mean and variance of the images from … to and channels low … high.
	join := func(from, to, low, high int) (mean, variance float64) {
		count := float64((to - from) * (high - low))
		for i := from; i < to; i++ {
			for j := low; j < high; j++ {
				mean += at(i, j)
			}
		}
		mean /= count
		for i := from; i < to; i++ {
			for j := low; j < high; j++ {
				d := at(i, j) - mean
				variance += at(i, c+j) + float64(d*d)
			}
		}
		return mean, variance / count
	}
	set := func(from, to, low, high int, mean, variance float64) {
		inv := float32(1 / math.Sqrt(variance+NormEpsilon))
		for i := from; i < to; i++ {
			for j := low; j < high; j++ {
				stats.Data[i*2*c+j], stats.Data[i*2*c+c+j] = float32(mean), inv
			}
		}
	}
	if n.Kind == LayerNorm {
		for i := range stats.N {
			mean, variance := join(i, i+1, 0, c)
			set(i, i+1, 0, c, mean, variance)
		}
		return
	}
	if stats.N == 0 {
		return
	}
	count := float64(stats.N * pixels)
	for j := range c {
		mean, variance := join(0, stats.N, j, j+1)
		set(0, stats.N, j, j+1, mean, variance)
		if n.Mean != nil {
			n.Mean[j] = towards(n.Mean[j], mean)
			if count > 1 {
				variance *= count / (count - 1)
			}
			n.Var[j] = towards(n.Var[j], variance)
		}
	}
}

// towards moves a running number.
func towards(old float32, now float64) float32 {
	return float32(float64((1-NormMomentum)*float64(old)) + float64(NormMomentum*now))
}

// normCoefs are the numbers by which image i is normalised, (3, C): y = (x - coef[0])·coef[1] + coef[2].
func normCoefs(coef []float32, stats Map, i int, n Norm) {
	c := stats.C / 2
	s := stats.Data[i*2*c:][:2*c]
	for j := range c {
		coef[j] = s[j]
		coef[c+j] = float32(float64(n.Scale[j]) * float64(s[c+j]))
		coef[2*c+j] = n.Shift[j]
	}
}

// gradient joins the sums (N, 2·C) of dy and of dy·(x-mean), over the pixels of each image, to the gradients of scale and
// shift, and to the numbers of which each image's gradient is made, (N, 4, C):
// dx = coef[1]·dy - coef[2] - coef[3]·(x - coef[0]).
func gradient(coef, dscale, dshift []float32, sums []float64, stats Map, pixels int, n Norm) {
	c := stats.C / 2
	for j := range c {
		var scale, shift, size float64
		for i := range stats.N {
			shift += sums[i*2*c+j]
			size += sums[i*2*c+c+j]
			scale += float64(sums[i*2*c+c+j] * float64(stats.Data[i*2*c+c+j]))
		}
		dscale[j], dshift[j] = float32(scale), float32(shift)
		if n.Kind == BatchNorm {
			count := float64(stats.N * pixels)
			for i := range stats.N {
				inv := float64(stats.Data[i*2*c+c+j])
				a := float64(n.Scale[j]) * inv
				k := coef[i*4*c:]
				k[j], k[c+j] = stats.Data[i*2*c+j], float32(a)
				k[2*c+j], k[3*c+j] = float32(a*shift/count), float32(a*inv*inv*size/count)
			}
		}
	}
	if n.Kind != LayerNorm {
		return
	}
	count := float64(c * pixels)
	for i := range stats.N {
		var shift, size float64
		for j := range c {
			shift += float64(float64(n.Scale[j]) * sums[i*2*c+j])
			size += float64(float64(n.Scale[j]) * sums[i*2*c+c+j])
		}
		for j := range c {
			inv := float64(stats.Data[i*2*c+c+j])
			k := coef[i*4*c:]
			k[j], k[c+j] = stats.Data[i*2*c+j], float32(float64(n.Scale[j])*inv)
			k[2*c+j], k[3*c+j] = float32(inv*shift/count), float32(inv*inv*inv*size/count)
		}
	}
}

func checkStats(stats, x Map) {
	stats.check()
	x.check()
	if stats.N != x.N || stats.H != 1 || stats.W != 1 || stats.C != 2*x.C || stats.Pad != 0 {
		panic("kernel: maps differ in size")
	}
}

func (n Norm) check(x, stats Map, act Activation, small, picked Map, arg []byte) {
	checkStats(stats, x)
	if n.Kind != BatchNorm && n.Kind != LayerNorm {
		panic("kernel: no such normalisation")
	}
	checkVector(n.Scale, x.C)
	checkVector(n.Shift, x.C)
	if n.Mean != nil || n.Var != nil {
		checkVector(n.Mean, x.C)
		checkVector(n.Var, x.C)
	}
	if arg == nil {
		sameSize(small, x)
		return
	}
	checkMonotone(act)
	checkPool(small, arg, x)
	sameSize(picked, small)
}
