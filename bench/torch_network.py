"""The reference network of bench/README.md in PyTorch, written as its users would write it."""

import torch
from torch import nn
from torch.nn import functional as F


class Autoencoder(nn.Module):
    """Three stages of convolution and pooling, a code of `latent` numbers, three transposed convolutions.

    With `norm` a batch normalisation follows each convolution and each transposed one but the last, as sweep's
    `norm: batch` has it; those convolutions have no bias then.
    """

    def __init__(self, latent=128, norm=False):
        super().__init__()
        widths = [3, 16, 32, 64]
        stages = []
        for i, o in zip(widths, widths[1:]):
            stages.append(nn.Conv2d(i, o, 3, padding=1, bias=not norm))
            if norm:
                stages.append(nn.BatchNorm2d(o))
            stages += [nn.ReLU(), nn.MaxPool2d(2)]
        self.encoder = nn.Sequential(*stages, nn.Flatten())
        self.code = nn.Linear(1024, latent)
        self.dense = nn.Sequential(nn.Linear(latent, 1024), nn.ReLU())
        stages = []
        for i, o in zip(widths[:1:-1], widths[2:0:-1]):
            stages.append(nn.ConvTranspose2d(i, o, 2, stride=2, bias=not norm))
            if norm:
                stages.append(nn.BatchNorm2d(o))
            stages.append(nn.ReLU())
        self.decoder = nn.Sequential(*stages, nn.ConvTranspose2d(16, 3, 2, stride=2), nn.Sigmoid())

    def forward(self, x):
        return self.decoder(self.dense(self.code(self.encoder(x))).view(-1, 64, 4, 4))


def initialise(net):
    """sweep's laws: He where a ReLU follows, Glorot where none does."""
    linear = [m for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Linear, nn.ConvTranspose2d))]
    last = linear[-1]
    for m in linear:
        if isinstance(m, nn.Linear):
            fan_in, fan_out = m.in_features, m.out_features
        elif isinstance(m, nn.ConvTranspose2d):  # each output value sees every input channel once
            fan_in, fan_out = m.in_channels, 4 * m.out_channels
        else:
            fan_in, fan_out = 9 * m.in_channels, 9 * m.out_channels
        straight = m is last or m is net.code
        limit = (6 / (fan_in + fan_out)) ** 0.5 if straight else (6 / fan_in) ** 0.5
        nn.init.uniform_(m.weight, -limit, limit)
        nn.init.zeros_(m.bias)


class SSIMLoss(nn.Module):
    """(1-w)·MSE + w·(1-SSIM), SSIM as Wang et al. 2004: an 11x11 Gaussian window of sigma 1.5, valid windows, range 1.

    The window is applied along each axis in turn, over the five maps at once: what a careful user writes.
    """

    def __init__(self, weight=0.5, channels=3):
        super().__init__()
        self.weight = weight
        d = torch.arange(11.0) - 5
        g = torch.exp(-d * d / (2 * 1.5 * 1.5))
        self.register_buffer("window", (g / g.sum()).view(1, 1, 11, 1).repeat(5 * channels, 1, 1, 1))

    def forward(self, p, t):
        maps = torch.cat([p, t, p * p, t * t, p * t], dim=1)
        groups = maps.shape[1]
        maps = F.conv2d(maps, self.window, groups=groups)
        maps = F.conv2d(maps, self.window.transpose(2, 3), groups=groups)
        mp, mt, pp, tt, pt = maps.chunk(5, dim=1)
        c1, c2 = 0.01**2, 0.03**2
        ssim = ((2 * mp * mt + c1) * (2 * (pt - mp * mt) + c2)) / ((mp * mp + mt * mt + c1) * (pp - mp * mp + tt - mt * mt + c2))
        return (1 - self.weight) * F.mse_loss(p, t) + self.weight * (1 - ssim.mean())
