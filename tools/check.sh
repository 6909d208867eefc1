#!/bin/sh
# Runs every check even when one fails, so that one run shows all there is to mend.
set -u
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"
failed=""

check() { # name, command...
  name=$1
  shift
  printf '%-14s' "$name"
  if output=$("$@" 2>&1); then
    echo ok
  else
    echo failed
    printf '%s\n' "$output" | sed 's/^/    /'
    failed="$failed $name"
  fi
}

check format ruff format --check .
check lint ruff check .
check types mypy
check imports lint-imports
check docs python tools/check_docs.py
check config-page python tools/config_reference.py --check
check schema python tools/playbook_schema.py --check
check api-page python tools/api_reference.py --check
check lifecycle python tools/lifecycle_page.py --check
check rights python tools/access_page.py --check
check deployment python tools/deployment_variables.py --check
check shapes python tools/client_shapes.py --check
# Without Prometheus' own tool the cases of the alerts are counted, but not run; where everything has to be there that is a failure.
if command -v promtool >/dev/null 2>&1 || [ "${CI:-}" = true ]; then
  check alerts python tools/alert_rules.py --check --run
else
  check alerts python tools/alert_rules.py --check
  echo "              the cases of the alerts were not run: no promtool (Debian: apt install prometheus)"
fi
check grafana python tools/grafana.py --check
check dashboard python tools/dashboard.py --check

if [ -n "$failed" ]; then
  echo "make check: failed:$failed" >&2
  exit 1
fi
