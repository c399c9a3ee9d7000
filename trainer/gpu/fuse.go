package gpu

import (
	"sweep/trainer/kernel"
	"sweep/trainer/kernel/cuda"
	"sweep/trainer/plan"
)

// fuse lets the transposed convolution that ends a network make the loss of its output and the gradient, where a kernel can
// and nothing stands between them: the output of the slots that it serves is then neither written nor read again. Slots with
// SSIM in their loss are left to the step loss.
func (p *program) fuse() {
	for i := range len(p.steps) - 1 {
		end, loss := &p.steps[i], &p.steps[i+1]
		if end.kind != string(plan.ConvT) || loss.kind != string(plan.Loss) || loss.task.Src != end.task.Dst {
			continue
		}
		// The gradient must be by what the activation of the convolution takes, by its slope or for want of an activation.
		act := kernel.Activation(end.geometry.Act)
		if loss.geometry.Act != end.geometry.Act || act.KeepsInput() || !cuda.MakesLoss(end.geometry) {
			continue
		}
		// Nothing but the loss may want the output, and the gradient, which is written one step early, must not lie where the
		// input does, which blocks of other images still read: it does not where the input lives on.
		first, last := loss.plan[0], loss.plan[len(loss.plan)-1]
		if p.last[end.task.Dst] > last || p.last[end.task.Src] < first {
			continue
		}
		end.geometry.Fused, loss.geometry.Fused = true, true
		end.task.Ref, end.task.Arg = loss.task.Ref, loss.task.Dst
	}
}
