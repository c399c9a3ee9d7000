package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"sweep/trainer/kernel"
)

// CrossEntropy is the mean of -log softmax(z)[t] over all rows of z, (N,H,W,C) or (N,C); t holds the class of each row, a
// whole number from 0 to C-1, in z's shape without its last axis. t has no derivative.
func CrossEntropy(z, t *G.Node) (*G.Node, error) {
	if z.Dims() != 2 && z.Dims() != 4 {
		return nil, fmt.Errorf("cross-entropy of the shape %v: rows or maps are wanted", z.Shape())
	}
	return apply(Entropy, Attr{}, 0, z, t)
}

// entropy runs the kernel on rows: a pixel is a row of its own, since none meets another.
func (o *Op) entropy(grad kernel.Map, z []float32, shape tensor.Shape, t []float32) float64 {
	labels, rows := make([]byte, len(t)), make([]int, len(t))
	for i, v := range t {
		labels[i], rows[i] = byte(v), i
	}
	logits := kernel.Vector(z, len(t), shape[len(shape)-1])
	return o.ref.CrossEntropy(&o.ws, grad, logits, labels, rows, 1, 1).Loss
}
