#!/bin/sh
# benchmarks/peers/run.sh [--report FILE] [--docs] …: sets everything up and runs `python -m benchmarks.peers`, about 8 minutes.
# The peers live in environments of their own, .venv-peers and .venv-peers-arq; the product's is .venv. nats-server is built by
# Go; without Go, NATS is left out.
set -eu
cd "$(dirname "$0")/../.."
here=benchmarks/peers

tools/setup.sh demo

environment() { # directory, lock
  if [ -f "$1/.installed" ] && [ "$(cat "$1/.installed")" = "$(cksum <"$2") $(pwd)" ]; then return; fi
  echo "peers: installing $2 in $1" >&2
  rm -rf "$1"
  # Of the product's interpreter, so that all run on the same Python.
  .venv/bin/python -m venv "$1"
  "$1/bin/python" -m pip --quiet --disable-pip-version-check --no-input install --require-hashes --no-deps -r "$2"
  printf '%s' "$(cksum <"$2") $(pwd)" >"$1/.installed"
}
environment .venv-peers $here/requirements.txt
environment .venv-peers-arq $here/requirements-arq.txt

if nats=$($here/nats-server.sh); then set -- --nats-server "$nats" "$@"; else echo "peers: NATS is left out" >&2; fi
exec .venv/bin/python -m benchmarks.peers "$@"
