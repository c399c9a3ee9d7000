package plan

import (
	G "gorgonia.org/gorgonia"

	"sweep/trainer/kernel"
	"sweep/trainer/op"
)

// pooled fuses the pooling of end, and an activation that follows it, with step s; it gives the pooling, or nil, and the last
// node of all.
func (c *compiler) pooled(end *G.Node, s *Step) (pool, last *G.Node) {
	p := c.poolable(end)
	if p == nil || s.Act.KeepsInput() {
		return nil, end
	}
	c.done[p] = true
	// Monotone: before the pooling or after it.
	if a := c.sole(p, op.Act); a != nil && s.Act == kernel.Identity && !attr(a).Act.KeepsInput() {
		s.Act = attr(a).Act
		c.done[a] = true
		return p, a
	}
	return p, p
}

// poolable is the pooling that a convolution ending at end can be fused with: when nothing else reads end but the two
// gradients, which [compiler.poolGrad] then takes from the pooled values, and what asks for the places only.
func (c *compiler) poolable(end *G.Node) *G.Node {
	p := c.user(end, op.Pool)
	if p == nil {
		return nil
	}
	for _, u := range c.users[end] {
		switch kindOf(u) {
		case op.Pool, op.PoolGrad:
		case op.Unpool, op.UnpoolGrad:
			if c.inputs(u)[0] == end {
				return nil
			}
		case op.ActGrad:
			if kindOf(c.inputs(u)[1]) != op.PoolGrad {
				return nil
			}
		default:
			return nil
		}
	}
	return p
}

func (c *compiler) pool(n, x *G.Node) {
	s := Step{Kind: Pool, Src: c.of(x), Ref: None, W: None, B: None, Dst: c.newValue(n, "pool")}
	s.Arg = c.newArg(n, x)
	c.emit(s)
}

// poolGrad sends gradients back through a pooling. Where the pooling was fused with an activation, the activation's
// slope comes first, on the pooled values: every value that the pooling kept is the activation's output there.
func (c *compiler) poolGrad(n, x, dy *G.Node) {
	arg, ok := c.placesOf(x)
	if !ok {
		return
	}
	s := Step{Kind: PoolGrad, Src: c.of(dy), Arg: arg, Ref: None, W: None, B: None}
	pooled := c.user(x, op.Pool)
	end := n
	_, kept := c.value[x]
	if !kept && kindOf(x) == op.Act {
		g := c.sole(n, op.ActGrad)
		if g == nil {
			c.failf("the activation's gradient does not follow it alone")
			return
		}
		end = g
		c.done[g] = true
		s.Src = c.writable(dy)
		c.later(g, func() { c.emit(c.slope(attr(g).Act, s.Src, c.of(pooled))) })
	}
	if !kept && (c.convPoolGrad(end, s) || c.normPoolGrad(end, s)) {
		return
	}
	c.later(end, func() {
		s.Dst = c.newValue(end, "d.pool")
		c.emit(s)
	})
}

// convPoolGrad joins the way back through a pooling with the gradients of the convolution before it, dy being the gradient
// by that convolution's result, when nothing else reads dy.
func (c *compiler) convPoolGrad(dy *G.Node, s Step) bool {
	weights, bias, data := c.user(dy, op.ConvWeights), c.user(dy, op.BiasGrad), c.user(dy, op.ConvData)
	readers := 2
	if data != nil {
		readers = 3
	}
	if weights == nil || bias == nil || len(c.users[dy]) != readers {
		return false
	}
	w, ok := c.grad[weights]
	b, also := c.grad[bias]
	if !ok || !also {
		return false
	}
	s.Kind, s.Side, s.Dst, s.W, s.B = ConvPoolGrad, attr(weights).Side, None, w, b
	c.done[weights], c.done[bias] = true, true
	if data != nil {
		c.done[data] = true
	}
	c.later(dy, func() {
		s.Ref = c.of(c.inputs(weights)[0])
		c.pad(s.Ref, s.Side/2)
		if data != nil {
			s.Dst = c.newValue(data, "d."+c.layer(w)+".in")
		}
		c.emit(s)
	})
	return true
}

// placesOf are the noted places of the pooling of p.
func (c *compiler) placesOf(p *G.Node) (int, bool) {
	arg, ok := c.arg[p]
	if !ok {
		c.failf("its pooling has no step")
	}
	return arg, ok
}
