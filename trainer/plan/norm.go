package plan

import (
	"strings"

	G "gorgonia.org/gorgonia"

	"sweep/trainer/kernel"
	"sweep/trainer/op"
)

// The steps of a normalisation that is trained.
const (
	Moments  Kind = "norm.moments" // Norm.Stats of Src
	Norm     Kind = "norm"         // Dst = Act(norm(Src)); with an Arg pooled too, Ref taking what the pooling took of Src
	NormGrad Kind = "norm.grad"    // gradients of scale, shift and, Dst, of the input; Src: by the output before Act, Ref, Arg: as Norm has them
)

// NormStep is the normalisation of a step: the steps above, or a linear map into whose weights one by running statistics is
// folded. Its numbers are indices of weights, but Stats, a value; [None] where unused.
type NormStep struct {
	Kind         kernel.NormKind
	Scale, Shift int
	Mean, Var    int // running statistics: which Norm moves, and a linear map is folded with
	Stats        int // (1, 1, 2·C)
	Input        int // of NormGrad, the value that was normalised; Dst may be the same
	Fold         int // of a linear map: where its folded weights and bias lie in an Exec's own memory
}

// normed is what a normalisation leaves for its gradient.
type normed struct {
	step        NormStep
	input       int // value
	picked, arg int // values, of one with a pooling
}

// folded recognises a normalisation by running statistics behind a linear map n without a bias, and gives its bias node.
func (c *compiler) folded(n *G.Node, s *Step) *G.Node {
	by := c.sole(n, op.NormBy)
	if by == nil {
		return nil
	}
	bias := c.sole(by, op.Bias)
	if bias == nil {
		c.failf("no shift follows its normalisation")
		return nil
	}
	in := c.inputs(by)
	s.Norm = &NormStep{
		Kind: kernel.BatchNorm, Scale: c.weightOf(in[1]), Shift: c.weightOf(c.inputs(bias)[1]),
		Mean: c.weightOf(in[2]), Var: c.weightOf(in[3]), Stats: None, Input: None, Fold: c.p.Folded,
	}
	if s.W != None && s.Norm.Scale != None {
		c.p.Folded += align(c.p.Layout.Sizes[s.W]) + align(c.p.Layout.Sizes[s.Norm.Scale])
	}
	c.done[by] = true
	return bias
}

// norm fuses a normalisation with its shift, the activation and the pooling that follow it.
func (c *compiler) norm(n *G.Node, in []*G.Node) {
	bias := c.sole(n, op.Bias)
	if bias == nil {
		c.failf("no shift follows it")
		return
	}
	c.done[bias] = true
	x := c.of(in[0])
	if x == None {
		return
	}
	scale := c.weightOf(in[1])
	name := strings.TrimSuffix(c.p.Layout.Weights[scale].Name, ".scale")
	kept := normed{input: x, picked: None, arg: None, step: NormStep{
		Kind: attr(n).Norm, Scale: scale, Shift: c.weightOf(c.inputs(bias)[1]), Mean: None, Var: None, Input: None,
	}}
	if kept.step.Kind == kernel.BatchNorm && !c.forward {
		kept.step.Mean, kept.step.Var = c.buffer(name+".mean"), c.buffer(name+".var")
	}
	kept.step.Stats = c.lay(Value{Name: name + ".stats", H: 1, W: 1, C: 2 * n.Shape()[3]})
	c.emit(Step{Kind: Moments, Src: x, Dst: None, Ref: None, Arg: None, W: None, B: None, Norm: &NormStep{
		Scale: None, Shift: None, Mean: None, Var: None, Stats: kept.step.Stats, Input: None,
	}})
	s := Step{Kind: Norm, Src: x, Ref: None, Arg: None, W: None, B: None, Norm: &kept.step}
	end := c.activated(bias, &s)
	pool, last := c.pooled(end, &s)
	c.norms[in[0]] = &kept
	c.later(last, func() {
		s.Dst = c.newValue(last, name)
		if pool != nil {
			s.Arg, s.Ref = c.newArg(pool, end), c.room(pool, name+".picked")
			kept.arg, kept.picked = s.Arg, s.Ref
		}
		c.emit(s)
	})
}

// buffer is the index of a running number; a normalisation without any keeps none.
func (c *compiler) buffer(name string) int {
	for i, w := range c.p.Layout.Weights {
		if w.Name == name && w.Buffer {
			return i
		}
	}
	return None
}

// normGrad makes all gradients of a normalisation of x, given that by its result before the activation, dy: in a value, or
// of a pooled one by the pooled result, in src. It is the first of them that is reached.
func (c *compiler) normGrad(x, dy *G.Node, src int) {
	kept, ok := c.norms[x]
	data, scale, shift := c.user(dy, op.NormData), c.user(dy, op.NormWeights), c.user(dy, op.BiasGrad)
	if !ok || scale == nil || shift == nil {
		c.failf("the gradients of a normalisation do not stand together")
		return
	}
	n := kept.step
	n.Input = kept.input
	s := Step{Kind: NormGrad, Src: src, Ref: kept.picked, Arg: kept.arg, Dst: None, W: None, B: None, Norm: &n}
	c.done[scale], c.done[shift] = true, true
	if data == nil {
		c.failf("nothing asks for the gradient before a normalisation")
		return
	}
	c.done[data] = true
	// Only the normalisation reads x, so its gradient takes its place.
	s.Dst = kept.input
	for _, u := range c.users[x] {
		switch kindOf(u) {
		case op.Norm, op.NormData, op.NormWeights:
		default:
			s.Dst = None
		}
	}
	if s.Dst == None {
		s.Dst = c.room(data, "d.norm")
	}
	c.value[data] = s.Dst
	c.emit(s)
}

// normPoolGrad joins the way back through a pooling that was fused with a normalisation with the latter's gradients.
func (c *compiler) normPoolGrad(dy *G.Node, s Step) bool {
	scale := c.user(dy, op.NormWeights)
	if scale == nil {
		return false
	}
	x := c.inputs(scale)[0]
	kept, ok := c.norms[x]
	if !ok || kept.arg != s.Arg || len(c.users[dy]) != 3 {
		return false
	}
	for _, u := range c.users[dy] {
		c.done[u] = true
	}
	c.later(dy, func() { c.normGrad(x, dy, s.Src) })
	return true
}

// fold makes ready the weights and the bias of a linear map that a normalisation is folded into.
func (e *Exec) fold(s *Step, w []float32) (weights, bias []float32) {
	l := &e.p.Layout
	size, c := l.Sizes[s.W], l.Sizes[s.Norm.Scale]
	weights = e.folded[s.Norm.Fold:][:size:size]
	bias = e.folded[s.Norm.Fold+align(size):][:c:c]
	kernel.FoldNorm(weights, bias, l.Of(w, s.W), e.norm(s.Norm, w))
	return weights, bias
}

// norm is a step's normalisation with its numbers.
func (e *Exec) norm(s *NormStep, w []float32) kernel.Norm {
	l := &e.p.Layout
	n := kernel.Norm{Kind: s.Kind, Scale: l.Of(w, s.Scale), Shift: l.Of(w, s.Shift)}
	if s.Mean != None {
		n.Mean, n.Var = l.Of(w, s.Mean), l.Of(w, s.Var)
	}
	return n
}

func (e *Exec) normalize(s *Step, n int, w, g []float32) {
	stats := e.m(s.Norm.Stats, n)
	if s.Kind == Moments {
		e.k.Moments(e.ws, stats, e.m(s.Src, n))
		return
	}
	var picked kernel.Map
	var arg []byte
	if s.Arg != None {
		picked, arg = e.m(s.Ref, n), e.arg(s, n)
	}
	norm, l := e.norm(s.Norm, w), &e.p.Layout
	if s.Kind == Norm {
		e.k.Normalize(e.ws, e.m(s.Dst, n), picked, arg, e.m(s.Src, n), stats, norm, s.Act)
		return
	}
	e.k.NormalizeBackward(e.ws, e.m(s.Dst, n), l.Of(g, s.Norm.Scale), l.Of(g, s.Norm.Shift), e.m(s.Src, n), picked, arg,
		e.m(s.Norm.Input, n), stats, norm)
}
