package op

import (
	"slices"

	G "gorgonia.org/gorgonia"

	"sweep/trainer/kernel"
)

// Conv2D is the convolution (cross-correlation, as everywhere in this field) of x (N,H,W,Ci) with w (K,K,Ci,Co), K odd,
// with zeros around x so that the sides stay: y[h,w,o] = Σ x[h+i-K/2, w+j-K/2, c]·w[i,j,c,o].
func Conv2D(x, w *G.Node) (*G.Node, error) {
	return apply(Conv, Attr{Side: w.Shape()[0]}, 4, x, w)
}

// ConvTranspose2D is the transposed convolution of x (N,H,W,Ci) with w (Ci,K,K,Co), stride 2, K 2 or 3: y[2h+i, 2w+j, o] =
// Σ x[h,w,c]·w[c,i,j,o]; for K 3 y[2h+i-1, 2w+j-1, o], where there is one.
func ConvTranspose2D(x, w *G.Node) (*G.Node, error) {
	return apply(ConvT, Attr{Side: w.Shape()[1]}, 4, x, w)
}

// MatMul is the product of x (N,I) and w (I,O).
func MatMul(x, w *G.Node) (*G.Node, error) { return apply(Dense, Attr{}, 2, x, w) }

// AddBias adds b (C) to every position of x (N,…,C).
func AddBias(x, b *G.Node) (*G.Node, error) { return apply(Bias, Attr{}, x.Dims(), x, b) }

// Activate applies f to every value of x.
func Activate(x *G.Node, f kernel.Activation) (*G.Node, error) {
	return apply(Act, Attr{Act: f}, x.Dims(), x)
}

// MaxPool keeps the greatest of each 2x2 window of x (N,H,W,C), H and W even.
func MaxPool(x *G.Node) (*G.Node, error) { return apply(Pool, Attr{}, 4, x) }

// Fold gives each image of x the shape s; the batch stays what it is.
func Fold(x *G.Node, s ...int) (*G.Node, error) {
	return apply(Reshape, Attr{Shape: slices.Clone(s)}, len(s)+1, x)
}

// ToImage turns the output of a network into images: its first height rows and width columns, a signed one (tanh)
// mapped from -1 … 1 to 0 … 1.
func ToImage(y *G.Node, height, width int, signed bool) (*G.Node, error) {
	return apply(Image, Attr{Height: height, Width: width, Signed: signed}, 4, y)
}

// LossOf is the loss of the images p against the truth t (N,H,W,C): means over all values of the batch. ssimWeight is
// w of (1-w)·MSE + w·(1-SSIM), unused by the other kinds.
func LossOf(p, t *G.Node, k kernel.LossKind, ssimWeight float64) (*G.Node, error) {
	return apply(Loss, Attr{Loss: k, SSIMWeight: ssimWeight}, 0, p, t)
}
