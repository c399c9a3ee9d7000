"""All trials of one shape at once: torch.func.vmap over the weights (--way vmap), or grouped convolutions and batched
products written by hand (--way grouped, as Wang et al. 2021, HFTA), the whole step captured as a CUDA graph.

The trials may differ in their learning rate, warm-up and seed, not in batch, latent size or loss, which is MSE. A first stack
whose time is over ends after an epoch: its rate is then that of the epochs it has trained, and the result says how many.
"""

import time

import common
import torch
from station import Beginning, Station, results
from torch.nn import functional as F


class Stack(Station):
    """K trials, each parameter with K in front of its shape."""

    validation_batch = 100  # times K in memory

    def __init__(self, task, trials, context):
        nets = [common.network(t, task.device) for t in trials]
        self.names = [name for name, _ in nets[0].named_parameters()]
        self.template = nets[0]
        params = [torch.stack(ps).detach().requires_grad_() for ps in zip(*(n.parameters() for n in nets))]
        super().__init__(task, trials[0]["batch"], params, True, len(trials), context)
        self.capture()

    def error(self, x):
        x = x.expand(self.count, *x.shape)
        with self.context(self.task.device):
            y = self.forward(x)
        return (y.float() - x).double().square().sum((1, 2, 3, 4))

    def loss(self, x):
        """The sum of the trials' losses: no trial's weights have a say in another's."""
        return (self.forward(x).float() - x).square().mean((1, 2, 3, 4)).sum()


class Vmap(Stack):
    def forward(self, x):
        def one(weights, x):
            return torch.func.functional_call(self.template, weights, (x,))

        return torch.func.vmap(one)(dict(zip(self.names, self.params)), x)


class Grouped(Stack):
    layout = torch.contiguous_format

    def forward(self, x):
        """x is (K, B, 3, 32, 32); so is what returns."""
        p = dict(zip(self.names, self.params))
        k, b = x.shape[:2]
        x = x.transpose(0, 1).reshape(b, k * 3, 32, 32).contiguous(memory_format=self.layout)
        for i in (0, 3, 6):
            x = F.max_pool2d(F.relu(F.conv2d(x, *self.merged(p, f"encoder.{i}"), padding=1, groups=k)), 2)
        x = x.reshape(b, k, 1024).transpose(0, 1)
        x = torch.baddbmm(p["code.bias"].unsqueeze(1), x, p["code.weight"].transpose(1, 2))
        x = F.relu(torch.baddbmm(p["dense.0.bias"].unsqueeze(1), x, p["dense.0.weight"].transpose(1, 2)))
        x = x.transpose(0, 1).reshape(b, k * 64, 4, 4).contiguous(memory_format=self.layout)
        for i in (0, 2, 4):
            x = F.conv_transpose2d(x, *self.merged(p, f"decoder.{i}"), stride=2, groups=k)
            x = torch.sigmoid(x) if i == 4 else F.relu(x)
        return x.reshape(b, k, 3, 32, 32).transpose(0, 1)

    def merged(self, p, layer):
        return p[layer + ".weight"].flatten(0, 1), p[layer + ".bias"].flatten()


class GroupedLast(Grouped):
    layout = torch.channels_last


WAYS = {
    "vmap": (Vmap, "vmap"),
    "grouped": (Grouped, "grouped convolutions"),
    "grouped-last": (GroupedLast, "grouped convolutions, channels_last"),
}


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


def main():
    p = common.parser(__doc__)
    p.add_argument("--way", choices=WAYS, default="grouped")
    p.add_argument("--at-once", type=int, default=64)
    a = p.parse_args()
    if a.way == "vmap":
        common.need(torch, "func", "torch.func.vmap")
    context, task = common.set_precision(a.precision), common.Task(a)
    if len({(t["batch"], t["latent"], t["loss"]) for t in task.trials}) > 1 or task.trials[0]["loss"] != "mse":
        raise SystemExit("the trials differ in more than their learning rate: they cannot be one stack")
    torch.backends.cudnn.benchmark = True  # shapes stay: the fastest of cuDNN's algorithms is worth its search
    make, name = WAYS[a.way]
    count = min(a.at_once, len(task.trials))
    common.synchronise(task.device)
    prepare = time.perf_counter()
    station = make(task, task.trials[:count], context)
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
    common.write(a, task, f"{name}, {count} at once", [r for e in ended for r in results(task, *e)], seconds, epochs,
                 prepare_seconds=prepared, start_seconds=began - common.BEGUN)


if __name__ == "__main__":
    main()
