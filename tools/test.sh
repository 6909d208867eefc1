#!/bin/sh
# The whole suite without what needs root and without campaigns (make chaos), and the coverage gates.
# With arguments: only those tests, one by one, without the gates.
set -eu
cd "$(dirname "$0")/.."
if [ $# -gt 0 ]; then
  exec .venv/bin/python -m pytest "$@"
fi
.venv/bin/python -m coverage erase
# A worker a core and one more: most tests wait, for elections and for processes that start. More than four would share ports (tests/support.py).
workers=$(.venv/bin/python -c 'import os; print(min(4, (os.cpu_count() or 1) + 1))')
# Hypothesis keeps its table of characters once it has made it: half a second here, twelve in each worker, where each line is traced.
.venv/bin/python -c 'from hypothesis import find, strategies; find(strategies.text(), bool)'
rm -f .pytest_cache/v/cache/lastfailed
.venv/bin/python -m pytest -m "not root and not campaign" -n "$workers" --dist worksteal --durations=10 --cov --cov-report= \
  || .venv/bin/python tools/alone.py $? --cov --cov-append --cov-report=
.venv/bin/python tools/coverage_gate.py
