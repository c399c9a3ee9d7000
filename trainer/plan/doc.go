// Package plan turns a network's expression graph into a static list of steps with a place for every value, and runs it
// on any kernels.
//
// It promises that a plan computes what Gorgonia's TapeMachine computes over the same graph, for any number of images up
// to the batch that it was compiled for, without allocating in a run, and in a fixed order: equal inputs give equal bits.
package plan
