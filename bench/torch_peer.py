"""The reference network of bench/README.md in PyTorch on one thread: a peer of bench/compare (see peer.py).

The images lie in memory as bytes and a batch is gathered and scaled in each step, as ours is.
"""

import os

import peer

os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")  # a pool of compilers on one core takes minutes to start
a = peer.flags()

import torch

from torch_network import Autoencoder, SSIMLoss

torch.set_num_threads(1)
PIXELS = torch.from_numpy(peer.pixels(a.images).transpose(0, 3, 1, 2).copy())


def way(channels_last=False, compiled=False):
    def make():
        torch.manual_seed(1)
        net = Autoencoder(a.latent, a.norm == "batch")
        loss_of = SSIMLoss() if a.loss == "mse+ssim" else torch.nn.MSELoss()
        layout = torch.channels_last if channels_last else torch.contiguous_format
        net = net.to(memory_format=layout)
        images = PIXELS.contiguous(memory_format=layout)
        optimiser = torch.optim.Adam(net.parameters(), lr=1e-3)

        def loss(x):
            return loss_of(net(x), x)

        if compiled:
            loss = torch.compile(loss)

        def step():
            x = images[torch.randperm(len(images))[: a.batch]].float().div_(255)
            optimiser.zero_grad(set_to_none=True)
            loss(x).backward()
            optimiser.step()

        return step, lambda: None

    return make


ways = {"eager": way(), "channels_last": way(channels_last=True)}
if hasattr(torch, "compile"):
    ways["compiled"] = way(compiled=True)
    ways["compiled, channels_last"] = way(channels_last=True, compiled=True)
peer.run(f"torch {torch.__version__}", ways, a)
