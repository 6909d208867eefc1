"""What a watch tells, over the replicated state alone: a snapshot and what changed since are a snapshot later."""

import json
from collections.abc import Iterable
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster import Change, Command, Event, Position
from framebuffer import registry as processors
from framebuffer.models import ProcessorRegistration
from orchestrator.api.watch_rows import Rows, entry
from orchestrator.components import Observe, Presence, Register, Unregister
from orchestrator.lifecycle import State
from orchestrator.monitoring import alerts
from orchestrator.monitoring.alert_commands import Member, Notified, Record, Report, Silence, Unsilence
from orchestrator.playbooks import registry as executions
from orchestrator.playbooks.execution import Control, PlaybookPut, Start
from orchestrator.state import PlantState
from orchestrator.topology.models import GroupModel
from orchestrator.topology.rows import DeleteGroup, DeletePolicy, Desire, PutGroup
from orchestrator.variables import Delete, Set
from orchestrator.watching import mailbox
from orchestrator.watching.mailbox import Mailbox, Message
from orchestrator.watching.subjects import LOGGED, touched
from tests.orchestrator.test_execution_registry import COMMANDS as EXECUTION_COMMANDS
from tests.orchestrator.test_execution_registry import NAMES

NOW = 1_000.0
SUBJECTS_OF_STATE = [each for each in LOGGED if each not in ("cluster", "playbooks")]
"""Those whose rows are made of the replicated state and nothing else."""

components = st.sampled_from(["a", "b", "c", "d"])
names = st.sampled_from(["g", "h", "i"])
picks = st.integers(0, 3)
few = st.lists(components, max_size=3, unique=True).map(tuple)
commands = st.one_of(
    st.builds(
        lambda each, groups, state: Register(id=each, address="http://h:1", groups=groups, state=state),
        components, st.lists(names, max_size=2, unique=True).map(tuple), st.sampled_from(list(State)),
    ),
    st.builds(lambda each: Unregister(id=each), components),
    st.builds(lambda each, state: Observe(id=each, state=state), components, st.sampled_from(list(State))),
    st.builds(lambda each, on: Presence(id=each, online=on, reason="silent"), components, st.booleans()),
    st.builds(lambda name, ids, groups: PutGroup.of(name, GroupModel(components=ids, groups=groups)), names, few,
              st.lists(names, max_size=2, unique=True).map(tuple)),
    st.builds(lambda name: DeleteGroup(name=name), names),
    st.builds(lambda ids: Desire(ids=ids or ("a",), state="STARTED"), few),
    st.builds(lambda each: DeletePolicy(id=each), components),
    st.builds(lambda each, value: Set.of(each, value), components, st.integers(0, 3)),
    st.builds(lambda each: Delete(name=each), components),
    st.builds(lambda each, n: processors.Register.of(
        ProcessorRegistration(id=each, capabilities=("face",), capacity=n), token="t"), components, st.integers(1, 3)),
    st.builds(lambda each: processors.Unregister(id=each), components),
    st.builds(lambda rule, ids: Record(reports=(Report(rule=rule, group="", severity="error", summary="s",
              members=tuple(Member(subject=each, value=None, reason="r") for each in ids), total=len(ids)),)),
              st.sampled_from(["r1", "r2"]), few),
    st.builds(lambda n: lambda state: Notified(id=_one(state.alerts.firing.values(), n), phase="fired"), picks),
    st.builds(lambda rule, until: Silence(rule=rule, subject="*", severity="", until=until, by="Ada", reason="x"),
              st.sampled_from(["r1", "*"]), st.sampled_from([2_000.0, 5_000.0])),
    EXECUTION_COMMANDS,
    EXECUTION_COMMANDS,
    EXECUTION_COMMANDS,
    st.builds(lambda n: lambda state: Unsilence(id=_one(state.alerts.silences.values(), n)), picks),
)  # fmt: skip


def _one(rows: Iterable[Any], pick: int) -> str:
    """The id of one of these, one that is not there where there is none."""
    ids = [row.id for row in rows]
    return ids[pick % len(ids)] if ids else "none"


class Plant:
    """A state, the changes of its log, and what one node's watch makes of them."""

    def __init__(self) -> None:
        self.state = PlantState()
        self.index = 0
        self.log: list[Change] = []
        self.rows = Rows(cast(Any, None), cast(Any, None))

    def apply(self, body: Any) -> None:
        self.index += 1
        body = body(self.state) if callable(body) else body
        command = Command(body.kind, msgspec.msgpack.encode(body), id=str(self.index), time=float(self.index))
        _, events = self.state.apply(command, Position(1, self.index))
        if events:
            self.log.append(Change(self.index, tuple(events)))

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """By way of a node of its own: it must not know more than what the state holds."""
        whole, rows = self.state.whole(), Rows(cast(Any, None), cast(Any, None))
        return {
            subject: {name: json.loads(row) for name, row in rows.all(whole, subject, NOW)}
            for subject in SUBJECTS_OF_STATE
        }

    def told(self, change: Change) -> list[dict[str, Any]]:
        return [
            json.loads(entry(each.subject, name, each.kind, row))
            for each in touched(change.events)
            if each.subject in SUBJECTS_OF_STATE
            for name, row in self.rows.of(self.state, each, NOW)
        ]


def merged(held: dict[str, dict[str, Any]], changes: list[dict[str, Any]]) -> None:
    for each in changes:
        if each["row"] is None:
            held[each["subject"]].pop(each["id"], None)
        else:
            held[each["subject"]][each["id"]] = each["row"]


@settings(max_examples=40)
@given(st.lists(commands, max_size=12), st.lists(st.lists(commands, min_size=1, max_size=4), max_size=8))
def test_a_snapshot_and_the_changes_behind_it_are_a_snapshot_later(before: list[Any], batches: list[list[Any]]) -> None:
    _gone_through(before, batches)


def _fired(*members: str) -> Record:
    report = Report(
        rule="r",
        group="",
        severity="error",
        summary="s",
        members=tuple(Member(subject=each, value=None, reason="r") for each in members),
        total=len(members),
    )
    return Record(reports=(report,))


@pytest.mark.parametrize(
    "batch",
    [
        [_fired("a"), _fired(), _fired("a"), _fired()],
        [Start(id="e1", playbook=NAMES[0]), Control(id="e1", action="cancel", name="force"),
         Start(id="e2", playbook=NAMES[0]), Control(id="e2", action="cancel", name="force")],
        [Silence(rule="*", subject="*", severity="", until=until, by="Ada", reason="x") for until in (-1e9, 5e3)],
    ],
    ids=["alerts", "executions", "silences"],
)  # fmt: skip
def test_what_is_forgotten_for_newer_ones_is_told(monkeypatch: pytest.MonkeyPatch, batch: list[Any]) -> None:
    monkeypatch.setattr(alerts, "RESOLVED_MAX", 1)
    monkeypatch.setattr(executions, "ENDED_KEPT_MAX", 1)
    plant = _gone_through([], [[body] for body in batch])
    assert any(event.kind.endswith(".forgotten") for change in plant.log for event in change.events)


def _gone_through(before: list[Any], batches: list[list[Any]]) -> Plant:
    plant = Plant()
    for body in [*(PlaybookPut(name=name, text="0") for name in NAMES), *before]:
        plant.apply(body)
    held, seen = plant.snapshot(), len(plant.log)
    for batch in batches:
        for body in batch:
            plant.apply(body)
        # The watch comes to them when the state is ahead by some.
        for change in plant.log[seen:]:
            merged(held, plant.told(change))
        seen = len(plant.log)
        assert held == plant.snapshot()
    return plant


def test_a_change_names_each_row_once() -> None:
    events = [Event("component.state_changed", "a"), Event("supervision.ended", "a"), Event("component.reported", "a")]
    found = [(each.subject, each.id, each.kind) for each in touched(events)]
    assert found == [
        ("policies", "a", "supervision.ended"),
        ("components", "a", "component.reported"),
        ("groups", "component:a", "component.reported"),
    ]


def test_a_mailbox_is_bounded_and_ends_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox, "MESSAGES_MAX", 3)
    woken: list[str] = []
    box = Mailbox(["variables"], lambda: woken.append(box.ended))
    for number in range(3):
        box.put(Message("change", b"{}", number))
    box.put_passing(Message("figures", b"1"))
    box.put_passing(Message("figures", b"2"))
    assert [(each.index, each.data) for each in box.take()] == [(0, b"{}"), (1, b"{}"), (2, b"{}"), (None, b"2")]
    assert box.empty
    for number in range(4):
        box.put(Message("change", b"{}", number))
    assert (box.ended, box.take(), woken) == ("slow", [], ["slow"])
    box.end("stopping")
    box.put(Message("change", b"{}", 9))
    assert (box.ended, box.empty) == ("slow", True)


def test_a_message_looks_alike_in_both_forms() -> None:
    told = Message("change", b'{"index":7}', 7)
    assert told.sse() == b'id: 7\nevent: change\ndata: {"index":7}\n\n'
    assert json.loads(told.frame()) == {"id": 7, "event": "change", "data": {"index": 7}}
    assert Message("figures", b"{}").sse() == b"event: figures\ndata: {}\n\n"
    assert Message("alive", b"{}", 9).sse() == b": alive\nid: 9\n\n"
