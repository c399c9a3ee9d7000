package main

import (
	"math"

	"sweep/trainer/kernel"
)

// rounded are kernels whose numbers are rounded as the GPU kernels of a precision round them: in tf32 the factors of products of
// matrices; in bf16 these and every value that a step writes. Weights, their gradients, the optimiser and all sums stay
// float32. Left in float32 as on the GPU are the products of layers whose channels do not come in eights, and of a transposed
// convolution to one or three channels; in bf16 their values are rounded all the same.
//
// It covers the steps of the reference network; another network's further steps run unrounded.
type rounded struct {
	kernel.Kernels
	round  func(float32) float32
	values bool         // what steps write is rounded too
	rooms  [3][]float32 // copies of the factors of one product
}

func newRounded(k kernel.Kernels, precision string) kernel.Kernels {
	switch precision {
	case "tf32":
		return &rounded{Kernels: k, round: tf32}
	case "bf16":
		return &rounded{Kernels: k, round: bf16, values: true}
	}
	return k
}

// tf32 rounds to 11 bits, ties away from zero.
func tf32(v float32) float32 {
	b := math.Float32bits(v)
	if b&0x7f800000 == 0x7f800000 {
		return v
	}
	return math.Float32frombits((b + 0x1000) &^ 0x1fff)
}

// bf16 rounds to 8 bits, ties to even.
func bf16(v float32) float32 {
	b := math.Float32bits(v)
	if b&0x7f800000 == 0x7f800000 {
		return v
	}
	return math.Float32frombits((b + 0x7fff + b>>16&1) &^ 0xffff)
}

// factor is a rounded copy of x, in room i.
func (k *rounded) factor(i int, x []float32) []float32 {
	if cap(k.rooms[i]) < len(x) {
		k.rooms[i] = make([]float32, len(x))
	}
	to := k.rooms[i][:len(x)]
	for j, v := range x {
		to[j] = k.round(v)
	}
	return to
}

// mapped is the same of a map; of values that are rounded already it is the map itself.
func (k *rounded) mapped(i int, m kernel.Map) kernel.Map {
	if k.values {
		return m
	}
	m.Data = k.factor(i, m.Data[:kernel.Floats(m.N, m.H, m.W, m.C, m.Pad)])
	return m
}

// vector is the same of n values.
func (k *rounded) vector(i int, x []float32, n int) []float32 {
	if k.values {
		return x
	}
	return k.factor(i, x[:n])
}

// written rounds what a step wrote, where values are rounded.
func (k *rounded) written(x []float32) {
	if !k.values {
		return
	}
	for i, v := range x {
		x[i] = k.round(v)
	}
}

func (k *rounded) step(m kernel.Map) {
	k.written(m.Data[:kernel.Floats(m.N, m.H, m.W, m.C, m.Pad)-kernel.Slack])
}

// eights tells whether a layer's channels come in eights.
func eights(a, b int) bool { return a%8 == 0 && b%8 == 0 }

func thin(c int) bool { return c == 1 || c == 3 }

func (k *rounded) Gather(dst kernel.Map, pixels []byte, h, w int, images []int) {
	k.Kernels.Gather(dst, pixels, h, w, images)
	k.step(dst)
}

func (k *rounded) ConvPool(ws *kernel.Workspace, dst kernel.Map, arg []byte, x kernel.Map, w, b []float32, side int, act kernel.Activation) {
	if eights(x.C, dst.C) {
		x, w = k.mapped(0, x), k.factor(1, w)
	}
	k.Kernels.ConvPool(ws, dst, arg, x, w, b, side, act)
	k.step(dst)
}

func (k *rounded) ConvPoolBackward(ws *kernel.Workspace, dx kernel.Map, dw, db []float32, x, dy kernel.Map, arg []byte, w []float32, side int) {
	if eights(x.C, dy.C) {
		x, w, dy = k.mapped(0, x), k.factor(1, w), k.mapped(2, dy)
	}
	k.Kernels.ConvPoolBackward(ws, dx, dw, db, x, dy, arg, w, side)
	if dx.Data != nil {
		k.step(dx)
	}
}

func (k *rounded) ConvT(ws *kernel.Workspace, dst, x kernel.Map, w, b []float32, act kernel.Activation) {
	if !thin(dst.C) {
		x, w = k.mapped(0, x), k.factor(1, w)
	}
	k.Kernels.ConvT(ws, dst, x, w, b, act)
	k.step(dst)
}

func (k *rounded) ConvTBackwardData(ws *kernel.Workspace, dx, dy kernel.Map, w []float32) {
	if !thin(dy.C) {
		dy, w = k.mapped(0, dy), k.factor(1, w)
	}
	k.Kernels.ConvTBackwardData(ws, dx, dy, w)
	k.step(dx)
}

func (k *rounded) ConvTBackwardWeights(ws *kernel.Workspace, dw, db []float32, x, dy kernel.Map) {
	if !thin(dy.C) {
		x, dy = k.mapped(0, x), k.mapped(2, dy)
	}
	k.Kernels.ConvTBackwardWeights(ws, dw, db, x, dy)
}

func (k *rounded) Dense(ws *kernel.Workspace, dst, x, w, b []float32, n, in, out int, act kernel.Activation) {
	k.Kernels.Dense(ws, dst, k.vector(0, x, n*in), k.factor(1, w), b, n, in, out, act)
	k.written(dst[:n*out])
}

func (k *rounded) DenseBackwardData(ws *kernel.Workspace, dx, dy, w []float32, n, in, out int) {
	k.Kernels.DenseBackwardData(ws, dx, k.vector(0, dy, n*out), k.factor(1, w), n, in, out)
	k.written(dx[:n*in])
}

func (k *rounded) DenseBackwardWeights(ws *kernel.Workspace, dw, db, x, dy []float32, n, in, out int) {
	k.Kernels.DenseBackwardWeights(ws, dw, db, k.vector(0, x, n*in), k.vector(2, dy, n*out), n, in, out)
}

func (k *rounded) ActivationBackward(act kernel.Activation, dy, y kernel.Map) {
	k.Kernels.ActivationBackward(act, dy, y)
	k.step(dy)
}

func (k *rounded) Loss(ws *kernel.Workspace, dpred, pred, target kernel.Map, l kernel.Loss) kernel.Sums {
	sums := k.Kernels.Loss(ws, dpred, pred, target, l)
	k.step(dpred)
	return sums
}
