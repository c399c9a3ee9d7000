package plan

import (
	"fmt"
	"slices"
	"sort"

	G "gorgonia.org/gorgonia"
)

// place is memory of one shape that one or more values share: views, and results of work in place.
type place struct {
	floats, pad int
	bytes       bool
	square      bool // one value has another shape, or is read without a border, so there can be none
	first, last int
	offset      int
}

// newValue makes a value, in a place of its own, for the result of n.
func (c *compiler) newValue(n *G.Node, name string) int {
	i := c.room(n, name)
	c.value[n] = i
	return i
}

// room makes a value of n's shape, in a place of its own, that is not n's result.
func (c *compiler) room(n *G.Node, name string) int {
	v := Value{Name: name, H: 1, W: 1}
	switch s := n.Shape(); len(s) {
	case 4:
		v.H, v.W, v.C = s[1], s[2], s[3]
	case 2:
		v.C = s[1]
	default:
		c.failf("its result has the shape %v", s)
	}
	return c.lay(v)
}

// lay gives a value a place of its own.
func (c *compiler) lay(v Value) int {
	i := len(c.p.Values)
	c.p.Values = append(c.p.Values, v)
	c.place = append(c.place, len(c.places))
	c.places = append(c.places, place{})
	return i
}

// newArg makes the bytes in which the pooling n of x notes which values it took.
func (c *compiler) newArg(n, x *G.Node) int {
	i := c.room(n, "arg")
	c.p.Values[i].Bytes = true
	c.places[c.place[i]].bytes = true
	c.arg[x] = i
	return i
}

// view gives the result of x another shape.
func (c *compiler) view(n, x *G.Node) {
	from := c.of(x)
	if from == None {
		return
	}
	if c.copied[n] {
		c.emit(Step{Kind: Copy, Dst: c.newValue(n, c.p.Values[from].Name), Src: from, Ref: None, Arg: None, W: None, B: None})
		return
	}
	i := c.newValue(n, c.p.Values[from].Name)
	c.places = c.places[:len(c.places)-1]
	c.place[i] = c.place[from]
	c.places[c.place[i]].square = true
	c.views[n] = i
}

// pad asks for a border of at least n around value v.
func (c *compiler) pad(v, n int) {
	if v != None {
		p := &c.places[c.place[v]]
		p.pad = max(p.pad, n)
	}
}

// finish sizes the places, finds how long each is needed, and lays them into the arena. Where a reshaping has to become a
// copy first, it notes that instead.
func (c *compiler) finish() error {
	again := false
	for n, v := range c.views {
		if c.places[c.place[v]].pad > 0 {
			c.copied[n], again = true, true
		}
	}
	if again {
		return nil
	}
	for i := range c.places {
		c.places[i].first, c.places[i].last = len(c.p.Steps), None
	}
	for i, s := range c.p.Steps {
		used := []int{s.Dst, s.Src, s.Ref, s.Arg}
		if s.Norm != nil {
			used = append(used, s.Norm.Stats, s.Norm.Input)
		}
		for _, v := range used {
			if v != None {
				p := &c.places[c.place[v]]
				p.first, p.last = min(p.first, i), max(p.last, i)
			}
		}
	}
	if c.forward {
		// What a caller reads after the run stays to its end.
		c.p.Code = c.of(c.net.Code)
		for _, v := range []int{c.p.Code, c.p.Output} {
			if v != None {
				c.places[c.place[v]].last = len(c.p.Steps)
			}
		}
		if c.net.Input == nil {
			c.places[c.place[c.p.Code]].first = 0 // the caller writes it
		}
	}
	for i := range c.p.Values {
		v, p := &c.p.Values[i], &c.places[c.place[i]]
		if p.square && p.pad > 0 {
			return fmt.Errorf("plan %s: a convolution reads it inside a border, and another step without one", v.Name)
		}
		v.Pad = p.pad
		p.floats = max(p.floats, v.size(c.p.Batch))
	}
	for _, s := range c.p.Steps {
		if s.Kind != Copy {
			continue
		}
		if d, f := c.p.Values[s.Dst], c.p.Values[s.Src]; d.Pad > 0 && f.Pad > 0 && (d.H != f.H || d.W != f.W) {
			return fmt.Errorf("plan %s: convolutions read it before and after it is reshaped", f.Name)
		}
	}
	c.p.Floats = allocate(c.places, 16, func(p place) bool { return !p.bytes })
	c.p.Bytes = allocate(c.places, 16, func(p place) bool { return p.bytes })
	for i := range c.p.Values {
		v, p := &c.p.Values[i], c.places[c.place[i]]
		v.Offset, v.First, v.Last, v.Place = p.offset, p.first, p.last, c.place[i]
	}
	return nil
}

// allocate gives every place of those wanted an offset, a multiple of unit, so that no two that are needed at the same time
// overlap: the largest first, each as low as it fits. It returns the size of the arena.
func allocate(places []place, unit int, wanted func(place) bool) int {
	align := func(n int) int { return (n + unit - 1) / unit * unit }
	var order []int
	for i, p := range places {
		if wanted(p) && p.last != None {
			order = append(order, i)
		}
	}
	sort.SliceStable(order, func(a, b int) bool { return places[order[a]].floats > places[order[b]].floats })
	total := 0
	var laid []int // by offset
	for _, i := range order {
		p := &places[i]
		p.offset = 0
		for _, j := range laid {
			q := places[j]
			if p.first <= q.last && q.first <= p.last && p.offset < q.offset+align(q.floats) &&
				q.offset < p.offset+align(p.floats) {
				p.offset = q.offset + align(q.floats)
			}
		}
		at, _ := slices.BinarySearchFunc(laid, p.offset, func(j, o int) int { return places[j].offset - o })
		laid = slices.Insert(laid, at, i)
		total = max(total, p.offset+align(p.floats))
	}
	return total
}

// Lay finds another arena for the values of p than its own: size says what each takes, and unit what the offset of each is
// a multiple of. Values of one place have one offset; those that are needed at the same time do not overlap. Values that
// no step uses have the offset [None].
func (p *Program) Lay(unit int, size func(value int) int) (offsets []int, total int) {
	var places []place
	for i, v := range p.Values {
		for v.Place >= len(places) {
			places = append(places, place{last: None})
		}
		q := &places[v.Place]
		q.first, q.last, q.floats = v.First, v.Last, max(q.floats, size(i))
	}
	total = allocate(places, unit, func(place) bool { return true })
	for _, v := range p.Values {
		offset := places[v.Place].offset
		if v.Last == None {
			offset = None
		}
		offsets = append(offsets, offset)
	}
	return offsets, total
}
