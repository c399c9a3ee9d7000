package kernel

// MaxMaskClasses is the most classes whose intersections and unions [Sums] counts: more than a segmentation has.
const MaxMaskClasses = 16

// checkEntropy panics unless the maps, the crop and the classes fit each other; dlogits may be the zero Map.
func checkEntropy(dlogits, logits Map, labels []byte, images []int, h, w int) {
	checkLoss(logits, logits, Loss{H: h, W: w})
	if dlogits.Data != nil {
		sameSize(dlogits, logits)
	}
	if len(images) != logits.N {
		panic("kernel: another number of images than of logits")
	}
	for _, i := range images {
		if i < 0 || (i+1)*h*w > len(labels) {
			panic("kernel: no labels of this image")
		}
		for _, c := range labels[i*h*w:][:h*w] {
			if int(c) >= logits.C {
				panic("kernel: a label is no class")
			}
		}
	}
}

// greatest is the first of the largest logits of a pixel; a NaN is larger than every number.
func greatest(x []float32) int {
	at := 0
	for i, v := range x {
		if beats(v, x[at]) {
			at = i
		}
	}
	return at
}

// judge counts a pixel whose class is want and was taken for got; counted is false where there are too many classes.
func (s *Sums) judge(got, want int, counted bool) {
	if got == want {
		s.Right++
	}
	switch {
	case !counted:
	case got == want:
		s.Intersection[want]++
		s.Union[want]++
	default:
		s.Union[want]++
		s.Union[got]++
	}
}

// Classify writes the class of each pixel of the crop of h x w, the first of its largest logits, into dst (N, h, w); a
// nil dst is made. At most 256 channels.
func Classify(dst []byte, logits Map, h, w int) []byte {
	checkLoss(logits, logits, Loss{H: h, W: w})
	if dst == nil {
		dst = make([]byte, logits.N*h*w)
	}
	if len(dst) != logits.N*h*w || logits.C > 256 {
		panic("kernel: length mismatch")
	}
	i := 0
	for n := range logits.N {
		for y := range h {
			for x := range w {
				dst[i] = byte(greatest(logits.Data[logits.At(n, y, x, 0):][:logits.C]))
				i++
			}
		}
	}
	return dst
}
