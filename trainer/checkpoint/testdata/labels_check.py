"""Repeats the claim of a bundle of a network on labels with onnxruntime.

Arguments: the bundle; the first test images as bytes, (N, H, W, C); their labels as bytes, one an image or one a pixel. It
runs the program of the bundle's README.md too. Writes the logits, float32 as onnxruntime gives them, to the file
logits.bin beside the images, and prints the claim's figures as JSON.
"""

import json
import os
import pathlib
import re
import sys

import numpy
import onnx
import onnxruntime

bundle, images, labels = map(pathlib.Path, sys.argv[1:])
onnx.checker.check_model(onnx.load(str(bundle / "model.onnx")), full_check=True)
session = onnxruntime.InferenceSession(str(bundle / "model.onnx"))
_, c, h, w = session.get_inputs()[0].shape
x = numpy.fromfile(images, "u1").reshape(-1, h, w, c).transpose(0, 3, 1, 2).astype("f4") / 255
y = session.run(None, {"input": x})[0]
truth = numpy.fromfile(labels, "u1").reshape(y.shape[:1] + y.shape[2:])
guess = y.argmax(1)
assert y.dtype == numpy.float32 and list(y.shape[1:]) == session.get_outputs()[0].shape[1:]
y.tofile(images.parent / "logits.bin")

right = float((guess == truth).mean())
if y.ndim == 2:
    figures = {"acc": right}
else:
    iou = [
        ((guess == k) & (truth == k)).sum() / ((guess == k) | (truth == k)).sum()
        for k in range(y.shape[1])
        if ((guess == k) | (truth == k)).any()
    ]
    figures = {"miou": float(numpy.mean(iou)), "pixel_acc": right}

(program,) = re.findall(r"```python\n(.*?)```", (bundle / "README.md").read_text(), re.S)
os.chdir(bundle)
scope = {}
exec(program, scope)
assert scope["y"].shape == (8, *y.shape[1:]), scope["y"].shape
print(json.dumps(figures))
