"""Trials in processes of their own: one at a time, a new one for each trial (--at-once 1), or several that stay and take
trial after trial; with --mps they share the device through NVIDIA's multi-process service, if it can be started.

Of --at-once 1 the start of each process counts, as it does for who runs one process for each trial; cuDNN chooses its
algorithms by its rules, as a search would take longer than it saves in so short a trial. Of more the clock starts when all are
ready and each has gone through all shapes of the task, one process after the other, so that none disturbs another's search.
"""

import json
import os
import pathlib
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import common


class Service:
    """NVIDIA's multi-process service, with its files in a folder of its own."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="mps")
        self.env = dict(os.environ, CUDA_MPS_PIPE_DIRECTORY=self.folder, CUDA_MPS_LOG_DIRECTORY=self.folder)
        try:
            subprocess.run(["nvidia-cuda-mps-control", "-d"], env=self.env, check=True, timeout=20, capture_output=True)
            probe = "import torch; torch.ones(1, device='cuda').add_(1).cpu()"
            subprocess.run([sys.executable, "-c", probe], env=self.env, check=True, timeout=60, capture_output=True)
        except BaseException as e:
            self.close()
            if not isinstance(e, (OSError, subprocess.SubprocessError)):
                raise
            said = getattr(e, "stderr", None) or b""
            raise RuntimeError(f"{e} {said.decode(errors='replace')[-300:]}".strip()) from e

    def close(self):
        try:
            subprocess.run(["nvidia-cuda-mps-control"], input=b"quit\n", env=self.env, timeout=20, capture_output=True)
        except (OSError, subprocess.SubprocessError):
            pass  # it was not there, or is gone
        shutil.rmtree(self.folder, ignore_errors=True)


def start(a, env):
    script = pathlib.Path(__file__).with_name("eager.py")
    args = [sys.executable, str(script), "--worker", "--task", str(a.task), "--images", str(a.images), "--device", a.device,
            "--precision", a.precision]
    return subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, text=True)


def answer(worker):
    line = worker.stdout.readline()
    if not line:
        raise RuntimeError(f"a worker ended with code {worker.wait()}")
    return line


def tell(worker, what):
    worker.stdin.write(f"{what}\n")
    worker.stdin.flush()
    return answer(worker)


def train(worker, number):
    return json.loads(tell(worker, number))


def end(worker):
    worker.stdin.close()
    worker.wait(60)


def one_by_one(a, count, env):
    """A process for each trial."""
    began, results = time.perf_counter(), []
    for number in range(count):
        if results and time.perf_counter() - began > a.seconds:
            break
        worker = start(a, env)
        answer(worker)
        results.append(train(worker, number))
        end(worker)
    return results, time.perf_counter() - began, 0


def together(a, count, env):
    """So many processes at once, each taking the next trial when it has ended one."""
    prepare = time.perf_counter()
    workers = [start(a, env) for _ in range(min(a.at_once, count))]
    for w in workers:
        answer(w)
    for w in workers:
        tell(w, "warm")
    numbers, results, failures = queue.SimpleQueue(), [], []
    for number in range(count):
        numbers.put(number)
    began = time.perf_counter()

    def serve(worker):
        try:
            while time.perf_counter() - began <= a.seconds:
                results.append(train(worker, numbers.get_nowait()))
        except queue.Empty:
            pass
        except Exception as e:
            failures.append(e)

    threads = [threading.Thread(target=serve, args=(w,)) for w in workers]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    seconds = time.perf_counter() - began
    for w in workers:
        end(w)
    if failures:
        raise failures[0]
    return sorted(results, key=lambda r: r["id"]), seconds, began - prepare


def main():
    p = common.parser(__doc__)
    p.add_argument("--at-once", type=int, default=1)
    p.add_argument("--mps", action="store_true")
    a = p.parse_args()
    # The device is the workers': only the numbers of the task are read here.
    device, a.device = a.device, "cpu"
    task = common.Task(a)
    a.device = device
    # Who is ended ends the service too: it would stay, in a session of its own.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    service = None
    if a.mps:
        try:
            service = Service()
        except RuntimeError as e:
            raise SystemExit(f"the multi-process service cannot be started: {e}")
    try:
        run = one_by_one if a.at_once == 1 else together
        results, seconds, prepared = run(a, len(task.trials), service.env if service else dict(os.environ))
    finally:
        if service:
            service.close()
    task.device = common.torch.device(device)
    way = "a process for each trial" if a.at_once == 1 else f"{a.at_once} processes"
    common.write(a, task, way + (", MPS" if a.mps else ""), results, seconds, prepare_seconds=prepared)


if __name__ == "__main__":
    main()
