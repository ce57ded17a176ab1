#!/bin/sh
# Makes .venv-emulators: servers that speak S3 (moto), GCS (gcp-storage-emulator) and Azure (Azurite), for the tests of
# storage. Apart from .venv, since what they require must not bind what we require. Does nothing when nothing changed.
# What can't be installed here is said; its tests then skip.
set -eu
cd "$(dirname "$0")/.."
to=.venv-emulators
azurite=3.35.0
stamp=$to/.installed
sum=$(cat tests/emulators/constraints.txt scripts/emulators.sh | cksum)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$sum" ]; then exit 0; fi
# What failed is not tried again at each `make`: an hour later the network may be another.
if [ -n "$(find $to/.incomplete -mmin -60 2>/dev/null)" ]; then exit 0; fi
start=$(date +%s)
uv=.venv/bin/uv
[ -x $uv ] || uv=uv
complete=yes
{
  $uv venv --quiet --allow-existing --python .venv/bin/python $to &&
    $uv pip install --quiet --python $to/bin/python --constraint tests/emulators/constraints.txt \
      'moto[s3]' flask flask-cors gcp-storage-emulator
} || complete=no
if [ $complete = no ]; then echo "● emulators              S3 and GCS could not be installed: their tests skip" >&2; fi
if command -v npm >/dev/null 2>&1 &&
  npm install --prefix $to --no-audit --no-fund --no-save --fetch-retries=1 --fetch-timeout=60000 --silent azurite@$azurite >/dev/null 2>&1; then
  :
else
  echo "● emulators              Azurite needs npm, or could not be installed: its tests skip" >&2
  complete=no
fi
if [ $complete = yes ]; then echo "$sum" >$stamp; else mkdir -p $to && touch $to/.incomplete; fi
printf '● emulators              %s   %s s\n' "$to" "$(($(date +%s) - start))"
