"""Adam whose learning rate lies on the device, so that a captured step can be replayed with another one."""

import torch

import common


class Adam:
    """Kingma and Ba 2015, as torch.optim.Adam computes it, for one trial or for a stack of K.

    Of a stack each parameter has K in front of its shape. `rates` is a tensor on the device, of one number or of K. Where this
    PyTorch has the fused kernel, one launch updates all parameters; else its multi-tensor functions do. That kernel takes one
    learning rate: for a stack it takes 1 and writes into zeros, and what it writes is then added K rates times. A launch for
    each trial instead would leave most of a GPU idle, as it cuts parameters into pieces of 65,536.
    """

    def __init__(self, params, rates, beta1=0.9, beta2=0.999, eps=1e-8):
        self.beta1, self.beta2, self.eps = beta1, beta2, eps
        self.params = [p.detach() for p in params]
        self.m = [torch.zeros_like(p) for p in self.params]
        self.v = [torch.zeros_like(p) for p in self.params]
        self.count = torch.zeros((), device=rates.device)
        self.rate = rates
        self.rates = [rates.view(-1, *[1] * (p.dim() - 1)) if rates.dim() else rates for p in self.params]
        self.fused = common.fused()
        self.updates = [torch.zeros_like(p) for p in self.params] if self.fused and rates.dim() else None

    def reset(self):
        torch._foreach_zero_(self.m + self.v)
        self.count.zero_()

    @torch.no_grad()
    def step(self, grads):
        self.count.add_(1)
        if not self.fused:
            self.by_functions(grads)
            return
        grads = [laid_out(g, p) for g, p in zip(grads, self.params)]
        if self.updates is None:
            self.kernel(self.params, grads, self.rate)
            return
        torch._foreach_zero_(self.updates)
        self.kernel(self.updates, grads, 1.0)
        for p, update, rate in zip(self.params, self.updates, self.rates):
            p.addcmul_(update, rate)

    def kernel(self, params, grads, rate):
        torch._fused_adam_(params, grads, self.m, self.v, [], [self.count] * len(params), lr=rate, beta1=self.beta1,
                           beta2=self.beta2, weight_decay=0.0, eps=self.eps, amsgrad=False, maximize=False)

    def by_functions(self, grads):
        torch._foreach_mul_(self.m, self.beta1)
        torch._foreach_add_(self.m, grads, alpha=1 - self.beta1)
        torch._foreach_mul_(self.v, self.beta2)
        torch._foreach_addcmul_(self.v, grads, grads, 1 - self.beta2)
        rest1, root2 = 1 - self.beta1**self.count, (1 - self.beta2**self.count).sqrt()
        for p, m, v, rate in zip(self.params, self.m, self.v, self.rates):
            p.sub_(m * (rate / rest1) / (v.sqrt() / root2 + self.eps))


def laid_out(grad, param):
    """The gradient in the parameter's order in memory, by which the fused kernel goes."""
    return grad if grad.stride() == param.stride() else torch.empty_like(param).copy_(grad)
