"""Runs exported models with onnxruntime: the peer that every user has.

Each argument is a folder with model.onnx, encoder.onnx, model.safetensors and input.bin (float32, as many images as fit).
The outputs go to model.out and encoder.out, and the names, shapes and sums of the safetensors file to tensors.json.
"""

import json
import pathlib
import sys

import numpy
import onnx
import onnxruntime
import safetensors
import safetensors.numpy

for folder in map(pathlib.Path, sys.argv[1:]):
    for name in ("model", "encoder"):
        file = folder / f"{name}.onnx"
        model = onnx.load(str(file))
        onnx.checker.check_model(model, full_check=True)
        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        (given,) = session.get_inputs()
        (made,) = session.get_outputs()
        assert given.name == "input" and given.type == "tensor(float)", given
        assert given.shape[0] == "N" and made.shape[0] == "N", (given.shape, made.shape)
        assert made.name == {"model": "output", "encoder": "latent"}[name], made
        x = numpy.fromfile(folder / "input.bin", "<f4").reshape(-1, *given.shape[1:])
        y = session.run(None, {"input": x})[0]
        assert list(y.shape[1:]) == made.shape[1:], (y.shape, made.shape)
        assert y.dtype == numpy.float32
        # One image alone gives what it gives among others, to rounding: N is free.
        one = session.run(None, {"input": x[1:2]})[0]
        assert abs(one - y[1:2]).max() < 1e-5, abs(one - y[1:2]).max()
        y.astype("<f4").tofile(folder / f"{name}.out")
    tensors = safetensors.numpy.load_file(folder / "model.safetensors")
    with safetensors.safe_open(folder / "model.safetensors", "numpy") as f:
        metadata = f.metadata()
    (folder / "tensors.json").write_text(
        json.dumps(
            {
                "config": json.loads(metadata["config"]),
                "tensors": {k: {"shape": list(v.shape), "sum": float(v.astype("f8").sum())} for k, v in tensors.items()},
            }
        )
    )
print("onnxruntime", onnxruntime.__version__, "onnx", onnx.__version__)
