package cuda

import "fmt"

// Of the tiles of convt.cu: rows of Broad and Slim; columns from which a tile is the wider one, or, of weights, the larger.
const (
	convTRows                = 128
	convTNarrow, convTWide   = 32, 64
	convTSmall, convTLarge   = 32, 64
	convTWeightsColumns      = 64
	thinPixels, thinChannels = 256, 16 // THIN and THIN_CHANNELS of convt_thin.cuh
)

// convT are the launches of transposed convolutions: each serves the tiles of all slots. Which kernel it is depends on the
// layer alone.
func convT(s Step) []Launch {
	l := Launch{Module: "convt", Threads: 128, Over: Tiles}
	small, large := s.S, s.D // maps before and after
	switch s.Kind {
	case "convt.data":
		small, large = s.D, s.S
	case "convt.weights":
		small, large = s.R, s.S
	}
	pixels := Tile * small.H * small.W
	if s.Side == 2 && (large.C == 1 || large.C == 3) {
		l = thin(l, s.Kind, small, large.C)
		if s.Fused {
			l.Kernel, l.Module = l.Kernel+"_loss", "convtloss"
		}
		return []Launch{l}
	}
	odd := func(c int) string {
		if c%4 != 0 {
			return "_odd"
		}
		return ""
	}
	switch s.Kind {
	case "convt.weights":
		size, rows := "small", convTSmall
		if small.C > convTSmall {
			size, rows = "large", convTLarge
		} else {
			l.Threads = 256
		}
		l.Kernel = fmt.Sprintf("convt%d_weights_%s%s", s.Side, size, odd(large.C))
		l.X = blocks(large.C, biasColumns) + blocks(small.C, rows)*blocks(s.Side*s.Side*large.C, convTWeightsColumns)
	case "convt.data":
		size, columns := narrow(small.C)
		l.Kernel = fmt.Sprintf("convt%d_data_%s%s", s.Side, size, odd(large.C))
		l.X = blocks(pixels, convTRows) * blocks(small.C, columns)
	default:
		// Of 3x3 each of four corners is a matrix of its own, of 2x2 they are columns of one.
		n, corners, suffix := 4*large.C, 1, ""
		if s.Side == 3 {
			n, corners, suffix = large.C, 4, odd(small.C)
		}
		size, columns := narrow(n)
		l.Kernel = fmt.Sprintf("convt%d%s_%s", s.Side, suffix, size)
		l.X = corners * blocks(pixels, convTRows) * blocks(n, columns)
	}
	return []Launch{l}
}

// narrow is the tile of a matrix of n columns, and its width.
func narrow(n int) (size string, columns int) {
	if n <= convTNarrow {
		return "narrow", convTNarrow
	}
	return "wide", convTWide
}

// thin is the launch of a kernel of convt_thin.cuh, of a layer from maps like small to c channels.
func thin(l Launch, kind string, small Shape, c int) Launch {
	l.Threads = thinPixels
	cols := min(small.W, thinPixels)
	l.X = blocks(Tile*small.H, thinPixels/cols) * blocks(small.W, cols)
	switch kind {
	case "convt.weights":
		l.Kernel, l.X = fmt.Sprintf("convt_thin%d_weights", c), blocks(small.C, thinChannels)
	case "convt.data":
		l.Kernel = fmt.Sprintf("convt_thin%d_data", c)
	default:
		l.Kernel = fmt.Sprintf("convt_thin%d", c)
	}
	return l
}

// MakesLoss tells whether a kernel for the step convt s can make the loss of its output too, but for slots with SSIM: the task's
// Ref is then the target and its Arg the gradient. It has whole images in a block, at most four.
func MakesLoss(s Step) bool {
	small := s.S
	return s.Kind == "convt" && s.Side == 2 && (s.D.C == 1 || s.D.C == 3) && small.W <= thinPixels &&
		thinPixels/small.W%small.H == 0 && 4*small.H*small.W >= thinPixels
}
