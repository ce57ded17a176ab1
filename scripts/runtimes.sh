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
  # Clients that the tests of one runtime alone need.
  case $name in huggingface) clients=openai ;; *) clients= ;; esac
  to=.venv-runtimes/$name
  stamp=$to/.installed
  sum=$(cat pyproject.toml constraints.txt tests/runtimes/constraints.txt scripts/runtimes.sh | cksum)
  if ! { [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$sum" ]; }; then
    start=$(date +%s)
    if $uv venv --quiet --allow-existing --python .venv/bin/python "$to" &&
      $uv pip install --quiet --python "$to/bin/python" --constraint tests/runtimes/constraints.txt \
        --constraint constraints.txt --editable ".[$name]" pytest pytest-asyncio hypothesis 'tritonclient[http,grpc]' $clients; then
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
