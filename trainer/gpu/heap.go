package gpu

import (
	"slices"

	"sweep/trainer/device"
)

// heapUnit is what places of a heap are multiples of: nothing that a kernel reads by fours or by lines of 128 bytes is cut.
const heapUnit = 256

// heap hands out pieces of one block of a device's memory. It is used by one goroutine at a time.
type heap struct {
	at    device.Address
	bytes int64
	free  []piece // by offset, none of them touching another
}

type piece struct{ at, bytes int64 }

func newHeap(at device.Address, bytes int64) *heap {
	bytes &^= heapUnit - 1
	return &heap{at: at, bytes: bytes, free: []piece{{0, bytes}}}
}

func roundUp(n int64) int64 { return (n + heapUnit - 1) &^ (heapUnit - 1) }

// take gives the first place that is long enough; ok is false where there is none.
func (h *heap) take(bytes int64) (at device.Address, ok bool) {
	bytes = roundUp(max(bytes, 1))
	for i := range h.free {
		p := &h.free[i]
		if p.bytes < bytes {
			continue
		}
		at = h.at + device.Address(p.at)
		if p.at, p.bytes = p.at+bytes, p.bytes-bytes; p.bytes == 0 {
			h.free = slices.Delete(h.free, i, i+1)
		}
		return at, true
	}
	return 0, false
}

// give takes back what take gave for so many bytes.
func (h *heap) give(at device.Address, bytes int64) {
	p := piece{int64(at - h.at), roundUp(max(bytes, 1))}
	i, _ := slices.BinarySearchFunc(h.free, p.at, func(q piece, at int64) int { return int(q.at - at) })
	h.free = slices.Insert(h.free, i, p)
	if i+1 < len(h.free) && p.at+p.bytes == h.free[i+1].at {
		h.free[i].bytes += h.free[i+1].bytes
		h.free = slices.Delete(h.free, i+1, i+2)
	}
	if i > 0 && h.free[i-1].at+h.free[i-1].bytes == p.at {
		h.free[i-1].bytes += h.free[i].bytes
		h.free = slices.Delete(h.free, i, i+1)
	}
}

// left is all that is free, in however many pieces.
func (h *heap) left() int64 {
	n := int64(0)
	for _, p := range h.free {
		n += p.bytes
	}
	return n
}
