"""All trials of one shape at once: torch.func.vmap over the weights (--way vmap), or grouped convolutions and batched
products written by hand (--way grouped, as Wang et al. 2021, HFTA), the whole step captured as a CUDA graph. With --inductor
the forward and backward pass are what torch.compile makes of them.

Grouped convolutions come in NCHW and NHWC, each with transposed convolutions as such or as batched products, which they are
where windows do not overlap; a few steps of each at the start find the quickest. The trials may differ in their learning
rate, warm-up and seed, not in batch, latent size or loss, which is MSE. A first stack whose time is over ends after an epoch:
its rate is then that of the epochs it has trained, and the result says how many.
"""

import time

import common
import torch
from station import Beginning, Station, quickest, results
from torch.nn import functional as F


class Stack(Station):
    """K trials, each parameter with K in front of its shape. Subclasses give `outputs(x)`, (K, B, …), of what `gather` and
    `spread` make of images, and `targets(x)`, the same images in the form of the outputs."""

    validation_batch = 100  # times K in memory

    def __init__(self, task, trials, context, inductor=False):
        nets = [common.network(t, task.device) for t in trials]
        self.names = [name for name, _ in nets[0].named_parameters()]
        self.template = nets[0]
        params = [torch.stack(ps).detach().requires_grad_() for ps in zip(*(n.parameters() for n in nets))]
        super().__init__(task, trials[0]["batch"], params, True, len(trials), context)
        if inductor:
            self.compute, self.squares = (torch.compile(f, dynamic=False) for f in (self.compute, self.squares))
        self.capture()

    def loss(self, x):
        return self.compute(dict(zip(self.names, self.params)), x)

    def error(self, x):
        return self.squares(dict(zip(self.names, self.params)), self.spread(x))

    def compute(self, weights, x):
        """The sum of the trials' losses: no trial's weights have a say in another's."""
        return self.differences(weights, x).square().mean((1, 2, 3, 4)).sum()

    def squares(self, weights, x):
        return self.differences(weights, x).double().square().sum((1, 2, 3, 4))

    def differences(self, weights, x):
        with self.context(self.task.device):
            y = self.outputs(weights, x)
        return y.float() - self.targets(x)


class Vmap(Stack):
    def gather(self, index):
        return self.task.train.index_select(0, index.flatten()).view(*index.shape, 3, 32, 32)

    def spread(self, x):
        return x.expand(self.count, *x.shape)

    def outputs(self, weights, x):
        def one(weights, x):
            return torch.func.functional_call(self.template, weights, (x,))

        return torch.func.vmap(one)(weights, x)

    def targets(self, x):
        return x


class Grouped(Stack):
    """Images are (B, K, 3, 32, 32): behind each other they are the channels of one convolution."""

    layout = torch.contiguous_format

    def gather(self, index):
        return self.task.train.index_select(0, index.t().flatten()).view(-1, self.count, 3, 32, 32)

    def spread(self, x):
        return x.unsqueeze(1).expand(-1, self.count, 3, 32, 32)

    def targets(self, x):
        return x.transpose(0, 1)

    def outputs(self, p, x):
        b, k = x.shape[:2]
        x = x.reshape(b, k * 3, 32, 32).contiguous(memory_format=self.layout)
        for i in (0, 3, 6):
            x = F.max_pool2d(F.relu(F.conv2d(x, *self.merged(p, f"encoder.{i}"), padding=1, groups=k)), 2)
        x = x.reshape(b, k, 1024).transpose(0, 1)
        x = torch.baddbmm(p["code.bias"].unsqueeze(1), x, p["code.weight"].transpose(1, 2))
        x = F.relu(torch.baddbmm(p["dense.0.bias"].unsqueeze(1), x, p["dense.0.weight"].transpose(1, 2)))
        return self.decoded(p, x)

    def decoded(self, p, x):
        """Images of (K, B, 1024), by grouped transposed convolutions."""
        k, b = x.shape[:2]
        x = x.transpose(0, 1).reshape(b, k * 64, 4, 4).contiguous(memory_format=self.layout)
        for i in (0, 2, 4):
            x = F.conv_transpose2d(x, *self.merged(p, f"decoder.{i}"), stride=2, groups=k)
            x = torch.sigmoid(x) if i == 4 else F.relu(x)
        return x.reshape(b, k, 3, 32, 32).transpose(0, 1)

    def merged(self, p, layer):
        return p[layer + ".weight"].flatten(0, 1), p[layer + ".bias"].flatten()


class Products(Grouped):
    """Of K trials the images as they come out are (K, B, 32, 32, 3)."""

    def decoded(self, p, x):
        k, b = x.shape[:2]
        x, side = x.view(k, b, 64, 16).transpose(2, 3), 4
        for i in (0, 2, 4):
            w, bias = p[f"decoder.{i}.weight"], p[f"decoder.{i}.bias"]  # (K, in, out, 2, 2) and (K, out)
            given, made = w.shape[1:3]
            w = w.permute(0, 1, 3, 4, 2).reshape(k, given, 4 * made)
            x = torch.baddbmm(bias.repeat(1, 4).unsqueeze(1), x.reshape(k, b * side * side, given), w)
            x = torch.sigmoid(x) if i == 4 else F.relu(x)
            x = x.view(k, b, side, side, 2, 2, made).transpose(3, 4)
            side *= 2
        return x.reshape(k, b, side, side, 3)

    def targets(self, x):
        return x.permute(1, 0, 3, 4, 2)


class GroupedLast(Grouped):
    layout = torch.channels_last


class ProductsLast(Products):
    layout = torch.channels_last


GROUPED = {"nchw": Grouped, "nhwc": GroupedLast, "nchw,products": Products, "nhwc,products": ProductsLast}


def train(station, over):
    """Trains a started stack, until its time is over at the end of an epoch; returns how many it has trained. It waits there for
    the device, which takes some microseconds of an epoch."""
    task = station.task
    for step, _ in enumerate(station.run(), 1):
        epoch, rest = divmod(step, station.per_epoch + 1)  # a validation ends an epoch
        if rest == 0 and epoch < task.epochs:
            station.wait()
            if over():
                return epoch
    return task.epochs


def chosen(a, task, trials, context):
    """The class to train with, and the name of the way."""
    if a.way == "vmap":
        return Vmap, "vmap"
    form = a.form
    if form == "quickest":
        # Compiling each would take minutes.
        makers = {name: lambda c=c: c(task, trials, context) for name, c in GROUPED.items()}
        form = quickest(makers, Beginning(task, trials))
    return GROUPED[form], f"grouped convolutions, {form}"


def main():
    p = common.parser(__doc__)
    p.add_argument("--way", choices=["vmap", "grouped"], default="grouped")
    p.add_argument("--form", choices=["quickest", *GROUPED], default="quickest", help="of grouped convolutions")
    p.add_argument("--inductor", action="store_true", help="compile the loss and its gradient")
    p.add_argument("--at-once", type=int, default=64)
    a = p.parse_args()
    common.need(torch, "_foreach_copy_", "a captured step")
    context, task = common.set_precision(a.precision), common.Task(a)
    if len({(t["batch"], t["latent"], t["loss"]) for t in task.trials}) > 1 or task.trials[0]["loss"] != "mse":
        raise SystemExit("the trials differ in more than their learning rate: they cannot be one stack")
    common.search(0)  # shapes stay
    count = min(a.at_once, len(task.trials))
    common.synchronise(task.device)
    prepare = time.perf_counter()
    make, name = chosen(a, task, task.trials[:count], context)
    station = make(task, task.trials[:count], context, a.inductor)
    common.synchronise(task.device)
    prepared = time.perf_counter() - prepare
    beginnings = [Beginning(task, task.trials[i : i + count]) for i in range(0, len(task.trials) - count + 1, count)]
    common.synchronise(task.device)
    began, ended = time.perf_counter(), []
    for beginning in beginnings:
        if ended and time.perf_counter() - began > a.seconds:
            break
        station.start(beginning)
        epochs = train(station, lambda: not ended and time.perf_counter() - began > a.seconds)
        ended.append((beginning.trials, station.end()[:epochs]))
    common.synchronise(task.device)
    seconds = time.perf_counter() - began
    name += ", inductor" if a.inductor else ""
    common.write(a, task, f"{name}, {count} at once", [r for e in ended for r in results(task, *e)], seconds, epochs,
                 prepare_seconds=prepared, start_seconds=began - common.BEGUN)


if __name__ == "__main__":
    main()
