#!/bin/sh
# Trains the network of sweeps/paper.yaml for 10 epochs with sweep and with PyTorch, on the same images, and prints the MSE
# on the test images of each seed. Some three minutes a seed; what DIR has already is not trained again.
#   SWEEP_DATA=... sh bench/quality.sh DIR [SEED...]
set -eu
[ $# -ge 1 ] || { echo "usage: sh bench/quality.sh DIR [SEED...]" >&2; exit 2; }
dir=$1; shift
[ $# -ge 1 ] || set -- 1 2 3
cd "$(dirname "$0")/.."
python=${SWEEP_TORCH:-/usr/bin/python3}
mkdir -p "$dir"
go build -o "$dir/sweep" ./cmd/sweep
for seed in "$@"; do
  [ -e "$dir/split-$seed/shape" ] || go run ./bench/split -train 45000 -validation 5000 -seed "$seed" "$dir/split-$seed"
  grep -q test_mse "$dir/torch-$seed.log" 2>/dev/null ||
    "$python" bench/torch_train.py "$dir/split-$seed" --seed "$seed" >"$dir/torch-$seed.log"
  [ -e "$dir/sweep-$seed/metrics.json" ] || {
    "$dir/sweep" run bench/quality.yaml --db "$dir/quality.db" --seed "$seed" --name "quality-$seed" --workers 1
    "$dir/sweep" export "quality-$seed" --db "$dir/quality.db" -o "$dir/sweep-$seed"
  } >"$dir/sweep-$seed.log" 2>&1
done
"$python" - "$dir" "$@" <<'PROGRAM'
import json, math, pathlib, re, statistics, sys

folder, seeds = pathlib.Path(sys.argv[1]), sys.argv[2:]
ours = [json.loads((folder / f"sweep-{s}" / "metrics.json").read_text())["test_metrics"]["test_mse"] for s in seeds]
theirs = [float(re.search(r"test_mse (\S+)", (folder / f"torch-{s}.log").read_text())[1]) for s in seeds]
print(f"| test MSE | {' | '.join('seed ' + s for s in seeds)} | mean | standard deviation |")
print("| --- " * (len(seeds) + 3) + "|")
for name, x in ("sweep", ours), ("PyTorch", theirs):
    print(f"| {name} | {' | '.join(f'{v:.6f}' for v in x)} | {statistics.mean(x):.6f} | {statistics.stdev(x):.6f} |")
apart = statistics.mean(ours) - statistics.mean(theirs)
error = math.sqrt((statistics.variance(ours) + statistics.variance(theirs)) / len(seeds))
print(f"\nThe means are {apart:+.6f} apart, {abs(apart) / error:.1f} standard errors of that difference.")
PROGRAM
