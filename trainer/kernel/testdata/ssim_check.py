"""SSIM as scikit-image computes it: the peer of kernel.Loss.

Standard input: groups of a line of JSON, {"H", "W", "C", "N"}, and 2·N images of float32 (H, W, C): a prediction, its
target, and so on. Prints a number for each pair, for the whole image, the mean over channels and windows. The settings are
those with which scikit-image matches Wang et al. 2004.
"""

import json
import sys

import numpy
from skimage.metrics import structural_similarity

while head := sys.stdin.buffer.readline():
    shape = json.loads(head)
    h, w, c, n = (shape[k] for k in "HWCN")
    pairs = numpy.frombuffer(sys.stdin.buffer.read(4 * 2 * n * h * w * c), "<f4").reshape(n, 2, h, w, c).astype("f8")
    for p, t in pairs:
        value = structural_similarity(
            p, t, data_range=1, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, K1=0.01, K2=0.03
        )
        print(repr(float(value)))
