package cuda

// drop takes four values a thread, and four bytes of bits. D of drop.mask is the shape of the values that its bits are for.
func drop(s Step) []Launch {
	if s.Kind == "drop" {
		return perTile("drop", "drop", s, s.D)
	}
	bits := Shape{H: s.D.H, W: 1, C: (s.D.W*s.Channels(s.D.C) + 7) / 8}
	return perTile("drop", "drop_mask", s, bits)
}
