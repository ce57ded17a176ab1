#!/bin/sh
# Makes .venv-runtimes/NAME for one runtime (an extra of the package) whose libraries are too heavy for .venv, and runs
# the tests of that runtime in it. Usage: scripts/runtimes.sh NAME…
# What can't be installed here is said; its tests are then not run, and the status is 3 where nothing could be.
set -eu
cd "$(dirname "$0")/.."
uv=.venv/bin/uv
[ -x $uv ] || uv=uv
missing=
for name in "$@"; do
  # Servers that are not ours: the platform of the tests itself makes their environments.
  case $name in
  kserve | mlserver | triton)
    INFERPLANE_TESTED_RUNTIME=$name .venv/bin/python -m pytest tests/runtimes/test_"$name"*.py
    continue
    ;;
  esac
  # Clients that the tests of one runtime alone need.
  case $name in
  huggingface) clients=openai ;;
  mlflow) clients='scikit-learn xgboost-cpu lightgbm onnx onnxruntime' ;;
  *) clients= ;;
  esac
  # And those that would bring the library once more, in another build: without what they need.
  case $name in tensorflow) alone=tensorflow-serving-api ;; *) alone= ;; esac
  to=.venv-runtimes/$name
  stamp=$to/.installed
  sum=$(cat pyproject.toml constraints.txt tests/runtimes/constraints.txt scripts/runtimes.sh | cksum)
  if ! { [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$sum" ]; }; then
    start=$(date +%s)
    if $uv venv --quiet --allow-existing --python .venv/bin/python "$to" &&
      $uv pip install --quiet --python "$to/bin/python" --constraint tests/runtimes/constraints.txt \
        --constraint constraints.txt --editable ".[$name]" pytest pytest-asyncio hypothesis 'tritonclient[http,grpc]' $clients &&
      { [ -z "$alone" ] || $uv pip install --quiet --python "$to/bin/python" --constraint tests/runtimes/constraints.txt \
        --no-deps "$alone"; }; then
      echo "$sum" >"$stamp"
      printf '● environment            %s, %s   %s s\n' "$to" "$(du -sh "$to" | cut -f1)" "$(($(date +%s) - start))"
    else
      echo "● environment            $to could not be made: the tests of $name are not run" >&2
      missing="$missing $name"
      continue
    fi
  fi
  "$to/bin/python" -m pytest tests/runtimes/test_"$name"*.py
done
if [ -n "$missing" ]; then exit 3; fi
