"""Prints the MSE of DIR/model.onnx on the first 1,000 images of CIFAR-10's test file: python onnx_mse.py DIR TEST_FILE."""
import sys

import numpy
import onnxruntime

records = numpy.fromfile(sys.argv[2], dtype=numpy.uint8).reshape(-1, 3073)[:1000]
x = records[:, 1:].reshape(-1, 3, 32, 32).astype(numpy.float32) / 255
y = onnxruntime.InferenceSession(sys.argv[1] + "/model.onnx").run(None, {"input": x})[0]
print(repr(float(((y.astype(numpy.float64) - x) ** 2).mean())))
