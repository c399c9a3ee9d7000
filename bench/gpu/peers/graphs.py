"""Each trial as CUDA graphs of whole steps, optimiser included, several trials at once on streams of one process.

A graph serves every trial of the same batch, latent size and loss: only then is it captured anew, and that counts, while the
streams work at what they have. Images and weights are in NCHW or in NHWC, whichever a few steps at the start find quicker for a
loss. With --inductor the forward and backward pass are what torch.compile makes of them, which also chooses their layout, captured
as the others are; with --reduce-overhead torch.compile captures by itself, and one trial runs at a time.
"""

import os
import time

os.environ.setdefault("CUDA_DEVICE_MAX_CONNECTIONS", "32")  # else more than 8 streams share queues, and wait for each other

import common
import torch
from station import Beginning, Station, quickest, results

LAYOUTS = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}


class Single(Station):
    """One trial."""

    def __init__(self, task, trial, context, layout, compiled=None):
        self.shape = shape(trial)
        self.net, self.loss_module = common.network(trial, task.device), common.loss_of(trial, task.device)
        self.nhwc = layout == "nhwc"
        self.net.to(memory_format=LAYOUTS[layout])
        super().__init__(task, trial["batch"], self.net.parameters(), False, 1, context)
        self.names = [name for name, _ in self.net.named_parameters()]
        self.compiled = None
        if compiled is not None:  # stations of a shape share what was compiled: the weights are arguments
            if self.shape not in compiled:
                net, loss, device = self.net, self.loss_module, task.device

                def compute(weights, x):
                    with context(device):
                        y = torch.func.functional_call(net, weights, (x,))
                    return loss(y.float(), x)

                compiled[self.shape] = torch.compile(compute, dynamic=False)
            self.compiled = compiled[self.shape]
        self.capture()

    def gather(self, index):
        """(batch, 3, 32, 32), in the layout of the weights."""
        if self.nhwc:
            return self.task.train_last.index_select(0, index[0]).permute(0, 3, 1, 2)
        return self.task.train.index_select(0, index[0])

    def loss(self, x):
        if self.compiled:
            return self.compiled(dict(zip(self.names, self.params)), x)
        with self.context(self.task.device):
            y = self.net(x)
        return self.loss_module(y.float(), x)

    def error(self, x):
        return common.squared_error(self.net, x, self.context)


def shape(trial):
    return trial["batch"], trial["latent"], trial["loss"], trial["ssim_weight"] if trial["loss"] == "mse+ssim" else 0


class Streams:
    """A worker that stays, with so many trials at once."""

    def __init__(self, task, a, context):
        self.task, self.a, self.context = task, a, context
        self.compiled = {} if a.inductor else None
        self.layouts = {}  # by loss
        self.free, self.retired = [], []

    def station(self, trial):
        return Single(self.task, trial, self.context, self.layouts[trial["loss"]], self.compiled)

    def prepare(self):
        """What such a worker has done before: layouts are chosen, cuDNN knows all shapes, and stations are captured for the first
        trials."""
        for trial in {t["loss"]: t for t in self.task.trials}.values():
            names = list(LAYOUTS) if self.a.layout == "quickest" else [self.a.layout]
            if self.a.inductor:
                names = names[:1]
            if len(names) > 1:
                makers = {n: lambda n=n: Single(self.task, trial, self.context, n) for n in names}
                names = [quickest(makers, Beginning(self.task, [trial]))]
            self.layouts[trial["loss"]] = names[0]
        if self.compiled is None:
            for trial in {(t["batch"], t["loss"]): t for t in self.task.trials}.values():
                self.station(trial)
        self.free = [self.station(t) for t in self.task.trials[: self.a.streams]]

    def choose(self, left):
        """Takes a trial from those that are left, and a station for it: one of a right shape that is free, else a new one in the
        place of one that is not."""
        for beginning in left:
            for station in self.free:
                if station.shape == shape(beginning.trials[0]):
                    left.remove(beginning)
                    self.free.remove(station)
                    return beginning, station
        # What the device still works on is not given back.
        self.retired = [s for s in self.retired + self.free if not s.ended()]
        self.free = []
        beginning = left.pop(0)
        return beginning, self.station(beginning.trials[0])

    def run(self, beginnings):
        """Puts all trials into the streams and returns each with what will have come of it."""
        left, ended, busy = list(beginnings), [], []
        began = time.perf_counter()
        while left or busy:
            while left and len(busy) < self.a.streams and time.perf_counter() - began <= self.a.seconds:
                beginning, station = self.choose(left)
                station.start(beginning)
                busy.append((station, station.run(), beginning.trials))
            if not busy:
                break
            for entry in list(busy):
                station, steps, trials = entry
                try:
                    next(steps)
                except StopIteration:
                    ended.append((trials, station.end()))
                    busy.remove(entry)
                    self.free.append(station)
        return ended


class Compiled:
    """torch.compile(mode="reduce-overhead") and the fused optimiser, as its manual has it, for one shape."""

    def __init__(self, task, trial, context):
        self.task, self.context = task, context
        self.net, loss = common.network(trial, task.device), common.loss_of(trial, task.device)
        net, device = self.net, task.device

        def compute(x):
            with context(device):
                y = net(x)
            return loss(y.float(), x)

        # The short last batch is a shape of its own, not a reason to compile for any.
        mode = {"mode": "reduce-overhead"} if device.type == "cuda" else {}
        self.compute = torch.compile(compute, dynamic=False, **mode)
        self.error = torch.compile(lambda x: common.squared_error(net, x, context), dynamic=False, **mode)

    def train(self, beginning, epochs):
        """The sums of squared errors, (epochs, 1), on the device."""
        task, batch = self.task, beginning.trials[0]["batch"]
        with torch.no_grad():
            torch._foreach_copy_(list(self.net.parameters()), [w[0] for w in beginning.weights])
        rate = torch.zeros((), device=task.device)
        optimiser = torch.optim.Adam(self.net.parameters(), lr=rate, fused=True)
        errors = torch.zeros((epochs, 1), dtype=torch.float64, device=task.device)
        rates, orders = beginning.rates.unbind(0), beginning.order[0].split(len(task.train))
        step = 0
        for epoch in range(epochs):
            for index in orders[epoch].split(batch):
                rate.copy_(rates[step][0])
                step += 1
                self.begin()
                self.compute(task.train.index_select(0, index)).backward()
                optimiser.step()
                optimiser.zero_grad(set_to_none=True)
            with torch.no_grad():
                for x in task.validation.split(common.VALIDATION_BATCH):
                    self.begin()
                    errors[epoch] += self.error(x)
        return errors

    def begin(self):
        if self.task.device.type == "cuda":
            torch.compiler.cudagraph_mark_step_begin()


def reduce_overhead(task, a, context, beginnings, made):
    """Trains all trials, one after the other, in what was made of their shape."""
    ended, began = [], time.perf_counter()
    for beginning in beginnings:
        if ended and time.perf_counter() - began > a.seconds:
            break
        key = shape(beginning.trials[0])
        if key not in made:
            made[key] = Compiled(task, beginning.trials[0], context)
        ended.append((beginning.trials, made[key].train(beginning, task.epochs)))
        # Else the host would be ahead by many trials when the time is over.
        common.synchronise(task.device)
    return ended


def main():
    p = common.parser(__doc__)
    p.add_argument("--streams", type=int, default=4)
    p.add_argument("--layout", choices=["quickest", *LAYOUTS], default="quickest")
    p.add_argument("--inductor", action="store_true", help="compile the loss and its gradient")
    p.add_argument("--reduce-overhead", action="store_true", help="let torch.compile capture")
    a = p.parse_args()
    if a.inductor or a.reduce_overhead:
        common.need(torch, "compile", "torch.compile")
    common.need(torch, "_foreach_copy_", "a captured step")
    context, task = common.set_precision(a.precision), common.Task(a)
    # Capturing and compiling for the first trials is no part of the time, as a worker that stays has done it. Nor is what
    # trials begin with.
    common.search(0)  # shapes stay
    common.synchronise(task.device)
    began = time.perf_counter()
    if a.reduce_overhead:
        made = {shape(task.trials[0]): Compiled(task, task.trials[0], context)}
        made[shape(task.trials[0])].train(Beginning(task, task.trials[:1]), 1)
        way = "torch.compile, reduce-overhead"
    else:
        task.train_last = task.train.permute(0, 2, 3, 1).contiguous()
        streams = Streams(task, a, context)
        streams.prepare()
        layouts = ", ".join(sorted(set(streams.layouts.values())))
        way = f"CUDA graphs, {a.streams} streams, " + ("inductor" if a.inductor else layouts)
    common.synchronise(task.device)
    prepared = time.perf_counter() - began
    beginnings = [Beginning(task, [t]) for t in task.trials]
    common.synchronise(task.device)
    began = time.perf_counter()
    if a.reduce_overhead:
        ended = reduce_overhead(task, a, context, beginnings, made)
    else:
        ended = streams.run(beginnings)
    common.synchronise(task.device)
    seconds = time.perf_counter() - began
    scores = sorted((r for trials, errors in ended for r in results(task, trials, errors)), key=lambda r: r["id"])
    common.write(a, task, way, scores, seconds, prepare_seconds=prepared, start_seconds=began - common.BEGUN)


if __name__ == "__main__":
    main()
