package cuda

// gather takes four values a thread, in blocks that each belong to one image.
func gather(s Step) []Launch {
	x := min(Tile, s.MaxBatch) * blocks(s.D.H*s.D.W*s.D.C, 4*pointThreads)
	return []Launch{{Kernel: "gather", Module: "gather", Threads: pointThreads, Over: Tiles, X: x}}
}

// pointThreads are the threads of a block of the kernels that take values one by one, four a thread.
const pointThreads = 256

// perTile launches a kernel of such a module over the tiles of a value of this shape.
func perTile(module, name string, s Step, v Shape) []Launch {
	n := min(Tile, s.MaxBatch) * v.H * v.W * s.Channels(v.C)
	return []Launch{{Kernel: name, Module: module, Threads: pointThreads, Over: Tiles, X: blocks(n, 4*pointThreads)}}
}
