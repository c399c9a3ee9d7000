package op

import (
	G "gorgonia.org/gorgonia"

	"sweep/trainer/kernel"
)

// Sum adds two values of one shape.
func Sum(a, b *G.Node) (*G.Node, error) { return apply(Add, Attr{}, a.Dims(), a, b) }

// MaxUnpool brings x (N,H,W,C) to the sides of p (N,2H,2W,C), the input of a pooling: each value at the place of the first
// greatest of its window of p, 0 elsewhere (Badrinarayanan, Kendall and Cipolla, "SegNet", TPAMI 2017). There is no
// derivative by p.
func MaxUnpool(x, p *G.Node) (*G.Node, error) { return apply(Unpool, Attr{}, 4, x, p) }

// Attend is scaled dot-product attention with one head among the pixels of each image, softmax(q kᵀ / √C) v, of q, k and v
// (N,H,W,C) (Vaswani et al., "Attention is all you need", NeurIPS 2017, equation 1).
func Attend(q, k, v *G.Node) (*G.Node, error) { return apply(Attention, Attr{}, 4, q, k, v) }

// places runs an unpooling or its gradient: dst by the places of the greatest of p.
func (o *Op) places(p kernel.Map, move func(arg []byte)) {
	y := kernel.NewMap(p.N, p.H/2, p.W/2, p.C, 0)
	arg := make([]byte, y.Values())
	o.ref.MaxPool(y, arg, p)
	move(arg)
}
