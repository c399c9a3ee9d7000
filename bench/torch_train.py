"""Trains the network of sweeps/paper.yaml in PyTorch, on the images that sweep trains on, and prints its test MSE.

    go run ./bench/split -seed 1 DIR
    python3 bench/torch_train.py DIR --seed 1 --epochs 10

What is the same as in sweep: the images of each set, the laws of the initial weights (He et al. 2015 before a ReLU,
Glorot and Bengio 2010 elsewhere, both uniform; biases 0), Adam, the warm-up (linear within the first epochs, each step),
batches of 64 with a short last one, the choice of the epoch with the lowest validation MSE. What differs: every random
number, and every line of arithmetic. `--init torch` keeps PyTorch's own initial weights instead.
"""

import argparse
import copy
import os
import pathlib
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy
import torch
from torch import nn

from torch_network import Autoencoder, initialise


def images(folder, name):
    h, w, c = map(int, (folder / "shape").read_text().split())
    x = numpy.fromfile(folder / f"{name}.bin", "u1").reshape(-1, h, w, c)
    return torch.from_numpy(numpy.ascontiguousarray(x.transpose(0, 3, 1, 2)))


def mse(net, set, batch=500):
    """Mean squared error over a set, summed in double precision."""
    net.eval()
    total = 0.0
    with torch.no_grad():
        for x in set.split(batch):
            x = x.float().div_(255)
            total += float((net(x) - x).double().square().sum())
    net.train()
    return total / set.numel()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("folder", type=pathlib.Path)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--epochs", type=int, default=10)
    p.add_argument("--batch", type=int, default=64)
    p.add_argument("--warmup", type=int, default=5)
    p.add_argument("--lr", type=float, default=1e-3)
    p.add_argument("--init", choices=["sweep", "torch"], default="sweep")
    a = p.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(a.seed)
    train, validation = images(a.folder, "train"), images(a.folder, "validation")
    net = Autoencoder()
    if a.init == "sweep":
        initialise(net)
    optimiser = torch.optim.Adam(net.parameters(), lr=a.lr)
    loss_of = nn.MSELoss()
    ramp = a.warmup * -(-len(train) // a.batch)
    step, best, kept, begin = 0, float("inf"), None, time.time()
    for epoch in range(1, a.epochs + 1):
        for index in torch.randperm(len(train)).split(a.batch):
            step += 1
            for group in optimiser.param_groups:
                group["lr"] = a.lr * min(1.0, step / ramp) if ramp else a.lr
            x = train[index].float().div_(255)
            optimiser.zero_grad(set_to_none=True)
            loss_of(net(x), x).backward()
            optimiser.step()
        now = mse(net, validation)
        print(f"epoch {epoch} val_mse {now:.6f} after {time.time() - begin:.0f} s", flush=True)
        if now < best:
            best, kept = now, copy.deepcopy(net.state_dict())
    net.load_state_dict(kept)
    print(f"torch {torch.__version__} init {a.init} seed {a.seed} steps {step} val_mse {best:.6f} "
          f"test_mse {mse(net, images(a.folder, 'test')):.6f}")


main()
