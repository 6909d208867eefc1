# One task runner. Every target sets itself up; a set-up that is already done costs nothing.
# ARGS is passed on:  make demo ARGS="--video my.mp4 --seconds 20"    make test ARGS="tests/cluster -k fence"

.POSIX:
.DEFAULT_GOAL := help
.PHONY: help demo test check format chaos sim browser lab soak dashboard lock docs clean

BIN = .venv/bin
PY = $(BIN)/python
FAILED = .pytest_cache/v/cache/lastfailed

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

demo: ## set up, then: three nodes, real frames, the leader killed in the middle, and a report
	@tools/setup.sh demo
	@$(BIN)/triarch demo $(ARGS)

test: ## set up, then: every test that needs no root, with the coverage gates
	@tools/setup.sh dev
	@tools/test.sh $(ARGS)

check: ## set up, then: format, lint, types, import contracts, documentation
	@tools/setup.sh dev
	@tools/check.sh

chaos: ## set up, then: process faults and short campaigns; as root on Linux the network faults too
	@tools/setup.sh dev
	@tools/chaos.sh $(ARGS)

sim: ## set up, then: the deterministic simulation: planted defects, fixed seeds, then new ones, about 6 minutes (ARGS="--seeds 7-7 --trace")
	@tools/setup.sh dev
	@if [ -n "$(ARGS)" ]; then $(PY) -m tests.simulation $(ARGS); else \
		$(PY) -m tests.simulation --defects && $(PY) -m tests.simulation --seeds 1-200 --minutes 3; fi

browser: ## set up, then: the dashboard in a real Chromium, which the system provides (Debian: apt install chromium)
	@tools/setup.sh dev
	@rm -f $(FAILED); $(PY) -m pytest tests/browser -m "not soak" $(ARGS) || $(PY) tools/alone.py $$?

lab: ## set up, then: three systemd hosts on this machine, deployed by the playbooks, harmed and healed; root on Linux
	@if [ "$$(id -u)" -ne 0 ]; then echo "lab: skipped: it needs root, to make hosts, a bridge and file systems"; exit 0; fi; \
		tools/setup.sh dev && if reason="$$($(PY) -m tests.lab.hosts possible 2>&1)"; then $(PY) -m pytest tests/lab -m "not soak" --durations=15 $(ARGS); \
		else echo "lab: skipped: $$reason"; [ -z "$${CI-}" ]; fi

soak: ## set up, then: the long campaigns of agreement and of frames, about 45 minutes; one with ARGS="torture --report torture.json"
	@tools/setup.sh dev
	@$(PY) -m tests.soak $(ARGS)

format: ## set up, then: rewrite the code in the house format
	@tools/setup.sh dev
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

docs: ## set up, then: write the pages that are generated from the code
	@tools/setup.sh dev
	@$(PY) tools/config_reference.py --write
	@$(PY) tools/playbook_schema.py --write
	@$(PY) tools/lifecycle_page.py --write
	@$(PY) tools/access_page.py --write
	@$(PY) tools/api_reference.py --write
	@$(PY) tools/client_shapes.py --write
	@$(PY) tools/deployment_variables.py --write
	@$(PY) tools/grafana.py --write

dashboard: ## set up, then: build the dashboard (dashboard/) into orchestrator/dashboard/static; needs Node.js 20 with npm
	@tools/setup.sh dev
	@$(PY) tools/dashboard.py --build

lock: ## set up, then: resolve the locked dependencies anew (ARGS=--upgrade for newer versions)
	@tools/setup.sh dev
	@command -v uv >/dev/null 2>&1 || test -x $(BIN)/uv || $(PY) -m pip --quiet install uv
	@PATH="$(CURDIR)/$(BIN):$$PATH" tools/lock.sh $(ARGS)

clean: ## remove .venv, caches and reports
	@rm -rf .venv .venv-deploy .venv-peers .venv-peers-arq .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage .coverage.* htmlcov build dist .triarch dashboard/node_modules
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
