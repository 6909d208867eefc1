#!/bin/sh
# tools/setup.sh demo|dev: makes .venv and installs requirements/<name>.lock and this checkout into it.
# A second call with the same locks does nothing. Needs Python 3.11 or newer; no root, no Docker, no compiler.
# PYTHON=path picks another interpreter than the newest one found.
set -eu
cd "$(dirname "$0")/.."
name=${1:?usage: tools/setup.sh demo|dev}
lock=requirements/$name.lock
venv=.venv

say() { echo "$*" >&2; }
die() { say "set-up: $*"; exit 1; }
new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
  for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3 python}; do
    if new_enough "$candidate"; then
      # The real one, not a version manager's shim and not another venv's link.
      "$candidate" -c 'import os, sys; print(os.path.realpath(sys._base_executable))'
      return
    fi
  done
  die "Python 3.11 or newer is needed; looked for: ${PYTHON:-python3.13 python3.12 python3.11 python3 python}.
  Debian 12+, Ubuntu 24.04+: apt install python3 python3-venv    macOS: brew install python@3.13
  or name one: make PYTHON=/path/to/python3 ..."
}

make_venv() { # python
  rm -rf "$venv"
  if "$1" -c 'import ensurepip, venv' 2>/dev/null; then
    "$1" -m venv "$venv" || die "could not make a virtual environment with $1"
  elif "$1" -c 'import pip, venv' 2>/dev/null; then
    # Debian splits ensurepip off into python3-venv; a pip that is there can fill the environment instead.
    "$1" -m venv --without-pip "$venv" || die "could not make a virtual environment with $1"
    "$1" -m pip --python "$venv/bin/python" install --quiet --disable-pip-version-check pip ||
      die "could not install pip into the virtual environment; Debian and Ubuntu: apt install python3-venv"
  else
    die "$1 can make no virtual environment: it lacks ensurepip (or venv). Debian and Ubuntu: apt install python3-venv"
  fi
}

# Identity of what is installed: the lock, the package's own metadata, and where the checkout stands (.venv does not move).
identity() { cat "requirements/$1.lock" requirements/build.lock pyproject.toml tools/setup.sh | cksum; pwd; }
stamp=$venv/.installed-$name
wanted=$(identity "$name")
if [ -x "$venv/bin/python" ] && new_enough "$venv/bin/python" && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
  exit 0
fi

if ! { [ -x "$venv/bin/python" ] && new_enough "$venv/bin/python" && "$venv/bin/python" -m pip --version; } >/dev/null 2>&1 ||
  ! { [ -f "$venv/.checkout" ] && [ "$(cat "$venv/.checkout")" = "$(pwd)" ]; }; then
  python=$(find_python)
  say "set-up: making $venv with $("$python" -V) ($python)"
  make_venv "$python"
  pwd >"$venv/.checkout"
fi

say "set-up: installing $lock"
rm -f "$stamp"
pip() { "$venv/bin/python" -m pip --quiet --disable-pip-version-check --no-input "$@"; }
# Every file is checked against its hash, also those that build: --no-deps, as the locks are complete, and no isolated builds, as
# these would fetch their tools unchecked.
pip install --require-hashes --no-deps -r requirements/build.lock &&
  pip install --require-hashes --no-deps --no-build-isolation --use-pep517 -r "$lock" ||
  die "installation failed; is the network there? Run it again to go on."
pip install --no-deps --no-build-isolation --editable . || die "could not install this checkout"
printf '%s' "$wanted" >"$stamp"
# dev holds all of demo, in the same versions.
if [ "$name" = dev ]; then identity demo >"$venv/.installed-demo"; fi
