"""The schema for editors says what the loader says, as far as a schema can."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from orchestrator.errors import PlaybookInvalid
from orchestrator.playbooks.descriptions import described
from orchestrator.playbooks.loading import load_text
from orchestrator.playbooks.mismatches import ACTIONS, TRIGGERS, members_of
from orchestrator.playbooks.reading import read
from orchestrator.playbooks.schema import playbook_schema, schema_text
from tests.orchestrator.test_playbook_loading import GOOD

REPO = Path(__file__).parents[2]
HERE = Path(__file__).parent
SCHEMA = playbook_schema()
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)


def rejects(text: str) -> bool:
    return not VALIDATOR.is_valid(read(text, "p.yaml").value)


def test_the_schema_is_one() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    assert (REPO / "playbooks" / "playbook.schema.json").read_text() == schema_text(), "make docs"


def test_every_member_is_described_and_no_other() -> None:
    models = {"Playbook": SCHEMA, **SCHEMA["definitions"]}
    bare = [
        (name, member)
        for name, model in models.items()
        for member, schema in model.get("properties", {}).items()
        if not schema.get("description")
    ]
    gone = [(name, member) for name, member in described() if member not in models[name]["properties"]]
    assert (bare, gone) == ([], [])
    for model in (*ACTIONS.values(), *TRIGGERS.values()):
        assert set(models[model.__name__]["properties"]) == set(members_of(model))


def test_the_schema_takes_what_the_loader_takes() -> None:
    for text in (GOOD, *(path.read_text() for path in (HERE / "doubtful_playbooks").glob("*.yaml"))):
        load_text(text, file="p.yaml")
        VALIDATOR.validate(read(text, "p.yaml").value)


@pytest.mark.parametrize(
    "name",
    [
        *("unknown_member", "unknown_action", "unknown_trigger", "type_missing", "members_missing", "no_actions"),
        *("wrong_types", "values_out_of_range", "timeout_of_zero", "selectors", "repeat", "names", "python_names"),
    ],
)
def test_the_schema_refuses_mistakes_of_form(name: str) -> None:
    assert rejects((HERE / "bad_playbooks" / f"{name}.yaml").read_text())


@pytest.mark.parametrize(
    ("step", "right"),
    [
        ("{type: delay, duration: 1m30s}", True),
        ("{type: delay, duration: 5}", True),
        ("{type: delay, duration: 0}", False),
        ("{type: delay, duration: 5 minutes}", False),
        ("{type: delay}", False),
        ("{type: fail, message: x, on_failure: [{type: delay, duration: 1s}]}", True),
        ("{type: fail, message: x, on_failure: [{type: dely, duration: 1s}]}", False),
        ("{type: send_command, command: x, component: a}", True),
        ("{type: send_command, command: x, component: a, group: b}", False),
        ("{type: send_command, command: x, components: '{{ vars.x }}'}", True),
        ("{type: parallel, branches: {left: [{type: delay, duration: 1s}]}}", True),
        ("{type: parallel, branches: {'a b': [{type: delay, duration: 1s}]}}", False),
        ("{type: set_variable, name: x, value: null}", True),
        ("{type: http_request, url: 'http://x', method: GRAB}", False),
    ],
)
def test_steps(step: str, right: bool) -> None:
    text = f"name: a\nvariables: {{x: [a]}}\nactions:\n  - {step}\n"
    assert rejects(text) is not right
    try:
        load_text(text, file="p.yaml")
    except PlaybookInvalid:
        loads = False
    else:
        loads = True
    assert loads is right


def test_a_trigger_may_be_one_or_several() -> None:
    def text(trigger: Any) -> str:
        return f"name: a\ntrigger: {trigger}\nactions: [{{type: delay, duration: 1s}}]\n"

    assert not rejects(text("{type: manual}"))
    assert not rejects(text("[{type: manual}, {type: schedule, every: 5m}]"))
    assert rejects(text("{type: manuell}"))
    assert rejects(text("[{type: schedule, evry: 5m}]"))
