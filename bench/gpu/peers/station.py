"""A trial, or a stack of trials of one shape, that is trained by replaying captured CUDA graphs on a stream of its own.

Nothing of an epoch comes from the host but the replays: the place in the order of images, the learning rate and the sums of
the validation lie on the device. Nor does anything between trials: what they begin with lies there before the clock starts,
and what they end with stays there until it has stopped, so no stream runs dry for want of the host. On a device without graphs
the same functions run directly, one after the other.
"""

import contextlib
import gc
import time

import torch

import common
from adam import Adam


class Beginning:
    """What K trials of a batch size begin with, on the device: weights, learning rates by step, the order of the images."""

    def __init__(self, task, trials):
        self.trials = trials
        nets = [common.network(t, task.device).parameters() for t in trials]
        self.weights = [torch.stack(ps).detach() for ps in zip(*nets)]
        per_epoch = task.steps(trials[0]["batch"])
        rates = [[common.rate(t, s + 1, per_epoch) for t in trials] for s in range(task.epochs * per_epoch)]
        self.rates = torch.tensor(rates, device=task.device)
        orders = [torch.cat([common.order(t, e, len(task.train)) for e in range(task.epochs)]) for t in trials]
        self.order = torch.stack(orders).to(task.device)


class Station:
    """Subclasses give `gather(index)`, the images that are K trials' batch in a form of their own; `loss(x)` of those, a scalar
    whose gradient is that of all trials; and `error(x)` of images, (K,) sums of squared errors. K trials share a batch size;
    where they are a stack, each parameter has K in front of its shape."""

    validation_batch = common.VALIDATION_BATCH
    first = True  # of all that are captured

    def __init__(self, task, batch, params, stacked, count, context):
        self.task, self.batch, self.params, self.count, self.context = task, batch, list(params), count, context
        self.stacked = stacked
        device, n = task.device, len(task.train)
        self.graphs = device.type == "cuda"
        self.stream = torch.cuda.Stream(device) if self.graphs else None
        self.per_epoch = task.steps(batch)
        self.rates = torch.zeros((task.epochs * self.per_epoch, count), device=device)
        self.rate = torch.zeros(count if stacked else (), device=device)
        self.order = torch.zeros((count, task.epochs * n), dtype=torch.int64, device=device)  # of all epochs
        self.at = torch.zeros(1, dtype=torch.int64, device=device)  # step of the trial
        self.place = torch.zeros(1, dtype=torch.int64, device=device)  # first image of the batch, in the order
        self.epoch = torch.zeros(1, dtype=torch.int64, device=device)
        self.errors = torch.zeros((task.epochs, count), dtype=torch.float64, device=device)
        self.adam = Adam(self.params, self.rate)
        self.full = torch.arange(batch, device=device)
        self.rest = torch.arange(n % batch, device=device)
        self.programs = {}
        self.ends = []  # events

    # What is captured.

    def step(self, offsets):
        self.rate.copy_(self.rates.index_select(0, self.at).view(self.rate.shape))
        x = self.gather(self.order.index_select(1, self.place + offsets))
        self.adam.step(torch.autograd.grad(self.loss(x), self.params))
        self.at += 1
        self.place += len(offsets)

    @torch.no_grad()
    def validate(self):
        parts = [self.error(x) for x in self.task.validation.split(self.validation_batch)]
        self.errors.index_copy_(0, self.epoch, sum(parts).view(1, -1))
        self.epoch += 1

    # Capture and replay.

    def capture(self):
        """Makes the programs of a step, of a short last step and of the validation. Weights and state are lost."""
        bodies = {"step": lambda: self.step(self.full), "validate": self.validate}
        if len(self.rest):
            bodies["rest"] = lambda: self.step(self.rest)
        if not self.graphs:
            self.programs = bodies
            return
        # What has been made so far was put into another stream, for which streams do not wait by themselves.
        self.stream.wait_stream(torch.cuda.current_stream(self.task.device))
        with torch.cuda.stream(self.stream):
            for body in bodies.values():
                for _ in range(3 if Station.first else 1):  # what is chosen or allocated at first use is so before the capture
                    self.rewind()
                    body()
        Station.first = False
        self.stream.synchronize()
        # As torch.cuda.graph does it, without its wait for all streams and its sweeps of the caches and of all objects: others
        # go on meanwhile.
        pool = None
        gc.disable()
        try:
            for name, body in bodies.items():
                graph = torch.cuda.CUDAGraph()
                with torch.cuda.stream(self.stream):
                    graph.capture_begin(*([pool] if pool else []), capture_error_mode="thread_local")
                    try:
                        body()
                    finally:
                        graph.capture_end()
                pool = pool or graph.pool()
                self.programs[name] = graph.replay
        finally:
            gc.enable()

    def rewind(self):
        for t in (self.at, self.place, self.epoch):
            t.zero_()

    def start(self, beginning):
        """Puts the beginning of trials into the stream of a captured station, behind the trials before. It waits for those
        before these, so that the host is never further ahead than by a trial."""
        if self.graphs and len(self.ends) > 1:
            self.ends[-2].synchronize()
        with self.on_stream(), torch.no_grad():
            torch._foreach_copy_(self.params, beginning.weights if self.stacked else [w[0] for w in beginning.weights])
            self.adam.reset()
            self.rewind()
            self.rates.copy_(beginning.rates)
            self.order.copy_(beginning.order)

    def on_stream(self):
        return torch.cuda.stream(self.stream) if self.graphs else contextlib.nullcontext()

    def run(self):
        """A generator that puts one step after the other into the stream and yields after each."""
        for _ in range(self.task.epochs):
            for step in range(self.per_epoch):
                short = step == self.per_epoch - 1 and len(self.rest)
                self.replay("rest" if short else "step")
                yield
            self.replay("validate")
            yield

    def replay(self, name):
        if self.graphs:
            with torch.cuda.stream(self.stream):
                self.programs[name]()
        else:
            self.programs[name]()

    def end(self):
        """Puts what has come of the trials aside, behind their last step: the sums of squared errors, (epochs, K)."""
        with self.on_stream():
            errors = self.errors.clone()
        if self.graphs:
            self.ends.append(self.stream.record_event())
        return errors

    def wait(self):
        if self.graphs:
            self.stream.synchronize()

    def ended(self):
        """Whether the device has done all that it was given."""
        return not self.graphs or self.stream.query()


def quickest(makers, beginning, steps=20):
    """Makes each station in turn, trains it for some steps of the trials, and returns the name of the quickest."""
    seconds = {}
    for name, make in makers.items():
        station = make()
        station.start(beginning)
        run = station.run()
        next(run)
        station.wait()
        began = time.perf_counter()
        for _ in range(min(steps, station.per_epoch - 2)):  # a short last step would count as a whole one
            next(run)
        station.wait()
        seconds[name] = time.perf_counter() - began
        del station, run
    return min(seconds, key=seconds.get)


def results(task, trials, errors):
    """The least validation error of each trial, of sums of squared errors, (epochs, K). The device has ended them."""
    best = (errors / task.validation.numel()).min(0).values.tolist()
    return [{"id": t["id"], "val_mse": b} for t, b in zip(trials, best)]
