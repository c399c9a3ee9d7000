package op

import (
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"sweep/trainer/kernel"
)

// Normalize is scale·(x-mean)/√(var+ε) of x (N,H,W,C) and scale (C), with mean and variance of each channel over batch and
// pixels, or of each image over pixels and channels; ε is [kernel.NormEpsilon]. A shift is a bias behind it.
func Normalize(x, scale *G.Node, k kernel.NormKind) (*G.Node, error) {
	return apply(Norm, Attr{Norm: k}, 4, x, scale)
}

// NormalizeBy is the same with a given mean and variance of each channel (C); there is no derivative.
func NormalizeBy(x, scale, mean, variance *G.Node) (*G.Node, error) {
	return apply(NormBy, Attr{}, 4, x, scale, mean, variance)
}

// normShape gives the shape of a normalisation or of its gradients.
func (o *Op) normShape(in []tensor.Shape) (tensor.Shape, bool) {
	x := in[0]
	of := func(s tensor.Shape) bool { return s[0] == x[3] }
	switch o.Kind {
	case Norm:
		return x.Clone(), of(in[1])
	case NormData:
		return x.Clone(), of(in[1]) && x.Eq(in[2])
	case NormWeights:
		return tensor.Shape{x[3]}, x.Eq(in[1])
	}
	return x.Clone(), of(in[1]) && of(in[2]) && of(in[3])
}

// normalize runs a normalisation or one of its gradients into dst.
func (o *Op) normalize(dst []float32, in [][]float32, x kernel.Map) {
	norm := kernel.Norm{Kind: o.Attr.Norm, Shift: make([]float32, x.C)}
	if norm.Scale = in[1]; o.Kind == NormWeights {
		norm.Scale = make([]float32, x.C) // the gradient by the scale does not depend on it
	}
	if o.Kind == NormBy {
		// The folded weights of the identity are what each channel is multiplied by.
		norm.Mean, norm.Var = in[2], in[3]
		a, b, ones := make([]float32, x.C), make([]float32, x.C), make([]float32, x.C)
		for i := range ones {
			ones[i] = 1
		}
		kernel.FoldNorm(a, b, ones, norm)
		for i, v := range in[0] {
			c := i % x.C
			dst[i] = float32(float64(a[c]) * (float64(v) - float64(norm.Mean[c])))
		}
		return
	}
	like := func() kernel.Map { return kernel.NewMap(x.N, x.H, x.W, x.C, 0) }
	stats, y := kernel.NewMap(x.N, 1, 1, 2*x.C, 0), like()
	o.ref.Moments(&o.ws, stats, x)
	o.ref.Normalize(&o.ws, y, kernel.Map{}, nil, x, stats, norm, kernel.Identity)
	if o.Kind == Norm {
		y.Pixels(dst)
		return
	}
	dy, dx, dscale := like(), like(), make([]float32, x.C)
	dy.SetPixels(in[len(in)-1])
	o.ref.NormalizeBackward(&o.ws, dx, dscale, make([]float32, x.C), dy, kernel.Map{}, nil, x, stats, norm)
	if o.Kind == NormData {
		dx.Pixels(dst)
		return
	}
	copy(dst, dscale)
}
