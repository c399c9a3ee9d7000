package kernel

import "golang.org/x/sys/cpu"

// hasVector reports whether the assembly of this package runs on this processor.
func hasVector() bool { return cpu.X86.HasAVX2 && cpu.X86.HasFMA }

//go:noescape
func tileAVX2(p *panel)

//go:noescape
func poolAVX2(dst *float32, arg *byte, upper, lower *float32, pixels, c int)

//go:noescape
func unpoolAVX2(upper, lower, dy *float32, arg *byte, pixels, c int)

//go:noescape
func listAVX2(list *entry, counts *int32, values *float32, places *byte, step *[4]int32, at, channels, length int)

//go:noescape
func windowsAVX2(sums, x *float32, list *entry, n, rows, row, vectors int)

//go:noescape
func spreadAVX2(image, w *float32, list *entry, n, rows, row, vectors int)

//go:noescape
func addPixelsAVX2(sums, src *float32, pixels, c int)

//go:noescape
func reluAVX2(x *float32, n int)

//go:noescape
func leakyAVX2(x *float32, n int)

//go:noescape
func expAVX2(x *float32, n int)

//go:noescape
func sigmoidAVX2(x *float32, n int)

//go:noescape
func tanhAVX2(x *float32, n int)

//go:noescape
func reluBackwardAVX2(grad, y *float32, n int)

//go:noescape
func leakyBackwardAVX2(grad, y *float32, n int)

//go:noescape
func sigmoidBackwardAVX2(grad, y *float32, n int)

//go:noescape
func tanhBackwardAVX2(grad, y *float32, n int)

//go:noescape
func geluAVX2(dst, x *float32, n int)

//go:noescape
func geluBackwardAVX2(grad, x *float32, n int)

//go:noescape
func adamAVX2(w, grad, m, v *float32, n int, c *adamConstants)

//go:noescape
func sgdAVX2(w, grad, m *float32, n int, c *sgdConstants)

//go:noescape
func sumSquaresAVX2(x *float32, n int, lanes *[8]float64)

//go:noescape
func finiteAVX2(x *float32, n int) bool

//go:noescape
func gatherAVX2(dst *float32, pixels *byte, n int)

//go:noescape
func compareAVX2(p, t *float32, n int, c *compareConstants, s *compareSums)

//go:noescape
func compareSquareAVX2(grad, p, t *float32, n int, c *compareConstants, s *compareSums)

//go:noescape
func compareSizeAVX2(grad, p, t *float32, n int, c *compareConstants, s *compareSums)

//go:noescape
func filterAVX2(dst, src, window *float32, taps, stride, n int)

//go:noescape
func ssimAVX2(l *ssimLoop)

//go:noescape
func addAVX2(dst, a, b *float32, n int)

//go:noescape
func philoxAVX2(dst *uint32, groups int, l *philoxLoop)

//go:noescape
func keepAVX2(bits *byte, words *uint32, n int, threshold uint16)

//go:noescape
func dropAVX2(dst, x *float32, bits *byte, n int, scale float32)

//go:noescape
func peakAVX2(n int)

//go:noescape
func momentsAVX2(sums, src, from *float32, pixels, c int)

//go:noescape
func normSumsAVX2(sums, dy, x, mean *float32, pixels, c int)

//go:noescape
func normAVX2(dst, src, coef *float32, pixels, c int)

//go:noescape
func normPoolAVX2(dst, picked *float32, arg *byte, upper, lower, coef *float32, pixels, c int)

//go:noescape
func normGradAVX2(dx, dy, x, coef *float32, pixels, c int)

//go:noescape
func normUnpoolAVX2(du, dl, upper, lower, dy *float32, arg *byte, coef *float32, pixels, c int)
