"""deploy/releases.yml says the truth about this checkout and about the releases before it."""

import os
import re
import subprocess
import sys
import tomllib

import pytest

from orchestrator.state import FIRST_RELEASED, PlantState
from tests.releases import ROOT, must_hold, releases


def version() -> str:
    found: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return found


def test_this_checkout_is_the_newest_release() -> None:
    rows = releases()
    assert list(rows)[-1] == version()
    assert list(rows) == sorted(rows, key=lambda each: [int(part) for part in each.split(".")])
    assert rows[version()]["level"] == PlantState.level, "give the release its level in deploy/releases.yml"
    assert next(iter(rows.values()))["level"] == FIRST_RELEASED


def test_each_release_says_from_where_one_may_come() -> None:
    rows = releases()
    names = list(rows)
    for at, (name, row) in enumerate(rows.items()):
        assert set(row) == {"commit", "upgrade_from", "level", "features"}, name
        assert (row["upgrade_from"] is None) == (at == 0), name
        assert row["upgrade_from"] is None or row["upgrade_from"] in names[:at], name
        assert row["commit"] is None or re.fullmatch(r"[0-9a-f]{40}", row["commit"]), name


def test_a_released_commit_has_the_version_that_it_was_released_as() -> None:
    for name, row in releases().items():
        if row["commit"] is None:
            continue
        must_hold(row["commit"])
        shown = subprocess.run(
            ["git", "-C", str(ROOT), "show", f"{row['commit']}:pyproject.toml"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert tomllib.loads(shown.stdout)["project"]["version"] == name
        changed = (ROOT / "CHANGELOG.md").read_text()
        assert f"## [{name}] – " in changed, f"CHANGELOG.md has no section of {name}"


def test_a_clone_without_the_release_fails_with_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=f"lacks {'f' * 40}.*--unshallow"):
        must_hold("f" * 40)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match=f"lacks {'f' * 40}.*--unshallow"):
        must_hold("f" * 40)
    must_hold("HEAD")


def test_ci_skips_where_the_history_is_nowhere_to_be_had() -> None:
    """In a process of its own: what the variables of a run are is settled when its first test is read."""
    code = f"import tests.conftest\nfrom tests.releases import must_hold\nmust_hold({'f' * 40!r})"
    told = {**os.environ, "CI": "true", "TRIARCH_WITHOUT_HISTORY": "1"}
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=told, capture_output=True, text=True, check=False
    )
    assert "Skipped: this clone lacks" in ended.stderr, ended.stderr
