"""The replicated registry of components. Pure."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestrator.components import (
    COMPONENTS_MAX,
    KINDS,
    ComponentCommand,
    ComponentRegistration,
    ComponentRegistry,
    ComponentRow,
    Declare,
    Observe,
    Presence,
    Register,
    Result,
    SelfReport,
    Unregister,
)
from orchestrator.events import SEQUENCE_MAX
from orchestrator.lifecycle import State

ADDRESS = "http://127.0.0.1:9001"


class Log:
    """A registry and the log that makes it."""

    def __init__(self) -> None:
        self.registry = ComponentRegistry()
        self.index = 0
        self.kinds: list[str] = []

    def apply(self, command: ComponentCommand) -> Result:
        self.index += 1
        result, events = self.registry.apply(
            command.kind,
            msgspec.msgpack.encode(command),
            time=float(self.index),
            position=(1, self.index),
            version=getattr(command, "version", 1),
        )
        self.kinds = [event.kind for event in events]
        assert all(event.subject == command.id for event in events)
        assert not (result.code and events), "a refusal has no events"
        return result

    def row(self, component_id: str = "press") -> ComponentRow:
        row = self.registry.get(component_id)
        assert row is not None
        return row


def register(**members: Any) -> Register:
    return Register(**{"id": "press", "address": ADDRESS, "incarnation": "one", "sequence": 0, **members})


def observe(sequence: int | None, state: State = State.STARTED, incarnation: str = "one", reason: str = "") -> Observe:
    return Observe(id="press", state=state, reason=reason, incarnation=incarnation, sequence=sequence)


# ── Registration ────────────────────────────────


def test_a_component_registers() -> None:
    log = Log()
    result = log.apply(register(name="Press", groups=("line-a",)))
    assert log.kinds == ["component.registered"]
    assert result.value == {
        "id": "press",
        "name": "Press",
        "address": ADDRESS,
        "groups": ("line-a",),
        "state": "READY",
        "online": True,
        "presence": "ONLINE",
        "health": "OK",
        "health_reason": "",
        "depends_on": (),
        "labels": {},
        "heartbeat_s": None,
        "reason": "registered",
        "registered_time": 1.0,
        "position": [1, 1],
    }


def test_the_same_registration_again_changes_nothing() -> None:
    log = Log()
    log.apply(register())
    before = log.row()
    assert log.apply(register()).value["position"] == [1, 1]
    assert (log.kinds, log.row()) == ([], before)


def test_a_restarted_process_registers_anew_at_its_address() -> None:
    log = Log()
    log.apply(register())
    log.apply(observe(5))
    log.apply(register(incarnation="two", sequence=0))
    assert log.kinds == ["component.registered_again"]
    assert (log.row().state, log.row().sequence, log.row().position) == (State.READY, 0, (1, 3))


def test_an_id_is_held_by_who_is_heard_elsewhere() -> None:
    log = Log()
    log.apply(register())
    other = register(address="http://127.0.0.1:9002", incarnation="two")
    assert log.apply(other).code == "component_exists"
    assert log.row().address == ADDRESS
    log.apply(Presence(id="press", online=False, reason="silent"))
    assert log.apply(other).code == ""
    assert (log.row().address, log.row().online, log.row().absence) == ("http://127.0.0.1:9002", True, "")


def test_a_registration_that_was_held_up_does_not_undo_a_later_state() -> None:
    log = Log()
    log.apply(register(sequence=1))
    log.apply(observe(3, State.FAULT, reason="torn"))
    log.apply(Presence(id="press", online=False, reason="silent"))
    log.apply(register(sequence=2, state=State.READY))
    assert (log.row().state, log.row().reason, log.row().sequence) == (State.FAULT, "torn", 3)
    assert log.row().online


def test_a_registration_brings_a_later_state_along() -> None:
    log = Log()
    log.apply(register())
    log.apply(register(sequence=2, state=State.INIT_COMPLETE))
    assert log.kinds == ["component.registered_again"]
    assert (log.row().state, log.row().sequence) == (State.INIT_COMPLETE, 2)


def test_the_registry_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.components.COMPONENTS_MAX", 2)
    log = Log()
    for name in ("a", "b"):
        assert log.apply(register(id=name)).code == ""
    assert log.apply(register(id="c")).code == "registry_full"
    assert log.apply(register(id="a", incarnation="two")).code == "", "who is there may register again"
    assert COMPONENTS_MAX == 10_000


def test_a_component_unregisters() -> None:
    log = Log()
    log.apply(register())
    assert log.apply(Unregister(id="press")) == Result()
    assert log.kinds == ["component.unregistered"]
    assert log.registry.rows == {}
    assert log.apply(Unregister(id="press")).code == "component_unknown"


# ── Reports ────────────────────────────────


def test_a_newer_report_counts() -> None:
    log = Log()
    log.apply(register())
    log.apply(observe(1, State.INITIALIZING))
    assert log.kinds == ["component.state_changed"]
    log.apply(observe(2, State.INITIALIZING, reason="warming up"))
    assert log.kinds == ["component.reported"]
    assert (log.row().state, log.row().reason, log.row().sequence) == (State.INITIALIZING, "warming up", 2)


@pytest.mark.parametrize("sequence", [0, 3, 4])
def test_a_report_that_is_not_newer_changes_nothing(sequence: int) -> None:
    log = Log()
    log.apply(register())
    log.apply(observe(4, State.STOPPED))
    before = log.row()
    assert log.apply(observe(sequence, State.STARTED)).code == ""
    assert (log.kinds, log.row()) == ([], before)


@pytest.mark.parametrize("sequence", [None, 9])
def test_a_report_of_an_earlier_process_is_refused(sequence: int | None) -> None:
    log = Log()
    log.apply(register(incarnation="two"))
    before = log.row()
    assert log.apply(observe(sequence, incarnation="one")).code == "component_superseded"
    assert log.row() == before


def test_a_component_that_keeps_no_sequence_is_taken_as_it_comes() -> None:
    log = Log()
    log.apply(register(incarnation="", sequence=None))
    log.apply(observe(None, State.STARTED, incarnation=""))
    assert log.row().state is State.STARTED
    log.apply(observe(None, State.STARTED, incarnation=""))
    assert log.kinds == []
    log.apply(observe(None, State.READY, incarnation=""))
    assert log.row().state is State.READY
    log.apply(register(incarnation="", sequence=None, state=State.STOPPED))
    assert log.row().state is State.STOPPED


def test_an_unknown_component_is_unknown_to_every_command() -> None:
    log = Log()
    assert log.apply(observe(1)).code == "component_unknown"
    assert log.apply(Presence(id="press", online=True)).code == "component_unknown"


# ── Presence ────────────────────────────────


def test_absence_does_not_overwrite_why_a_component_is_in_fault() -> None:
    log = Log()
    log.apply(register())
    log.apply(observe(1, State.FAULT, reason="the belt is torn"))
    gone = log.apply(Presence(id="press", online=False, reason="no heartbeat for 3.1 s", position=(1, 1)))
    assert log.kinds == ["component.offline"]
    assert (gone.value["presence"], gone.value["reason"]) == ("OFFLINE", "no heartbeat for 3.1 s")
    back = log.apply(Presence(id="press", online=True, reason="heartbeat received", position=(1, 1)))
    assert log.kinds == ["component.online"]
    assert (back.value["presence"], back.value["reason"]) == ("ONLINE", "the belt is torn")


def test_the_same_verdict_again_changes_nothing() -> None:
    log = Log()
    log.apply(register())
    log.apply(Presence(id="press", online=True, reason="heard"))
    assert log.kinds == []


def test_a_verdict_on_an_earlier_registration_is_refused() -> None:
    log = Log()
    log.apply(register())
    log.apply(register(incarnation="two"))
    assert log.apply(Presence(id="press", online=False, position=(1, 1))).code == "component_changed"
    assert log.row().online


# ── What may be sent ────────────────────────────────


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"id": ""}, "id"),
        ({"id": "a/b"}, "id"),
        ({"id": "x" * 65}, "id"),
        ({"name": "n" * 201}, "name"),
        ({"groups": [""]}, "groups"),
        ({"groups": ["g"] * 101}, "groups"),
        ({"state": "ASLEEP"}, "state"),
        ({"sequence": -1}, "sequence"),
        ({"sequence": SEQUENCE_MAX + 1}, "sequence"),
        ({"port": 5}, "port"),
        *(
            ({"address": wrong}, "address")
            for wrong in (
                "",
                "127.0.0.1:9001",
                "ftp://host:1",
                "http://",
                "http://user:word@host:1",
                "http://host:1?x=1",
                "http://host:1#x",
                "http://host:99999",
                "http://host:port",
                "http://ho st:1",
                "http://ho\nst:1",
                "http://ho\x00st:1",
                "http://h:1/" + "x" * 500,
            )
        ),
    ],
)
def test_a_registration_at_fault(members: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ComponentRegistration.model_validate({"id": "press", "address": ADDRESS, **members})
    assert [problem["loc"][0] for problem in caught.value.errors()] == [field]


def test_a_registration_becomes_the_command() -> None:
    registration = ComponentRegistration(
        id="press",
        address=ADDRESS + "/",
        groups=("a", "b"),
        state=State.STARTED,
        incarnation="i",
        sequence=SEQUENCE_MAX,
    )
    command = Register.of(registration)
    assert command.address == ADDRESS
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(command), type=Register) == command


# ── Properties ────────────────────────────────

IDS = st.sampled_from(["a", "b"])
INCARNATIONS = st.sampled_from(["", "one", "two"])
SEQUENCES = st.none() | st.integers(0, 6)
STATES = st.sampled_from(list(State))
POSITIONS = st.none() | st.tuples(st.just(1), st.integers(1, 12))
COMMANDS: st.SearchStrategy[ComponentCommand] = st.one_of(
    st.builds(
        Register,
        id=IDS,
        address=st.sampled_from([ADDRESS, "http://127.0.0.1:9002"]),
        name=st.sampled_from(["", "Press"]),
        groups=st.sampled_from([(), ("line-a",)]),
        state=STATES,
        incarnation=INCARNATIONS,
        sequence=SEQUENCES,
    ),
    st.builds(Unregister, id=IDS),
    st.builds(
        Observe,
        id=IDS,
        state=STATES,
        reason=st.sampled_from(["", "torn"]),
        incarnation=INCARNATIONS,
        sequence=SEQUENCES,
    ),
    st.builds(Presence, id=IDS, online=st.booleans(), reason=st.just("why"), position=POSITIONS),
    st.builds(SelfReport, id=IDS, degraded=st.booleans(), reason=st.sampled_from(["", "hot"]), position=POSITIONS),
    st.builds(
        Declare,
        id=IDS,
        address=st.just(ADDRESS),
        incarnation=INCARNATIONS,
        sequence=SEQUENCES,
        depends_on=st.sampled_from([(), ("c",)]),
        labels=st.sampled_from([{}, {"line": "a"}]),
        heartbeat_s=st.sampled_from([None, 0.5]),
    ),
)


def replay(commands: Sequence[ComponentCommand], onto: ComponentRegistry, first: int = 1) -> list[Any]:
    return [
        onto.apply(
            command.kind,
            msgspec.msgpack.encode(command),
            time=float(index),
            position=(1, index),
            version=getattr(command, "version", 1),
        )
        for index, command in enumerate(commands, first)
    ]


@given(st.lists(COMMANDS, max_size=25), st.integers(0, 25))
def test_a_replay_and_a_snapshot_lead_to_the_same(commands: list[ComponentCommand], cut: int) -> None:
    whole, again = ComponentRegistry(), ComponentRegistry()
    assert replay(commands, whole) == replay(commands, again)
    assert msgspec.msgpack.encode(whole.snapshot()) == msgspec.msgpack.encode(again.snapshot())

    cut = min(cut, len(commands))
    before, after = ComponentRegistry(), ComponentRegistry()
    replay(commands[:cut], before)
    after.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(before.snapshot())))
    assert after.rows == before.rows
    replay(commands[cut:], after, first=cut + 1)
    assert after.rows == whole.rows


@given(st.lists(COMMANDS, max_size=25))
def test_within_one_process_the_sequence_never_goes_back(commands: list[ComponentCommand]) -> None:
    registry = ComponentRegistry()
    for index, command in enumerate(commands, 1):
        held = registry.get(command.id)
        ((result, events),) = replay([command], registry, first=index)
        row = registry.get(command.id)
        if result.code:
            assert row is held
        if not events:
            assert row is held
        if held is None or row is None or held.incarnation != row.incarnation:
            continue
        if held.sequence is not None and isinstance(command, Observe):
            assert row.sequence is not None
            assert row.sequence >= held.sequence
        stale = isinstance(command, Observe | Register) and None not in (command.sequence, held.sequence)
        if stale and command.sequence <= held.sequence:  # type: ignore[union-attr, operator]
            assert (row.state, row.reason, row.sequence) == (held.state, held.reason, held.sequence)


@given(st.lists(st.tuples(st.integers(1, 9), STATES), max_size=12, unique_by=lambda pair: pair[0]), st.randoms())
def test_reports_in_any_order_end_in_the_newest(reports: list[tuple[int, State]], random: Any) -> None:
    registry = ComponentRegistry()
    shuffled = [*reports, *reports]
    random.shuffle(shuffled)
    replay([register(), *(observe(sequence, state) for sequence, state in shuffled)], registry)
    row = registry.get("press")
    assert row is not None
    assert (row.sequence, row.state) == max(reports, default=(0, State.READY))


@given(st.sampled_from(list(KINDS)), st.binary(max_size=60))
def test_any_body_is_applied_or_refused(kind: str, body: bytes) -> None:
    registry = ComponentRegistry()
    registry.apply(kind, body, time=0.0, position=(1, 1))


def test_a_body_nested_without_end_is_refused() -> None:
    nested = b"\x82\xa2id\xa5press\xa7surplus" + b"\x91" * 100_000 + b"\xc0"
    result, events = ComponentRegistry().apply("component.unregister", nested, time=0.0, position=(1, 1))
    assert (result.code, events) == ("invalid_command", [])


@pytest.mark.parametrize("levels", [0, 10, 500, 900])
@pytest.mark.parametrize("depth", [0, 300, 700])
def test_what_a_body_means_does_not_depend_on_who_applies_it(levels: int, depth: int) -> None:
    """A log is applied from different depths of the stack, live and at a restart: every node must decide alike."""
    nested = b"\x82\xa2id\xa5press\xa7surplus" + b"\x91" * levels + b"\xc0"

    def applied(remaining: int) -> str:
        if remaining:
            return applied(remaining - 1)
        result, _ = ComponentRegistry().apply("component.unregister", nested, time=0.0, position=(1, 1))
        return result.code

    assert applied(depth) == "invalid_command"


def test_a_snapshot_of_a_newer_format_is_refused() -> None:
    with pytest.raises(ValueError, match="version 3"):
        ComponentRegistry().restore({"version": 3, "components": []})


@pytest.mark.parametrize(
    "newer",
    [
        SelfReport(id="press", degraded=True, reason="hot"),
        Declare(id="press", address=ADDRESS, depends_on=("io",)),
        Declare(id="press", address=ADDRESS, labels={"line": "a"}),
        Declare(id="press", address=ADDRESS, heartbeat_s=5.0),
    ],
)
def test_a_snapshot_is_one_of_the_release_before_while_nobody_used_what_is_new(newer: ComponentCommand) -> None:
    log = Log()
    log.apply(register())
    old = log.registry.snapshot()
    assert old["version"] == 1
    assert set(old["components"][0]) == {
        *("id", "name", "address", "groups", "state", "online", "reason", "incarnation", "sequence"),
        *("registered_time", "position", "absence"),
    }
    log.apply(newer)
    assert log.registry.snapshot()["version"] == 2
    log.apply(Unregister(id="press"))
    assert log.registry.snapshot() == {"version": 1, "components": []}


# ── Declarations and health ────────────────────────────────


def test_a_component_declares_what_it_needs() -> None:
    registration = ComponentRegistration(
        id="press", address=ADDRESS, depends_on=("io", "air"), labels={"zone": "2", "line": "a"}, heartbeat_s=0.5
    )
    command = Register.of(registration)
    assert isinstance(command, Declare)
    log = Log()
    shown = log.apply(command).value
    assert (shown["depends_on"], shown["labels"], shown["heartbeat_s"]) == (
        ("io", "air"),
        {"line": "a", "zone": "2"},
        0.5,
    )
    log.apply(register(incarnation="two"))
    assert (log.row().depends_on, log.row().labels, log.row().heartbeat_s) == ((), {}, None), "a registration is whole"


def test_a_registration_that_says_nothing_new_is_the_command_of_the_release_before() -> None:
    assert type(Register.of(ComponentRegistration(id="press", address=ADDRESS))) is Register
    assert KINDS[Register.kind] is Register


def test_health_is_what_the_component_says_unless_nobody_hears_it() -> None:
    log = Log()
    log.apply(register())
    assert (log.row().health, log.row().health_reason) == ("OK", "")
    log.apply(SelfReport(id="press", degraded=True, reason="oil is low"))
    assert log.kinds == ["component.degraded"]
    assert (log.row().health, log.row().health_reason, log.row().state) == ("DEGRADED", "oil is low", State.READY)
    log.apply(SelfReport(id="press", degraded=True, reason="oil is low"))
    assert log.kinds == [], "only what changes is an event"
    log.apply(Presence(id="press", online=False, reason="no heartbeat for 3.1 s"))
    assert (log.row().health, log.row().health_reason) == ("UNRESPONSIVE", "no heartbeat for 3.1 s")
    log.apply(Presence(id="press", online=True))
    assert log.row().health == "DEGRADED"
    log.apply(SelfReport(id="press", degraded=False, reason="surplus"))
    assert (log.kinds, log.row().health, log.row().health_reason) == (["component.recovered"], "OK", "")
    assert log.apply(SelfReport(id="ghost", degraded=True)).code == "component_unknown"
    assert log.apply(SelfReport(id="press", degraded=True, position=(9, 9))).code == "component_changed"


def test_a_new_process_is_well_until_it_says_otherwise_and_the_same_one_stays_degraded() -> None:
    log = Log()
    log.apply(register())
    log.apply(SelfReport(id="press", degraded=True, reason="hot"))
    log.apply(register())
    assert (log.kinds, log.row().health) == ([], "DEGRADED")
    log.apply(register(incarnation="two"))
    assert log.row().health == "OK"


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"depends_on": ["press"]}, "depends_on"),
        ({"depends_on": ["a b"]}, "depends_on"),
        ({"depends_on": [f"c{n}" for n in range(101)]}, "depends_on"),
        ({"labels": {"": "x"}}, "labels"),
        ({"labels": {"line": "x" * 201}}, "labels"),
        ({"labels": {f"l{n}": "" for n in range(33)}}, "labels"),
        ({"heartbeat_s": 0.01}, "heartbeat_s"),
        ({"heartbeat_s": 301}, "heartbeat_s"),
        ({"heartbeat_s": "nan"}, "heartbeat_s"),
    ],
)
def test_a_declaration_at_fault(members: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ComponentRegistration.model_validate({"id": "press", "address": ADDRESS, **members})
    assert {problem["loc"][0] for problem in caught.value.errors()} == {field}


def test_a_snapshot_from_before_absence_was_kept_can_be_read() -> None:
    log = Log()
    log.apply(register())
    snapshot = log.registry.snapshot()
    del snapshot["components"][0]["absence"]
    restored = ComponentRegistry()
    restored.restore(snapshot)
    assert restored.rows == log.registry.rows
