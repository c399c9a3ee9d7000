package plan

import (
	G "gorgonia.org/gorgonia"

	"sweep/trainer/kernel"
	"sweep/trainer/op"
)

// entropy joins the crop of the logits, their cross-entropy with the labels, and the gradients of both.
func (c *compiler) entropy(n *G.Node, in []*G.Node) {
	logits := in[0]
	l := kernel.Loss{H: 1, W: 1}
	if s := logits.Shape(); len(s) == 4 {
		l.H, l.W = s[1], s[2]
	}
	if kindOf(logits) == op.Image {
		logits = c.inputs(logits)[0]
	}
	c.p.Loss, c.p.Labels = l, l.H*l.W
	c.p.Output = c.of(logits)
	s := Step{Kind: Entropy, Src: c.p.Output, Dst: None, Ref: None, Arg: None, W: None, B: None}
	switch {
	case kindOf(n) == op.Entropy && c.forward:
		c.emit(s)
	case kindOf(n) == op.EntropyGrad:
		if g, ok := in[2].Value().(*G.F32); !ok || float32(*g) != 1 {
			c.failf("the gradient of the loss is scaled")
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
