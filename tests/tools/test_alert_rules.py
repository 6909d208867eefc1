"""The alerts of deploy/prometheus are whole, and the check that says so finds what is not."""

import copy
import os
import shutil
from typing import Any

import pytest
import yaml

from tools import alert_rules

RULES = yaml.safe_load(alert_rules.RULES.read_text())
TESTS = yaml.safe_load(alert_rules.TESTS.read_text())
PAGE = (alert_rules.ROOT / alert_rules.RUNBOOK).read_text()
METRICS = (alert_rules.ROOT / "docs" / "metrics.md").read_text()


def found(rules: Any = RULES, tests: Any = TESTS, page: str = PAGE, metrics: str = METRICS) -> list[str]:
    return list(alert_rules.faults(rules, tests, page, metrics))


def altered(change: dict[str, Any]) -> Any:
    """The rules with the alert TriarchNoLeader changed."""
    rules = copy.deepcopy(RULES)
    rule = next(one for group in rules["groups"] for one in group["rules"] if one.get("alert") == "TriarchNoLeader")
    rule.update(change)
    return rules


def test_nothing_is_missing() -> None:
    assert found() == []
    alerts = [one for group in RULES["groups"] for one in group["rules"] if "alert" in one]
    assert len(alerts) >= 40


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"expr": "triarch_raft_is_ruler == 0"}, "knows no triarch_raft_is_ruler"),
        ({"expr": "triarch:rulers == 0"}, "nothing records triarch:rulers"),
        ({"labels": {"severity": "grave"}}, "its severity"),
        ({"annotations": {}}, "it has no summary"),
        ({"alert": "TriarchNodeDown"}, "stands there 2 times"),
        ({"alert": "TriarchNew"}, "has no section of it"),
        ({"alert": "TriarchNew"}, "TriarchNew: no case in triarch.rules.test.yml in which it fires"),
        ({"alert": "TriarchNew"}, "TriarchNoLeader: there are cases of it and no such alert"),
    ],
)
def test_what_is_wrong_with_a_rule_is_said(change: dict[str, Any], told: str) -> None:
    assert any(told in fault for fault in found(altered(change))), found(altered(change))


def test_a_case_that_is_missing_is_found() -> None:
    for kind, told in (("fires", "in which it fires"), ("stays calm", "in which it stays calm")):
        tests = {"tests": [case for case in TESTS["tests"] if case["name"] != f"TriarchNoLeader {kind}"]}
        assert found(tests=tests) == [f"TriarchNoLeader: no case in triarch.rules.test.yml {told}"]


def test_a_section_that_is_incomplete_is_found() -> None:
    page = PAGE.replace("**Do.**", "**Perhaps.**", 1)
    assert found(page=page) == ["TriarchNoLeader: its section in docs/runbooks/alerts.md has no **Do.**"]


def test_prometheus_understands_the_rules() -> None:
    # The cases take seconds: `make check` runs them.
    if shutil.which("promtool") is None:
        assert not os.environ.get("CI"), "promtool is missing (Debian: apt install prometheus)"
        pytest.skip("promtool is missing (Debian: apt install prometheus)")
    assert list(alert_rules._promtool("check", "rules", str(alert_rules.RULES))) == []
    assert list(alert_rules._promtool("check", "rules", str(alert_rules.TESTS))) != []  # it does look
