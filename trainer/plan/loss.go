package plan

import (
	G "gorgonia.org/gorgonia"

	"sweep/trainer/kernel"
	"sweep/trainer/op"
)

// output notes where the network's output lies before cropping, and what the crop is; of a row of logits it is a pixel.
func (c *compiler) output(pred *G.Node) {
	l := kernel.Loss{H: 1, W: 1}
	if size := pred.Shape(); len(size) == 4 {
		l.H, l.W = size[1], size[2]
	}
	if kindOf(pred) == op.Image {
		if attr(pred).Signed {
			l.Output = kernel.Tanh
		}
		pred = c.inputs(pred)[0]
	}
	c.p.Loss, c.p.Output = l, c.of(pred)
}

// loss joins the crop, the loss and their gradients.
func (c *compiler) loss(n *G.Node, in []*G.Node) {
	a := attr(n)
	c.output(in[0])
	c.p.Loss.Kind, c.p.Loss.SSIMWeight = a.Loss, a.SSIMWeight
	s := Step{Kind: Evaluate, Src: c.p.Output, Ref: c.of(in[1]), Dst: None, Arg: None, W: None, B: None}
	switch {
	case kindOf(n) == op.Loss && c.forward:
		c.emit(s)
	case kindOf(n) == op.LossGrad:
		s.Kind = Loss
		c.lossGrad(n, in[2], s)
	}
}

// entropy joins the crop of the logits, their cross-entropy with the labels, and the gradients of both.
func (c *compiler) entropy(n *G.Node, in []*G.Node) {
	c.output(in[0])
	c.p.Labels = c.p.Loss.H * c.p.Loss.W
	s := Step{Kind: Entropy, Src: c.p.Output, Dst: None, Ref: None, Arg: None, W: None, B: None}
	switch {
	case kindOf(n) == op.Entropy && c.forward:
		c.emit(s)
	case kindOf(n) == op.EntropyGrad:
		c.lossGrad(n, in[2], s)
	}
}

// lossGrad emits s, which makes the gradient n of a loss, scaled by the node by, and that of the crop before it.
func (c *compiler) lossGrad(n, by *G.Node, s Step) {
	if !c.unscaled(by) {
		return
	}
	end := n
	if g := c.sole(n, op.ImageGrad); g != nil {
		end = g
		c.done[g] = true
	}
	c.later(end, func() {
		s.Dst = c.newValue(end, "d.output")
		c.emit(s)
	})
}

// unscaled checks that a gradient of the loss is scaled by 1, as no step scales one.
func (c *compiler) unscaled(by *G.Node) bool {
	g, ok := by.Value().(*G.F32)
	if ok = ok && float32(*g) == 1; !ok {
		c.failf("the gradient of the loss is scaled")
	}
	return ok
}

// entropy runs a step on labels, whose number is right.
func (e *Exec) entropy(s *Step, b *Batch) kernel.Sums {
	n := len(b.Images)
	var grad kernel.Map
	if s.Dst != None {
		grad = e.m(s.Dst, n)
	}
	labels, images := b.Labels, b.Images
	if b.Mirrored != nil && e.p.Loss.W > 1 {
		labels, images = e.mirrored(b)
	}
	return e.k.CrossEntropy(e.ws, grad, e.m(s.Src, n), labels, images, e.p.Loss.H, e.p.Loss.W)
}

// Classes is what the n images of the last run of a forward plan on labels are taken for, one class for each label; it
// goes into dst, which is made if nil.
func (e *Exec) Classes(dst []byte, n int) []byte {
	return kernel.Classify(dst, e.Output(n), e.p.Loss.H, e.p.Loss.W)
}
