#!/bin/sh
# The whole suite without what needs root, and the coverage gates. With arguments: only those tests, without the gates.
set -eu
cd "$(dirname "$0")/.."
if [ $# -gt 0 ]; then
  exec .venv/bin/python -m pytest "$@"
fi
.venv/bin/python -m coverage erase
.venv/bin/python -m pytest -m "not root" --cov --cov-report=
.venv/bin/python tools/coverage_gate.py
