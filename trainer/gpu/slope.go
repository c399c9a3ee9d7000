package gpu

import "sweep/trainer/plan"

// slopeAfter finds the step of a plan that multiplies what step i writes by the slope of an activation, so that step i can do
// it itself while it has the numbers at hand: a gradient by a layer's input, whose activation made that input. Nothing
// between the two may see the gradient, and the activation's output must be there at step i already.
func slopeAfter(p *plan.Program, i int) (j int, ok bool) {
	from := p.Steps[i]
	switch from.Kind {
	case plan.ConvData, plan.ConvPoolGrad, plan.ConvTData, plan.DenseData:
	default:
		return 0, false
	}
	if from.Dst == plan.None {
		return 0, false
	}
	for j := i + 1; j < len(p.Steps); j++ {
		s := p.Steps[j]
		if s.Kind == plan.ActGrad && together(p, s.Dst, from.Dst) {
			// The input of a convolution with a pooling is a value of the step already: it has room for one.
			ok := !s.Act.KeepsInput() && (from.Kind != plan.ConvPoolGrad || together(p, s.Ref, from.Ref))
			for _, between := range p.Steps[i:j] {
				ok = ok && !touches(p, between, s.Ref, true)
			}
			return j, ok
		}
		if touches(p, s, from.Dst, false) {
			return 0, false
		}
	}
	return 0, false
}

// together tells whether two values are one array: the same, or one of them a view of the other.
func together(p *plan.Program, a, b int) bool {
	if a == plan.None || b == plan.None {
		return false
	}
	v, w := p.Values[a], p.Values[b]
	return a == b || v.Bytes == w.Bytes && v.Offset == w.Offset && v.H*v.W*v.C == w.H*w.W*w.C
}

// touches tells whether a step writes value v's array or, unless writes alone count, reads it.
func touches(p *plan.Program, s plan.Step, v int, writes bool) bool {
	values := []int{s.Dst, s.Arg}
	switch s.Kind {
	case plan.ConvData, plan.ConvPoolGrad, plan.ConvTData, plan.DenseData, plan.ConvWeights, plan.ConvTWeights, plan.DenseWeights:
		values = values[:1] // what they read as Ref and Arg they leave as it is
	default:
		values = append(values, s.Ref)
	}
	if s.Norm != nil {
		values = append(values, s.Norm.Stats, s.Norm.Input)
	}
	if !writes {
		values = append(values, s.Src, s.Ref, s.Arg)
	}
	for _, w := range values {
		if together(p, v, w) {
			return true
		}
	}
	return false
}
