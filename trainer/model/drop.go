package model

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"sweep/study"
	"sweep/trainer/op"
)

// Drop is a dropout of a training network: Mask is an input, of the shape of what it acts on, that holds 1 where a value is
// kept. Whoever runs the graph draws it anew for each step, see [DropKey].
type Drop struct {
	Mask   *G.Node
	Rate   float64
	Stream uint32 // which of the step's streams it is drawn from
}

// DropKey is what the masks of an optimiser step, counted from 1, are drawn with. Of the dropout with stream s, row r of the
// batch (of all rows of all images, W·C values each) has the blocks from s·2²⁸ + r·⌈W·C/8⌉ on: a block of four words for
// eight values, 16 bits each from the lowest up; a value is dropped whose bits are below the threshold of the rate.
func DropKey(seed uint64, replicate int, step int64) study.Key {
	return study.Keyed(seed, replicate, study.ForDropout, int(uint32(step)))
}

// DropBlock is the block that the stream with this number starts at.
func DropBlock(stream uint32) uint32 { return stream << 28 }

// drop adds nothing for a rate of 0.
func (d *describer) drop(x int, rate float64, format string, args ...any) int {
	if rate == 0 {
		return x
	}
	l := d.on(x, DropLayer, fmt.Sprintf(format, args...))
	l.Rate = rate
	return d.add(l)
}

// drop adds a dropout where the network is trained.
func (b *builder) drop(l Layer, x *G.Node) *G.Node {
	if !b.training {
		return x
	}
	shape := []int{b.net.Batch, l.C}
	if !l.Vector() {
		shape = []int{b.net.Batch, l.H, l.W, l.C}
	}
	d := Drop{Mask: b.input(l.Name+".mask", shape...), Rate: l.Rate, Stream: uint32(len(b.net.Drops))}
	b.net.Drops = append(b.net.Drops, d)
	return b.add(op.Dropout(x, d.Mask, l.Rate))
}
