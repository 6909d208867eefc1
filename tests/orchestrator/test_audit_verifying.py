"""What the chain of the audit proves: whatever is done to it is found, and where. Pure, but for the trail's files."""

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from orchestrator.audit import trail as trails
from orchestrator.audit.chain import AuditChain
from orchestrator.audit.entry import GENESIS, Entry, hash_of, text_of
from orchestrator.audit.trail import Trail, gap_line, lines, segments
from orchestrator.audit.verifying import Misfit, Verified, complete_up_to, verify
from tests.support import eventually_sync

ADA = {"kind": "token", "id": "ada", "role": "operator"}


def made(count: int) -> tuple[Entry, ...]:
    chain = AuditChain()
    for at in range(1, count + 1):
        chain.add(
            actor=ADA,
            kind="variable.set",
            subject="variables",
            id=f"v{at}",
            time=float(at),
            position=(1, at + 1),
            after={"value": at},
        )
    return chain.entries


CHAIN = made(12)
TEXTS = [text_of(entry) for entry in CHAIN]


def check(texts: list[bytes], known: dict[int, str] | None = None) -> Verified:
    return verify(((f"f:{at}", text) for at, text in enumerate(texts, start=1)), known)


def test_a_whole_chain_fits_and_ends_at_its_head() -> None:
    found = check(TEXTS)
    assert (found.first, found.last, found.entries, found.hash) == (1, 12, 12, CHAIN[-1].hash)
    assert found.begins
    complete_up_to(found, 12, "f")


def test_nothing_is_a_chain_that_is_not_begun() -> None:
    assert (check([]).entries, check([]).hash, check([]).begins) == (0, GENESIS, False)


def test_a_chain_whose_beginning_was_removed_for_its_age_fits_from_there_on() -> None:
    found = check(TEXTS[5:])
    assert (found.first, found.begins) == (6, False)
    with pytest.raises(Misfit, match="belongs behind another entry 5"):
        check(TEXTS[5:], {5: "0" * 64})


@given(at=st.integers(0, 11), member=st.sampled_from(["actor", "kind", "id", "outcome", "after", "time", "index"]))
def test_a_changed_entry_is_named(at: int, member: str) -> None:
    line = json.loads(TEXTS[at])
    line[member] = {"kind": "token", "id": "eve"} if member in ("actor", "after") else 999 if member == "index" else "x"
    changed = json.dumps(line, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(Misfit) as told:
        check([*TEXTS[:at], changed, *TEXTS[at + 1 :]])
    assert (told.value.number, told.value.place) == (at + 1, f"f:{at + 1}")


@given(at=st.integers(0, 10))
def test_a_changed_entry_with_a_hash_that_fits_is_found_at_the_next_one(at: int) -> None:
    line = json.loads(TEXTS[at]) | {"id": "forged"}
    line["hash"] = hash_of(line)
    changed = json.dumps(line, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(Misfit) as told:
        check([*TEXTS[:at], changed, *TEXTS[at + 1 :]])
    assert told.value.number == at + 2
    with pytest.raises(Misfit) as known:
        check([*TEXTS[:at], changed], {at + 1: CHAIN[at].hash})
    assert known.value.number == at + 1


@given(at=st.integers(0, 11), bit=st.integers(0, 7), data=st.data())
def test_no_bit_can_be_turned(at: int, bit: int, data: st.DataObject) -> None:
    where = data.draw(st.integers(0, len(TEXTS[at]) - 1))
    turned = bytearray(TEXTS[at])
    turned[where] ^= 1 << bit
    with pytest.raises(Misfit) as told:
        check([*TEXTS[:at], bytes(turned), *TEXTS[at + 1 :]], {12: CHAIN[-1].hash})
    # The number itself may be what was turned; the place says which line it is.
    assert told.value.place in (f"f:{at + 1}", f"f:{at + 2}")


@given(cut=st.sets(st.integers(0, 11), min_size=1, max_size=5))
def test_what_was_cut_out_is_missed(cut: set[int]) -> None:
    left = [text for at, text in enumerate(TEXTS) if at not in cut]
    assume(left)
    head = {12: CHAIN[-1].hash}
    front = {*range(len(cut))} == cut
    if front:  # as retention does; an old head shows it
        assert check(left, head).first == len(cut) + 1
        return
    with pytest.raises(Misfit):
        complete_up_to(check(left, head), 12, "f")


@given(order=st.permutations(range(12)))
def test_an_order_of_its_own_is_found(order: list[int]) -> None:
    assume(list(order) != list(range(12)))
    with pytest.raises(Misfit):
        check([TEXTS[at] for at in order])


@given(at=st.integers(0, 11), to=st.integers(0, 12))
def test_an_entry_that_stands_twice_is_found(at: int, to: int) -> None:
    with pytest.raises(Misfit):
        check([*TEXTS[:to], TEXTS[at], *TEXTS[to:]], {12: CHAIN[-1].hash})


def test_a_splice_of_two_chains_is_found_where_the_second_begins() -> None:
    other = AuditChain()
    for at in range(1, 13):
        other.add(actor=ADA, kind="group.put", subject="groups", id="g", time=1.0, position=(1, at))
    with pytest.raises(Misfit) as told:
        check([*TEXTS[:6], *map(text_of, other.entries[6:])])
    assert told.value.number == 7
    with pytest.raises(Misfit) as whole:
        check(list(map(text_of, other.entries)), {3: CHAIN[2].hash})
    assert whole.value.number == 3, "made up as a whole: a head that was noted tells"


def test_a_truncated_file_is_found_by_a_known_head_alone() -> None:
    found = check(TEXTS[:9])
    assert found.last == 9
    with pytest.raises(Misfit, match="ends at entry 9, but entry 12 is known"):
        complete_up_to(found, 12, "f")


@pytest.mark.parametrize(
    "text",
    [b"", b"{}", b"null", b"\xff\xfe", b"[" * 5_000, TEXTS[3][:-10], TEXTS[3] + b" ", TEXTS[3].replace(b":", b": ", 1)],
)
def test_what_is_no_entry_is_named_by_its_place(text: bytes) -> None:
    with pytest.raises(Misfit) as told:
        check([*TEXTS[:3], text, *TEXTS[4:]])
    assert told.value.place == "f:4"


def test_a_second_member_of_one_name_is_found() -> None:
    with pytest.raises(Misfit, match="not the text that was written"):
        check([TEXTS[0][:-1] + b',"id":"v1"}'])


def test_a_gap_that_a_node_noted_is_told_and_one_that_is_none_is_not_believed() -> None:
    found = check([*TEXTS[:4], gap_line(4, 9), *TEXTS[8:]])
    assert (found.gaps, found.entries, found.last) == ([(4, 9)], 8, 12)
    for wrong in (gap_line(3, 9), gap_line(4, 5), gap_line(9, 4)):
        with pytest.raises(Misfit, match="gap"):
            check([*TEXTS[:4], wrong, *TEXTS[8:]])
    with pytest.raises(Misfit):
        check([*TEXTS[:4], gap_line(4, 8), *TEXTS[8:]])
    with pytest.raises(Misfit, match="belongs behind"):
        check([*TEXTS[:4], gap_line(4, 9), *TEXTS[8:]], {8: "0" * 64})


# ── The file ────────────────────────────────


def reached(trail: Trail, number: int) -> bool:
    return trail.last == number


def opened(directory: Path, **kept: Any) -> Trail:
    trail = Trail(directory, **{"keep_s": 1e9, "keep_bytes": 1 << 40, **kept})
    trail.open()
    return trail


def texts(directory: Path, after: int = 0) -> list[bytes]:
    return [text for _, text in lines(directory, after)]


def test_what_is_offered_stands_in_the_file(tmp_path: Path) -> None:
    trail = opened(tmp_path)
    trail.offer(CHAIN[:5])
    trail.offer(CHAIN[3:7])  # some of them for the second time
    trail.close()
    assert texts(tmp_path) == TEXTS[:7]
    assert texts(tmp_path, 4) == TEXTS[4:7]
    assert (trail.last, trail.hash) == (7, CHAIN[6].hash)
    assert oct(tmp_path.stat().st_mode)[-3:] in ("700", "755")
    assert oct(segments(tmp_path)[0].stat().st_mode)[-3:] == "600"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(first=st.integers(1, 11), cut=st.integers(0, 200))
def test_after_a_crash_it_goes_on_without_gap_or_double(
    tmp_path_factory: pytest.TempPathFactory, first: int, cut: int
) -> None:
    directory = tmp_path_factory.mktemp("trail")
    trail = opened(directory)
    trail.offer(CHAIN[:first])
    trail.close()
    segment = segments(directory)[0]
    os.truncate(segment, max(0, segment.stat().st_size - cut))  # what was being written
    again = opened(directory)
    assert again.last <= first
    again.offer(CHAIN)  # the log is applied again
    again.close()
    assert texts(directory) == TEXTS


def test_entries_that_a_node_never_had_are_a_gap(tmp_path: Path) -> None:
    trail = opened(tmp_path)
    trail.offer(CHAIN[:3])
    trail.offer(CHAIN[8:])
    trail.close()
    assert texts(tmp_path) == [*TEXTS[:3], gap_line(3, 9), *TEXTS[8:]]
    assert check(texts(tmp_path)).gaps == [(3, 9)]
    assert texts(tmp_path, 8) == TEXTS[8:]
    again = opened(tmp_path)
    assert again.last == 12
    again.close()


def test_segments_go_by_age_and_size_and_the_newest_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trails, "SEGMENT_BYTES", 1)
    monkeypatch.setattr(trails, "GATHER_S", 0.0)
    trail = opened(tmp_path, keep_bytes=2 * len(TEXTS[0]) + 60)
    for entry in CHAIN[:5]:
        trail.offer([entry])
        eventually_sync(partial(reached, trail, entry.number))
    trail.close()
    assert [int(segment.stem) for segment in segments(tmp_path)] == [3, 4, 5]
    assert check(texts(tmp_path)).first == 3
    for segment in segments(tmp_path):
        os.utime(segment, (1, 1))
    old = opened(tmp_path, keep_s=60.0)
    assert old.last == 5
    old.offer(CHAIN[5:6])
    old.close()
    assert [int(segment.stem) for segment in segments(tmp_path)] == [6]


def test_a_disk_that_refuses_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trails, "RETRY_S", 0.01)
    directory = tmp_path / "audit"
    trail = opened(directory)
    directory.rmdir()
    directory.write_text("a file where the directory was")
    trail.offer(CHAIN[:2])
    eventually_sync(lambda: trail.trouble != "")
    directory.unlink()
    directory.mkdir()
    eventually_sync(lambda: trail.last == 2)
    assert trail.trouble == ""
    trail.close()
    assert texts(directory) == TEXTS[:2]


def test_what_waits_is_bounded_and_a_loss_is_a_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trails, "WAITING_MAX", 3)
    trail = opened(tmp_path)
    trail.offer(CHAIN)
    trail.close()
    assert texts(tmp_path)[-3:] == TEXTS[-3:]
    assert check(texts(tmp_path)).last == 12


def test_a_line_of_a_file_that_is_none_is_handed_out(tmp_path: Path) -> None:
    trail = opened(tmp_path)
    trail.offer(CHAIN[:4])
    trail.close()
    segment = segments(tmp_path)[0]
    data = segment.read_bytes().splitlines()
    segment.write_bytes(b"\n".join([data[0], b"rubbish", *data[2:]]) + b"\n")
    with pytest.raises(Misfit) as told:
        check(texts(tmp_path))
    assert told.value.place == "f:2"
