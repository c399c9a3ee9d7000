"""Adam whose learning rate lies on the device, so that a captured step can be replayed with another one."""

import torch


class Adam:
    """Kingma and Ba 2015, as torch.optim.Adam computes it, for one trial or for a stack of K.

    Of a stack each parameter has K in front of its shape. `rates` is a tensor on the device, of one number or of K. Where this
    PyTorch has the fused kernel, one launch updates all parameters of a trial; else its multi-tensor functions do.
    """

    def __init__(self, params, rates, beta1=0.9, beta2=0.999, eps=1e-8):
        self.beta1, self.beta2, self.eps = beta1, beta2, eps
        self.rates = rates if rates.dim() else rates.unsqueeze(0)
        self.stacked = rates.dim() > 0
        params = [p.detach() for p in params]
        self.m = [torch.zeros_like(p) for p in params]
        self.v = [torch.zeros_like(p) for p in params]
        self.groups = list(zip(self.rates, *map(self.split, (params, self.m, self.v))))
        self.counts = [[torch.zeros((), device=rates.device) for _ in params] for _ in self.groups]
        self.fused = hasattr(torch.ops.aten, "_fused_adam_") and hasattr(torch.ops.aten._fused_adam_, "tensor_lr")

    def split(self, stacks):
        """The arrays of each trial."""
        if not self.stacked:
            return [list(stacks)]
        return [list(arrays) for arrays in zip(*(s.unbind(0) for s in stacks))]

    def reset(self):
        for t in self.m + self.v + [c for counts in self.counts for c in counts]:
            t.zero_()

    @torch.no_grad()
    def step(self, grads):
        for counts in self.counts:
            torch._foreach_add_(counts, 1)
        for (rate, params, m, v), g, counts in zip(self.groups, self.split(grads), self.counts):
            if self.fused:
                g = [laid_out(a, p) for a, p in zip(g, params)]
                torch._fused_adam_(params, g, m, v, [], counts, lr=rate, beta1=self.beta1, beta2=self.beta2, weight_decay=0.0,
                                   eps=self.eps, amsgrad=False, maximize=False)
                continue
            torch._foreach_mul_(m, self.beta1)
            torch._foreach_add_(m, g, alpha=1 - self.beta1)
            torch._foreach_mul_(v, self.beta2)
            torch._foreach_addcmul_(v, g, g, 1 - self.beta2)
            rest1, root2 = 1 - self.beta1 ** counts[0], (1 - self.beta2 ** counts[0]).sqrt()
            for p, a, b in zip(params, m, v):
                p.sub_(a * (rate / rest1) / (b.sqrt() / root2 + self.eps))


def laid_out(grad, param):
    """The gradient in the parameter's order in memory, by which the fused kernel goes."""
    return grad if grad.stride() == param.stride() else torch.empty_like(param).copy_(grad)
