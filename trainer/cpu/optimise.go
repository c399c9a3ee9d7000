package cpu

import (
	"sweep/trainer"
	"sweep/trainer/kernel"
	"sweep/trainer/plan"
)

// optimiser makes the steps of a trial.
type optimiser struct {
	c      trainer.Config
	pieces []piece
}

// piece is a run of a block whose arrays are treated alike.
type piece struct {
	from, to  int
	penalised bool // decay and penalties act on it
}

// newOptimiser cuts the trained part of a block where the treatment changes: into one piece when it never does.
func newOptimiser(c trainer.Config, l plan.Layout) optimiser {
	o := optimiser{c: c}
	pulled := c.WeightDecay != 0 || c.L1 != 0 || c.L2 != 0
	for i, w := range l.Weights {
		if w.Buffer {
			break // they stand at the end
		}
		end := l.Trained
		if i+1 < len(l.Offsets) {
			end = l.Offsets[i+1]
		}
		p := piece{from: l.Offsets[i], to: end, penalised: pulled && w.Penalised()}
		if last := len(o.pieces) - 1; last >= 0 && o.pieces[last].penalised == p.penalised {
			o.pieces[last].to = p.to
		} else {
			o.pieces = append(o.pieces, p)
		}
	}
	return o
}

// moments is how many blocks beside the weights the optimiser keeps.
func (o *optimiser) moments() int {
	if o.c.Optimizer == "sgd" {
		return 1
	}
	return 2
}

// run makes one step, the step-th of the trial, in one pass over the weights. norm is the gradient's: one that is longer
// than ClipNorm is shortened to it (Pascanu et al., "On the difficulty of training recurrent neural networks", ICML 2013,
// algorithm 1), before penalties are added, as in PyTorch.
func (o *optimiser) run(k kernel.Kernels, w, g, m, v []float32, norm, lr float64, step int64) {
	scale := 1.0
	if o.c.ClipNorm > 0 && norm > o.c.ClipNorm {
		scale = o.c.ClipNorm / norm
	}
	for _, p := range o.pieces {
		pull, decay := kernel.Pull{Scale: scale}, 0.0
		if p.penalised {
			pull.L1, pull.L2, decay = o.c.L1, o.c.L2, o.c.WeightDecay
		}
		if o.c.Optimizer == "sgd" {
			k.SGD(w[p.from:p.to], g[p.from:p.to], m[p.from:p.to],
				kernel.SGDStep{LR: lr, Momentum: o.c.Momentum, WeightDecay: decay, Pull: pull})
			continue
		}
		s := kernel.DefaultAdam(lr, step)
		s.WeightDecay, s.Pull = decay, pull
		k.Adam(w[p.from:p.to], g[p.from:p.to], m[p.from:p.to], v[p.from:p.to], s)
	}
}
