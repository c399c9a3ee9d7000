"""PyTorch as it is usually run: one step after the other from Python, the images on the device, the optimiser in one kernel.
The host waits for the device at the end of a trial only.

As a worker (--worker) it prints "ready" and then trains the trial of each number that it reads, answering with a line of
JSON; for "warm" it first goes through all shapes that the trials have. processes.py starts workers.
"""

import json
import sys
import time

import common
import torch


def train(task, trial, context):
    """Trains a trial and returns its least validation error."""
    began = time.perf_counter()
    net, loss = common.network(trial, task.device), common.loss_of(trial, task.device)
    optimiser = torch.optim.Adam(net.parameters(), lr=trial["lr"], fused=common.fused())
    orders = torch.stack([common.order(trial, e, len(task.train)) for e in range(task.epochs)]).to(task.device)
    per_epoch, step, errors = task.steps(trial["batch"]), 0, []
    for order in orders:
        for index in order.split(trial["batch"]):
            step += 1
            for group in optimiser.param_groups:
                group["lr"] = common.rate(trial, step, per_epoch)
            x = task.train[index]
            optimiser.zero_grad(set_to_none=True)
            with context(task.device):
                y = net(x)
            loss(y.float(), x).backward()
            optimiser.step()
        with torch.no_grad():
            errors.append(sum(common.squared_error(net, x, context) for x in task.validation.split(common.VALIDATION_BATCH)))
    best = float(torch.stack(errors).min()) / task.validation.numel()
    return {"id": trial["id"], "val_mse": best, "seconds": time.perf_counter() - began}


def warm(task, context):
    """What is loaded, chosen or allocated at first use is so afterwards, for each shape."""
    common.search()
    for short in task.rehearsals():
        train(short, short.trials[0], context)


def main():
    p = common.parser(__doc__)
    p.add_argument("--worker", action="store_true", help="take numbers of trials from standard input")
    a = p.parse_args()
    context, task = common.set_precision(a.precision), common.Task(a)
    common.synchronise(task.device)
    if a.worker:
        print("ready", flush=True)
        for line in sys.stdin:
            if line.strip() == "warm":
                warm(task, context)
                print("ready", flush=True)
            else:
                print(json.dumps(train(task, task.trials[int(line)], context)), flush=True)
        return
    began, results = time.perf_counter(), []
    for trial in task.trials:
        if results and time.perf_counter() - began > a.seconds:
            break
        results.append(train(task, trial, context))
    common.write(a, task, "eager", results, time.perf_counter() - began, start_seconds=began - common.BEGUN)


if __name__ == "__main__":
    main()
