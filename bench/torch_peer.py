"""Training images a second of the reference network in PyTorch on one thread.

Prints one line: "torch VERSION images/s RATE". The network, batch and optimiser are those of bench/reference; the images
lie in memory as bytes and a batch is gathered and scaled in each step, as ours is.
"""
import os
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import nn

BATCH, LATENT, IMAGES = 64, 128, 2048


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(1024, LATENT),
        )
        self.dense = nn.Sequential(nn.Linear(LATENT, 1024), nn.ReLU())
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(64, 32, 2, stride=2), nn.ReLU(),
            nn.ConvTranspose2d(32, 16, 2, stride=2), nn.ReLU(),
            nn.ConvTranspose2d(16, 3, 2, stride=2), nn.Sigmoid(),
        )

    def forward(self, x):
        return self.decoder(self.dense(self.encoder(x)).view(-1, 64, 4, 4))


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    torch.set_num_threads(1)
    torch.manual_seed(1)
    pixels = torch.randint(0, 256, (IMAGES, 3, 32, 32), dtype=torch.uint8)
    net = Autoencoder()
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-3)
    loss_of = nn.MSELoss()

    def step():
        x = pixels[torch.randperm(IMAGES)[:BATCH]].float().div_(255)
        optimiser.zero_grad(set_to_none=True)
        loss = loss_of(net(x), x)
        loss.backward()
        optimiser.step()

    for _ in range(10):
        step()
    begin, steps = time.perf_counter(), 0
    while time.perf_counter() - begin < seconds:
        step()
        steps += 1
    rate = steps * BATCH / (time.perf_counter() - begin)
    print(f"torch {torch.__version__} images/s {rate:.0f}")


main()
