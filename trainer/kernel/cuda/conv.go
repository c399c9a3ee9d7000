package cuda

// conv gives the kernels of a convolution and of its gradients: see conv.cu. A pixel's place in a window is a bit, so there
// are none for sides above 15. Which tile of the matrix a block makes comes from the layer's channels alone.
func conv(s Step) []Launch {
	if s.Side > 15 {
		return nil
	}
	switch s.Kind {
	case "conv", "conv+pool":
		name := "conv"
		if s.Kind == "conv+pool" {
			name = "conv_pool"
		}
		return []Launch{convPixels(name, s, s.S, s.D.C, s.S.C)}
	}
	return nil
}

// convPixels is the launch of a kernel whose matrix is by the pixels of a tile of maps and n channels, over windows of c
// channels.
func convPixels(name string, s Step, pixels Shape, n, c int) Launch {
	rows, columns := 128, 64
	switch {
	case n <= 16:
		name, rows, columns = name+"_16", 512, 16
	case n <= 32:
		name, rows, columns = name+"_32", 256, 32
	default:
		name += "_64"
	}
	if c%4 != 0 {
		name += "_odd"
	}
	images := min(s.MaxBatch, Tile)
	x := blocks(images*pixels.H*pixels.W, rows) * blocks(n, columns)
	return Launch{Kernel: name, Module: "conv", Threads: 128, Over: Tiles, X: x}
}
