"""Every example of the language reference is a playbook that loads, and the reference leaves nothing out."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.playbooks.filters import FILTERS, TESTS
from orchestrator.playbooks.loading import Loaded, load_text
from orchestrator.playbooks.mismatches import ACTIONS, TRIGGERS, members_of
from orchestrator.playbooks.models import Playbook

PAGE = (Path(__file__).parents[2] / "docs" / "playbooks.md").read_text()
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


def whole(example: str) -> str:
    """A fragment as a playbook: a list is its steps, a mapping without steps gets one."""
    given: Any = yaml.safe_load(example)
    if isinstance(given, list):
        given = {"name": "example", "actions": given}
    if "actions" in given and "name" in given and isinstance(yaml.safe_load(example), dict):
        return example
    return yaml.safe_dump({"name": "example", "actions": [{"type": "fail", "message": "x"}], **given}, sort_keys=False)


def load(example: str) -> Loaded:
    return load_text(whole(example), file="example.yaml")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.splitlines()[1][:40])
def test_examples_load(example: str) -> None:
    warnings = [str(warning) for warning in load(example).warnings if "cool_down" not in str(warning)]
    assert warnings == []


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 5


def test_everything_is_in_the_reference() -> None:
    prose = re.sub(r"^```.*?^```$", "", PAGE, flags=re.MULTILINE | re.DOTALL)
    mentioned = set(re.findall(r"[a-z_@]+", " ".join(re.findall(r"`([^`]+)`", prose))))
    wanted = {*ACTIONS, *TRIGGERS, *FILTERS, *TESTS, *members_of(Playbook)}
    for model in (*ACTIONS.values(), *TRIGGERS.values()):
        wanted |= set(members_of(model))
    assert sorted(wanted - mentioned) == []
