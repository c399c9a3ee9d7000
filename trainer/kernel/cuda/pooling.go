package cuda

// pooling takes four pooled values a thread: those of Dst, or where it is the larger one, of Src. The gradient of a pooling
// is an unpooling.
func pooling(s Step) []Launch {
	switch s.Kind {
	case "pool":
		return perTile("pooling", "pool", s, s.D)
	case "unpool.grad":
		return perTile("pooling", "unpool_grad", s, s.D)
	}
	return perTile("pooling", "unpool", s, s.S)
}
