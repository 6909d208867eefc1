"""The cluster's own state: claims, fencing, remembered ids, restores. Pure."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster import Command, Epoch, Event, Outcome, Position, SnapshotUnreadable
from cluster.commands import decode, encode, plain
from cluster.core import CLAIM, RESTORE, ClaimBody, Replica, RestoreBody, encode_body
from cluster.snapshot_codec import Snapshot, encode_snapshot
from tests.cluster.machines import Register, command


def replica(dedup_entries: int = 100) -> Replica:
    return Replica(Register(), dedup_entries=dedup_entries)


def claim(node_id: str, id: str) -> Command:
    return Command(CLAIM, encode_body(ClaimBody(node_id)), id, 0.0)


def restore_part(session: str, part: int, parts: int, data: bytes) -> Command:
    return Command(RESTORE, encode_body(RestoreBody(session, part, parts, data)), f"{session}/{part}", 0.0)


def backup(source: Replica) -> bytes:
    state, machine = source.capture()
    return encode_snapshot(Snapshot((b"\x01", 9, 2), (b"\x01", 8, 2), state, machine))


def test_the_same_id_answers_the_first_outcome_and_changes_nothing() -> None:
    state = replica()
    first, events = state.apply(command(value=1, id="a"), Position(1, 2))
    again, no_events = state.apply(command(value=2, id="a"), Position(1, 3))
    assert first.outcome == Outcome(["k", 1])
    assert first.position == Position(1, 2)
    assert not first.duplicate
    assert events == (Event("set", "k", {"value": 1, "index": 2}),)
    assert again == type(again)(first.outcome, Position(1, 2), duplicate=True)
    assert no_events == ()
    assert state.machine.values == {"k": 1}  # type: ignore[attr-defined]


def test_ids_are_forgotten_in_log_order_beyond_the_bound() -> None:
    state = replica(dedup_entries=2)
    for index, name in enumerate("abc", start=2):
        state.apply(command(id=name), Position(1, index))
    assert state.apply(command(id="b"), Position(1, 5))[0].duplicate
    assert not state.apply(command(id="a"), Position(1, 6))[0].duplicate


def sized_claim(entries: int | None) -> Command:
    return Command(CLAIM, encode_body(ClaimBody("n1", entries)), "claim", 0.0)


def test_how_many_ids_are_remembered_is_said_in_the_log_not_in_the_settings_of_each_node() -> None:
    one, other = replica(dedup_entries=2), replica(dedup_entries=50)
    for state in (one, other):
        state.apply(sized_claim(3), Position(1, 2))
        for index, name in enumerate("abcd", start=3):
            state.apply(command(id=name), Position(1, index))
    assert one.capture() == other.capture()
    restored = replica(dedup_entries=1)
    restored.restore(*one.capture())
    for state in (one, restored):
        assert state.apply(command(id="b"), Position(1, 7))[0].duplicate
        assert not state.apply(command(id="a"), Position(1, 8))[0].duplicate
        state.apply(sized_claim(1), Position(2, 9))
        assert state.apply(command(id="a"), Position(2, 10))[0].duplicate
        assert not state.apply(command(id="d"), Position(2, 11))[0].duplicate
    assert one.capture() == restored.capture()


def test_an_id_that_a_user_chose_keeps_nobody_from_leading() -> None:
    state = replica()
    state.apply(command(id="cluster.claim/n1/2/3"), Position(1, 2))
    applied, _ = state.apply(claim("n1", "cluster.claim/n1/2/3"), Position(2, 3))
    assert (applied.outcome.ok, applied.duplicate) == (True, False)
    assert state.claim is not None
    assert state.claim.epoch == Epoch(2, 3)


def test_a_refusal_is_remembered_like_any_outcome() -> None:
    state = replica()
    applied, _ = state.apply(command("refuse", id="a"), Position(1, 2))
    assert (applied.outcome.ok, applied.outcome.code) == (False, "refused_here")
    assert state.apply(command("set", id="a"), Position(1, 3))[0].outcome.code == "refused_here"


def test_a_claim_is_an_epoch_where_it_was_applied() -> None:
    state = replica()
    applied, events = state.apply(claim("n1", "c1"), Position(3, 17))
    assert state.claim is not None
    assert (state.claim.node_id, state.claim.epoch) == ("n1", Epoch(3, 17))
    assert applied.outcome == Outcome("3.17")
    assert events == (Event("cluster.claimed", "n1", {"epoch": "3.17"}),)


@pytest.mark.parametrize(
    ("epoch", "fenced"),
    [
        (Epoch(3, 17), False),
        (Epoch(3, 16), True),
        (Epoch(2, 90), True),
        (Epoch(3, 18), True),
        (Epoch(9, 1), True),
        (None, False),
    ],
)
def test_a_command_of_another_leadership_is_fenced(epoch: Epoch | None, fenced: bool) -> None:
    state = replica()
    state.apply(claim("n1", "c1"), Position(3, 17))
    applied, events = state.apply(command(id="x", epoch=epoch), Position(3, 20))
    assert applied.outcome.code == ("fenced" if fenced else "")
    assert bool(events) is not fenced
    assert state.machine.values == ({} if fenced else {"k": 1})  # type: ignore[attr-defined]
    assert "3.17" in applied.outcome.message or not fenced


def test_an_epoch_before_any_claim_is_fenced() -> None:
    applied, _ = replica().apply(command(epoch=Epoch(1, 1)), Position(1, 2))
    assert applied.outcome.code == "fenced"
    assert "none" in applied.outcome.message


def test_kinds_and_bodies_that_are_not_known_are_refused_not_raised() -> None:
    state = replica()
    assert state.apply(Command("cluster.fly", b"", "a", 0.0), Position(1, 2))[0].outcome.code == "unknown_kind"
    newer = Command(CLAIM, encode_body(ClaimBody("n1")), "b", 0.0, version=2)
    assert state.apply(newer, Position(1, 3))[0].outcome.code == "unknown_kind"
    assert state.apply(Command(CLAIM, b"\xc1", "c", 0.0), Position(1, 4))[0].outcome.code == "malformed"
    assert state.claim is None


def test_what_is_captured_is_restored_with_claim_and_ids() -> None:
    state, copy = replica(), replica()
    state.apply(claim("n1", "c1"), Position(1, 2))
    state.apply(command(value=7, id="a"), Position(1, 3))
    copy.restore(*state.capture())
    assert copy.capture() == state.capture()
    assert copy.claim == state.claim
    assert copy.apply(command(value=8, id="a"), Position(1, 4))[0].outcome == Outcome(["k", 7])


def test_a_state_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(SnapshotUnreadable, match="cannot be read"):
        replica().restore(b"\xc1", b"")
    newer = msgspec.msgpack.encode({"format": 2, "claim": None, "remembered": [], "session": "", "parts": []})
    with pytest.raises(SnapshotUnreadable, match="format 2"):
        replica().restore(newer, b"")


def test_a_restore_in_parts_replaces_the_state_but_not_the_claim() -> None:
    source, state = replica(), replica()
    source.apply(command(key="old", id="o"), Position(1, 2))
    data = backup(source)
    state.apply(claim("n2", "c"), Position(4, 5))
    state.apply(command(key="new", id="n"), Position(4, 6))
    half = len(data) // 2
    assert state.apply(restore_part("s", 0, 2, data[:half]), Position(4, 7))[0].outcome.ok
    copy = replica()
    copy.restore(*state.capture())  # a snapshot taken between two parts carries the first
    for one in (state, copy):
        applied, events = one.apply(restore_part("s", 1, 2, data[half:]), Position(4, 8))
        assert applied.outcome == Outcome(9)
        assert events == (Event("cluster.restored", "cluster", {"index": 9}),)
        assert one.machine.values == {"old": 1}  # type: ignore[attr-defined]
        assert one.claim is not None
        assert one.claim.node_id == "n2"
        assert one.apply(command(id="o"), Position(4, 9))[0].duplicate
    assert state.capture() == copy.capture()


def test_the_claims_of_a_restored_log_do_not_answer_for_those_of_this_one() -> None:
    """Their ids name term and index, and a rebuilt cluster counts from the beginning again."""
    source, state = replica(), replica()
    source.apply(claim("n1", f"{CLAIM}/n1/2/5"), Position(2, 5))
    state.apply(claim("n1", f"{CLAIM}/n1/1/2"), Position(1, 2))
    assert state.apply(restore_part("s", 0, 1, backup(source)), Position(1, 3))[0].outcome.ok
    applied, _ = state.apply(claim("n1", f"{CLAIM}/n1/2/5"), Position(2, 5))
    assert not applied.duplicate
    assert state.claim is not None
    assert state.claim.epoch == Epoch(2, 5)


def test_a_restore_that_the_machine_does_not_take_changes_nothing() -> None:
    state = replica()
    state.apply(command(id="a"), Position(1, 2))
    bad = encode_snapshot(Snapshot((b"\x01", 9, 2), (b"\x01", 8, 2), replica().capture()[0], b"\xc1"))
    assert state.apply(restore_part("s", 0, 1, bad), Position(1, 3))[0].outcome.code == "restore_refused"
    assert state.machine.values == {"k": 1}  # type: ignore[attr-defined]
    assert state.apply(command(id="a"), Position(1, 4))[0].duplicate


def test_parts_of_two_restores_do_not_mix() -> None:
    state = replica()
    data = backup(replica())
    state.apply(restore_part("one", 0, 2, data[:10]), Position(1, 2))
    state.apply(restore_part("two", 0, 2, data[:10]), Position(1, 3))
    assert state.apply(restore_part("one", 1, 2, data[10:]), Position(1, 4))[0].outcome.code == "restore_interrupted"
    assert state.apply(restore_part("two", 1, 2, data[10:]), Position(1, 5))[0].outcome.ok


def test_a_restore_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.core.RESTORE_BYTES_MAX", 10)
    state = replica()
    assert state.apply(restore_part("s", 0, 2, b"x" * 11), Position(1, 2))[0].outcome.code == "restore_too_large"


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(value=values, epoch=st.none() | st.builds(Epoch, st.integers(0, 2**63), st.integers(0, 2**63)))
def test_a_command_survives_its_encoding(value: Any, epoch: Epoch | None) -> None:
    sent = command(value=value, epoch=epoch)
    assert decode(encode(sent)) == sent
    assert plain(value) == value


steps = st.lists(
    st.tuples(
        st.sampled_from(["set", "refuse", "claim"]), st.sampled_from("abcdefgh"), st.integers(0, 3), st.booleans()
    ),
    max_size=40,
)


@given(steps=steps, cut=st.integers(0, 40), dedup=st.integers(1, 6))
def test_a_replica_restored_anywhere_goes_on_exactly_like_the_others(
    steps: list[tuple[str, str, int, bool]], cut: int, dedup: int
) -> None:
    whole, restored = replica(dedup), replica(dedup)
    for index, (kind, id, value, fenced) in enumerate(steps, start=2):
        if index - 2 == cut:
            fresh = replica(dedup)
            fresh.restore(*restored.capture())
            restored = fresh
        epoch = Epoch(1, value) if fenced else None
        step = claim(id, id) if kind == "claim" else command(kind, key=id, value=(value, b"x"), id=id, epoch=epoch)
        assert whole.apply(step, Position(1, index)) == restored.apply(step, Position(1, index))
    assert whole.capture() == restored.capture()


@given(st.integers(0, 2**62), st.integers(0, 2**62))
def test_an_epoch_is_read_as_it_is_written(term: int, index: int) -> None:
    assert Epoch.parse(str(Epoch(term, index))) == Epoch(term, index)


@pytest.mark.parametrize("text", ["", "3", "3.", ".17", "3.x", "-3.1", "3.17.1", "٣.1"])
def test_what_is_not_an_epoch_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an epoch"):
        Epoch.parse(text)


def test_epochs_are_ordered_by_term_then_index() -> None:
    assert sorted([Epoch(2, 1), Epoch(1, 9), Epoch(1, 2)]) == [Epoch(1, 2), Epoch(1, 9), Epoch(2, 1)]


# ── Keys ────────────────────────────────


def keyed(id: str, key: str, request: str, kind: str = "set") -> Command:
    made = command(kind, key=id, id=id)
    return Command(kind, made.body, id, 0.0, key=key, request=request)


def test_a_key_belongs_to_the_first_request_that_used_it() -> None:
    state = replica()
    assert state.apply(keyed("a", "ada/k", "r1"), Position(1, 2))[0].outcome.ok
    assert state.apply(keyed("b", "ada/k", "r1"), Position(1, 3))[0].outcome.ok, "a second command of that request"
    refused, events = state.apply(keyed("c", "ada/k", "r2"), Position(1, 4))
    assert (refused.outcome.code, refused.duplicate, events) == ("key_reused", False, ())
    assert state.apply(keyed("c", "bob/k", "r2"), Position(1, 5))[0].outcome.ok, "another one's key"
    assert state.apply(keyed("a", "ada/k", "r1"), Position(1, 6))[0].duplicate
    assert state.machine.values == {"a": 1, "b": 1, "c": 1}  # type: ignore[attr-defined]
    assert (state.request_of("ada/k"), state.request_of("nobody/k")) == ("r1", None)


def test_a_refusal_of_the_machine_takes_the_key_too_and_a_refused_key_takes_nothing() -> None:
    state = replica()
    assert state.apply(keyed("a", "k", "r1", "refuse"), Position(1, 2))[0].outcome.code == "refused_here"
    assert state.apply(keyed("b", "k", "r2"), Position(1, 3))[0].outcome.code == "key_reused"
    assert state.apply(keyed("b", "other", "r2"), Position(1, 4))[0].outcome.ok, "its id was not used up"


def test_a_key_is_free_again_with_the_last_of_its_ids() -> None:
    state = replica(dedup_entries=2)
    state.apply(keyed("a", "k", "r1"), Position(1, 2))
    state.apply(keyed("b", "k", "r1"), Position(1, 3))
    state.apply(command(id="c"), Position(1, 4))
    assert state.request_of("k") == "r1"
    state.apply(command(id="d"), Position(1, 5))
    assert state.request_of("k") is None
    assert state.apply(keyed("e", "k", "r2"), Position(1, 6))[0].outcome.ok


def test_keys_come_back_with_a_snapshot_and_with_a_backup() -> None:
    state, copy, other = replica(), replica(), replica()
    state.apply(keyed("a", "k", "r1"), Position(1, 2))
    copy.restore(*state.capture())
    other.apply(keyed("z", "mine", "r9"), Position(1, 2))
    other.apply(restore_part("s", 0, 1, backup(state)), Position(1, 3))
    for one in (copy, other):
        assert one.apply(keyed("b", "k", "r2"), Position(1, 4))[0].outcome.code == "key_reused"
    assert (other.request_of("mine"), copy.capture() == state.capture()) == (None, True)


def test_ids_that_an_earlier_release_remembered_are_read() -> None:
    state = replica()
    old = {"format": 1, "claim": None, "remembered": [["a", [{"value": 1}, {"term": 1, "index": 2}]]], "session": ""}
    state.restore(msgspec.msgpack.encode({**old, "parts": []}), Register().snapshot())
    assert state.apply(command(id="a"), Position(1, 3))[0].duplicate


@given(
    steps=st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("kl"), st.sampled_from("rs")), max_size=40),
    cut=st.integers(0, 40),
    dedup=st.integers(1, 4),
)
def test_keys_are_the_same_on_a_replica_restored_anywhere(
    steps: list[tuple[str, str, str]], cut: int, dedup: int
) -> None:
    whole, restored = replica(dedup), replica(dedup)
    for index, (id, key, request) in enumerate(steps, start=2):
        if index - 2 == cut:
            fresh = replica(dedup)
            fresh.restore(*restored.capture())
            restored = fresh
        step = keyed(f"{id}/{key}/{request}", key, request)
        assert whole.apply(step, Position(1, index)) == restored.apply(step, Position(1, index))
        held = {row.key: row.request for row in whole._remembered.values()}
        assert held == {name: request for name, (request, _) in whole._keys.items()}
    assert whole.capture() == restored.capture()


def test_what_says_nothing_is_left_out_of_a_command() -> None:
    """An earlier release knows neither actor nor key, and a log of it reads as ever."""
    plain_one = command(value=1, id="a")
    assert set(msgspec.msgpack.decode(encode(plain_one))) == {"kind", "body", "id", "time"}
    old = msgspec.msgpack.encode(
        {"kind": "set", "body": b"", "id": "a", "time": 1.0, "epoch": None, "version": 1, "from_the_future": [1]}
    )
    assert decode(old) == Command("set", b"", "a", 1.0)
    told = Command("set", b"", "a", 1.0, actor={"id": "ada"}, key="k", request="r")
    assert decode(encode(told)) == told


class Keeping(Register):
    """Keeps what it was told of across a restore."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Any] = []

    def replace(self, data: bytes, command: Command, position: Position, index: int) -> tuple[Event, ...]:
        """Become what `data` holds."""
        self.restore(data)
        self.told.append(("replaced", command.actor, position.index, index))
        return (Event("kept", "it"),)

    def led(self, node_id: str, epoch: Epoch) -> None:
        """Someone leads."""
        self.told.append((node_id, str(epoch)))


def test_a_machine_may_keep_what_belongs_to_this_log_and_know_who_leads() -> None:
    machine = Keeping()
    state = Replica(machine, dedup_entries=10)
    state.apply(claim("n1", "c"), Position(2, 3))
    part = restore_part("s", 0, 1, backup(replica()))
    named = Command(part.kind, part.body, part.id, 0.0, actor={"id": "ada"})
    applied, events = state.apply(named, Position(2, 4))
    assert [event.kind for event in events] == ["cluster.restored", "kept"]
    assert machine.told == [("n1", "2.3"), ("replaced", {"id": "ada"}, 4, 9)]
    bad = encode_snapshot(Snapshot((b"\x01", 9, 2), (b"\x01", 8, 2), replica().capture()[0], b"\xc1"))
    assert state.apply(restore_part("t", 0, 1, bad), Position(2, 5))[0].outcome.code == "restore_refused"
    copy = Replica(Keeping(), dedup_entries=10)
    copy.restore(*state.capture())
    assert copy.machine.told == [("n1", "2.3")]  # type: ignore[attr-defined]
    assert applied.outcome.ok
