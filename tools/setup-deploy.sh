#!/bin/sh
# tools/setup-deploy.sh: makes .venv-deploy and installs requirements/deploy.lock into it: ansible-core, ansible-lint, and what builds
# a wheelhouse. It is for the machine that deploys to hosts; nodes need nothing of it. A second call with the same lock does nothing.
# Needs Python 3.11 or newer with venv; PYTHON=path picks another interpreter than the newest one found.
set -eu
cd "$(dirname "$0")/.."
venv=.venv-deploy

die() { echo "set-up: $*" >&2; exit 1; }
new_enough() { "$1" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

wanted=$(cat requirements/deploy.lock tools/setup-deploy.sh | cksum; pwd)
if [ -x "$venv/bin/python" ] && [ -f "$venv/.installed" ] && [ "$(cat "$venv/.installed")" = "$wanted" ]; then
  exit 0
fi

python=""
for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3 python}; do
  if new_enough "$candidate"; then
    python=$("$candidate" -c 'import os, sys; print(os.path.realpath(sys._base_executable))')
    break
  fi
done
[ -n "$python" ] || die "Python 3.11 or newer with venv is needed (Debian: apt install python3 python3-venv)"

echo "set-up: making $venv with $("$python" -V)" >&2
rm -rf "$venv"
"$python" -m venv "$venv" || die "could not make a virtual environment with $python"
pip() { "$venv/bin/python" -m pip --quiet --disable-pip-version-check --no-input "$@"; }
pip install --require-hashes --no-deps -r requirements/deploy.lock ||
  die "installation failed; is the network there? Run it again to go on."
printf '%s' "$wanted" >"$venv/.installed"
