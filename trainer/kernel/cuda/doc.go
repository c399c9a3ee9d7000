// Package cuda holds the kernels of training for NVIDIA's GPUs: their sources, the code that is compiled of them (PTX, which
// any driver since CUDA 11 translates for its device), the tables that a launch reads, and how many threads each step of
// a plan takes.
//
// It promises that every launch serves all trials of a bucket, and that a trial's bits do not depend on which others there
// are: sums are added in an order that comes from the trial's own sizes, and nothing is atomic.
package cuda
