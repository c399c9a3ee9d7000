"""Loads models into PyTorch and runs them.

Arguments: the folder of torch_model.py, then folders with model.safetensors and images.bin (bytes, (N, H, W, C), as many
images as fit). Each gets torch.bin: float32 numbers in the order that torch_test.go reads, namely as they are used the
output (N, H, W, C) and the code, then as they are trained the loss, the gradient of each array that is trained, in the
file's order and layout, and the buffers afterwards.
"""

import pathlib
import sys

import numpy

sys.path.insert(0, sys.argv[1])

import torch
import torch_model

torch.set_num_threads(1)
for folder in map(pathlib.Path, sys.argv[2:]):
    net = torch_model.load(folder / "model.safetensors")
    c = net.config
    pixels = numpy.fromfile(folder / "images.bin", "u1").reshape(-1, c["Height"], c["Width"], c["Channels"])
    images = torch.from_numpy(pixels.transpose(0, 3, 1, 2).astype("f4") / numpy.float32(255))
    with torch.no_grad():
        parts = [net(images).permute(0, 2, 3, 1).numpy(), net.encode(images).numpy()]
    net.train()
    loss = torch_model.loss(c, net(images), images)
    loss.backward()
    parts.append(loss.detach().numpy())
    trained = [n for n in net.names if isinstance(net.array(n), torch.nn.Parameter)]
    for n in trained:
        g = net.array(n).grad
        parts.append(torch_model.from_torch(n, torch.zeros_like(net.array(n)) if g is None else g))
    parts += [net.array(n).numpy() for n in net.names if n not in trained]
    numpy.concatenate([p.astype("<f4").ravel() for p in parts]).tofile(folder / "torch.bin")
print("torch", torch.__version__)
