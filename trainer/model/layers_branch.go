package model

import (
	"fmt"
	"math"
)

// The variants whose networks branch.
const (
	// Skip adds the pooled map of encoder stage i-1 to what decoder stage i makes, before its activation (Mao, Shen and Yang,
	// "Image restoration using very deep convolutional encoder-decoder networks with symmetric skip connections", NIPS 2016).
	Skip = "skip"
	// Residual has a block act(x + conv(act(conv(x)))) after each pooling and before each transposed convolution (He et al.,
	// "Deep residual learning for image recognition", CVPR 2016, figure 2).
	Residual = "residual"
	// SegNet brings a map back to its former sides by putting each value where the pooling of the same sides took it from,
	// and convolves the result (Badrinarayanan, Kendall and Cipolla, "SegNet", TPAMI 2017). Its poolings come before the
	// activations, so that the places do not hang on ties of a rectifier's zeros; of all activations but GELU that changes
	// no value, because they are monotone.
	SegNet = "segnet"
	// Attention adds, to each pixel of the deepest map, what it gathers from the others: x + o(softmax(q kᵀ / √C) v) with
	// linear maps q, k, v, o of the channels (Wang et al., "Non-local neural networks", CVPR 2018; one head of Vaswani et
	// al., "Attention is all you need", NeurIPS 2017).
	Attention = "attention"
)

// The kinds of layer that read more than one.
const (
	AddLayer       LayerKind = "add"       // the sum of two
	UnpoolLayer    LayerKind = "unpool"    // the first, each value where the pooling of the second took its window's greatest
	AttentionLayer LayerKind = "attention" // among the pixels: of queries, keys and values
)

// maxTokens is how many pixels may attend to each other: an image's weights are their square.
const maxTokens = 1024

// checkBranches reports what keeps the variant of c, whose other parameters are right, from being a network.
func (c Config) checkBranches() (errs []error) {
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Depth < 1 || c.Depth > maxDepth {
		return nil // reported by itself
	}
	switch c.Variant {
	case Skip:
		if c.Depth < 2 {
			bad("variant skip with depth 1 has nothing to skip; use a depth of at least 2")
		}
	case SegNet:
		if c.Upsample != "k2" {
			bad("variant segnet unpools and has no transposed convolutions; leave upsample at k2, not %s", c.Upsample)
		}
		if c.Kernel == 1 {
			bad("variant segnet with kernel 1 leaves three of four pixels to the bias; use a kernel of at least 3")
		}
	case Attention:
		h, w := c.Padded()
		switch tokens := (h >> c.Depth) * (w >> c.Depth); {
		case tokens == 1:
			bad("variant attention at depth %d is left with a single pixel, which has no other to attend to; use a smaller depth", c.Depth)
		case tokens > maxTokens:
			bad("variant attention at depth %d lets %d pixels attend to each other, which is more than %d; use a greater depth", c.Depth, tokens, maxTokens)
		}
	}
	return errs
}

// sum adds two layers of one shape.
func (d *describer) sum(a, b int, name string) int {
	l := d.on(a, AddLayer, name)
	l.In = []int{a, b}
	return d.add(l)
}

// residual is a block of two convolutions, each normalised, around which x is carried. The second starts smaller by the root of the number
// of blocks, so that a deep network's maps do not grow from block to block (Radford et al., "Language models are
// unsupervised multitask learners", 2019, section 2.3).
func (d *describer) residual(x int, name string) int {
	c, act := d.list[x].C, d.c.Activation
	y := d.normalize(d.conv(x, name+"a", c, act), name+"a.norm")
	y = d.conv(d.activate(y, act), name+"b", c, act)
	d.list[y].Weights[0].Limit /= math.Sqrt(float64(2 * d.c.Depth))
	y = d.normalize(y, name+"b.norm")
	return d.activate(d.sum(x, y, name), act)
}

// unpool doubles the sides of x; pooled is what the pooling read whose places it takes.
func (d *describer) unpool(x, pooled int, name string) int {
	l := d.on(x, UnpoolLayer, name)
	l.In = []int{x, pooled}
	l.H, l.W = 2*l.H, 2*l.W
	return d.add(l)
}

// attention is a block among the pixels of x.
func (d *describer) attention(x int, name string) int {
	c := d.list[x].C
	l := d.on(x, AttentionLayer, name)
	l.In = nil
	for _, part := range []string{"q", "k", "v"} {
		l.In = append(l.In, d.convolve(x, name+"."+part, 1, c, "none"))
	}
	return d.sum(x, d.convolve(d.add(l), name+".o", 1, c, "none"), name+".sum")
}
