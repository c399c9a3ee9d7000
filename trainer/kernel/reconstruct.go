package kernel

// Reconstruct turns a network's output into pictures: the crop of l, as the loss reads it ((y+1)/2 after Tanh), limited
// to [0, 1]; NaN stays, as everywhere in this package. dst is (N, l.H, l.W, C); a nil dst is made.
func Reconstruct(dst []float32, pred Map, l Loss) []float32 {
	checkLoss(pred, pred, l)
	n := l.W * pred.C
	if dst == nil {
		dst = make([]float32, pred.N*l.H*n)
	}
	checkVector(dst, pred.N*l.H*n)
	i := 0
	for img := range pred.N {
		for y := range l.H {
			for _, v := range pred.Data[pred.At(img, y, 0, 0):][:n] {
				dst[i] = min(max(squash(v, l.Output), 0), 1)
				i++
			}
		}
	}
	return dst
}
