#!/bin/sh
# Writes the Python modules of our .proto files anew. With --check it writes nothing and fails when one is out of date.
set -eu
cd "$(dirname "$0")/.."
sh scripts/environment.sh dev
exec .venv/bin/python scripts/protos.py "$@"
