package kernel_test

import (
	"testing"

	"sweep/trainer/kernel"
)

// What a workspace is said to hold after a call is what it holds: not less, and not twice as much.
func TestScratchIsHonest(t *testing.T) {
	r := random(3)
	holds := func(call func(ws *kernel.Workspace)) int {
		var ws kernel.Workspace
		call(&ws)
		call(&ws) // it grows to its size at the start of the next call
		return ws.Bytes()
	}
	for _, s := range [][2]int{{7, 3}, {16, 32}, {24, 5}} {
		q, k, v, dy := randomMap(r, 2, s[0], s[0], s[1], 0, 1), randomMap(r, 2, s[0], s[0], s[1], 0, 1),
			randomMap(r, 2, s[0], s[0], s[1], 0, 1), randomMap(r, 2, s[0], s[0], s[1], 0, 1)
		held := holds(func(ws *kernel.Workspace) { kernel.Best().AttentionBackward(ws, q, k, v, dy) })
		if said := kernel.AttentionScratch(s[0]*s[0], s[1]); held > said || held < said/2 {
			t.Errorf("attention of %dx%dx%d holds %d bytes, and is said to hold %d", s[0], s[0], s[1], held, said)
		}
	}
	for _, s := range [][3]int{{4, 3, 16}, {32, 3, 16}, {64, 16, 8}} {
		const n, side = 33, 3
		h, ci, co := s[0], s[1], s[2]
		x, dx, dy := randomMap(r, n, h, h, ci, 1, 1), randomMap(r, n, h, h, ci, 1, 1), randomMap(r, n, h/2, h/2, co, 0, 1)
		size := side * side * ci * co
		arg, w, dw, db := make([]byte, dy.Values()), make([]float32, size), make([]float32, size), make([]float32, co)
		held := holds(func(ws *kernel.Workspace) { kernel.Best().ConvPoolBackward(ws, dx, dw, db, x, dy, arg, w, side) })
		weights := 2*4*side*co*(side*ci+8) + 20*(8*co+16) // each row with its padding, and the bias' sums
		if said := kernel.ConvPoolScratch(h, h, ci, co, 1); held > said+weights || held < said {
			t.Errorf("convolution and pooling of %dx%dx%d to %d hold %d bytes, and are said to hold %d and at most %d of weights", h, h, ci, co, held, said, weights)
		}
	}
}
