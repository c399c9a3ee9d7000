package gpu

import (
	"sweep/trainer"
	"sweep/trainer/device"
	"sweep/trainer/kernel"
	"sweep/trainer/kernel/cuda"
	"sweep/trainer/plan"
)

// room is the memory of one trial on the device: one block, whose parts begin at these offsets.
type room struct {
	bytes int64

	w, g, m, v, best int64 // blocks of weights; without a second moment v is 0
	kept             [3]int64
	partial          int64 // (tiles, stride) floats
	folded           int64
	segments         int64
	image, square    int64   // sums of images, and of the gradient's squares
	cleared          int64   // up to here a trial begins with zeros
	order, flips     int64   // of the training images, then of the validation images; of the training images
	viewed, staged   int64   // a batch that is evaluated: which images, and their pixels where the set is not on the device
	train, forward   []int64 // by value of each plan: what is in use of either shares memory with what is in use of the other
	stride           int     // floats of one tile's partial sums
	splits           []int32 // by weight: where its partial sums begin
	segment          []cuda.Segment
	block            int64 // bytes of a block of weights
	nfolded          int
	pieces           int // spans of the trained part
}

// offsets are those of a block of so many bytes, one behind another, each a multiple of [heapUnit].
type offsets struct{ at int64 }

func (o *offsets) take(bytes int64) int64 {
	at := o.at
	o.at += roundUp(bytes)
	return at
}

// newRoom lays out what a trial of these plans takes. split says which weights have a gradient in parts.
func newRoom(c trainer.Config, train, forward *plan.Program, split []bool, valueBytes int) *room {
	l := train.Layout
	r := &room{block: 4 * int64(l.Total), nfolded: max(train.Folded, forward.Folded)}
	r.cut(c, l, split)
	tiles := (c.Batch + cuda.Tile - 1) / cuda.Tile
	r.pieces = (l.Trained + cuda.Span - 1) / cuda.Span

	var o offsets
	o.take(256) // so that no offset is 0
	r.w, r.g, r.m = o.take(r.block), o.take(r.block), o.take(r.block)
	r.best, r.kept[0], r.kept[1] = o.take(r.block), o.take(r.block), o.take(r.block)
	if c.Optimizer != "sgd" {
		r.v, r.kept[2] = o.take(r.block), o.take(r.block)
	}
	r.partial = o.take(4 * int64(tiles) * int64(r.stride))
	r.folded = o.take(4 * int64(r.nfolded))
	r.segments = o.take(int64(len(r.segment)) * cuda.SizeOf[cuda.Segment]())
	r.image = o.take(8 * cuda.ImageSums * int64(c.Batch))
	r.square = o.take(8 * int64(r.pieces))
	r.cleared = o.at
	r.order = o.take(4 * int64(c.Train.Len()+c.Validation.Len()))
	r.flips = o.take(int64(c.Train.Len()))
	r.viewed, r.staged = o.take(4*int64(c.Batch)), o.take(int64(c.Batch*c.Height*c.Width*c.Channels))
	arena := o.at
	var most int
	place := func(p *plan.Program) []int64 {
		at, total := p.Lay(256, func(v int) int { return valueSize(p, v, valueBytes) })
		most = max(most, total)
		out := make([]int64, len(at))
		for i, a := range at {
			out[i] = arena + int64(max(a, 0))
		}
		return out
	}
	r.train, r.forward = place(train), place(forward)
	o.take(int64(most))
	r.bytes = o.at
	return r
}

// valueSize is what a value takes, in bytes, for all images of its plan's batch.
func valueSize(p *plan.Program, v, valueBytes int) int {
	size := p.Values[v]
	n := p.Batch * size.H * size.W * size.C
	switch {
	case size.Bytes:
		return n
	case isStats(p, v):
		return p.Batch * cuda.StatsBytes(size.C/2)
	}
	return n * valueBytes
}

// isStats tells whether a value is the stats of a normalisation, which are floats in any precision.
func isStats(p *plan.Program, v int) bool {
	for _, s := range p.Steps {
		if s.Norm != nil && s.Norm.Stats == v {
			return true
		}
	}
	return false
}

// cut finds the segments of a block's trained part and lays out a set of partial sums as the block lies, so that what
// follows in one follows in the other.
func (r *room) cut(c trainer.Config, l plan.Layout, split []bool) {
	pulled := c.WeightDecay != 0 || c.L1 != 0 || c.L2 != 0
	for i, w := range l.Weights {
		r.splits = append(r.splits, cuda.None)
		if w.Buffer {
			continue // they stand at the end
		}
		end := l.Trained
		if i+1 < len(l.Offsets) {
			end = min(end, l.Offsets[i+1])
		}
		s := cuda.Segment{From: int32(l.Offsets[i]), To: int32(end), Split: cuda.None}
		if split[i] {
			s.Split = int32(r.stride)
			r.splits[i] = s.Split
			r.stride += end - l.Offsets[i]
		}
		if pulled && w.Penalised() {
			s.Penalised = 1
		}
		if last := len(r.segment) - 1; last >= 0 {
			b := &r.segment[last]
			if b.Penalised == s.Penalised && (b.Split == cuda.None) == (s.Split == cuda.None) {
				b.To = s.To // parts of one kind that follow each other follow each other among the partial sums too
				continue
			}
		}
		r.segment = append(r.segment, s)
	}
}

// slot is the table of a trial whose room lies at an address.
func (r *room) slot(c trainer.Config, l plan.Layout, loss kernel.Loss, at device.Address) cuda.Slot {
	on := func(offset int64) cuda.Address {
		if offset == 0 {
			return 0
		}
		return cuda.Address(at) + cuda.Address(offset)
	}
	s := cuda.Slot{
		G: on(r.g), M: on(r.m), V: on(r.v), Partial: on(r.partial), Folded: on(r.folded), Segments: on(r.segments),
		Image: on(r.image), Square: on(r.square), Stride: int32(r.stride), NSegments: int32(len(r.segment)), Trained: int32(l.Trained), Total: int32(l.Total),
		Latent: int32(c.Latent), Loss: int32(loss.Kind), Output: int32(loss.Output), SSIMWeight: float32(loss.SSIMWeight),
		L1: float32(c.L1), L2: float32(c.L2), Clip: c.ClipNorm,
	}
	if c.Optimizer == "sgd" {
		s.Optimizer, s.Momentum = cuda.SGD, float32(c.Momentum)
		return s
	}
	a := kernel.DefaultAdam(c.LR, 1)
	s.Optimizer, s.Epsilon = cuda.Adam, float32(a.Epsilon)
	s.Beta1, s.Rest1, s.Beta2, s.Rest2 = float32(a.Beta1), float32(1-a.Beta1), float32(a.Beta2), float32(1-a.Beta2)
	return s
}
