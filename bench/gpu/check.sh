#!/bin/sh
# One stage of the check of a GPU: sh check.sh 1, then 2, 3, 4; sh check.sh report prints all figures. gpu.md says more.
# What is found stays in gpu-check-out here; -pack FOLDER after the stage puts an archive of it there too. A stage that is run
# again goes on with what is left.
set -eu
case $0 in */*) here=${0%/*} ;; *) here=. ;; esac
case ${1:-} in
1 | 2 | 3 | 4)
  stage=$1
  shift
  cd "$here"
  exec ./bin/gpu check -stage "$stage" "$@"
  ;;
report)
  shift
  cd "$here"
  exec ./bin/gpu report "$@"
  ;;
*)
  echo "usage: sh check.sh 1|2|3|4|report" >&2
  exit 2
  ;;
esac
