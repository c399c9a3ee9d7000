package cuda

// gather takes four values a thread.
func gather(s Step) []Launch { return perTile("gather", "gather", s, s.D) }

// pointThreads are the threads of a block of the kernels that take values one by one, four a thread.
const pointThreads = 256

// perTile launches a kernel of such a module over the tiles of a value of this shape.
func perTile(module, name string, s Step, v Shape) []Launch {
	n := min(Tile, s.MaxBatch) * v.H * v.W * s.Channels(v.C)
	return []Launch{{Kernel: name, Module: module, Threads: pointThreads, Over: Tiles, X: blocks(n, 4*pointThreads)}}
}
