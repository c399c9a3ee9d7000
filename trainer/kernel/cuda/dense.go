package cuda

// The tiles of a dense layer's matrices: DenseTile and DenseWeightsTile of dense.cu. The bias's gradient has a block for each
// biasColumns beside those.
const (
	denseRows, denseColumns = 64, 32
	denseGradSide           = 64
	biasColumns             = 32
)

// dense are the launches of dense layers: each serves all images of a slot's unit.
func dense(s Step) []Launch {
	l := Launch{Kernel: s.Kind, Module: "dense", Threads: 128, Over: Slots}
	switch s.Kind {
	case "dense.weights":
		in, out := s.width(s.R), s.width(s.S)
		l.Kernel = "dense_weights"
		l.X = blocks(out, biasColumns) + blocks(in, denseGradSide)*blocks(out, denseGradSide)
	case "dense.data":
		l.Kernel = "dense_data"
		fallthrough
	default:
		l.X = blocks(s.MaxBatch, denseRows) * blocks(s.width(s.D), denseColumns)
	}
	return []Launch{l}
}

// width is how many numbers an image has, as a row of a matrix.
func (s Step) width(m Shape) int { return m.H * m.W * s.Channels(m.C) }
