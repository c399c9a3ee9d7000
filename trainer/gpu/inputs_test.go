//go:build gpu

package gpu

import (
	"math/rand/v2"
	"slices"

	"sweep/trainer/device"
	"sweep/trainer/kernel"
	"sweep/trainer/plan"
)

// fillInputs puts numbers into what a step reads, in both memories; what it writes alone is full of NaN on the device.
func (b *bench) fillInputs(s *seat, of *step, r *rand.Rand, f fill) {
	p := s.planStep(of)
	reads := map[int]float64{} // with the size of their numbers
	for _, v := range []int{p.Src, p.Ref} {
		if v != plan.None && !(p.Kind == plan.Norm && v == p.Ref) {
			reads[v] = 1
		}
	}
	switch p.Kind {
	case plan.ActGrad:
		reads[p.Dst] = 1
	case plan.Act:
		if p.Src == plan.None {
			reads[p.Dst] = 2
		}
	case plan.NormGrad:
		reads[p.Norm.Input], reads[p.Norm.Stats] = 1, 1
		if p.Ref == plan.None {
			delete(reads, p.Ref)
		}
	case plan.Norm:
		reads[p.Norm.Stats] = 1
	}
	for _, j := range of.plan[1:] {
		if next := s.plan.Steps[j]; p.Kind != plan.Loss { // whose slope is of the output that it reads
			reads[next.Ref] = 1
		}
	}
	size := s.plan.Values
	values := make([]int, 0, len(reads))
	for v := range reads {
		values = append(values, v)
	}
	slices.Sort(values) // the same numbers in every run
	for _, v := range values {
		if size[v].Bytes {
			continue
		}
		x := make([]float32, s.numbersOf(v))
		draw(x, r, f, reads[v])
		if (p.Kind == plan.Loss || p.Kind == plan.Evaluate) && f == random {
			pictures(x, r, v == p.Src && s.plan.Loss.Output == kernel.Tanh, v == p.Src && s.c.OutputActivation == "none")
		}
		b.set(s, v, x)
	}
	if p.Norm != nil && p.Norm.Stats != plan.None {
		b.stats(s, p, r)
	}
	if p.Arg != plan.None && p.Kind != plan.ConvPool && p.Kind != plan.Pool && p.Kind != plan.Norm {
		arg := s.exec.Bytes(p.Arg, len(s.batch.Images))
		for i := range arg {
			arg[i] = byte(r.Uint32())
			if p.Kind != plan.Drop {
				arg[i] &= 3
			}
		}
		b.put(s.at+device.Address(s.values[p.Arg]), arg)
	}
	if p.Kind == plan.NormGrad && p.Arg != plan.None {
		b.picked(s, p)
	}
}

// picked puts what a pooled normalisation picked of its input into its place.
func (b *bench) picked(s *seat, p plan.Step) {
	n := len(s.batch.Images)
	arg, x, small := s.exec.Bytes(p.Arg, n), s.exec.Value(p.Norm.Input, n), s.plan.Values[p.Ref]
	out := make([]float32, len(arg))
	for i, a := range arg {
		c, at := i%small.C, i/small.C
		image, y, column := at/small.W/small.H, at/small.W%small.H, at%small.W
		out[i] = x.Data[x.At(image, 2*y+int(a)/2, 2*column+int(a)%2, c)]
	}
	b.set(s, p.Ref, out)
}

// pictures makes what a loss compares: numbers in 0 … 1, or in -1 … 1, or a little outside of them.
func pictures(x []float32, r *rand.Rand, signed, outside bool) {
	for i := range x {
		v := r.Float64()
		if outside {
			v = 1.4*v - 0.2
		}
		if signed {
			v = 2*v - 1
		}
		x[i] = float32(v)
	}
}

// stats makes those of a normalisation: of its input for a norm, as a norm leaves them for its gradient.
func (b *bench) stats(s *seat, p plan.Step, r *rand.Rand) {
	v := p.Norm.Stats
	n, c := len(s.batch.Images), s.plan.Values[v].C/2
	switch p.Kind {
	case plan.Norm:
		reference(b.t).Moments(&kernel.Workspace{}, s.exec.Value(v, n), s.exec.Value(p.Src, n))
	case plan.NormGrad:
		x := make([]float32, n*2*c)
		for i := range x {
			x[i] = float32(r.NormFloat64())
			if i/c%2 == 1 {
				x[i] = 0.5 + float32(r.Float64())
			}
			if p.Norm.Kind == kernel.BatchNorm && i >= 2*c {
				x[i] = x[i-2*c] // all images of a batch share them
			}
			if p.Norm.Kind == kernel.LayerNorm && i%c != 0 {
				x[i] = x[i-1] // all channels of an image
			}
		}
		s.exec.Value(v, n).SetPixels(x)
	default:
		return
	}
	b.put(s.at+device.Address(s.values[v]), numbers(s.exec.Value(v, n).Pixels(nil), 4))
}

// split tells whether a step leaves the gradients of its weights in parts.
func (s *seat) split(p plan.Step) bool {
	return p.Kind == plan.ConvPoolGrad || p.Kind == plan.ConvWeights || p.Kind == plan.ConvTWeights
}

// gradients are the weights whose gradients a step writes.
func gradients(p plan.Step) []int {
	switch p.Kind {
	case plan.ConvPoolGrad, plan.ConvWeights, plan.ConvTWeights, plan.DenseWeights:
		if p.B == plan.None {
			return []int{p.W}
		}
		return []int{p.W, p.B}
	case plan.NormGrad:
		return []int{p.Norm.Scale, p.Norm.Shift}
	}
	return nil
}

// statistics are the weights that a step itself writes.
func statistics(p plan.Step) []int {
	if p.Kind == plan.Norm && p.Norm.Mean != plan.None {
		return []int{p.Norm.Mean, p.Norm.Var}
	}
	return nil
}
