#!/bin/sh
# Packs what the check of a GPU takes into bin/gpu-check.tar.xz; make gpu-bundle has built it before.
set -eu
cd "$(dirname "$0")/../.."
most=48000000 # bytes of the archive
both=60000000 # of the archive and the files of the repository

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
to=$tree/gpu-check
mkdir -p "$to/bin/tests" "$to/bin/images" "$to/bench/gpu/peers" "$to/sweeps"
cp bin/gpu "$to/bin/"
cp bin/sweep "$to/bin/" && strip "$to/bin/sweep"
cp bin/tests/device.test bin/tests/kernels.test bin/tests/engine.test "$to/bin/tests/"
cp bin/images/train.bin bin/images/validation.bin "$to/bin/images/"
cp bench/torch_network.py "$to/bench/"
cp bench/gpu/cae.yaml "$to/bench/gpu/"
cp bench/gpu/peers/*.py "$to/bench/gpu/peers/"
cp sweeps/cae.yaml "$to/sweeps/"
cp docs/gpu.md "$to/"
cp bench/gpu/check.sh "$to/check.sh"

tar -C "$tree" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cf "$tree/bundle.tar" gpu-check
xz -9 -T1 --lzma2=preset=9,dict=128MiB,lc=4,pb=0 -c "$tree/bundle.tar" >bin/gpu-check.tar.xz.part
mv bin/gpu-check.tar.xz.part bin/gpu-check.tar.xz

size=$(wc -c <bin/gpu-check.tar.xz)
files=$(git ls-files -z | xargs -0 cat | wc -c)
echo "bin/gpu-check.tar.xz: $size bytes, with the repository's files $((size + files))"
[ "$size" -lt $most ] || { echo "that is not under $most bytes" >&2; exit 1; }
[ $((size + files)) -lt $both ] || { echo "together that is not under $both bytes" >&2; exit 1; }
