package cuda

import "fmt"

// conv gives the kernels of a convolution and of its gradients: see conv.cu, convdata.cu, convweights.cu, and convfirst.cuh for
// the first layer. A pixel's place in a window is a bit, so there are none for sides above 15. Which tile of a matrix a block
// makes comes from the layer's sizes alone.
func conv(s Step) []Launch {
	if s.Side > 15 {
		return nil
	}
	switch s.Kind {
	case "conv":
		return []Launch{convPixels("conv", "conv", s, s.S, s.D.C, s.S.C)}
	case "conv+pool":
		return []Launch{convPixels("conv", "conv_pool", s, s.S, s.D.C, s.S.C)}
	case "conv.data":
		return []Launch{convPixels("convdata", "conv_data", s, s.D, s.D.C, s.S.C)}
	case "conv.weights":
		return []Launch{convWeights("conv_weights", s)}
	case "conv+pool.grad":
		list := []Launch{convWeights("conv_pool_weights", s)}
		if first(s) {
			list = []Launch{firstWeights(s)}
		}
		if s.DataWanted {
			list = append(list, convPixels("convdata", "conv_pool_data", s, s.D, s.D.C, s.S.C))
		}
		return list
	}
	return nil
}

// convPixels is the launch of a kernel whose matrix is by the pixels of a tile of maps and n channels, over windows of c
// channels.
func convPixels(module, name string, s Step, pixels Shape, n, c int) Launch {
	rows, columns := 128, 64
	switch {
	case n <= 16:
		name, rows, columns = name+"_16", 512, 16
	case n <= 32:
		name, rows, columns = name+"_32", 256, 32
	default:
		name += "_64"
	}
	if c%8 != 0 || n%8 != 0 {
		name += "_odd"
	}
	images := min(s.MaxBatch, Tile)
	x := blocks(images*pixels.H*pixels.W, rows) * blocks(n, columns)
	return Launch{Kernel: name, Module: module, Threads: 128, Over: Tiles, X: x}
}

// convWeights is the launch of a kernel whose matrix is by what a filter's taps see, of the input's channels, and the output's
// channels.
func convWeights(name string, s Step) Launch {
	rows, columns, threads := 48, 64, 192
	switch {
	case s.S.C <= 16:
		name, columns = name+"_16", 16
	case s.S.C <= 32:
		name, columns = name+"_32", 32
	default:
		name += "_64"
	}
	if s.R.C%8 != 0 || s.S.C%8 != 0 {
		name, rows, threads = name+"_odd", 32, 256
	}
	x := blocks(s.Side*s.Side*s.R.C, rows) * blocks(s.S.C, columns)
	return Launch{Kernel: name, Module: "convweights", Threads: threads, Over: Tiles, X: x}
}

// first tells whether a gradient is that of a layer of pictures which convfirst.cuh is for: of one or three channels, wide
// enough for its strips of 32 pixels.
func first(s Step) bool {
	return s.Side == 3 && (s.R.C == 1 || s.R.C == 3) && s.S.C%8 == 0 && s.R.W >= 24
}

func firstWeights(s Step) Launch {
	return Launch{
		Kernel: fmt.Sprintf("conv_first%d_weights", s.R.C), Module: "convweights", Threads: 64 * s.R.C, Over: Tiles, X: blocks(s.S.C, 16),
	}
}
