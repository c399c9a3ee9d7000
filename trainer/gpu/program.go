package gpu

import (
	"fmt"
	"slices"

	"sweep/trainer/kernel/cuda"
	"sweep/trainer/model"
	"sweep/trainer/plan"
)

// The steps that a round has beside those of its plan.
const (
	begin    = "begin"    // the round's units and lists are put in
	fold     = "fold"     // weights that a normalisation is folded into
	reduce   = "reduce"   // the tiles' shares of gradients are added up
	settle   = "settle"   // loss and norm of the unit
	optimise = "optimise" // the step of the optimiser
)

// step is a step of a program: a kind with its sizes, and a task without addresses.
type step struct {
	kind     string
	geometry cuda.Step
	task     cuda.Task
	plan     []int // the steps of the plan that it does; none of one of the round's own
}

// program is a plan as the device runs it, for all slots of a bucket: where a number of channels is a slot's latent size it is
// [cuda.Latent].
type program struct {
	steps    []step
	values   int // of a slot in the table of values
	weights  int // and in that of weights
	training bool
	encoded  int    // the last step that the latent code needs; of a forward program
	split    []bool // by weight: whether its gradient comes in parts
	last     []int  // by value: the last step of the plan that reads it
}

// stackOf is c without what may differ among the slots of a bucket: configurations with equal stacks have plans of the same
// steps. A dropout of rate 0 is no step of a plan, so whether there is one stays.
func stackOf(c model.Config) model.Config {
	c.Latent, c.Loss, c.SSIMWeight, c.Init = 1, "mse", 0, ""
	c.Filters = c.Filters[:c.Depth:c.Depth]
	for _, rate := range []*float64{&c.DropoutConv, &c.DropoutDense} {
		if *rate > 0 {
			*rate = 0.5
		}
	}
	return c
}

// plans are those of a network: for training, and for its use.
func plans(c model.Config, batch int) (train, forward *plan.Program, err error) {
	net, err := model.Build(c, batch)
	if err != nil {
		return nil, nil, err
	}
	if train, err = plan.Training(net); err != nil {
		return nil, nil, err
	}
	if net, err = model.Inference(c, batch); err != nil {
		return nil, nil, err
	}
	forward, err = plan.Forward(net)
	return train, forward, err
}

// programs are those of a bucket for networks like c.
func programs(c model.Config) (train, forward *program, err error) {
	train, forward, err = stepwise(c)
	if err == nil {
		train.fuse()
	}
	return train, forward, err
}

// stepwise is programs before the last step of the network is joined with the loss.
func stepwise(c model.Config) (train, forward *program, err error) {
	one := stackOf(c)
	two := one
	two.Latent = 9 // another number of bytes of a dropout's bits, too
	train1, forward1, err := plans(one, 1)
	if err != nil {
		return nil, nil, err
	}
	train2, forward2, err := plans(two, 1)
	if err != nil {
		return nil, nil, err
	}
	if train, err = translate(train1, train2, true); err != nil {
		return nil, nil, err
	}
	forward, err = translate(forward1, forward2, false)
	return train, forward, err
}

// translate makes a program of two plans that differ in the latent size alone.
func translate(p, q *plan.Program, training bool) (*program, error) {
	if err := alike(p, q); err != nil {
		return nil, err
	}
	t := &translator{p: p, q: q, done: make([]bool, len(p.Steps)), out: &program{
		values: len(p.Values), weights: len(p.Layout.Weights), training: training,
		split: make([]bool, len(p.Layout.Weights)),
	}}
	for _, v := range p.Values {
		t.out.last = append(t.out.last, v.Last)
	}
	for i := range p.Steps {
		if !t.done[i] {
			t.step(i)
		}
	}
	for i, s := range t.out.steps {
		if p.Code != plan.None && s.task.Dst == int32(p.Code) {
			t.out.encoded = i
		}
	}
	if training {
		t.own(reduce)
	}
	t.own(settle)
	if training {
		t.own(optimise)
	}
	return t.out, nil
}

// alike checks that two plans have the same steps on values that differ in their sizes alone, and fold to the same places.
func alike(p, q *plan.Program) error {
	same := len(p.Steps) == len(q.Steps) && len(p.Values) == len(q.Values) && len(p.Layout.Weights) == len(q.Layout.Weights) &&
		p.Code == q.Code && p.Output == q.Output && p.Folded == q.Folded && p.Loss.Output == q.Loss.Output
	if !same {
		return fmt.Errorf("two networks of one stack have different plans")
	}
	for i, s := range p.Steps {
		r := q.Steps[i]
		if (s.Norm == nil) != (r.Norm == nil) || s.Norm != nil && *s.Norm != *r.Norm {
			return fmt.Errorf("step %d, %s, is normalised in different ways in two networks of one stack", i, s.Kind)
		}
		s.Norm, r.Norm = nil, nil
		if s != r {
			return fmt.Errorf("step %d, %s, of one network of a stack is %s of another", i, s.Kind, r.Kind)
		}
	}
	return nil
}

type translator struct {
	p, q *plan.Program
	done []bool // by step of the plan: an earlier one does it too
	out  *program
}

// shape is that of one image of a value.
func (t *translator) shape(v int) cuda.Shape {
	if v == plan.None {
		return cuda.Shape{}
	}
	a, b := t.p.Values[v], t.q.Values[v]
	if a.C != b.C {
		return cuda.Shape{H: a.H, W: a.W, C: cuda.Latent}
	}
	return cuda.Shape{H: a.H, W: a.W, C: a.C}
}

func size(s cuda.Shape) cuda.Size { return cuda.Size{H: int32(s.H), W: int32(s.W), C: int32(s.C)} }

// none is a task that uses nothing.
func none() cuda.Task {
	return cuda.Task{
		Dst: cuda.None, Src: cuda.None, Ref: cuda.None, Arg: cuda.None, W: cuda.None, B: cuda.None, Scale: cuda.None, Shift: cuda.None,
		Mean: cuda.None, Var: cuda.None, Stats: cuda.None, Input: cuda.None, Fold: cuda.None, FoldBias: cuda.None,
	}
}

// own adds one of the round's own steps; that which settles knows the output and its crop.
func (t *translator) own(kind string) {
	s := step{kind: kind, geometry: cuda.Step{Kind: kind}, task: none()}
	s.geometry.S = t.shape(t.p.Output)
	t.finish(&s)
}

// finish fills in the sizes and adds the step.
func (t *translator) finish(s *step) {
	l := t.p.Loss
	s.task.Act, s.task.Side = int32(s.geometry.Act), int32(s.geometry.Side)
	s.task.D, s.task.S, s.task.R = size(s.geometry.D), size(s.geometry.S), size(s.geometry.R)
	s.geometry.CropH, s.geometry.CropW = l.H, l.W
	s.task.CropH, s.task.CropW = int32(l.H), int32(l.W)
	t.out.steps = append(t.out.steps, *s)
}

// step translates step i of the plan, and those that can be done with it.
func (t *translator) step(i int) {
	from := t.p.Steps[i]
	s := step{kind: string(from.Kind), task: none(), plan: []int{i}, geometry: cuda.Step{
		Kind: string(from.Kind), Act: int(from.Act), Side: from.Side,
		D: t.shape(from.Dst), S: t.shape(from.Src), R: t.shape(from.Ref), DataWanted: from.Dst != plan.None, Bias: from.B != plan.None,
	}}
	k := &s.task
	k.Dst, k.Src, k.Ref, k.Arg = int32(from.Dst), int32(from.Src), int32(from.Ref), int32(from.Arg)
	k.W, k.B = int32(from.W), int32(from.B)
	if n := from.Norm; n != nil {
		k.Norm, k.Scale, k.Shift, k.Mean, k.Var = int32(n.Kind), int32(n.Scale), int32(n.Shift), int32(n.Mean), int32(n.Var)
		k.Stats, k.Input = int32(n.Stats), int32(n.Input)
		s.geometry.Pooled = from.Arg != plan.None
	}
	switch from.Kind {
	case plan.Conv, plan.ConvPool, plan.ConvT, plan.Dense:
		if from.Norm == nil {
			break
		}
		k.Fold = int32(from.Norm.Fold)
		k.FoldBias = k.Fold + int32(align(t.p.Layout.Sizes[from.W]))
		s.geometry.Folded, s.geometry.Bias, s.geometry.Pooled = true, true, false
		folded := s
		folded.kind, folded.geometry.Kind, folded.geometry.Act, folded.plan = fold, fold, 0, nil
		t.finish(&folded)
	case plan.ConvPoolGrad, plan.ConvWeights, plan.ConvTWeights:
		t.out.split[from.W] = true
		if from.B != plan.None {
			t.out.split[from.B] = true
		}
	case plan.DropMask:
		// Of bits the sizes are those of the values that they are for.
		k.Stream = model.DropBlock(t.p.Values[from.Dst].Stream)
		for _, other := range t.p.Steps {
			if other.Kind == plan.Drop && other.Arg == from.Dst {
				s.geometry.D = t.shape(other.Src)
				break
			}
		}
	case plan.Loss:
		// The slope of the output's activation is taken with the gradient.
		if i+1 == len(t.p.Steps) {
			break
		}
		if next := t.p.Steps[i+1]; next.Kind == plan.ActGrad && next.Dst == from.Dst && next.Ref == from.Src && !next.Act.KeepsInput() {
			s.geometry.Act = int(next.Act)
			s.plan, t.done[i+1] = append(s.plan, i+1), true
		}
	}
	if j, ok := slopeAfter(t.p, i); ok {
		slope := t.p.Steps[j]
		k.Ref, s.geometry.R, s.geometry.Act = int32(slope.Ref), t.shape(slope.Ref), int(slope.Act)
		s.plan, t.done[j] = append(s.plan, j), true
	}
	t.finish(&s)
}

// align is what plan's layouts are aligned to.
func align(n int) int { return (n + 15) &^ 15 }

// Lacks lists the kinds of step of a network that there are no kernels for, none if it can be trained on a GPU. The error is
// that of a network that nothing can train.
func Lacks(c model.Config) ([]string, error) {
	train, forward, err := programs(c)
	if err != nil {
		return nil, err
	}
	return lacks(train, forward), nil
}

// lacks lists the kinds of step of programs that there are no kernels for.
func lacks(programs ...*program) []string {
	var out []string
	for _, p := range programs {
		for _, s := range p.steps {
			if !s.runs() && !slices.Contains(out, s.kind) {
				out = append(out, s.kind)
			}
		}
	}
	return out
}

// runs tells whether there are kernels for a step.
func (s *step) runs() bool {
	g := s.geometry
	g.MaxLatent, g.MaxBatch, g.MaxTrained = 1, 1, 1
	_, ok := cuda.Launches(g)
	return ok
}
