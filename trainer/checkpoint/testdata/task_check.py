"""Repeats the claim of a bundle whose input is made from the image, as check.input of its metrics.json says in words.

Arguments: the bundle, a file with the first test images as bytes, (N, H, W, C), and how the input is made: clean, hole or
averages. Of a variational model also a file of codes, float32 (N, latent), and where the images go that decoder.onnx
makes of them, float32 (N, C, H, W). Runs the program of the bundle's README.md too. Prints the mean squared error.
"""

import json
import os
import pathlib
import re
import sys

import numpy
import onnxruntime

bundle, images, made = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
claim = json.loads((bundle / "metrics.json").read_text())["check"]
session = onnxruntime.InferenceSession(str(bundle / "model.onnx"))
_, c, h, w = session.get_inputs()[0].shape
pixels = numpy.fromfile(images, "u1").reshape(-1, h, w, c)
assert claim["set"] == "test" and claim["first"] == len(pixels) and claim["input"], claim
x = pixels.transpose(0, 3, 1, 2).astype("f4") / 255
seen = x.copy()
if made == "hole":
    top, left = (h - h // 2) // 2, (w - w // 2) // 2
    seen[:, :, top : top + h // 2, left : left + w // 2] = 0.5
elif made == "averages":
    for i in range(0, h, 2):
        for j in range(0, w, 2):
            seen[:, :, i : i + 2, j : j + 2] = x[:, :, i : i + 2, j : j + 2].mean(axis=(2, 3), keepdims=True)
else:
    assert made == "clean", made
y = session.run(None, {"input": seen})[0]
mse = ((y.astype("f8") - x.astype("f8")) ** 2).mean()

if len(sys.argv) > 4:
    decoder = onnxruntime.InferenceSession(str(bundle / "decoder.onnx"))
    codes = numpy.fromfile(sys.argv[4], "f4").reshape(-1, decoder.get_inputs()[0].shape[1])
    decoder.run(None, {"latent": codes})[0].astype("f4").tofile(sys.argv[5])

(program,) = re.findall(r"```python\n(.*?)```", (bundle / "README.md").read_text(), re.S)
os.chdir(bundle)
scope = {}
exec(program, scope)
assert scope["y"].shape == (8, c, h, w)
assert len(sys.argv) < 5 or scope["new"].shape == (8, c, h, w)
print(repr(float(mse)))
