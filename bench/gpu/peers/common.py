"""What the peers of bench/gpu have in common: the task, the images, the network, and how a result is written.

A task is a JSON file that `gpu tasks` writes: the epochs, how many images, and the trials, each with lr, batch, latent, loss,
ssim_weight, warmup_epochs and seed. The images are the files train.bin and validation.bin of a folder, (N, 32, 32, 3) bytes.

All peers train the same: weights by the laws of torch_network.initialise from the trial's seed, each epoch in an order drawn
from seed and epoch, batches of `batch` with a short last one, Adam, a learning rate that rises linearly for warmup_epochs, and
after each epoch the mean squared error on the validation images, of which the least counts. So on one device, in float32,
their results must agree but for rounding.
"""

import argparse
import copy
import json
import os
import pathlib
import sys
import time

BEGUN = time.perf_counter()
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

import torch

from torch_network import Autoencoder, SSIMLoss, initialise

VALIDATION_BATCH = 500


def parser(doc):
    p = argparse.ArgumentParser(description=doc.split("\n")[0])
    p.add_argument("--task", type=pathlib.Path, required=True, help="JSON of the trials")
    p.add_argument("--images", type=pathlib.Path, required=True, help="folder of train.bin and validation.bin")
    p.add_argument("--out", type=pathlib.Path, help="file for the result")
    p.add_argument("--device", default="cuda")
    p.add_argument("--precision", choices=["fp32", "tf32", "bf16"], default="fp32")
    p.add_argument("--limit", type=int, help="train the first so many trials only")
    p.add_argument("--seconds", type=float, default=1e9, help="begin no trial after so long")
    return p


class Task:
    def __init__(self, a):
        t = json.loads(a.task.read_text())
        self.name, self.epochs, self.trials = t["name"], t["epochs"], t["trials"]
        if a.limit:
            self.trials = self.trials[: a.limit]
        self.device = torch.device(a.device)
        torch.set_num_threads(1)  # what is left for a processor is too small to share, and many processes share it already
        # As numbers from 0 to 1: as bytes, each batch would take two launches more.
        self.train = pixels(a.images / "train.bin", t["train"]).to(self.device).float().div_(255)
        self.validation = pixels(a.images / "validation.bin", t["validation"]).to(self.device).float().div_(255)

    def steps(self, batch):
        """Optimiser steps of an epoch."""
        return -(-len(self.train) // batch)

    def rehearsals(self):
        """Tasks of one trial and a few steps: between them they have all shapes of batches, with each loss, that the task has."""
        kinds = {(t["batch"], t["loss"]): t for t in self.trials}
        for trial in kinds.values():
            short = copy.copy(self)
            short.trials, short.epochs = [trial], 1
            short.train = self.train[: min(len(self.train), 2 * trial["batch"] + len(self.train) % trial["batch"])]
            yield short


def pixels(file, count):
    x = torch.frombuffer(bytearray(file.read_bytes()), dtype=torch.uint8).view(-1, 32, 32, 3)
    if len(x) < count:
        raise SystemExit(f"{file} holds {len(x)} images, the task wants {count}")
    return x[:count].permute(0, 3, 1, 2).contiguous()


def set_precision(name):
    """Which arithmetic products of matrices are done in. Returns a function that makes the context for a forward pass."""
    torch.backends.cuda.matmul.allow_tf32 = name != "fp32"
    torch.backends.cudnn.allow_tf32 = name != "fp32"

    def context(device):
        # The cache of cast weights would outlive the weights inside of a graph.
        return torch.autocast(device.type, torch.bfloat16, enabled=name == "bf16", cache_enabled=False)

    return context


def network(trial, device):
    """The network with its initial weights, which come from the seed alone, not from the device."""
    torch.manual_seed(trial["seed"])
    net = Autoencoder(trial["latent"])
    initialise(net)
    return net.to(device)


def loss_of(trial, device):
    """The loss as a module."""
    if trial["loss"] == "mae":
        return torch.nn.L1Loss()
    if trial["loss"] == "mse+ssim":
        return SSIMLoss(trial["ssim_weight"]).to(device)
    return torch.nn.MSELoss()


def search(most=10):
    """Has cuDNN try its algorithms, at most so many and 0 for all, for a shape when it first meets it. That takes part of a
    second for each, so it is for who trains many trials of the shape."""
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.benchmark_limit = most


def fused():
    """Whether this PyTorch has Adam in one kernel, on processors too."""
    return hasattr(torch.ops.aten, "_fused_adam_") and hasattr(torch.ops.aten._fused_adam_, "tensor_lr")


def order(trial, epoch, count):
    """The order of the training images in an epoch (from 0), on the CPU."""
    g = torch.Generator().manual_seed(trial["seed"] * 1000 + epoch)
    return torch.randperm(count, generator=g)


def rate(trial, step, per_epoch):
    """The learning rate of a step, counted from 1."""
    warm = trial["warmup_epochs"] * per_epoch
    return trial["lr"] * min(1.0, step / warm) if warm else trial["lr"]


def squared_error(net, x, context):
    """Sum of squared errors, in double precision."""
    with context(x.device):
        y = net(x)
    return (y.float() - x).double().square().sum()


def device_name(device):
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def synchronise(device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def need(module, name, what):
    """Ends the program with a word where this PyTorch is too old for a way to run."""
    if not hasattr(module, name):
        raise SystemExit(f"{what} needs PyTorch 2; this is {torch.__version__}")


def write(a, task, way, trials, seconds, epochs=None, **more):
    """Writes the result: `seconds` is from when the first trial could begin until the last had ended, or had trained so many
    epochs of its own."""
    epochs = epochs or task.epochs
    if epochs < task.epochs:
        more["of_epochs"] = task.epochs
    images = len(trials) * epochs * len(task.train)
    result = {
        "way": way, "task": task.name, "precision": a.precision, "device": device_name(task.device),
        "torch": torch.__version__, "epochs": epochs, "train": len(task.train), "validation": len(task.validation),
        "trials": trials, "seconds": seconds, "images": images, **more,
    }
    text = json.dumps(result)
    if a.out:
        temp = a.out.with_suffix(".part")
        temp.write_text(text)
        os.replace(temp, a.out)
    cut = f" of {epochs} epochs, not {task.epochs}," if epochs < task.epochs else ""
    print(f"{way}, {a.precision}: {len(trials)} trials{cut} in {seconds:.1f} s, {images / seconds:.0f} images/s", flush=True)
