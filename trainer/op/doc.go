// Package op has the operations that the networks are made of, as Gorgonia operations over NHWC float32 tensors, each
// with its symbolic gradient.
//
// It promises one meaning for each operation: Do runs the plain reference kernels, so Gorgonia's TapeMachine over a graph
// of these operations is the oracle for whatever runs the graph faster. No operation bakes the batch into a constant.
package op
