package plan

// mirrored are the labels of b's images, one for each pixel, turned left to right with those that are, and the images'
// numbers among them.
func (e *Exec) mirrored(b *Batch) (labels []byte, images []int) {
	h, w := e.p.Loss.H, e.p.Loss.W
	size := h * w
	if e.labels == nil {
		e.labels, e.first = make([]byte, e.p.Batch*size), make([]int, e.p.Batch)
		for i := range e.first {
			e.first[i] = i
		}
	}
	for i, image := range b.Images {
		to, from := e.labels[i*size:][:size], b.Labels[image*size:][:size]
		copy(to, from)
		for y := 0; b.Mirrored[i] && y < h; y++ {
			for x := range w {
				to[y*w+x] = from[y*w+w-1-x]
			}
		}
	}
	return e.labels, e.first[:len(b.Images)]
}
