"""The replicated state of the plant. Pure, but for its vocabulary."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster import Command, Outcome, Position
from framebuffer import registry as processors
from framebuffer.models import ProcessorRegistration
from orchestrator import variables
from orchestrator.components import KINDS, Declare, Observe, Presence, Register, SelfReport, Unregister
from orchestrator.errors import SnapshotUnreadable
from orchestrator.leaderships import Noted
from orchestrator.lifecycle import State
from orchestrator.monitoring.alert_commands import KINDS as ALERT_KINDS
from orchestrator.monitoring.alert_commands import Silence
from orchestrator.state import FIRST_RELEASED, FORMAT, LEVELS, VERSION, PlantState, Replaced
from orchestrator.topology import rows as topology

PROCESSOR = processors.Register.of(ProcessorRegistration(id="faces", capabilities=("face",), capacity=4), token="t")


def apply(state: PlantState, kind: str, body: bytes, index: int = 1, version: int = VERSION) -> tuple[Outcome, int]:
    command = Command(kind, body, id=str(index), time=float(index), version=version)
    outcome, events = state.apply(command, Position(1, index))
    return outcome, len(events)


def encoded(body: Any) -> tuple[str, bytes]:
    return body.kind, msgspec.msgpack.encode(body)


def filled() -> PlantState:
    state = PlantState()
    apply(state, *encoded(Register(id="press", address="http://127.0.0.1:1", incarnation="i", sequence=0)), index=1)
    apply(state, *encoded(PROCESSOR), index=2)
    apply(state, *encoded(Observe(id="press", state=State.FAULT, reason="torn", incarnation="i", sequence=1)), index=3)
    apply(state, *encoded(variables.Set.of("speed", 120)), index=4)
    return state


def test_the_registries_stand_side_by_side() -> None:
    state = filled()
    assert set(state.variables.rows) == {"speed"}
    assert set(state.components.rows) == {"press"}
    assert set(state.processors.rows) == {"faces"}
    outcome, events = apply(state, *encoded(Unregister(id="press")), index=4)
    assert (outcome.ok, events) == (True, 1)
    outcome, events = apply(state, *encoded(processors.Unregister(id="nobody")), index=5)
    assert (outcome.code, events) == ("processor_unknown", 0)
    outcome, events = apply(state, *encoded(variables.Set.of("speed", 90, if_revision=4)), index=6)
    assert (outcome.ok, events) == (True, 1)
    outcome, events = apply(state, *encoded(variables.Delete(name="speed", if_revision=4)), index=7)
    assert (outcome.code, outcome.value, events) == ("precondition_failed", {"revision": 6}, 0)


@pytest.mark.parametrize("moved", ["", "components", "controls"])
def test_a_glance_is_of_one_moment(moved: str) -> None:
    class Moving(PlantState):
        """Another thread applies a command between two looks."""

        def still(self) -> PlantState:
            copy = super().still()
            if moved == "components":
                apply(self, *encoded(Unregister(id="press")), index=5)
            if moved == "controls":
                apply(self, *encoded(topology.Desire(ids=("press",), state="STOPPED", by="Ada")), index=5)
            return copy

    state = Moving()
    state.restore(filled().snapshot())
    found = state.glance()
    if moved:
        assert found is None
    else:
        assert found is not None
        assert found.components.rows is state.components.rows
        assert found.topology.controls is state.topology.controls


def test_a_glance_in_the_middle_of_a_restore_sees_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    state, seen = filled(), []
    adopt = state.executions.adopt

    def looked_at(other: Any) -> None:
        """Another thread gets its turn between components and topology."""
        seen.append(state.glance())
        adopt(other)

    monkeypatch.setattr(state.executions, "adopt", looked_at)
    state.restore(PlantState().snapshot())
    assert seen == [None]
    found = state.glance()
    assert found is not None
    assert found.components.rows is state.components.rows


def test_alerts_are_in_the_snapshot_once_there_was_one() -> None:
    state = filled()
    before = msgspec.msgpack.decode(state.snapshot())
    assert (before["format"], "alerts" in before) == (2, False), "the release before this one can read it"
    body = Silence(rule="*", subject="*", severity="", until=9e9, by="Ada", reason="belt change")
    outcome, _ = apply(state, *encoded(body), index=5)
    assert outcome.value["id"] == "s5"
    assert state.level_of(body.kind, 1) == 3
    other = PlantState()
    held = other.alerts
    other.restore(state.snapshot())
    assert (other.snapshot(), other.alerts) == (state.snapshot(), held)
    assert set(held.silences) == {"s5"}


def test_an_outcome_and_its_events_can_be_replicated() -> None:
    state = PlantState()
    body = Register(id="press", address="http://127.0.0.1:1")
    outcome, events = state.apply(Command(*encoded(body), id="1", time=0.0), Position(1, 1))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(outcome))["value"]["id"] == "press"
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(events))[0]["kind"] == "component.registered"


@pytest.mark.parametrize(
    ("kind", "version"), [("plant.explode", 1), ("", 1), ("component.register", 3), ("processor.register", 0)]
)
def test_what_this_release_does_not_know_is_refused(kind: str, version: int) -> None:
    state = filled()
    before = state.snapshot()
    outcome, events = apply(state, kind, encoded(PROCESSOR)[1], version=version)
    assert (outcome.code, events) == ("unknown_command", 0)
    assert state.snapshot() == before


ALL_KINDS = [*KINDS, *processors.KINDS, *ALERT_KINDS, *variables.KINDS, *topology.KINDS]
BODIES = st.binary(max_size=80) | st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["id", "address", "state", "sequence", "online", "position", "type", "capacity", "labels"])
            | st.sampled_from(["name", "value", "if_revision", "ids", "on", "depends_on", "goal", "replaces"])
            | st.text(max_size=8),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
).map(msgspec.msgpack.encode)
TYPED = st.one_of(
    st.builds(Register, id=st.text(max_size=5), address=st.text(max_size=5), sequence=st.none() | st.integers(0, 9)),
    st.builds(
        Observe, id=st.text(max_size=5), state=st.sampled_from(list(State)), sequence=st.none() | st.integers(0, 9)
    ),
    st.builds(Presence, id=st.text(max_size=5), online=st.booleans()),
    st.builds(SelfReport, id=st.text(max_size=5), degraded=st.booleans()),
    st.builds(Declare, id=st.text(max_size=5), address=st.text(max_size=5), labels=st.just({"a": "b"})),
    st.builds(Unregister, id=st.text(max_size=5)),
    st.just(PROCESSOR),
    st.builds(processors.Health, id=st.just("faces"), healthy=st.booleans()),
    st.builds(processors.Unregister, id=st.just("faces")),
    st.builds(variables.Set, name=st.text(max_size=2), value=st.text(max_size=5), if_revision=st.none() | st.just(0)),
    st.builds(variables.Delete, name=st.text(max_size=2)),
).map(encoded)
COMMANDS = TYPED | st.tuples(st.sampled_from(ALL_KINDS) | st.text(max_size=20), BODIES)


@given(st.lists(st.tuples(COMMANDS, st.sampled_from([1, 1, 1, 0, 2, -1])), max_size=15))
def test_nothing_that_a_command_holds_makes_it_raise(commands: list[tuple[tuple[str, bytes], int]]) -> None:
    one, other = PlantState(), PlantState()
    for index, ((kind, body), version) in enumerate(commands, 1):
        before = one.snapshot()
        found = apply(one, kind, body, index, version)
        assert found == apply(other, kind, body, index, version)
        msgspec.msgpack.encode(found[0])
        if not found[0].ok:
            assert one.snapshot() == before
    assert one.snapshot() == other.snapshot()
    restored = PlantState()
    restored.restore(one.snapshot())
    assert restored.snapshot() == one.snapshot()
    assert restored.components.rows == one.components.rows
    assert restored.variables.rows == one.variables.rows
    assert restored.topology.controls == one.topology.controls


@pytest.mark.parametrize("kind", ["component.unregister", "processor.unregister"])
def test_a_body_nested_without_end_is_refused(kind: str) -> None:
    tag = b"\x83\xa4type" + msgspec.msgpack.encode(kind)
    nested = tag + b"\xa2id\xa1x\xa7surplus" + b"\x91" * 100_000 + b"\xc0"
    outcome, _ = apply(filled(), kind, nested)
    assert outcome.code == "invalid_command"


def test_a_restore_keeps_the_registries_that_others_hold_on_to() -> None:
    state = PlantState()
    components, registry, values = state.components, state.processors, state.variables
    state.restore(filled().snapshot())
    assert state.components is components
    assert state.processors is registry
    assert state.variables is values
    assert (set(components.rows), set(registry.rows), set(values.rows)) == ({"press"}, {"faces"}, {"speed"})


def test_a_snapshot_without_variables_is_one_of_the_release_before_them() -> None:
    """In both directions: it is still written so while none was ever set, and it is read as "none"."""
    state = filled()
    tree = msgspec.msgpack.decode(state.snapshot())
    assert (tree["format"], "variables" in tree) == (2, True)
    assert (tree["format"], "variables" in tree, "topology" in tree) == (2, True, False)
    old = msgspec.msgpack.encode({"format": 1, "components": tree["components"], "processors": tree["processors"]})
    state.restore(old)
    assert (state.variables.rows, state.variables.revision) == ({}, 0)
    assert state.snapshot() == old


def test_a_snapshot_remembers_revisions_of_variables_that_are_gone() -> None:
    state = filled()
    apply(state, *encoded(variables.Delete(name="speed")), index=5)
    restored = PlantState()
    restored.restore(state.snapshot())
    assert restored.variables.revision == 5


@pytest.mark.parametrize(
    "tree",
    [
        None,
        [],
        {},
        {"format": FORMAT + 1},
        {"format": FORMAT},
        {"format": FORMAT, "components": None, "processors": None},
        {"format": FORMAT, "components": {"version": 2}, "processors": {"version": 1, "processors": []}},
        {"format": FORMAT, "components": {"version": 1, "components": [{}]}, "processors": {}},
        {
            "format": FORMAT,
            "components": {"version": 1, "components": []},
            "processors": {"version": 1, "processors": [1]},
        },
        {"format": FORMAT, "components": {"version": 1, "components": []}, "processors": {"version": 9}},
        {
            "format": FORMAT,
            "components": {"version": 1, "components": []},
            "processors": {"version": 1, "processors": []},
        },
        {
            "format": FORMAT,
            "components": {"version": 1, "components": []},
            "processors": {"version": 1, "processors": []},
            "variables": {"version": 2, "revision": 0, "variables": []},
        },
    ],
)
def test_a_snapshot_that_is_none_is_refused_and_changes_nothing(tree: Any) -> None:
    state = filled()
    before = state.snapshot()
    with pytest.raises(SnapshotUnreadable):
        state.restore(msgspec.msgpack.encode(tree))
    assert state.snapshot() == before


@given(st.binary(max_size=60) | BODIES)
def test_any_bytes_are_a_snapshot_or_unreadable(data: bytes) -> None:
    with pytest.raises(SnapshotUnreadable):
        PlantState().restore(data)


def test_a_cut_snapshot_is_unreadable() -> None:
    whole = filled().snapshot()
    for length in range(len(whole)):
        with pytest.raises(SnapshotUnreadable):
            PlantState().restore(whole[:length])


def test_a_state_says_the_level_that_it_uses_and_keeps_it_in_a_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    state = filled()
    assert state.uses == FIRST_RELEASED
    assert "level" not in msgspec.msgpack.decode(state.snapshot()), "the first release can read it"
    monkeypatch.setitem(LEVELS, (Register.kind, 1), FIRST_RELEASED + 1)  # as if a later release had brought it
    again = filled()
    tree = msgspec.msgpack.decode(again.snapshot())
    assert (again.uses, tree["format"], tree["level"]) == (FIRST_RELEASED + 1, FORMAT, FIRST_RELEASED + 1)
    restored = PlantState()
    restored.restore(again.snapshot())
    assert (restored.uses, restored.snapshot()) == (again.uses, again.snapshot())
    replaced = PlantState()
    replaced.uses = 9
    replaced.replace(again.snapshot(), Command("cluster.restore", b"", id="r", time=1.0), Position(1, 7), 5)
    assert replaced.uses == 9, "the log before it still needs that"


def test_a_digest_is_of_what_a_restore_brings_back() -> None:
    one, other = filled(), filled()
    assert one.digest() == other.digest() != PlantState().digest()
    outcome, _ = apply(other, *encoded(Noted(epoch="9.9", node="n9", gap_s=None, reason="start")), index=9)
    assert outcome.ok
    assert one.digest() == other.digest(), "who led is of the cluster, not of the plant"
    fresh = PlantState()
    fresh.replace(one.snapshot(), Command("cluster.restore", b"", id="r", time=1.0), Position(1, 7), 5)
    assert fresh.replaced == Replaced(7, one.digest())
