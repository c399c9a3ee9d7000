// Package cpu is the [trainer.Engine] of one CPU core: one slot, trained by a plan on CPU kernels.
//
// It promises that a configuration with its seed and replicate gives the same bits on the same kind of processor, whatever
// the slot held before, and whether it was trained in one go or saved and loaded in between.
package cpu
