#!/bin/sh
# Makes .venv, or brings it up to date; does nothing (in a few milliseconds) when nothing changed.
# Usage: scripts/environment.sh [run|dev]    dev adds the tools for tests and checks.
set -eu
cd "$(dirname "$0")/.."
want=${1:-run}
venv=.venv
stamp=$venv/.inferplane-$want
sum=$(cat pyproject.toml constraints.txt scripts/environment.sh | cksum)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$sum" ]; then
  [ "$want" != dev ] || sh scripts/emulators.sh
  exit 0
fi

start=$(date +%s)
if [ ! -x $venv/bin/python ]; then
  for python in python3.13 python3.12 python3.11 python3; do
    if command -v $python >/dev/null 2>&1 &&
      $python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then break; fi
    python=
  done
  if [ -z "$python" ]; then
    echo "inferplane needs Python 3.11 or newer; none of python3.13, python3.12, python3.11, python3 is: install one and run this again" >&2
    exit 1
  fi
  $python -m venv $venv || {
    echo "could not make $venv with $python: install its venv module (on Debian: apt install python3-venv)" >&2
    exit 1
  }
fi
# uv resolves and installs in seconds what takes pip a minute; it is also what builds environments for pods.
[ -x $venv/bin/uv ] || $venv/bin/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt uv
# Compiled now, or the first start would compile scikit-learn while the user waits.
set -- --quiet --compile-bytecode --python $venv/bin/python --constraint constraints.txt
if [ "$want" = dev ]; then
  set -- "$@" --editable '.[sklearn,pandas,xgboost,lightgbm,onnx,otel,storage,kafka,parquet,plot,shap,lime,art]' --group dev
else
  set -- "$@" --editable '.[sklearn]'
fi
$venv/bin/uv pip install "$@"
# xds-protos brings files of the same names, some of them older: whichever came last would be there.
[ "$want" != dev ] || $venv/bin/uv pip install --quiet --compile-bytecode --python $venv/bin/python --constraint constraints.txt \
  --no-deps --reinstall-package opentelemetry-proto opentelemetry-proto
# An environment with the development tools is one for running, too.
echo "$sum" >$venv/.inferplane-run
echo "$sum" >"$stamp"
count=$(ls -d $venv/lib/python3*/site-packages/*.dist-info | wc -l)
version=$($venv/bin/python -c 'import platform; print(platform.python_version())')
printf '● environment            %s, Python %s, %s packages   %s s\n' "$venv" "$version" "$count" "$(($(date +%s) - start))"
[ "$want" != dev ] || sh scripts/emulators.sh
