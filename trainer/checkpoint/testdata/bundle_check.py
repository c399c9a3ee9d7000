"""Repeats the claim of a bundle with onnxruntime.

Arguments: the bundle, and a file with the first test images as bytes, (N, H, W, C). It then runs the program of the
bundle's README.md as a reader would. Prints the mean squared error.
"""

import json
import os
import pathlib
import re
import sys

import numpy
import onnxruntime

bundle, images = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
claim = json.loads((bundle / "metrics.json").read_text())["check"]
session = onnxruntime.InferenceSession(str(bundle / "model.onnx"))
_, c, h, w = session.get_inputs()[0].shape
pixels = numpy.fromfile(images, "u1").reshape(-1, h, w, c)
assert claim["set"] == "test" and claim["first"] == len(pixels), claim
x = pixels.transpose(0, 3, 1, 2).astype("f4") / 255
y = session.run(None, {"input": x})[0]
mse = ((y.astype("f8") - x.astype("f8")) ** 2).mean()

(program,) = re.findall(r"```python\n(.*?)```", (bundle / "README.md").read_text(), re.S)
os.chdir(bundle)
scope = {}
exec(program, scope)
assert scope["y"].shape == (8, c, h, w) and 0 <= scope["y"].min() and scope["y"].max() <= 1
assert len(scope["code"]) == 8 and scope["code"].ndim == 2
print(repr(float(mse)))
