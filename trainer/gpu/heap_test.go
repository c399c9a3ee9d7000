package gpu

import (
	"math/rand/v2"
	"testing"

	"sweep/trainer/device"
)

// TestHeap takes and gives back pieces of many sizes in a random order: none overlap, and at the end all is one piece again.
func TestHeap(t *testing.T) {
	const base, size = 1 << 20, 64 * heapUnit
	h := newHeap(base, size+100)
	r := rand.New(rand.NewPCG(1, 2))
	type taken struct {
		at    device.Address
		bytes int64
	}
	var held []taken
	refused := 0
	for range 5000 {
		if len(held) > 0 && r.IntN(2) == 0 {
			i := r.IntN(len(held))
			h.give(held[i].at, held[i].bytes)
			held = append(held[:i], held[i+1:]...)
			continue
		}
		bytes := int64(r.IntN(6 * heapUnit))
		at, ok := h.take(bytes)
		if !ok {
			refused++
			continue
		}
		if at%heapUnit != 0 || at < base || int64(at)+bytes > base+size {
			t.Fatalf("%d bytes lie at %d", bytes, at)
		}
		for _, o := range held {
			if int64(at) < int64(o.at)+max(o.bytes, 1) && int64(o.at) < int64(at)+max(bytes, 1) {
				t.Fatalf("%d bytes at %d overlap %d at %d", bytes, at, o.bytes, o.at)
			}
		}
		held = append(held, taken{at, bytes})
	}
	if refused == 0 {
		t.Error("the memory was never full")
	}
	for _, o := range held {
		h.give(o.at, o.bytes)
	}
	if len(h.free) != 1 || h.left() != size {
		t.Errorf("%d bytes in %d pieces are left of %d", h.left(), len(h.free), size)
	}
	if at, ok := h.take(size); !ok || at != base {
		t.Error("the whole cannot be taken")
	}
	if _, ok := h.take(1); ok {
		t.Error("a byte more is given than there are")
	}
}
