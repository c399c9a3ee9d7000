"""What the peers of bench/compare have in common: their flags, their images and taking turns.

A peer may have several ways to run the same step (compiled or not, one layout or another). Each is tried for a moment and
the fastest takes part; the line "ready" names it and what the others reached. Then each line of standard input is a number
of seconds to train for, answered with images a second, or "memory", answered with the greatest size that the process has
had, in KiB. With --seconds there are no turns: one measurement, one line.
"""

import argparse
import os
import sys
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ[name] = "1"

import numpy


def flags():
    p = argparse.ArgumentParser()
    p.add_argument("--batch", type=int, default=64)
    p.add_argument("--latent", type=int, default=128)
    p.add_argument("--loss", choices=["mse", "mse+ssim"], default="mse")
    p.add_argument("--norm", choices=["none", "batch"], default="none")
    p.add_argument("--images", type=int, default=2048)
    p.add_argument("--mode", help="take this way to run a step instead of trying all")
    p.add_argument("--seconds", type=float, help="measure once instead of taking turns")
    return p.parse_args()


def pixels(count):
    """Images as bytes, (N, H, W, C)."""
    return numpy.random.default_rng(1).integers(0, 256, (count, 32, 32, 3), "u1")


def rate(way, batch, seconds):
    """Images a second of `way`, a pair of a function that takes a step and one that waits until all steps are done."""
    step, wait = way
    steps, begin = 0, time.perf_counter()
    while True:
        for _ in range(4):
            step()
        wait()
        steps += 4
        spent = time.perf_counter() - begin
        if spent >= seconds:
            return steps * batch / spent


def run(name, ways, a):
    """`ways` maps the name of a way to a function that makes it."""
    if a.mode:
        ways = {a.mode: ways[a.mode]}
    made = {mode: make() for mode, make in ways.items()}
    for way in made.values():
        rate(way, a.batch, 0.5)  # compiles, and warms up
    tried = {mode: [] for mode in made}
    for _ in range(2 if len(made) > 1 else 0):
        for mode, way in made.items():
            tried[mode].append(rate(way, a.batch, 0.8))
    best = max(tried, key=lambda mode: max(tried[mode], default=0))
    way = made[best]
    made.clear()
    if a.seconds:
        print(f"{name}, {best}: {rate(way, a.batch, a.seconds):.4g}")
        return
    note = ", ".join(f"{mode} {max(r):.0f}" for mode, r in tried.items() if r)
    print(f"ready {name}\t{best}\t{note}", flush=True)
    for line in sys.stdin:
        if line.strip() == "memory":
            with open("/proc/self/status") as f:
                print(next(s.split()[1] for s in f if s.startswith("VmHWM")), flush=True)
        else:
            print(f"{rate(way, a.batch, float(line)):.6g}", flush=True)
