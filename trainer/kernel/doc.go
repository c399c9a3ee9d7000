// Package kernel does the numeric work of training on the CPU: convolutions, dense layers, poolings, normalisations,
// attention, losses, random numbers, optimisers.
//
// It promises one interface, [Kernels], with several implementations that agree within a stated tolerance:
//
//   - "ref" is the truth: plain loops, every sum in float64. It is kept for ever and is what the others are tested against.
//   - "portable" is the fast design in plain Go: one 4x16 implicit-GEMM tile serves every convolution and dense layer.
//   - "avx2" is the same with the tile and the elementwise work in assembly for amd64 with AVX2 and FMA.
//
// Every implementation adds in a fixed order, so equal inputs give equal bits; none allocates once its [Workspace] has
// grown to the sizes in use; none starts a goroutine, so one trial uses one core. A value of Kernels holds no state and
// may be shared by goroutines that bring a workspace each.
//
// # Conventions
//
// Feature maps are NHWC inside a border ([Map]). Destinations come first. A kernel that writes a map writes the whole of
// it: its pixels, and zeros into its border; the contents before the call do not matter (an arena may reuse memory), nor
// do those of the slack behind it. Source maps must have a zero border where the operation looks at it: a convolution
// with side k looks at k/2 pixels. Destinations never overlap sources, unless a method says so.
//
// NaN is carried through every operation (a ReLU or a pool does not hide it), so a diverged trial shows in its loss.
//
// Wrong sizes are a programmer's mistake and panic with a constant message.
package kernel
