package plan

import (
	"fmt"
	"strings"

	G "gorgonia.org/gorgonia"

	"sweep/trainer/kernel"
	"sweep/trainer/model"
	"sweep/trainer/op"
)

// Training compiles the steps that the loss and the gradients by all weights need, of a network of [model.Build].
func Training(net *model.Network) (*Program, error) {
	return compile(net, append(G.Nodes{net.Loss}, net.Grads...), false)
}

// Forward compiles the steps from images to codes, outputs and the sums of a comparison, of a network of
// [model.Inference].
func Forward(net *model.Network) (*Program, error) {
	return compile(net, G.Nodes{net.Loss, net.Output, net.Code}, true)
}

// Encode compiles the steps from images to codes alone, of a network of [model.Inference]. Its runs have no sums and look
// at no labels.
func Encode(net *model.Network) (*Program, error) {
	return compile(net, G.Nodes{net.Code}, true)
}

// Decode compiles the steps from codes to outputs, of a network of [model.Decoder]. See [Exec.Decode].
func Decode(net *model.Network) (*Program, error) {
	return compile(net, G.Nodes{net.Output}, true)
}

// compile makes a program. That a border has to stand around a value which another step reshapes shows at the end only;
// then the reshaping becomes a copy, and the program is made anew.
func compile(net *model.Network, roots G.Nodes, forward bool) (*Program, error) {
	copied := map[*G.Node]bool{}
	for {
		before := len(copied)
		p, err := compileWith(net, roots, forward, copied)
		if err != nil || len(copied) == before {
			return p, err
		}
	}
}

// compileWith makes a program in which the nodes of copied are copies, and adds those that have to be.
func compileWith(net *model.Network, roots G.Nodes, forward bool, copied map[*G.Node]bool) (*Program, error) {
	c := &compiler{
		net: net, forward: forward, copied: copied, views: map[*G.Node]int{},
		users: map[*G.Node][]*G.Node{}, value: map[*G.Node]int{}, weight: map[*G.Node]int{}, grad: map[*G.Node]int{},
		at: map[*G.Node][]func(){}, done: map[*G.Node]bool{}, arg: map[*G.Node]int{}, norms: map[*G.Node]*normed{},
		p: &Program{
			Config: net.Config, Batch: net.Batch, Code: None, Output: None,
		},
	}
	sorted, err := G.Sort(net.Graph.SubgraphRoots(roots...))
	if err != nil {
		return nil, fmt.Errorf("sort the graph: %w", err)
	}
	for i := len(sorted) - 1; i >= 0; i-- { // Sort puts the roots first
		n := sorted[i]
		c.nodes = append(c.nodes, n)
		for _, in := range c.inputs(n) {
			c.users[in] = append(c.users[in], n)
		}
	}
	var weights []model.Weight
	for i, n := range net.Weights {
		c.weight[n] = i
		buffer := i >= len(net.Weights)-net.Buffers
		weights = append(weights, model.Weight{Name: n.Name(), Shape: n.Shape(), Buffer: buffer})
	}
	c.p.Layout = NewLayout(weights)
	if !forward {
		for i, n := range net.Grads {
			if twin, ok := c.grad[n]; ok {
				return nil, fmt.Errorf("plan the gradient of %s: it is one node with that of %s", weights[i].Name, weights[twin].Name)
			}
			c.grad[n] = i
		}
	}
	c.load()
	for _, n := range c.nodes {
		c.plan(n)
		for _, emit := range c.at[n] {
			emit()
		}
		if c.err != nil {
			return nil, fmt.Errorf("plan %v: %w", n.Op(), c.err)
		}
	}
	if net.Loss == nil {
		c.output(net.Output)
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	return c.p, nil
}

// compiler walks the graph once, inputs before what uses them. A group of nodes that one step computes is recognised at
// its first node and emitted at its last.
type compiler struct {
	net     *model.Network
	forward bool
	p       *Program
	nodes   []*G.Node
	users   map[*G.Node][]*G.Node

	value  map[*G.Node]int      // where a node's result lies
	weight map[*G.Node]int      // index of a weight
	grad   map[*G.Node]int      // index of the weight whose gradient a node is
	arg    map[*G.Node]int      // by the input of a pooling: its Arg
	norms  map[*G.Node]*normed  // by what is normalised
	at     map[*G.Node][]func() // steps to emit once a node is reached
	done   map[*G.Node]bool     // nodes of a group that was recognised before
	copied map[*G.Node]bool     // reshapings that are copies
	views  map[*G.Node]int      // reshapings that are not, with their values
	place  []int                // by value: its place
	places []place
	err    error
}

// inputs are the operands of n in order.
func (c *compiler) inputs(n *G.Node) []*G.Node {
	it := c.net.Graph.From(n.ID())
	var out []*G.Node
	for it != nil && it.Next() {
		out = append(out, it.Node().(*G.Node))
	}
	return out
}

func (c *compiler) failf(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

// sole is the only user of n when it is of kind k, else nil.
func (c *compiler) sole(n *G.Node, k op.Kind) *G.Node {
	if u := c.users[n]; len(u) == 1 && kindOf(u[0]) == k {
		return u[0]
	}
	return nil
}

// user is the first user of n of kind k, or nil.
func (c *compiler) user(n *G.Node, k op.Kind) *G.Node {
	for _, u := range c.users[n] {
		if kindOf(u) == k {
			return u
		}
	}
	return nil
}

func kindOf(n *G.Node) op.Kind {
	if o, ok := n.Op().(*op.Op); ok {
		return o.Kind
	}
	if isSum(n) {
		return op.Add
	}
	return ""
}

func attr(n *G.Node) op.Attr { return n.Op().(*op.Op).Attr }

// load makes the first steps. An autoencoder's target is its input, or what the input is made from.
func (c *compiler) load() {
	if c.net.Input == nil { // a decoder
		c.newValue(c.net.Code, "code")
		return
	}
	v := c.newValue(c.net.Input, "images")
	c.value[c.net.Target] = v
	c.emit(Step{Kind: Gather, Dst: v, Src: None, Ref: None, Arg: None, W: None, B: None})
	if k := c.net.Config.Corruption(); k.Kind != kernel.Untouched {
		c.p.Corruption = k
		c.emit(Step{Kind: Corrupt, Dst: c.newValue(c.net.Input, "input"), Src: v, Ref: None, Arg: None, W: None, B: None})
	}
}

func (c *compiler) emit(s Step) { c.p.Steps = append(c.p.Steps, s) }

func (c *compiler) later(n *G.Node, f func()) { c.at[n] = append(c.at[n], f) }

// plan recognises the group that starts at n.
func (c *compiler) plan(n *G.Node) {
	if c.done[n] || n.Op() == nil {
		return
	}
	o, ok := n.Op().(*op.Op)
	if !ok {
		if isSum(n) {
			c.sum(n, c.inputs(n))
			return
		}
		if len(c.inputs(n)) > 0 {
			c.failf("there is no step for it")
		}
		return // a constant
	}
	in := c.inputs(n)
	switch o.Kind {
	case op.Conv, op.ConvT, op.Dense:
		c.linear(n, in)
	case op.Pool:
		c.pool(n, in[0])
	case op.Norm:
		c.norm(n, in)
	case op.NormData:
		c.normGrad(in[0], in[2], c.of(in[2]))
	case op.NormWeights:
		c.normGrad(in[0], in[1], c.of(in[1]))
	case op.Act:
		if o.Act.KeepsInput() && !c.owned(in[0]) {
			c.emit(Step{Kind: Act, Act: o.Act, Dst: c.newValue(n, "act"), Src: c.of(in[0]), Ref: None, Arg: None, W: None, B: None})
			return
		}
		c.emit(Step{Kind: Act, Act: o.Act, Dst: c.mine(n, in[0]), Src: None, Ref: None, Arg: None, W: None, B: None})
	case op.Add:
		c.sum(n, in)
	case op.Unpool:
		c.unpool(n, in[0], in[1])
	case op.UnpoolGrad:
		c.unpoolGrad(n, in[0], in[1])
	case op.Attention:
		c.attention(n, in)
	case op.AttentionGrad:
		c.attentionGrad(in)
	case op.ConvData, op.ConvTData, op.DenseData:
		kinds := map[op.Kind]Kind{op.ConvData: ConvData, op.ConvTData: ConvTData, op.DenseData: DenseData}
		s := Step{Kind: kinds[o.Kind], Side: o.Side, Src: c.of(in[0]), W: c.weightOf(in[1]), Ref: None, Arg: None, B: None}
		if o.Kind == op.ConvData {
			c.pad(s.Src, o.Side/2)
		} else if o.Kind == op.ConvTData && o.Side == 3 {
			c.pad(s.Src, 1)
		}
		s.Dst = c.newValue(n, "d."+c.layer(s.W)+".in")
		c.emit(s)
	case op.ConvWeights, op.ConvTWeights, op.DenseWeights:
		c.weights(n, in)
	case op.BiasGrad:
		c.biasGrad(n)
	case op.ActGrad:
		c.actGrad(n, in[0], in[1])
	case op.PoolGrad:
		c.poolGrad(n, in[0], in[1])
	case op.Reshape:
		c.view(n, in[0])
	case op.Loss, op.LossGrad:
		c.loss(n, in)
	case op.Entropy, op.EntropyGrad:
		c.entropy(n, in)
	case op.Image:
		for _, u := range c.users[n] {
			switch k := kindOf(u); k {
			case op.Loss, op.LossGrad, op.Entropy, op.EntropyGrad:
			default:
				c.failf("%s reads it, not a loss", k)
			}
		}
	case op.Drop:
		c.drop(n, in[0], in[1])
	case op.Sample, op.SampleGrad, op.KL, op.KLMean, op.KLLogVar, op.Total:
		c.latent(n, in)
	default:
		c.failf("there is no step for it by itself")
	}
}

// of is where the result of n lies.
func (c *compiler) of(n *G.Node) int {
	v, ok := c.value[n]
	if !ok {
		c.failf("its input %v is not kept by any step", n.Op())
		return None
	}
	return v
}

func (c *compiler) weightOf(n *G.Node) int {
	w, ok := c.weight[n]
	if !ok {
		c.failf("its operand %s is not a weight", n.Name())
		return None
	}
	return w
}

// layer is the name of the layer that a weight belongs to.
func (c *compiler) layer(w int) string {
	if w == None {
		return ""
	}
	return strings.TrimSuffix(c.p.Layout.Weights[w].Name, ".weight")
}

// linear fuses a convolution or dense layer with the bias, the activation and the pooling that follow it.
func (c *compiler) linear(n *G.Node, in []*G.Node) {
	o := n.Op().(*op.Op)
	s := Step{Side: o.Side, Src: c.of(in[0]), W: c.weightOf(in[1]), Ref: None, Arg: None}
	bias := c.sole(n, op.Bias)
	if bias != nil {
		s.B = c.weightOf(c.inputs(bias)[1])
	} else if s.B = None; c.sole(n, op.NormBy) != nil {
		bias = c.folded(n, &s)
	}
	normed := c.user(n, op.Norm) != nil
	if bias == nil && !normed {
		c.failf("no bias follows it")
		return
	}
	end := n // of one that a normalisation follows, which is a step of its own
	if bias != nil {
		c.done[bias] = true
		end = c.activated(bias, &s)
	}
	name := c.layer(s.W)
	switch o.Kind {
	case op.ConvT:
		s.Kind = ConvT
	case op.Dense:
		s.Kind = Dense
	case op.Conv:
		s.Kind = Conv
		c.pad(s.Src, o.Side/2)
		if p, last := c.pooled(end, &s); p != nil {
			s.Kind = ConvPool
			c.later(last, func() {
				s.Dst = c.newValue(last, name)
				s.Arg = c.newArg(p, end)
				c.emit(s)
			})
			return
		}
	}
	c.later(end, func() {
		s.Dst = c.newValue(end, name)
		c.emit(s)
	})
}

// activated fuses the activation that follows n alone with step s, and gives the last node of both. One that keeps its input
// has its gradient for another reader, and so is a step of its own where it is trained.
func (c *compiler) activated(n *G.Node, s *Step) *G.Node {
	a := c.sole(n, op.Act)
	if a == nil {
		return n
	}
	s.Act = attr(a).Act
	c.done[a] = true
	return a
}

func (c *compiler) slope(a kernel.Activation, dy, y int) Step {
	return Step{Kind: ActGrad, Act: a, Dst: dy, Src: None, Ref: y, Arg: None, W: None, B: None}
}

// actGrad works in place, on a copy where something else reads the gradient.
func (c *compiler) actGrad(n, y, dy *G.Node) {
	d := c.mine(n, dy)
	c.emit(c.slope(attr(n).Act, d, c.of(y)))
}

// weights joins the gradients by a layer's weight and by its bias.
func (c *compiler) weights(n *G.Node, in []*G.Node) {
	o := n.Op().(*op.Op)
	kinds := map[op.Kind]Kind{op.ConvWeights: ConvWeights, op.ConvTWeights: ConvTWeights, op.DenseWeights: DenseWeights}
	x, dy := in[0], in[1]
	w, ok := c.grad[n]
	if !ok {
		c.failf("it is not the gradient of a weight")
		return
	}
	s := Step{Kind: kinds[o.Kind], Side: o.Side, Dst: None, Src: c.of(dy), Ref: c.of(x), Arg: None, W: w, B: None}
	if b := c.user(dy, op.BiasGrad); b != nil {
		s.B = c.grad[b]
	}
	if o.Kind == op.ConvTWeights && o.Side == 3 {
		c.pad(s.Src, 1)
	}
	if o.Kind == op.ConvWeights {
		c.pad(s.Ref, o.Side/2)
	}
	c.emit(s)
}

// biasGrad checks that a step computes it together with a weight's gradient.
func (c *compiler) biasGrad(n *G.Node) {
	dy := c.inputs(n)[0]
	for _, k := range []op.Kind{op.ConvWeights, op.ConvTWeights, op.DenseWeights, op.NormWeights} {
		for _, u := range c.users[dy] {
			if _, ok := c.grad[n]; ok && kindOf(u) == k && c.inputs(u)[1] == dy {
				return
			}
		}
	}
	c.failf("no gradient of a weight stands beside it")
}
