"""A model.safetensors of sweep as a PyTorch module.

    from torch_model import load
    net = load("best/model.safetensors")     # an nn.Module: (N, C, H, W) images in 0 … 1 to reconstructions
    net.encode(images)                       # latent codes, (N, latent)

It needs torch and numpy alone. The network is built from the configuration in the file's metadata, once more and from
PyTorch's own layers, so that comparing the two (trainer/checkpoint/torch_test.go) tests both. Parameters have the names of
the file with "." as "_"; `from_torch` gives a parameter, or its gradient, back in the file's layout.
"""

import json
import struct
import sys

import numpy
import torch
from torch import nn
from torch.nn import functional as F

# The file's axes, in PyTorch's order. Maps are channels last in the file, so that a convolution's weight is
# (height, width, in, out) there; a transposed one's is (in, height, width, out).
TO_TORCH = {"conv": (3, 2, 0, 1), "convt": (0, 3, 1, 2), "dense": (1, 0), "other": None}


def read(path):
    """The tensors of a safetensors file by name, in the file's order, and its metadata."""
    with open(path, "rb") as f:
        (size,) = struct.unpack("<Q", f.read(8))
        header, data = json.loads(f.read(size)), f.read()
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        if entry["dtype"] != "F32":
            raise ValueError(f"{path}: tensor {name} is {entry['dtype']}, not F32")
        begin, end = entry["data_offsets"]
        tensors[name] = numpy.frombuffer(data[begin:end], "<f4").reshape(entry["shape"])
    return tensors, metadata


def kind(name):
    """Which layout the array `name` has: that of its layer's weight, or no special one."""
    layer, _, what = name.rpartition(".")
    if what != "weight":
        return "other"
    last = layer.split(".")[-1]
    if last.startswith("convt"):
        return "convt"
    if last.startswith(("conv", "res")) or ".attn." in layer:
        return "conv"
    return "dense"


def to_torch(name, array):
    axes = TO_TORCH[kind(name)]
    array = array if axes is None else array.transpose(axes)
    return torch.from_numpy(numpy.array(array, dtype="f4", order="C"))


def from_torch(name, tensor):
    axes = TO_TORCH[kind(name)]
    array = tensor.detach().cpu().numpy()
    return numpy.ascontiguousarray(array if axes is None else array.transpose(numpy.argsort(axes)))


ACTIVATIONS = {
    "none": lambda x: x,
    "relu": F.relu,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.01),
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "gelu": F.gelu,
}


class Network(nn.Module):
    """The autoencoder of a configuration, its weights and buffers from `tensors`."""

    def __init__(self, config, tensors):
        super().__init__()
        self.config = config
        self.names = list(tensors)
        for name, array in tensors.items():
            value = to_torch(name, array)
            if name.endswith((".mean", ".var")):
                self.register_buffer(name.replace(".", "_"), value)
            else:
                self.register_parameter(name.replace(".", "_"), nn.Parameter(value))
        self.act = ACTIVATIONS[config["Activation"]]
        self.depth = config["Depth"]
        self.norm = config.get("Norm") or "none"
        self.variant = config.get("Variant") or "plain"

    def array(self, name):
        """The parameter or buffer of this name, or None."""
        return getattr(self, name.replace(".", "_"), None)

    def conv(self, name, x):
        w = self.array(name + ".weight")
        return F.conv2d(x, w, self.array(name + ".bias"), padding=w.shape[-1] // 2)

    def convt(self, name, x):
        w = self.array(name + ".weight")
        border = dict(padding=1, output_padding=1) if w.shape[-1] == 3 else {}
        return F.conv_transpose2d(x, w, self.array(name + ".bias"), stride=2, **border)

    def linear(self, name, x):
        return F.linear(x, self.array(name + ".weight"), self.array(name + ".bias"))

    def normalise(self, name, x):
        if self.norm == "none":
            return x
        scale, shift = self.array(name + ".scale"), self.array(name + ".shift")
        if self.norm == "layer":
            return F.group_norm(x, 1, scale, shift, eps=1e-5)
        mean, var = self.array(name + ".mean"), self.array(name + ".var")
        return F.batch_norm(x, mean, var, scale, shift, training=self.training, momentum=0.1, eps=1e-5)

    def residual(self, name, x):
        """He et al. 2016, with a normalisation behind each convolution where there is one."""
        if self.variant != "residual":
            return x
        y = self.act(self.normalise(name + "a.norm", self.conv(name + "a", x)))
        return self.act(x + self.normalise(name + "b.norm", self.conv(name + "b", y)))

    def attend(self, x):
        """Single-head self-attention over the pixels of a map, added to it (Wang et al. 2018)."""
        if self.variant != "attention":
            return x
        n, c, h, w = x.shape
        q, k, v = (self.conv("enc.attn." + letter, x).flatten(2).transpose(1, 2) for letter in "qkv")
        mixed = torch.softmax(q @ k.transpose(1, 2) / c**0.5, dim=-1) @ v
        return x + self.conv("enc.attn.o", mixed.transpose(1, 2).reshape(n, c, h, w))

    def encoder(self, x):
        """The deepest map, and of each stage its pooled map and the places that the pooling took."""
        m = 1 << self.depth
        h, w = x.shape[-2:]
        x = F.pad(x, (0, -w % m, 0, -h % m))
        pooled, places = [], []
        for i in range(self.depth):
            x = self.normalise(f"enc.norm{i}", self.conv(f"enc.conv{i}", x))
            # Places before the activation do not hang on the ties of a rectifier's zeros.
            first = self.variant == "segnet"
            x, place = F.max_pool2d(x if first else self.act(x), 2, return_indices=True)
            x = self.act(x) if first else x
            x = self.residual(f"enc.res{i}", x)
            pooled.append(x)
            places.append(place)
        return self.attend(x), pooled, places

    def code(self, x):
        # A flattened map is in (height, width, channel) order.
        return self.linear("enc.dense", x.permute(0, 2, 3, 1).flatten(1))

    def encode(self, images):
        return self.code(self.encoder(images)[0])

    def forward(self, images):
        deepest, pooled, places = self.encoder(images)
        return self.decode(self.code(deepest), deepest.shape, pooled, places, images.shape[-2:])

    def decode(self, code, shape, pooled, places, sides):
        n, c, h, w = shape
        x = self.act(self.linear("dec.dense", code)).view(n, h, w, c).permute(0, 3, 1, 2)
        for i in reversed(range(self.depth)):
            x = self.residual(f"dec.res{i}", x)
            if self.variant == "segnet":
                x = self.conv(f"dec.conv{i}", F.max_unpool2d(x.contiguous(), places[i], 2))
            else:
                x = self.convt(f"dec.convt{i}", x)
            if i > 0:
                x = self.normalise(f"dec.norm{i}", x)
                if self.variant == "skip":
                    x = x + pooled[i - 1]
                x = self.act(x)
        output = self.config["OutputActivation"]
        x = ACTIVATIONS[output](x)[..., : sides[0], : sides[1]]
        return (x + 1) / 2 if output == "tanh" else x


def ssim(p, t):
    """Mean over images, channels and valid windows of the index of Wang et al. 2004, for a range of 1."""
    side = min(11, *(s - 1 + s % 2 for s in p.shape[-2:]))
    d = torch.arange(side, dtype=p.dtype) - side // 2
    g = torch.exp(-(d**2) / (2 * 1.5**2))
    g = g / g.sum()
    window = (g[:, None] * g[None, :]).expand(p.shape[1], 1, side, side)

    def mean(x):
        return F.conv2d(x, window, groups=x.shape[1])

    mp, mt = mean(p), mean(t)
    vp, vt, cov = mean(p * p) - mp**2, mean(t * t) - mt**2, mean(p * t) - mp * mt
    c1, c2 = 0.01**2, 0.03**2
    return ((2 * mp * mt + c1) * (2 * cov + c2) / ((mp**2 + mt**2 + c1) * (vp + vt + c2))).mean()


def loss(config, p, t):
    """What the configuration is trained to minimise."""
    kind = config["Loss"]
    if kind == "mae":
        return (p - t).abs().mean()
    mse = ((p - t) ** 2).mean()
    if kind == "mse":
        return mse
    w = config["SSIMWeight"]
    return (1 - w) * mse + w * (1 - ssim(p.double(), t.double()))


def load(path):
    """The network of a model.safetensors, ready to be used (`.train()` to train it further)."""
    tensors, metadata = read(path)
    return Network(json.loads(metadata["config"]), tensors).eval()


if __name__ == "__main__":
    print(load(sys.argv[1]))
