"""The replicated variables. Pure."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import VariableInvalid, VariableTooLarge
from orchestrator.variables import (
    KINDS,
    VALUE_BYTES_MAX,
    VALUE_DEPTH_MAX,
    VALUES_BYTES_MAX,
    VARIABLES_MAX,
    Delete,
    Result,
    Set,
    VariableCommand,
    VariableRegistry,
    VariableRow,
    checked_name,
    json_text,
)


class Log:
    """A registry and the log that makes it."""

    def __init__(self) -> None:
        self.registry = VariableRegistry()
        self.index = 0
        self.kinds: list[str] = []

    def apply(self, command: VariableCommand) -> Result:
        self.index += 1
        result, events = self.registry.apply(
            command.kind, msgspec.msgpack.encode(command), time=float(self.index), position=(1, self.index)
        )
        self.kinds = [event.kind for event in events]
        assert all(event.subject == command.name for event in events)
        assert not (result.code and events), "a refusal has no events"
        return result

    def row(self, name: str = "speed") -> VariableRow:
        row = self.registry.get(name)
        assert row is not None
        return row


# ── Setting ────────────────────────────────


def test_a_variable_is_set_and_set_again() -> None:
    log = Log()
    assert log.apply(Set.of("speed", {"mm_s": 120})).value == {"revision": 1, "time": 1.0, "created": True}
    assert log.kinds == ["variable.set"]
    assert log.row() == VariableRow(name="speed", value='{"mm_s":120}', revision=1, time=1.0)
    assert log.apply(Set.of("speed", None)).value == {"revision": 2, "time": 2.0, "created": False}
    assert (log.row().value, log.row().revision) == ("null", 2)


def test_the_same_value_again_is_a_change() -> None:
    log = Log()
    log.apply(Set.of("speed", 1))
    assert log.apply(Set.of("speed", 1)).value["revision"] == 2
    assert log.apply(Set.of("speed", 1, if_revision=1)).code == "precondition_failed"


def test_a_change_is_made_only_at_the_revision_it_asks_for() -> None:
    log = Log()
    refused = log.apply(Set.of("speed", 1, if_revision=7))
    assert (refused.code, refused.value) == ("precondition_failed", {"revision": 0})
    assert "does not exist" in refused.message
    assert log.registry.rows == {}
    log.apply(Set.of("speed", 1))
    assert log.apply(Set.of("speed", 2, if_revision=2)).code == ""
    refused = log.apply(Set.of("speed", 3, if_revision=2))
    assert (refused.code, refused.value, log.row().value) == ("precondition_failed", {"revision": 3}, "2")
    assert "revision 3" in refused.message


def test_a_variable_can_be_set_only_where_there_is_none() -> None:
    log = Log()
    assert log.apply(Set.of("speed", 1, if_revision=0)).code == ""
    refused = log.apply(Set.of("speed", 2, if_revision=0))
    assert (refused.code, refused.value) == ("precondition_failed", {"revision": 1})
    log.apply(Delete(name="speed"))
    assert log.apply(Set.of("speed", 2, if_revision=0)).value["created"]


# ── Deleting ────────────────────────────────


def test_a_variable_is_deleted() -> None:
    log = Log()
    log.apply(Set.of("speed", 1))
    assert log.apply(Delete(name="speed")) == Result()
    assert log.kinds == ["variable.deleted"]
    assert log.registry.rows == {}
    assert log.apply(Delete(name="speed")).code == "variable_unknown"


def test_a_variable_is_deleted_only_at_the_revision_that_is_asked_for() -> None:
    log = Log()
    log.apply(Set.of("speed", 1))
    log.apply(Set.of("speed", 2))
    refused = log.apply(Delete(name="speed", if_revision=1))
    assert (refused.code, refused.value) == ("precondition_failed", {"revision": 2})
    assert log.apply(Delete(name="speed", if_revision=2)).code == ""
    refused = log.apply(Delete(name="speed", if_revision=2))
    assert (refused.code, refused.value) == ("precondition_failed", {"revision": 0})


def test_a_variable_that_returns_has_no_revision_that_it_had() -> None:
    log = Log()
    log.apply(Set.of("speed", 1))
    log.apply(Delete(name="speed"))
    log.apply(Set.of("speed", 1))
    assert log.apply(Set.of("speed", 2, if_revision=1)).code == "precondition_failed"


def test_revisions_grow_in_a_cluster_that_was_restored_from_another() -> None:
    """Its log begins anew, so its indexes are smaller than the revisions that came with the backup."""
    old = VariableRegistry()
    old.apply(Set.kind, msgspec.msgpack.encode(Set.of("speed", 1)), time=0.0, position=(9, 700))
    old.apply(Delete.kind, msgspec.msgpack.encode(Delete(name="speed")), time=0.0, position=(9, 701))
    log = Log()
    log.registry.restore(old.snapshot())
    assert log.apply(Set.of("speed", 2)).value["revision"] == 702
    assert log.apply(Set.of("speed", 3, if_revision=702)).value["revision"] == 703


# ── Bounds ────────────────────────────────


def test_the_number_of_variables_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.variables.VARIABLES_MAX", 2)
    log = Log()
    for name in ("a", "b"):
        assert log.apply(Set.of(name, 0)).code == ""
    refused = log.apply(Set.of("c", 0))
    assert (refused.code, "2 variables" in refused.message) == ("too_many_variables", True)
    assert log.apply(Set.of("a", 1)).code == "", "what is there may be changed"
    log.apply(Delete(name="b"))
    assert log.apply(Set.of("c", 0)).code == ""
    assert VARIABLES_MAX == 10_000


def test_all_values_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.variables.VALUES_BYTES_MAX", 20)
    log = Log()
    assert log.apply(Set.of("a", "é" * 5)).code == "", "12 bytes with the quotation marks"
    refused = log.apply(Set.of("b", "x" * 7))
    assert (refused.code, "21 bytes" in refused.message) == ("variables_full", True)
    assert log.apply(Set.of("b", "x" * 6)).code == ""
    assert log.apply(Set.of("b", "x" * 7)).code == "variables_full"
    assert log.apply(Set.of("a", "x")).code == ""
    assert log.apply(Set.of("b", "x" * 7)).code == ""
    log.apply(Delete(name="b"))
    assert log.apply(Set.of("b", "x" * 15)).code == ""
    assert VALUES_BYTES_MAX == 4 << 20


def test_a_restored_registry_still_knows_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.variables.VALUES_BYTES_MAX", 20)
    log = Log()
    log.apply(Set.of("a", "x" * 10))
    restored = Log()
    restored.registry.restore(log.registry.snapshot())
    assert restored.apply(Set.of("b", "x" * 7)).code == "variables_full"
    assert restored.apply(Set.of("b", "x" * 6)).code == ""


def test_more_than_the_bound_of_a_later_release_may_shrink() -> None:
    """A log of a release with wider bounds is applied; what it holds is not stuck there."""
    log = Log()
    log.registry.restore(
        {
            "version": 1,
            "revision": 1,
            "variables": [{"name": "a", "value": "1" * (VALUES_BYTES_MAX + 10), "revision": 1, "time": 0.0}],
        }
    )
    assert log.apply(Set(name="a", value="1" * (VALUES_BYTES_MAX + 5))).code == ""
    assert log.apply(Set(name="b", value="1")).code == "variables_full"


# ── What a proposer checks ────────────────────────────────


@pytest.mark.parametrize("name", ["a", "A", "0", "_", "line-a.speed", "x" * 128])
def test_names(name: str) -> None:
    assert Set.of(checked_name(name), 1).name == name


@pytest.mark.parametrize("name", ["", ".", "-a", "a b", "a/b", "a\n", "é", "x" * 129, "x" * 10_000])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(VariableInvalid, match="not the name of a variable") as caught:
        Set.of(name, 1)
    assert len(caught.value.message) < 400


@pytest.mark.parametrize("value", [float("nan"), float("inf"), b"x", {1j: 2}, {"a": [object()]}, "\ud800"])
def test_what_is_no_json(value: Any) -> None:
    with pytest.raises(VariableInvalid, match="a value is JSON data"):
        json_text(value)


def test_a_value_is_bounded_in_bytes() -> None:
    assert len(json_text("x" * (VALUE_BYTES_MAX - 2))) == VALUE_BYTES_MAX
    with pytest.raises(VariableTooLarge, match=f"{VALUE_BYTES_MAX + 1} bytes"):
        json_text("x" * (VALUE_BYTES_MAX - 1))
    with pytest.raises(VariableTooLarge):
        json_text("é" * (VALUE_BYTES_MAX // 2))


def nested(levels: int) -> Any:
    value: Any = 0
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


def test_a_value_is_bounded_in_depth() -> None:
    json_text(nested(VALUE_DEPTH_MAX))
    for levels in (VALUE_DEPTH_MAX + 1, 100_000):
        with pytest.raises(VariableInvalid, match="in one another"):
            json_text(nested(levels))


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=15,
)


@given(JSON)
def test_any_json_comes_back_as_it_went_in(value: Any) -> None:
    """Also numbers that MessagePack does not hold."""
    try:
        text = json_text(value)
    except VariableInvalid:
        return
    log = Log()
    result = log.apply(Set(name="a", value=text))
    msgspec.msgpack.encode(result)
    restored = VariableRegistry()
    restored.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(log.registry.snapshot())))
    row = restored.get("a")
    assert row is not None
    assert json.loads(row.value) == value


# ── Properties ────────────────────────────────

NAMES = st.sampled_from(["a", "b", "c"])
REVISIONS = st.none() | st.integers(0, 20)
COMMANDS: st.SearchStrategy[VariableCommand] = st.builds(
    Set, name=NAMES, value=st.integers(0, 9).map(str), if_revision=REVISIONS
) | st.builds(Delete, name=NAMES, if_revision=REVISIONS)


def replay(commands: Sequence[VariableCommand], registry: VariableRegistry, first: int = 1) -> list[str]:
    codes = []
    for index, command in enumerate(commands, first):
        body = msgspec.msgpack.encode(command)
        codes.append(registry.apply(command.kind, body, time=float(index), position=(1, index))[0].code)
    return codes


@given(st.lists(COMMANDS, max_size=25), st.integers(0, 25))
def test_a_snapshot_anywhere_gives_the_same_state(commands: list[VariableCommand], cut: int) -> None:
    whole, before, after = VariableRegistry(), VariableRegistry(), VariableRegistry()
    codes = replay(commands, whole)
    cut = min(cut, len(commands))
    replay(commands[:cut], before)
    after.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(before.snapshot())))
    assert after.snapshot() == before.snapshot()
    assert replay(commands[cut:], after, first=cut + 1) == codes[cut:]
    assert after.snapshot() == whole.snapshot()


@given(st.lists(COMMANDS, max_size=40))
def test_it_is_a_register_with_compare_and_set(commands: list[VariableCommand]) -> None:
    registry = VariableRegistry()
    given_out: set[int] = set()
    for index, command in enumerate(commands, 1):
        held = registry.get(command.name)
        others = {name: row for name, row in registry.rows.items() if name != command.name}
        result, events = registry.apply(command.kind, msgspec.msgpack.encode(command), time=0.0, position=(1, index))
        row = registry.get(command.name)
        assert {name: row for name, row in registry.rows.items() if name != command.name} == others
        met = command.if_revision in (None, held.revision if held else 0)
        assert (result.code == "precondition_failed") == (not met)
        assert bool(events) == (result.code == "")
        if result.code:
            assert row is held
        elif isinstance(command, Set):
            assert row is not None
            assert (row.value, row.revision) == (command.value, index)
            assert row.revision not in given_out
            given_out.add(row.revision)
        else:
            assert row is None


@given(st.sampled_from(list(KINDS)), st.binary(max_size=60))
def test_any_body_is_applied_or_refused(kind: str, body: bytes) -> None:
    VariableRegistry().apply(kind, body, time=0.0, position=(1, 1))


def test_a_body_nested_without_end_is_refused() -> None:
    body = b"\x82\xa4name\xa1a\xa7surplus" + b"\x91" * 100_000 + b"\xc0"
    result, events = VariableRegistry().apply("variable.delete", body, time=0.0, position=(1, 1))
    assert (result.code, events) == ("invalid_command", [])


@pytest.mark.parametrize(
    "tree",
    [{}, {"version": 2, "revision": 0, "variables": []}, {"version": 1, "revision": 0, "variables": [{}]}],
)
def test_a_snapshot_that_is_none_is_refused(tree: dict[str, Any]) -> None:
    log = Log()
    log.apply(Set.of("a", 1))
    before = log.registry.snapshot()
    with pytest.raises((ValueError, msgspec.MsgspecError)):
        log.registry.restore(tree)
    assert log.registry.snapshot() == before
