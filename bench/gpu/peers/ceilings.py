"""What the device can do at most, by PyTorch's own functions: products of large matrices in each precision, and copies.

Prints and writes {"fp32": FLOP/s, "tf32": …, "bf16": …, "copy": bytes/s}; each is the best of several, after a warm-up.
"""

import argparse
import json
import pathlib
import time

import torch


def best(device, body, rounds):
    """Least seconds of a round of `body`, by events on a GPU."""
    body()
    times = []
    for _ in range(rounds):
        if device.type == "cuda":
            torch.cuda.synchronize(device)
            begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            begin.record()
            body()
            end.record()
            end.synchronize()
            times.append(begin.elapsed_time(end) / 1e3)
        else:
            begin = time.perf_counter()
            body()
            times.append(time.perf_counter() - begin)
    return min(times)


def product(device, side, dtype, tf32, rounds):
    torch.backends.cuda.matmul.allow_tf32 = tf32
    a, b = (torch.rand(side, side, device=device).to(dtype) for _ in range(2))
    out = torch.empty(side, side, device=device, dtype=dtype)
    return 2 * side**3 / best(device, lambda: torch.matmul(a, b, out=out), rounds)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--out", type=pathlib.Path)
    p.add_argument("--device", default="cuda")
    p.add_argument("--side", type=int, default=8192, help="of the matrices")
    p.add_argument("--bytes", type=int, default=1 << 30, help="of the copy")
    p.add_argument("--rounds", type=int, default=10)
    a = p.parse_args()
    device = torch.device(a.device)
    result = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu", "torch": torch.__version__,
        "fp32": product(device, a.side, torch.float32, False, a.rounds),
        "tf32": product(device, a.side, torch.float32, True, a.rounds),
        "bf16": product(device, a.side, torch.bfloat16, False, a.rounds),
    }
    source = torch.zeros(a.bytes, dtype=torch.uint8, device=device)
    to = torch.empty_like(source)
    result["copy"] = 2 * a.bytes / best(device, lambda: to.copy_(source), a.rounds)
    if a.out:
        a.out.write_text(json.dumps(result))
    print(", ".join(f"{k} {v / 1e12:.4g} T/s" for k, v in result.items() if isinstance(v, float)), flush=True)


if __name__ == "__main__":
    main()
