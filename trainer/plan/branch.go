package plan

import (
	"slices"
	"strings"

	G "gorgonia.org/gorgonia"

	"sweep/trainer/op"
)

// isSum tells whether n is Gorgonia's own sum of two values of one shape, which its Grad makes of the gradients of a value
// with several readers. The operation's type is not exported, so its text has to do: "+ false".
func isSum(n *G.Node) bool {
	o, ok := n.Op().(interface{ IsBinary() bool })
	return ok && o.IsBinary() && strings.HasPrefix(n.Op().String(), "+ ") && n.Dims() > 0
}

// owned tells whether the only reader of n's result may write over it.
func (c *compiler) owned(n *G.Node) bool {
	switch {
	case len(c.users[n]) != 1, n.Op() == nil, n == c.net.Code, n == c.net.Output:
		return false
	}
	switch kindOf(n) {
	case op.Pool:
		// The slope of an activation that was fused with it is taken from it.
		x := c.inputs(n)[0]
		if _, kept := c.value[x]; !kept && kindOf(x) == op.Act {
			return false
		}
	case op.Reshape:
		if _, view := c.views[n]; view {
			return c.owned(c.inputs(n)[0])
		}
	}
	return true
}

// writable is the value of x for its reader to change: its own, or a copy where it has other readers.
func (c *compiler) writable(x *G.Node) int {
	from := c.of(x)
	if from == None || c.owned(x) {
		return from
	}
	return c.copyOf(x, from)
}

func (c *compiler) copyOf(x *G.Node, from int) int {
	v := c.room(x, c.p.Values[from].Name+"'")
	c.emit(Step{Kind: Copy, Dst: v, Src: from, Ref: None, Arg: None, W: None, B: None})
	return v
}

// mine makes the result of n the value of its input x, to be changed in place.
func (c *compiler) mine(n, x *G.Node) int {
	c.value[n] = c.writable(x)
	return c.value[n]
}

// sum adds two values, onto one of them where nothing else reads it, and applies the activation that follows.
func (c *compiler) sum(n *G.Node, in []*G.Node) {
	s := Step{Kind: Add, Src: c.of(in[0]), Ref: c.of(in[1]), Arg: None, W: None, B: None}
	end := n
	if a := c.sole(n, op.Act); a != nil {
		s.Act, end = attr(a).Act, a
		c.done[a] = true
	}
	c.later(end, func() {
		switch {
		case c.owned(in[0]):
			s.Dst = s.Src
		case c.owned(in[1]):
			s.Dst = s.Ref
		default:
			s.Dst = c.room(end, "sum")
		}
		c.value[end] = s.Dst
		c.emit(s)
	})
}

func (c *compiler) unpool(n, x, p *G.Node) {
	if arg, ok := c.placesOf(p); ok {
		c.emit(Step{Kind: Unpool, Src: c.of(x), Arg: arg, Dst: c.newValue(n, "unpool"), Ref: None, W: None, B: None})
	}
}

func (c *compiler) unpoolGrad(n, dy, p *G.Node) {
	if arg, ok := c.placesOf(p); ok {
		c.emit(Step{Kind: UnpoolGrad, Src: c.of(dy), Arg: arg, Dst: c.newValue(n, "d.unpool"), Ref: None, W: None, B: None})
	}
}

func (c *compiler) attention(n *G.Node, in []*G.Node) {
	s := Step{Kind: Attention, Src: c.of(in[0]), Ref: c.of(in[1]), Arg: c.of(in[2]), W: None, B: None}
	s.Dst = c.newValue(n, "attention")
	c.borderless(s.Dst, s.Src, s.Ref, s.Arg)
	c.emit(s)
}

// attentionGrad makes the three gradients at once, in the places of the three operands, or of copies of those that
// something else reads.
func (c *compiler) attentionGrad(in []*G.Node) {
	var v [3]int
	for i, x := range in[:3] {
		v[i] = c.of(x)
		alone := x.Op() != nil && slices.Index(in[:3], x) == i
		for _, u := range c.users[x] {
			alone = alone && (kindOf(u) == op.Attention || kindOf(u) == op.AttentionGrad) && slices.Equal(c.inputs(u)[:3], in[:3])
		}
		for _, other := range in[i+1 : 3] {
			alone = alone && other != x
		}
		if !alone && v[i] != None {
			v[i] = c.copyOf(x, v[i])
		}
	}
	s := Step{Kind: AttentionGrad, Dst: v[0], Ref: v[1], Arg: v[2], Src: c.of(in[3]), W: None, B: None}
	c.borderless(s.Dst, s.Src, s.Ref, s.Arg)
	for _, u := range c.users[in[3]] {
		if kindOf(u) == op.AttentionGrad && slices.Equal(c.inputs(u), in) {
			c.value[u] = v[attr(u).Operand]
			c.done[u] = true
		}
	}
	c.emit(s)
}

// borderless refuses a border around these values.
func (c *compiler) borderless(values ...int) {
	for _, v := range values {
		if v != None {
			c.places[c.place[v]].square = true
		}
	}
}
