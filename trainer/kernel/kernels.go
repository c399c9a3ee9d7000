package kernel

import "fmt"

// Activation is a function applied to every value of a layer's output.
type Activation uint8

// The activations. All but GELU are monotone, so max-pooling may come before or after them; all but GELU have a slope that
// their output tells.
const (
	Identity  Activation = iota
	ReLU                 // max(0, x)
	LeakyReLU            // x, or [LeakySlope]·x where x < 0
	Tanh                 // hyperbolic tangent
	Sigmoid              // 1/(1+exp(-x))
	GELU                 // x·Φ(x), Φ the normal distribution: Hendrycks and Gimpel, "Gaussian error linear units", 2016
)

// LeakySlope is the slope of LeakyReLU for negative values.
const LeakySlope = 0.01

func (a Activation) String() string {
	if int(a) < len(activationNames) {
		return activationNames[a]
	}
	return fmt.Sprintf("Activation(%d)", uint8(a))
}

var activationNames = [...]string{"none", "relu", "leaky_relu", "tanh", "sigmoid", "gelu"}

// KeepsInput tells whether a needs its input for its gradient, and all of it before a pooling: it is not monotone.
func (a Activation) KeepsInput() bool { return a == GELU }

// ParseActivation reads the name that the sweep file uses: none, relu, leaky_relu, tanh, sigmoid, gelu.
func ParseActivation(name string) (Activation, error) {
	for i, n := range activationNames {
		if n == name {
			return Activation(i), nil
		}
	}
	return 0, fmt.Errorf("unknown activation %q: use one of %v", name, activationNames)
}

// LossKind names a loss.
type LossKind uint8

// The losses, each a mean over all values of the batch.
const (
	MSE     LossKind = iota // (p-t)²
	MAE                     // |p-t|
	MSESSIM                 // (1-w)·MSE + w·(1-SSIM)
)

func (k LossKind) String() string {
	if int(k) < len(lossNames) {
		return lossNames[k]
	}
	return fmt.Sprintf("LossKind(%d)", uint8(k))
}

var lossNames = [...]string{"mse", "mae", "mse+ssim"}

// ParseLoss reads the name that the sweep file uses: mse, mae, mse+ssim.
func ParseLoss(name string) (LossKind, error) {
	for i, n := range lossNames {
		if n == name {
			return LossKind(i), nil
		}
	}
	return 0, fmt.Errorf("unknown loss %q: use one of %v", name, lossNames)
}

// Loss says how a prediction p is compared with its target t.
type Loss struct {
	Kind       LossKind
	SSIMWeight float64 // w of MSESSIM, 0 … 1
	// Output is the network's output activation. After Tanh, p is (y+1)/2; otherwise p is y. After Identity p may lie
	// outside [0, 1]: see Kernels.Evaluate.
	Output Activation
	// H and W are the sides of the image proper. The maps may be larger (a network's sides are padded right and below):
	// only the crop counts.
	H, W int
}

// Sums is what a comparison of N images yields. Values are N·H·W·C.
type Sums struct {
	Images, Values int
	Loss           float64 // mean over the batch
	SE             float64 // sum of squared errors
	AE             float64 // sum of absolute errors
	SSIM           float64 // sum over images of the mean over channels and windows
	Within         int     // values with |p-t| at most 1/20 in float32

	// Of a CrossEntropy, whose Values are pixels: how many of them are taken for their class, and by class how many are
	// of it and taken for it (Intersection), and of it or taken for it (Union; both 0 with more than MaxMaskClasses).
	Right               int
	Intersection, Union [MaxMaskClasses]int
	// KL is the sum over images of the divergence of a variational code, see the function [KL]; a comparison has none.
	KL float64
}

// Kernels is the set of operations. N is the number of images of the maps, any number from 0.
type Kernels interface {
	// Name is the name that New takes.
	Name() string

	// Conv is a convolution with odd side k, stride 1 and same padding:
	// dst (N, H, W, co) = act(b + x * w), x (N, H, W, ci) with Pad ≥ k/2, w (k, k, ci, co), b (co). Of this and the other
	// linear maps on maps of pixels b may be nil, where there is none, and db then too.
	Conv(ws *Workspace, dst, x Map, w, b []float32, k int, act Activation)
	// ConvPool is a convolution, MaxPool, then act, which must be monotone and so gives what pooling after it would:
	// dst (N, H/2, W/2, co), x (N, H, W, ci), arg as in MaxPool, of the values before act.
	// Its gradient: ActivationBackward on dst's, then ConvPoolBackward.
	ConvPool(ws *Workspace, dst Map, arg []byte, x Map, w, b []float32, k int, act Activation)
	// ConvPoolBackward is the gradient of ConvPool before the activation: with respect to w and b, which are overwritten,
	// and with respect to x, unless dx has no data: dy (N, H/2, W/2, co) with its places arg, dx and x (N, H, W, ci), x
	// with Pad ≥ k/2 and slack. It is what MaxPoolBackward and those of Conv come to.
	ConvPoolBackward(ws *Workspace, dx Map, dw, db []float32, x, dy Map, arg []byte, w []float32, k int)
	// ConvBackwardData is the gradient of Conv with respect to x, before the activation:
	// dx (N, H, W, ci), dy (N, H, W, co) with Pad ≥ k/2.
	ConvBackwardData(ws *Workspace, dx, dy Map, w []float32, k int)
	// ConvBackwardWeights is the gradient with respect to w and b; both are overwritten. x has Pad ≥ k/2.
	ConvBackwardWeights(ws *Workspace, dw, db []float32, x, dy Map, k int)

	// ConvT is a transposed convolution 2x2 with stride 2:
	// dst (N, 2H, 2W, co) = act(b + …), x (N, H, W, ci), w (ci, 2, 2, co), b (co);
	// pixel (2y+i, 2x+j) is the sum over ci of x(y, x, ci)·w(ci, i, j, ·).
	ConvT(ws *Workspace, dst, x Map, w, b []float32, act Activation)
	// ConvTBackwardData is its gradient with respect to x, before the activation.
	ConvTBackwardData(ws *Workspace, dx, dy Map, w []float32)
	// ConvTBackwardWeights is its gradient with respect to w and b; both are overwritten.
	ConvTBackwardWeights(ws *Workspace, dw, db []float32, x, dy Map)

	Upsampling
	Norms

	// MaxPool takes the largest of each 2x2: dst (N, H/2, W/2, C), x (N, H, W, C) with even H and W. arg, of
	// dst.Values() bytes in NHWC order without a border, gets the place 2·i+j of the largest, the first of equals.
	MaxPool(dst Map, arg []byte, x Map)
	// MaxPoolBackward sends each dy to the place that arg names and writes 0 elsewhere: dx (N, H, W, C).
	MaxPoolBackward(dx, dy Map, arg []byte)

	// UnpoolBackward is the gradient of unpooling, which is MaxPoolBackward read the other way round (Badrinarayanan,
	// Kendall and Cipolla, "SegNet", TPAMI 2017): dx (N, H/2, W/2, C) takes each dy (N, H, W, C) at the place that arg names.
	UnpoolBackward(dx, dy Map, arg []byte)

	// Add is dst = act(a + b), of maps of one size whose borders may differ. dst may be a or b itself.
	Add(act Activation, dst, a, b Map)
	// Copy is dst = x, of maps of one size whose borders may differ.
	Copy(dst, x Map)

	// Attention is scaled dot-product self-attention among the pixels of each image, with one head (Vaswani et al.,
	// "Attention is all you need", NeurIPS 2017, equation 1): dst = softmax(q kᵀ / √C) v, rows of q, k, v and dst being the
	// pixels. All are (N, H, W, C) without a border.
	Attention(ws *Workspace, dst, q, k, v Map)
	// AttentionBackward is its gradient with respect to q, k and v, which take the places of q, k and v themselves; dy is
	// that by dst. The weights of the softmax are made again from q and k: they are H·W times as many as the pixels.
	AttentionBackward(ws *Workspace, q, k, v, dy Map)

	// Dense is dst (n, out) = act(b + x w), x (n, in), w (in, out), b (out). The slices may be longer.
	Dense(ws *Workspace, dst, x, w, b []float32, n, in, out int, act Activation)
	// DenseBackwardData is the gradient with respect to x, before the activation: dx (n, in), dy (n, out).
	DenseBackwardData(ws *Workspace, dx, dy, w []float32, n, in, out int)
	// DenseBackwardWeights is the gradient with respect to w and b; both are overwritten.
	DenseBackwardWeights(ws *Workspace, dw, db, x, dy []float32, n, in, out int)

	// Activate applies act to x in place.
	Activate(act Activation, x Map)
	// ActivateTo is dst = act(x), of maps of one size whose borders may differ.
	ActivateTo(act Activation, dst, x Map)
	// ActivationBackward multiplies dy by the derivative of act, in place, given the activation's output y; for one that
	// KeepsInput, given its input y.
	ActivationBackward(act Activation, dy, y Map)

	// Loss compares pred with target and writes the gradient of the loss with respect to pred (the activation's output,
	// so before ActivationBackward), 0 outside the crop. Sums.SSIM is filled for MSESSIM only.
	//
	// SSIM is that of Wang, Bovik, Sheikh and Simoncelli 2004: an 11x11 Gaussian window with sigma 1.5, K1 0.01, K2 0.03,
	// range 1, each channel by itself, windows that lie wholly inside the crop. Where a side is under 11 the window is
	// the largest odd one that fits, with the same sigma. See [SSIMWindow].
	Loss(ws *Workspace, dpred, pred, target Map, l Loss) Sums
	// Evaluate is Loss without the gradient; all of Sums is filled, SSIM for every kind of loss. Without an output
	// activation SE, AE, SSIM and Within are of pred limited to [0, 1], as a picture shows it and an exported model gives
	// it; Sums.Loss is the trial's own loss and stays of pred as it is.
	Evaluate(ws *Workspace, pred, target Map, l Loss) Sums

	// CrossEntropy compares logits (N, H, W, C) with classes: with p the softmax of a pixel's channels the loss is the mean
	// of -log p[class] over the pixels of the crop of h x w of all images. labels is a set of images of h x w classes under
	// C, and images the indices of those that the logits are of. dlogits gets the gradient with respect to the logits, 0
	// outside the crop; the zero Map stands for no wish of it. A row of C logits for an image is a map with H = W = 1, and
	// h = w = 1. Filled are Images, Values (pixels), Loss, Right, Intersection and Union; a pixel is taken for the class of
	// the first of its largest logits.
	CrossEntropy(ws *Workspace, dlogits, logits Map, labels []byte, images []int, h, w int) Sums

	// Gather writes the images with the given indices, as pixel/255, into the first len(images) images of dst; pixels
	// is a set of (h, w, dst.C) images. dst's sides may be larger: zeros stand right and below.
	Gather(dst Map, pixels []byte, h, w int, images []int)
	// Corrupt makes image i of dst, the input of a network, from image i of src, its target: maps of one size, dst with any
	// border. words are at least c.Words(dst.C) words of random bits of that image's own. Every implementation gives the
	// same bits.
	Corrupt(dst, src Map, i int, c Corruption, words []uint32)

	// Mirror turns the first w columns of the marked images left to right, in place.
	Mirror(x Map, w int, marked []bool)

	// Random writes blocks first, first+1 … of s into dst, a multiple of 4 words; the number of a block wraps around.
	Random(dst []uint32, s Stream, first uint32)
	// DropMask draws which values a dropout keeps: byte i holds the bits of eight values, of block first+i, the first
	// value's lowest; 1 where the value's 16 bits are at least threshold. See [DropThreshold].
	DropMask(ws *Workspace, bits []byte, s Stream, first uint32, threshold uint16)
	// Drop is inverted dropout (Srivastava et al., JMLR 2014): dst is x times 65536/(65536-threshold) where the bits say
	// keep, else 0. Each row of W·C values has its bits from a byte of its own on: [DropBytes]. dst may be x. Its
	// gradient is Drop on the gradient.
	Drop(dst, x Map, bits []byte, threshold uint16)

	// Adam makes one step: m and v are the moments, zeros before step 1. g is not changed.
	Adam(w, g, m, v []float32, s AdamStep)
	// SGD makes one step: m is the momentum, zeros before the first. g is not changed.
	SGD(w, g, m []float32, s SGDStep)
	// SumSquares is the sum of x², added in float64.
	SumSquares(x []float32) float64
	// Finite reports whether no value is infinite or NaN.
	Finite(x []float32) bool
}

// Names lists the implementations that this machine can run, the fastest last.
func Names() []string {
	var names []string
	for _, k := range implementations() {
		names = append(names, k.Name())
	}
	return names
}

// New gives the implementation of this name: ref, portable, or, where the processor has AVX2 and FMA, avx2.
func New(name string) (Kernels, error) {
	for _, k := range implementations() {
		if k.Name() == name {
			return k, nil
		}
	}
	return nil, fmt.Errorf("no CPU kernels %q on this machine: use one of %v", name, Names())
}

// Best gives the fastest implementation that this machine can run.
func Best() Kernels {
	all := implementations()
	return all[len(all)-1]
}
