package dataset

// Images is a set of labelled images of one size, kept as bytes: pixel (n, y, x, c) of NHWC at
// ((n·Height + y)·Width + x)·Channels + c, 0 … 255.
type Images struct {
	Height, Width, Channels int
	Pixels                  []byte
	Labels                  []byte // class of each image, an index into Classes
	Classes                 []string

	// Masks is the class of each pixel, pixel (n, y, x) at (n·Height + y)·Width + x, an index into MaskClasses; both are
	// nil for a set that knows none.
	Masks       []byte
	MaskClasses []string
}

// Len is the number of images.
func (s *Images) Len() int {
	if s == nil || len(s.Pixels) == 0 {
		return 0
	}
	return len(s.Pixels) / (s.Height * s.Width * s.Channels)
}
