package cuda

import "sweep/trainer/kernel"

// ssimRoom is the dynamic shared memory of a kernel with SSIM for pieces of so many pixels and windows a side (ssim.cuh):
// target and difference, four maps blurred along x, and with a gradient the slopes by three means. The sums over the block's
// threads take the same place afterwards.
func ssimRoom(pixels, windows int, gradient bool) int {
	const sums = 8 * 7 * (ssimThreads + 1)
	n := 2*pixels*(pixels|1) + 4*pixels*(windows|1)
	if gradient {
		n += 3 * windows * (windows | 1)
	}
	return max(4*n, sums)
}

const (
	lossThreads = 128 // LOSS_THREADS of loss.cu
	ssimThreads = 192 // SSIM_THREADS of ssim.cuh
)

// loss is one block for each image; of a training step one kernel serves the slots without SSIM in their loss, the other
// those with it. After a convt that is fused with it the former have nothing left to do.
func loss(s Step) []Launch {
	// How an image lies in shared memory: Whole, Parted and Small of ssim.cuh.
	layout, pixels, windows := "whole", 32, 22
	if kernel.SSIMWindow(s.CropH, s.CropW) < 11 {
		layout, pixels, windows = "small", 40, 32
	} else if max(s.CropH, s.CropW) > 32 {
		layout, pixels, windows = "parted", 44, 34
	}
	one := Launch{
		Kernel: s.Kind + "_" + layout, Module: "loss", Threads: ssimThreads,
		Shared: ssimRoom(pixels, windows, s.Kind == "loss"), Over: Tiles, X: Tile,
	}
	if s.Kind == "evaluate" || s.Fused {
		return []Launch{one}
	}
	return []Launch{{Kernel: "loss", Module: "loss", Threads: lossThreads, Over: Tiles, X: Tile}, one}
}
