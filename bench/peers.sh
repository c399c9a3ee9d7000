#!/bin/sh
# Makes the environments of the peers that bench/compare takes: DIR/torch, DIR/tf and DIR/jax, some 8 GB.
#   PYTHON=python3.12 sh bench/peers.sh DIR
# The older PyTorch is Debian's: apt install python3-torch libopenblas0-pthread.
set -eu
[ $# -eq 1 ] || { echo "usage: sh bench/peers.sh DIR" >&2; exit 2; }
mkdir -p "$1"
for p in torch tf jax; do
  requirements=$(dirname "$0")/requirements-$p.txt
  if cmp -s "$requirements" "$1/$p/requirements.txt"; then continue; fi
  rm -rf "${1:?}/$p"
  "${PYTHON:-python3.12}" -m venv "$1/$p"
  "$1/$p/bin/pip" install -q --disable-pip-version-check -r "$requirements"
  cp "$requirements" "$1/$p/requirements.txt"
done
