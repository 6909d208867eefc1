"""Checks deploy/prometheus: each alert is whole, has a page, a case in which it fires and one in which it does not.

    python tools/alert_rules.py --check           what can be seen without Prometheus
    python tools/alert_rules.py --check --run     and `promtool check rules`, `promtool test rules`

Prints what is wrong and exits 1 when there is something.
"""

import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools.metric_names import documented, named, recorded, series  # noqa: E402

FOLDER = ROOT / "deploy" / "prometheus"
RULES, TESTS = FOLDER / "triarch.rules.yml", FOLDER / "triarch.rules.test.yml"
RUNBOOK = "docs/runbooks/alerts.md"
SEVERITIES = ("critical", "warning")
PARTS = ("**Means.**", "**Look at.**", "**Do.**")
"""Of each section of the page."""


def faults(rules: dict[str, Any], tests: dict[str, Any], page: str, metrics: str) -> Iterator[str]:
    """What is wrong, a line each. `page`: the text of the runbook; `metrics`: of docs/metrics.md."""
    every = [rule for group in rules["groups"] for rule in group["rules"]]
    alerts = [rule for rule in every if "alert" in rule]
    for name, times in Counter(rule.get("alert") or rule["record"] for rule in every).items():
        if times > 1:
            yield f"{name}: stands there {times} times"
    known, own = series(documented(metrics)), {rule["record"] for rule in every if "record" in rule}
    for rule in every:
        name = rule.get("alert") or rule["record"]
        for metric in sorted({*named(rule["expr"])} - known):
            yield f"{name}: docs/metrics.md knows no {metric}"
        for metric in sorted({*recorded(rule["expr"])} - own):
            yield f"{name}: nothing records {metric}"
    for rule in alerts:
        yield from (f"{rule['alert']}: {what}" for what in _lacks(rule, page))
    yield from _cases({rule["alert"] for rule in alerts}, tests)


def _lacks(rule: dict[str, Any], page: str) -> Iterator[str]:
    if rule.get("labels", {}).get("severity") not in SEVERITIES:
        yield f"its severity is none of {', '.join(SEVERITIES)}"
    said = rule.get("annotations", {})
    for part in ("summary", "description"):
        if not said.get(part):
            yield f"it has no {part}"
    anchor = f"{RUNBOOK}#{rule['alert'].lower()}"
    if said.get("runbook_url") != anchor:
        yield f"its runbook_url is not {anchor}"
    section = re.search(rf"^## {rule['alert']}$(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    if section is None:
        yield f"{RUNBOOK} has no section of it"
    for part in PARTS if section else ():
        if part not in section.group(1):  # type: ignore[union-attr]  # there is one
            yield f"its section in {RUNBOOK} has no {part}"


def _cases(alerts: set[str], tests: dict[str, Any]) -> Iterator[str]:
    fires: set[str] = set()
    calm: set[str] = set()
    for test in tests["tests"]:
        if not test.get("input_series"):
            yield f"{test.get('name')}: a case without series shows nothing"
        for case in test.get("alert_rule_test", ()):
            (fires if case.get("exp_alerts") else calm).add(case["alertname"])
    for name in sorted(alerts - fires):
        yield f"{name}: no case in {TESTS.name} in which it fires"
    for name in sorted(alerts - calm):
        yield f"{name}: no case in {TESTS.name} in which it stays calm"
    for name in sorted((fires | calm) - alerts):
        yield f"{name}: there are cases of it and no such alert"


def _page_without_alert(rules: dict[str, Any], page: str) -> Iterator[str]:
    alerts = {rule.get("alert") for group in rules["groups"] for rule in group["rules"]}
    for heading in re.findall(r"^## (Triarch\w+)$", page, re.MULTILINE):
        if heading not in alerts:
            yield f"{RUNBOOK} has a section of {heading}, and there is no such alert"


def _promtool(*arguments: str) -> Iterator[str]:
    program = shutil.which("promtool")
    if program is None:
        yield "promtool is not there: install Prometheus (Debian: apt install prometheus)"
        return
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        yield f"promtool {' '.join(arguments)}:\n{done.stdout}{done.stderr}"


def main() -> int:
    """Exit code 0 when nothing is wrong."""
    rules, tests = yaml.safe_load(RULES.read_text()), yaml.safe_load(TESTS.read_text())
    page, metrics = (ROOT / RUNBOOK).read_text(), (ROOT / "docs" / "metrics.md").read_text()
    found = [*faults(rules, tests, page, metrics), *_page_without_alert(rules, page)]
    if "--run" in sys.argv[1:]:
        found += [*_promtool("check", "rules", str(RULES)), *_promtool("test", "rules", str(TESTS))]
    for fault in found:
        print(fault, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
