#!/bin/sh
# Training images a second of the reference network on one core, beside PyTorch on one thread, in pairs so that both see
# the same machine, and beside the machine's own limit. Run it alone: other work shares the caches.
#   sh bench/run.sh [PAIRS] [SECONDS]
set -eu
cd "$(dirname "$0")/.."
pairs=${1:-7} seconds=${2:-5}
temp=$(mktemp -d); trap 'rm -rf "$temp"' EXIT
go build -o "$temp/reference" ./bench/reference
go test -c -o "$temp/kernel" ./trainer/kernel
python=
for p in ${SWEEP_TORCH:-} /usr/bin/python3 python3; do
  if "$p" -c 'import torch' 2>/dev/null; then python=$p; break; fi
done
[ -n "$python" ] || echo "no PyTorch found (apt install python3-torch, or name an interpreter in SWEEP_TORCH): ours alone"
: >"$temp/log"
i=0
while [ $i -lt "$pairs" ]; do
  (cd trainer/kernel && "$temp/kernel" -test.run '^$' -test.bench '^BenchmarkPeak$/^fma$' -test.benchtime 200ms) |
    awk '/GFLOP/ { for (i = 2; i <= NF; i++) if ($i ~ /GFLOP/) print "peak", $(i-1) }' >>"$temp/log"
  "$temp/reference" -seconds "$seconds" | awk '{ print "sweep", $NF }' >>"$temp/log"
  [ -z "$python" ] || OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 "$python" bench/torch_peer.py "$seconds" |
    tee "$temp/version" | awk '{ print "torch", $NF }' >>"$temp/log"
  i=$((i + 1))
done
median() { awk -v k="$1" '$1 == k { print $2 }' "$temp/log" | sort -n | awk '{ v[NR] = $1 } END { if (NR) print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'; }
range() { awk -v k="$1" '$1 == k { print $2 }' "$temp/log" | sort -n | awk 'NR == 1 { a = $1 } { b = $1 } END { if (NR) print a "–" b }'; }
peak=$(median peak) ours=$(median sweep) theirs=$(median torch)
echo "| what | median of $pairs | range |"
echo "| --- | --- | --- |"
echo "| FMA peak of a core, GFLOP/s | $peak | $(range peak) |"
echo "| sweep, one core, images/s | $ours | $(range sweep) |"
[ -z "$python" ] || echo "| $(awk '{ print $1, $2 }' "$temp/version"), one thread, images/s | $theirs | $(range torch) |"
# A training step of an image is 19.4 MFLOP: 6.75 forward, twice that backward, less the unused gradient of the images.
awk -v o="$ours" -v p="$peak" -v t="${theirs:-0}" 'BEGIN {
  if (t > 0) printf "sweep / torch: %.2f\n", o / t
  if (p > 0) printf "share of the FMA peak: %.0f %% (19.4 MFLOP a training image)\n", 100 * o * 0.0194 / p }'
