// Package gpu is the engine that trains many trials at once on one GPU.
//
// It promises what [trainer.Engine] asks for, that a trial gives the same bits alone and among any others, in any slot, after
// a refill and after a resume, and that a trial's own error ends that trial alone.
package gpu
