package cuda

// StatsBytes is what the stats of one image take, of a normalisation of c channels: STATS_BYTES of sweep.cuh. A value of
// stats has so many for each image of its slot's batch, at a multiple of 8: what plan.Value says (2·c floats an image, for all
// images of the unit), and behind that the scratch of norm.grad.
func StatsBytes(c int) int { return 32 * c }

const (
	normThreads  = 256  // NORM_THREADS of norm.cu
	normChannels = 32   // NORM_CHANNELS: channels, or images, that a block joins the moments of
	normPart     = 8192 // NORM_PART: values of an image that a block makes
	normRows     = 64   // NORM_ROWS: rows of weights that a block folds
)

// norm is the steps of normalisations. Their sums go image by image first, then over the images of a slot.
func norm(s Step) []Launch {
	of := func(kernel string, over Domain, x int) Launch {
		return Launch{Kernel: kernel, Module: "norm", Threads: normThreads, Over: over, X: x}
	}
	values := func(v Shape) int { return Tile * blocks(v.H*v.W*v.C, normPart) }
	joined := func(c int) int { return blocks(max(c, s.MaxBatch), normChannels) }
	switch s.Kind {
	case "norm.moments":
		return []Launch{of("norm_moments", Tiles, Tile)}
	case "norm":
		apply := of("norm_apply", Tiles, values(s.D))
		if s.Pooled {
			apply.Kernel = "norm_pool"
		}
		return []Launch{of("norm_join", Slots, joined(s.S.C)), apply}
	case "norm.grad":
		apply := of("norm_grad", Tiles, values(s.D))
		if s.Pooled {
			apply = of("norm_unpool", Tiles, values(s.S))
		}
		return []Launch{of("norm_sums", Tiles, Tile), of("norm_gradients", Slots, joined(s.D.C)), apply}
	}
	// fold
	return []Launch{of("fold", Slots, blocks(s.Side*s.Side*s.S.C, normRows))}
}
