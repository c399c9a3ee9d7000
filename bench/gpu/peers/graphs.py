"""Each trial as CUDA graphs of whole steps, optimiser included, several trials at once on streams of one process.

A graph serves every trial of the same batch, latent size and loss: only then is it captured anew, and that counts. With
--inductor the forward and backward pass are what torch.compile makes of them, captured as the others are; with
--reduce-overhead torch.compile captures by itself, and one trial runs at a time.
"""

import copy
import time

import common
import torch
from station import Beginning, Station, results


class Single(Station):
    """One trial."""

    def __init__(self, task, trial, context, a, compiled):
        self.net, self.loss_module = common.network(trial, task.device), common.loss_of(trial, task.device)
        self.layout = torch.channels_last if a.channels_last else torch.contiguous_format
        self.net.to(memory_format=self.layout)
        super().__init__(task, trial["batch"], self.net.parameters(), False, 1, context)
        self.names = [name for name, _ in self.net.named_parameters()]
        self.compiled = None
        if a.inductor:  # stations of a shape share what was compiled: the weights are arguments
            if shape(trial) not in compiled:
                net, loss = self.net, self.loss_module
                compute = lambda weights, x: loss(torch.func.functional_call(net, weights, (x,)).float(), x)
                compiled[shape(trial)] = torch.compile(compute, dynamic=False)
            self.compiled = compiled[shape(trial)]
        self.capture()

    def loss(self, x):
        x = x[0].contiguous(memory_format=self.layout)
        if self.compiled:
            return self.compiled(dict(zip(self.names, self.params)), x)
        return self.loss_module(self.net(x).float(), x)

    def error(self, x):
        with self.context(self.task.device):
            y = self.net(x)
        return (y.float() - x).double().square().sum()


def shape(trial):
    return trial["batch"], trial["latent"], trial["loss"], trial["ssim_weight"] if trial["loss"] == "mse+ssim" else 0


def stations(task, a, context, compiled):
    """Those that a worker which stays begins with: captured for the first trials."""
    made = []
    for trial in task.trials[: a.streams]:
        made.append(Single(task, trial, context, a, compiled))
        made[-1].shape = shape(trial)
    return made


def on_streams(task, a, context, compiled, free, beginnings):
    """Puts all trials into the streams, `streams` at a time, and returns each with what will have come of it. It begins with the
    stations `free`."""
    left, ended, busy = list(beginnings), [], []
    began = time.perf_counter()
    while left or busy:
        while left and len(busy) < a.streams and time.perf_counter() - began <= a.seconds:
            # A station of a right shape that is free, else the place of one that is not.
            beginning = next((b for b in left for s in free if s.shape == shape(b.trials[0])), left[0])
            left.remove(beginning)
            trial = beginning.trials[0]
            station = next((s for s in free if s.shape == shape(trial)), None)
            if station is None:
                for s in free:  # what they work on is about to be given back
                    s.wait()
                free.clear()
                station = Single(task, trial, context, a, compiled)
                station.shape = shape(trial)
            else:
                free.remove(station)
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
                free.append(station)
    return ended


def reduce_overhead(task, a, context, compiled):
    """torch.compile(mode="reduce-overhead") and the fused optimiser: as its manual has it."""
    results, began = [], time.perf_counter()
    for trial in task.trials:
        if results and time.perf_counter() - began > a.seconds:
            break
        if shape(trial) not in compiled:
            torch.compiler.reset()
            net, loss = common.network(trial, task.device), common.loss_of(trial, task.device)

            def compute(x, net=net, loss=loss):
                return loss(net(x).float(), x)

            mode = {"mode": "reduce-overhead"} if task.device.type == "cuda" else {}
            compiled.clear()
            compiled[shape(trial)] = net, torch.compile(compute, **mode)
        net, compute = compiled[shape(trial)]
        with torch.no_grad():
            for p, q in zip(net.parameters(), common.network(trial, task.device).parameters()):
                p.copy_(q)
        rate = torch.tensor(trial["lr"], device=task.device)
        optimiser = torch.optim.Adam(net.parameters(), lr=rate, fused=True)
        per_epoch, step, best = task.steps(trial["batch"]), 0, float("inf")
        for epoch in range(task.epochs):
            for index in common.order(trial, epoch, len(task.train)).to(task.device).split(trial["batch"]):
                step += 1
                rate.fill_(common.rate(trial, step, per_epoch))
                x = common.scale(task.train[index])
                if task.device.type == "cuda":
                    torch.compiler.cudagraph_mark_step_begin()
                with context(task.device):
                    loss = compute(x)
                loss.backward()
                optimiser.step()
                optimiser.zero_grad(set_to_none=True)
            with torch.no_grad():
                parts = [common.squared_error(net, x, context) for x in task.validation.split(common.VALIDATION_BATCH)]
                best = min(best, float(sum(parts)) / task.validation.numel())
        results.append({"id": trial["id"], "val_mse": best})
    return results


def main():
    p = common.parser(__doc__)
    p.add_argument("--streams", type=int, default=4)
    p.add_argument("--inductor", action="store_true", help="compile the loss and its gradient")
    p.add_argument("--channels-last", action="store_true", help="keep images and weights in NHWC")
    p.add_argument("--reduce-overhead", action="store_true", help="let torch.compile capture")
    a = p.parse_args()
    if a.inductor or a.reduce_overhead:
        common.need(torch, "compile", "torch.compile")
    context, task = common.set_precision(a.precision), common.Task(a)
    if a.reduce_overhead:
        way = "torch.compile, reduce-overhead"
    else:
        way = f"CUDA graphs, {a.streams} streams" + (", inductor" if a.inductor else "") + (", channels_last" if a.channels_last else "")
    # Capturing and compiling for the first trials is no part of the time, as a worker that stays has done it. Nor is what
    # trials begin with, on the captured way.
    torch.backends.cudnn.benchmark = True  # shapes stay: the fastest of cuDNN's algorithms is worth its search
    compiled = {}
    common.synchronise(task.device)
    began = time.perf_counter()
    if a.reduce_overhead:
        short = copy.copy(task)
        short.trials, short.epochs = task.trials[:1], 1
        reduce_overhead(short, a, context, compiled)
    else:
        free = stations(task, a, context, compiled)
    common.synchronise(task.device)
    prepared = time.perf_counter() - began
    beginnings = [] if a.reduce_overhead else [Beginning(task, [t]) for t in task.trials]
    common.synchronise(task.device)
    began = time.perf_counter()
    if a.reduce_overhead:
        scores = reduce_overhead(task, a, context, compiled)
    else:
        ended = on_streams(task, a, context, compiled, free, beginnings)
    common.synchronise(task.device)
    seconds = time.perf_counter() - began
    if not a.reduce_overhead:
        scores = sorted((r for trials, errors in ended for r in results(task, trials, errors)), key=lambda r: r["id"])
    common.write(a, task, way, scores, seconds, prepare_seconds=prepared, start_seconds=began - common.BEGUN)


if __name__ == "__main__":
    main()
