package kernel

// lossFunc compares pred with target, without a gradient, after the workspace was reset.
type lossFunc func(ws *Workspace, pred, target Map, l Loss, ssim bool) Sums

// evaluate is Kernels.Evaluate on an implementation's comparison. Without an output activation values may lie outside
// [0, 1], where no pixel does: Loss is then of what the network says, as in training, and every other sum of what one
// sees of it, as in [Reconstruct] and in an exported model.
func evaluate(ws *Workspace, pred, target Map, l Loss, compare lossFunc) Sums {
	if l.Output != Identity || !outside(pred, l) {
		return compare(ws, pred, target, l, true)
	}
	shown := MapOn(ws.floats(Floats(pred.N, pred.H, pred.W, pred.C, 0)), pred.N, pred.H, pred.W, pred.C, 0)
	for i, v := range pred.Pixels(shown.Data[:shown.Values()]) {
		shown.Data[i] = min(max(v, 0), 1) // NaN stays
	}
	s := compare(ws, shown, target, l, true)
	s.Loss = compare(ws, pred, target, l, l.Kind == MSESSIM).Loss
	return s
}

// outside reports whether a value of the crop is below 0 or above 1.
func outside(pred Map, l Loss) bool {
	n := l.W * pred.C
	for img := range pred.N {
		for y := range l.H {
			for _, v := range pred.Data[pred.At(img, y, 0, 0):][:n] {
				if v < 0 || v > 1 {
					return true
				}
			}
		}
	}
	return false
}
