#!/bin/sh
# Process faults and short campaigns; as root on Linux the network faults too. First those that judge times, rates or elections
# (marked `alone`), one by one; then the others side by side, as they mostly wait. What is marked `soak` is left out. With
# arguments: only those tests, one by one.
set -eu
cd "$(dirname "$0")/.."
places="tests/deploy tests/chaos tests/soak tests/cluster tests/system tests/orchestrator"
what="root or campaign"
if [ "$(id -u)" -ne 0 ]; then
  echo "chaos: not root: the network faults are left out"
  what="campaign and not root"
fi
if [ $# -gt 0 ]; then
  # shellcheck disable=SC2086
  exec .venv/bin/python -m pytest $places -m "$what" "$@"
fi

failed=0
campaigns() { # marks, options of pytest...
  marks=$1
  shift
  rm -f .pytest_cache/v/cache/lastfailed
  # shellcheck disable=SC2086
  .venv/bin/python -m pytest $places --durations=25 -m "($what) and $marks and not soak" "$@" \
    || .venv/bin/python tools/alone.py $? || failed=1
}

campaigns alone
# No more than a worker a core: each test is a plant of some ten processes. More than four would share ports (tests/support.py).
workers=$(.venv/bin/python -c 'import os; print(min(4, os.cpu_count() or 1))')
campaigns "not alone" -n "$workers" --dist worksteal
exit "$failed"
