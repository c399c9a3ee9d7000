package plan

import (
	G "gorgonia.org/gorgonia"

	"sweep/trainer/kernel"
	"sweep/trainer/model"
)

// The steps of a dropout.
const (
	DropMask Kind = "drop.mask" // Dst: bits that say which values a step keeps
	Drop     Kind = "drop"      // Dst: Src where the bits Arg say keep, scaled, else 0; of values, and of their gradient
)

// drop works in place where nothing else reads x.
func (c *compiler) drop(n, x, mask *G.Node) {
	bits := c.mask(mask)
	if bits == None {
		return
	}
	s := Step{Kind: Drop, Src: c.of(x), Arg: bits, Ref: None, W: None, B: None}
	if c.owned(x) {
		s.Dst = s.Src
		c.value[n] = s.Dst
	} else {
		s.Dst = c.newValue(n, "drop")
	}
	c.emit(s)
}

// mask is where the bits of a mask lie, which are drawn before their first use.
func (c *compiler) mask(mask *G.Node) int {
	if v, ok := c.value[mask]; ok {
		return v
	}
	for _, d := range c.net.Drops {
		if d.Mask != mask {
			continue
		}
		i := c.newValue(mask, "mask")
		v := &c.p.Values[i]
		v.H, v.W, v.C = 1, 1, kernel.DropBytes(v.H, v.W, v.C)
		v.Bytes, v.Threshold, v.Stream = true, kernel.DropThreshold(d.Rate), d.Stream
		c.places[c.place[i]].bytes = true
		c.emit(Step{Kind: DropMask, Dst: i, Src: None, Ref: None, Arg: None, W: None, B: None})
		return i
	}
	c.failf("its mask is not the network's own")
	return None
}

// dropMask draws which values of b's images are kept.
func (e *Exec) dropMask(s *Step, b Batch) {
	v := &e.p.Values[s.Dst]
	random := stream(model.DropKey(b.Seed, b.Replicate, b.Step).Words())
	e.k.DropMask(e.ws, e.args[s.Dst][:len(b.Images)*v.C], random, model.DropBlock(v.Stream), v.Threshold)
}

func (e *Exec) drop(s *Step, n int) {
	bits := &e.p.Values[s.Arg]
	e.k.Drop(e.m(s.Dst, n), e.m(s.Src, n), e.args[s.Arg][:n*bits.C], bits.Threshold)
}
