"""What is entered in the audit, and what the chain of it proves. Pure."""

import hashlib
import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster import Command, Epoch, Outcome, Position
from framebuffer import registry as processors
from framebuffer.models import ProcessorRegistration
from orchestrator import state as state_module
from orchestrator import variables
from orchestrator.access.limits import Limits
from orchestrator.access.limits import Put as PutLimits
from orchestrator.audit import chain as chains
from orchestrator.audit import subjects
from orchestrator.audit.chain import REFUSALS_MAX, AuditChain, Note
from orchestrator.audit.entry import GENESIS, ROW_BYTES_MAX, Entry, hashed, rfc3339, text_of
from orchestrator.components import BODIES as COMPONENT_BODIES
from orchestrator.components import Observe, Register
from orchestrator.leaderships import Noted
from orchestrator.lifecycle import State
from orchestrator.monitoring.alert_commands import Silence
from orchestrator.playbooks.execution import Control, PlaybookPut, Start
from orchestrator.state import PlantState
from orchestrator.topology.rows import Desire, Maintain

ALL_KINDS = [found for name, found in vars(state_module).items() if name.endswith("_KINDS")] + [processors.KINDS]
"""Of every registry that the state routes to."""
ADA = {"kind": "token", "id": "ada", "name": "Ada", "role": "operator", "address": "10.0.0.9", "node": "n2"}
PRESS = {"kind": "token", "id": "press", "role": "component"}


def apply(
    state: PlantState, body: Any, index: int, actor: dict[str, str] | None = ADA, *, time: float | None = None
) -> Outcome:
    data = msgspec.msgpack.encode(body)
    at = float(index) if time is None else time
    outcome, _ = state.apply(Command(body.kind, data, str(index), at, actor=actor), Position(3, index))
    return outcome


def last(state: PlantState) -> Entry:
    return state.audit.entries[-1]


def test_a_change_is_entered_with_who_what_before_and_after() -> None:
    state = PlantState()
    state.led("n1", Epoch(3, 1))
    apply(state, variables.Set.of("speed", 120), 5)
    apply(state, variables.Set.of("speed", 90), 6)
    first, second = state.audit.entries
    assert (first.number, first.index, first.epoch, first.time) == (1, 5, "3.1", "1970-01-01T00:00:05.000Z")
    assert (first.kind, first.subject, first.id, first.outcome) == ("variable.set", "variables", "speed", "done")
    assert first.actor == ADA
    assert first.before is None
    assert first.after == second.before == {"name": "speed", "value": "120", "revision": 5, "time": 5.0}
    assert second.after["value"] == "90"
    assert (first.previous, second.previous) == (GENESIS, first.hash)


def test_the_hash_is_that_of_the_text_without_it() -> None:
    """By means of the standard library alone: what a stranger would compute from a line of a file."""
    state = PlantState()
    apply(state, variables.Set.of("size", {"a": [1.5, None, "ü"]}), 5)
    line = json.loads(text_of(last(state)))
    claimed = line.pop("hash")
    text = json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest() == claimed == state.audit.hash


def test_commands_without_an_actor_and_reports_leave_no_entry() -> None:
    state = PlantState()
    apply(state, Register(id="press", address="http://127.0.0.1:1", incarnation="i", sequence=0), 2, actor=None)
    apply(state, Observe(id="press", state=State.STARTED, reason="", incarnation="i", sequence=1), 3, actor=PRESS)
    assert state.audit.untouched
    assert state.components.rows["press"].state == State.STARTED


def test_a_registration_is_entered_and_the_same_again_is_not() -> None:
    state = PlantState()
    body = Register(id="press", address="http://127.0.0.1:1", incarnation="i", sequence=0)
    for index in (2, 3):
        apply(state, body, index, actor=PRESS)
    assert [(entry.subject, entry.id, entry.after["address"]) for entry in state.audit.entries] == [
        ("components", "press", "http://127.0.0.1:1")
    ]


def test_no_secret_is_told() -> None:
    state = PlantState()
    registration = ProcessorRegistration(id="faces", capabilities=("face",), capacity=4)
    apply(state, processors.Register.of(registration, token="owners-secret"), 2)
    assert last(state).after["capacity"] == 4
    assert b"owners-secret" not in text_of(last(state))


def test_a_playbook_is_told_by_version_and_digest() -> None:
    state = PlantState()
    text = "name: x\n" + "# long\n" * 5_000
    apply(state, PlaybookPut(name="x", text=text), 2)
    assert last(state).after == {
        "version": 1,
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "bytes": len(text),
        "who": "",
    }
    apply(state, Start(id="x-1", playbook="x"), 3)
    assert (last(state).subject, last(state).after["status"]) == ("executions", "RUNNING")
    apply(state, Control(id="x-1", action="pause"), 4)
    assert (last(state).before["status"], last(state).after["status"]) == ("RUNNING", "PAUSED")


def test_a_command_about_several_rows_tells_each() -> None:
    state = PlantState()
    apply(state, Register(id="press", address="http://127.0.0.1:1", incarnation="i", sequence=0), 1)
    apply(state, Register(id="saw", address="http://127.0.0.1:2", incarnation="i", sequence=0), 2)
    apply(state, Desire(ids=("press", "saw"), state="STARTED", by="Ada"), 3)
    entry = last(state)
    assert (entry.kind, entry.subject, entry.id) == ("desired.set", "policies", "press,saw")
    assert entry.before is None
    assert {name: row["desired"] for name, row in entry.after.items()} == {"press": "STARTED", "saw": "STARTED"}
    apply(state, Maintain(ids=("press",), on=True, reason="oil"), 4)
    assert last(state).before["maintenance"] is None
    assert last(state).after["maintenance"]["reason"] == "oil"


def test_an_id_that_only_the_outcome_tells() -> None:
    state = PlantState()
    body = Silence(rule="*", subject="*", severity="", until=99.0, by="Ada", reason="work")
    given_id = apply(state, body, 7).value["id"]
    assert (last(state).subject, last(state).id, last(state).after["reason"]) == ("silences", given_id, "work")


def test_a_row_that_is_too_large_is_told_by_its_digest() -> None:
    state = PlantState()
    apply(state, variables.Set.of("big", "x" * 10_000), 2)
    assert set(last(state).after) == {"sha256", "bytes"}
    assert last(state).after["bytes"] > ROW_BYTES_MAX


def test_a_kind_that_is_not_known_here_is_entered_all_the_same() -> None:
    state = PlantState()
    command = Command("lamp.light", msgspec.msgpack.encode({"id": "l1", "secret": "s"}), "x", 1.0, actor=ADA)
    outcome, _ = state.apply(command, Position(1, 2))
    assert outcome.code == "unknown_command"
    assert (last(state).kind, last(state).subject, last(state).outcome) == ("lamp.light", "lamps", "unknown_command")
    assert b'"s"' not in text_of(last(state))


def test_refusals_of_people_are_entered_and_bounded() -> None:
    state = PlantState()
    for index in range(2, 2 + 3 * REFUSALS_MAX):
        outcome = apply(state, variables.Delete(name="none"), index, time=1000.0)
        assert outcome.code == "variable_unknown"
    assert len(state.audit.entries) == REFUSALS_MAX
    assert last(state).outcome == "variable_unknown"
    assert (last(state).before, last(state).after) == (None, None)
    assert state.audit.head().left_out == 2 * REFUSALS_MAX
    apply(state, variables.Delete(name="none"), 90, actor=PRESS, time=2000.0)
    assert state.audit.number == REFUSALS_MAX, "a machine's refusals are not kept"
    apply(state, variables.Delete(name="none"), 91, time=2000.0)
    assert state.audit.number == REFUSALS_MAX + 1, "another minute"


@pytest.mark.parametrize("time", [math.nan, math.inf, -math.inf, 1e300])
def test_no_time_stops_a_node(time: float) -> None:
    state = PlantState()
    apply(state, variables.Delete(name="none"), 2, time=time)
    apply(state, variables.Set.of("speed", 1), 3, time=time)
    assert [hashed(entry) == entry.hash for entry in state.audit.entries] == [True, True]


def test_a_note_is_entered_as_what_it_says() -> None:
    state = PlantState()
    note = Note(
        action="component.command", subject="components", id="press", outcome="intended", after={"command": "CMD_START"}
    )
    assert apply(state, note, 2).value == {"number": 1}
    assert (last(state).kind, last(state).outcome, last(state).after) == (
        "component.command",
        "intended",
        {"command": "CMD_START"},
    )
    command = Command(Note.kind, b"\xc1", "x", 1.0, actor=ADA)
    assert state.apply(command, Position(1, 3))[0].code == "invalid_command"
    assert state.audit.number == 1


def test_a_name_that_is_long_is_cut() -> None:
    state = PlantState()
    apply(state, Note(action="a" * 500, subject="s", id="i" * 500, outcome="done"), 2, actor={**ADA, "name": "n" * 999})
    assert [len(text) for text in (last(state).kind, last(state).id, last(state).actor["name"])] == [200, 200, 200]


def test_the_state_keeps_so_many_entries_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chains, "ENTRIES_MAX", 5)
    state = PlantState()
    for index in range(2, 12):
        apply(state, variables.Set.of("speed", index), index)
    assert [entry.number for entry in state.audit.entries] == [6, 7, 8, 9, 10]
    assert (state.audit.head().number, state.audit.head().first) == (10, 6)
    monkeypatch.setattr(chains, "BYTES_MAX", 1_200)
    apply(state, variables.Set.of("speed", 1), 12)
    assert sum(len(text_of(entry)) for entry in state.audit.entries) <= 1_200
    assert state.audit.head().number == 11


def test_a_restore_from_a_backup_is_an_entry_and_the_chain_goes_on() -> None:
    old = PlantState()
    apply(old, variables.Set.of("old", 1), 2)
    state = PlantState()
    state.led("n1", Epoch(3, 1))
    apply(state, variables.Set.of("new", 1), 2)
    head = state.audit.head()
    command = Command("cluster.restore", b"", "r", 9.0, actor=ADA)
    events = state.replace(old.snapshot(), command, Position(3, 9), 777)
    assert set(state.variables.rows) == {"old"}
    entry = last(state)
    assert [event.kind for event in events] == ["audit.entered"]
    assert (entry.number, entry.previous, entry.kind, entry.epoch) == (2, head.hash, "cluster.restore", "3.1")
    assert entry.after["index"] == 777
    assert entry.after["audit"] == {"number": 1, "hash": old.audit.hash}


def test_a_restore_that_fails_leaves_the_audit_as_it_is() -> None:
    state = PlantState()
    apply(state, variables.Set.of("new", 1), 2)
    before = state.snapshot()
    with pytest.raises(Exception, match="cannot be read"):
        state.replace(b"\xc1", Command("cluster.restore", b"", "r", 9.0, actor=ADA), Position(3, 9), 7)
    assert state.snapshot() == before


def test_without_an_actor_or_an_entry_a_restore_leaves_none() -> None:
    """As long as a member may not know the audit, nothing of it comes to be."""
    state = PlantState()
    assert state.replace(PlantState().snapshot(), Command("cluster.restore", b"", "r", 9.0), Position(3, 9), 7) == ()
    assert state.audit.untouched
    assert b"audit" not in state.snapshot()


bodies = st.one_of(
    st.builds(variables.Set.of, st.sampled_from("abc"), st.integers(0, 9)),
    st.builds(variables.Delete, name=st.sampled_from("abc")),
    st.builds(Desire, ids=st.sampled_from([("a",), ("a", "b")]), state=st.sampled_from(["", "STARTED"])),
    st.builds(Note, action=st.text(max_size=5), subject=st.just("s"), id=st.text(max_size=3), outcome=st.just("done")),
)
actors = st.sampled_from([None, ADA, PRESS])


@given(steps=st.lists(st.tuples(bodies, actors), max_size=30), cut=st.integers(0, 30))
def test_a_node_that_was_restored_anywhere_has_the_same_chain(steps: list[tuple[Any, Any]], cut: int) -> None:
    whole, restored = PlantState(), PlantState()
    for state in (whole, restored):
        state.led("n1", Epoch(1, 1))
    for index, (body, actor) in enumerate(steps, start=2):
        if index - 2 == cut:
            fresh = PlantState()
            fresh.led("n1", Epoch(1, 1))
            fresh.restore(restored.snapshot())
            restored = fresh
        if isinstance(body, Note) and actor is None:
            continue
        assert apply(whole, body, index, actor) == apply(restored, body, index, actor)
    assert whole.snapshot() == restored.snapshot()
    entries = whole.audit.entries
    assert [entry.number for entry in entries] == list(range(1, len(entries) + 1))
    assert [entry.previous for entry in entries] == [GENESIS, *(entry.hash for entry in entries)][: len(entries)]
    assert all(hashed(entry) == entry.hash for entry in entries)


def test_a_chain_of_a_later_release_is_refused() -> None:
    with pytest.raises(ValueError, match="version 2"):
        AuditChain().restore({"version": 2})


def test_a_time_is_shown_to_the_millisecond() -> None:
    assert rfc3339(1_777_876_202.5) == "2026-05-04T06:30:02.500Z"


def test_every_kind_of_the_state_is_a_report_or_tells_its_rows() -> None:
    """A kind that is added gets a line in `orchestrator.audit.subjects`; without one its entries tell no rows."""
    known = [Noted.kind, *(kind for kind, _ in COMPONENT_BODIES), *(kind for found in ALL_KINDS for kind in found)]
    assert len(known) > 30
    assert [kind for kind in known if kind not in subjects.REPORTS and kind not in subjects._KINDS] == []


def test_limits_are_told_as_they_were_and_are() -> None:
    state = PlantState()
    apply(state, PutLimits(limits=Limits(failures_per_minute=7)), 2)
    entry = last(state)
    assert (entry.subject, entry.id) == ("limits", "requests")
    assert (entry.before["failures_per_minute"], entry.after["failures_per_minute"]) == (30, 7)
