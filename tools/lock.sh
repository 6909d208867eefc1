#!/bin/sh
# Regenerates requirements/*.lock from pyproject.toml: hashed, and one resolution for Python 3.11 to 3.13 on Linux and macOS.
# They agree with one another: dev is resolved first and constrains the others.
# Needs uv on the PATH or in .venv. `tools/lock.sh --upgrade` takes newer versions; without it, only what must change does.
set -eu
cd "$(dirname "$0")/.."
uv=${UV:-uv}
command -v "$uv" >/dev/null 2>&1 || { echo "tools/lock.sh: uv not found (pip install uv, or set UV=path)" >&2; exit 1; }

compile() { # name, further options
  name=$1
  shift
  # Without the header, which would hold the command line, and without the index options of the machine this runs on.
  "$uv" pip compile --output-file "requirements/$name.lock" --quiet --universal --python-version 3.11 \
    --generate-hashes --no-header --annotation-style line "$@"
  if grep -nE '://|^-|(^|[ =])/' "requirements/$name.lock"; then
    echo "tools/lock.sh: requirements/$name.lock names a host, an option or a path of this machine" >&2
    exit 1
  fi
}

compile dev pyproject.toml --extra demo --extra telemetry --extra dev --group build "$@"
compile demo pyproject.toml --extra demo --constraint requirements/dev.lock
compile telemetry pyproject.toml --extra telemetry --constraint requirements/dev.lock
compile core pyproject.toml --constraint requirements/dev.lock
compile build --group build --constraint requirements/dev.lock
# An environment of its own (tools/setup-deploy.sh), so it need not agree with the others; with what builds wheels.
compile deploy --group deploy --group build --constraint requirements/build.lock "$@"
