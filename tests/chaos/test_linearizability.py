"""The checker agrees with every labelled history, with the definition on tiny ones, and with registers that exist."""

import math
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.drills.histories.operations import Outcome
from tests.chaos.histories_made_up import any_history, judged_by_trying_all, recorded
from tests.chaos.linearizability import (
    CheckTimedOut,
    InvalidOperation,
    Operation,
    UnreadableHistory,
    check,
    encode,
    main,
    read_history,
    render,
    stale_violations,
    write_history,
)

HISTORIES = Path(__file__).parent / "histories"
LABELS = dict(line.split("\t") for line in (HISTORIES / "labels.tsv").read_text().splitlines()[1:])


def read(value: Any, invoked: float, returned: float, **fields: Any) -> Operation:
    return _operation("read", value, invoked, returned, fields)


def write(value: Any, invoked: float, returned: float = math.inf, **fields: Any) -> Operation:
    return _operation("write", value, invoked, returned, fields)


def cas(expected: Any, value: Any, invoked: float, returned: float = math.inf, **fields: Any) -> Operation:
    return _operation("cas", value, invoked, returned, {"expected": expected, **fields})


def mismatch(expected: Any, invoked: float, returned: float) -> Operation:
    return cas(expected, 99, invoked, returned, outcome="mismatch")


def _operation(kind: Any, value: Any, invoked: float, returned: float, fields: dict[str, Any]) -> Operation:
    known = Operation(0, kind, "r", value, None, "unknown" if math.isinf(returned) else "ok", invoked, returned)
    return msgspec.structs.replace(known, **fields)


# --- labelled histories -----------------------------------------------------------------------------------------------


def test_there_are_labelled_histories_of_both_kinds() -> None:
    assert sorted(LABELS) == sorted(path.name for path in HISTORIES.glob("*.log"))
    assert sorted(set(LABELS.values())) == ["linearizable", "not-linearizable"]
    assert len(LABELS) == 68


@pytest.mark.parametrize("name", sorted(LABELS))
def test_a_labelled_history_gets_its_verdict_at_once(name: str) -> None:
    verdict = check(read_history(HISTORIES / name), deadline_s=2)
    assert ("linearizable" if verdict.linearizable else "not-linearizable") == LABELS[name]


# --- rules ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "history",
    [
        [],
        [read(None, 0, 1)],
        pytest.param([write(1, 0, 3), read(None, 1, 2)], id="a read during a write may come before it"),
        pytest.param([write(1, 0, 3), read(1, 1, 2)], id="a read during a write may come after it"),
        pytest.param([write(1, 0), read(None, 1, 2), read(1, 8, 9)], id="an unknown write takes effect late"),
        pytest.param([write(1, 0), read(None, 8, 9)], id="an unknown write never takes effect"),
        pytest.param([write(1, 0, 1), cas(1, 2, 2), read(2, 8, 9)], id="an unknown cas takes effect late"),
        pytest.param([write(1, 0), cas(1, 2, 0), cas(2, 3, 0), read(3, 8, 9)], id="unknown cas build on another"),
        pytest.param([write(1, 0, 1), mismatch(2, 2, 3)], id="a mismatch finds another value"),
        pytest.param(
            [write(1, 0, 1), write(2, 2), mismatch(1, 4, 5)], id="an unseen unknown write explains a mismatch"
        ),
        pytest.param([write(1, 0, 1), read(7, 2, 3, outcome="unknown")], id="a read that timed out saw nothing"),
        pytest.param([write(1, 0, 1, outcome="failed"), read(None, 2, 3)], id="a failed write had no effect"),
        pytest.param([write(1, 0, 2), write(2, 2, 3), read(1, 4, 5)], id="equal times are concurrent"),
        pytest.param([write([1, {"a": 2}], 0, 1), read([1, {"a": 2}], 2, 3)], id="values may be lists and objects"),
        pytest.param([write(1, 0, 1), write(2, 0, 1, key="s"), read(1, 2, 3)], id="registers are independent"),
    ],
)
def test_linearizable(history: list[Operation]) -> None:
    verdict = check(history)
    assert verdict.linearizable, render(verdict)


@pytest.mark.parametrize(
    "history",
    [
        pytest.param([read(1, 0, 1)], id="a value that nobody wrote"),
        pytest.param([write(1, 0, 1), read(None, 2, 3)], id="a write that returned is lost"),
        pytest.param(
            [write(1, 0, 9), read(1, 1, 2), read(None, 3, 4)], id="a read sees an older value than the one before"
        ),
        pytest.param([write(1, 5), read(1, 1, 2)], id="an unknown write takes effect before it was invoked"),
        pytest.param(
            [write(1, 0), read(1, 1, 2), write(2, 3, 4), read(1, 5, 6)], id="an unknown write takes effect twice"
        ),
        pytest.param([write(1, 0, 1), mismatch(1, 2, 3)], id="a mismatch where the value was the expected one"),
        pytest.param([write(1, 0, 1), write(1, 2), mismatch(1, 4, 5)], id="an unknown write that changes nothing"),
        pytest.param([write(1, 0, 1), cas(2, 3, 2, 3)], id="a cas that found what nobody wrote"),
        pytest.param([write(1, 0, 1), cas(1, 2, 2, 5), cas(1, 3, 2, 5)], id="two cas from the same value"),
        pytest.param([write(1, 0, 1), cas(2, 3, 2), read(3, 8, 9)], id="an unknown cas whose value was never there"),
        pytest.param([write(1, 0, 1, outcome="failed"), read(1, 2, 3)], id="a failed write is seen"),
        pytest.param([write(1, 0, 1), read(True, 2, 3)], id="1 is not true"),
        pytest.param([write(1, 0, 1), read(1, 0, 1, key="s")], id="a value of another register"),
    ],
)
def test_not_linearizable(history: list[Operation]) -> None:
    assert not check(history).linearizable


def test_each_of_several_unknown_writes_explains_one_mismatch() -> None:
    """Spare writes are told apart by their number only, so the number has to be right."""
    changes = [write(10 + each, 0) for each in range(3)]
    rounds = [
        each for n in range(4) for each in (write(1, 10 * n + 1, 10 * n + 2), mismatch(1, 10 * n + 3, 10 * n + 4))
    ]
    assert check([*changes, *rounds[:6]]).linearizable
    verdict = check([*changes, *rounds])
    assert verdict.unplaced == (rounds[-1],)
    assert len(verdict.prefix) == 3 + 7
    assert {operation.value for operation in verdict.prefix if operation.outcome == "unknown"} == {10, 11, 12}


def test_an_unknown_write_that_was_seen_explains_no_mismatch_later() -> None:
    history = [write(2, 0), read(2, 1, 2), write(1, 3, 4), mismatch(1, 5, 6)]
    assert not check(history).linearizable
    assert check([*history, write(3, 0)]).linearizable


def test_an_order_that_saves_an_unknown_write_for_later_is_found() -> None:
    """The order tried first, 1, 2, spends the unknown write on the first mismatch and lacks it for the second."""
    unknown = write(50, 0)
    history = [write(1, 0, 3), write(2, 0, 4), mismatch(2, 5, 6), write(4, 7, 8), mismatch(4, 9, 10)]
    assert check([unknown, *history]).linearizable
    assert not check(history).linearizable


def test_both_of_two_operations_that_give_the_value_needed_are_tried() -> None:
    history = [
        write(3, 2, 7), write(1, 3, 6), cas(3, 0, 3, 3), write(0, 0, 5), cas(None, 3, 2, 7),
    ]  # fmt: skip
    assert check(history).linearizable


def test_the_registers_hold_the_initial_value_at_first() -> None:
    assert check([read(5, 0, 1)], initial=5).linearizable
    assert not check([read(None, 0, 1)], initial=5).linearizable


@pytest.mark.parametrize(
    ("operation", "what"),
    [
        (read(1, 2, 1), "before it was invoked"),
        (read(1, 2, 3, outcome="mismatch"), "only a cas"),
        (write(1, 2, outcome="ok"), "came with a return"),
        (write(1, math.nan, 3), "not a time"),
    ],
)
def test_an_operation_that_contradicts_itself_is_refused(operation: Operation, what: str) -> None:
    with pytest.raises(InvalidOperation, match=what):
        check([operation])


# --- against what is known otherwise ----------------------------------------------------------------------------------


def _agree(history: list[Operation]) -> None:
    verdict = check(history)
    assert verdict.linearizable == judged_by_trying_all(history), history
    if not verdict.linearizable:
        # The obstacle is where it is said to be: without what had not returned earlier, there is an order.
        due = verdict.unplaced[0].returned
        before = [
            each if each.returned < due else msgspec.structs.replace(each, outcome="unknown", returned=math.inf)
            for each in history
            if each.invoked <= due and (each.returned < due or each.outcome != "mismatch")
        ]
        assert judged_by_trying_all(before), history


def test_agrees_with_the_definition_on_tiny_histories() -> None:
    for seed in range(12_000):
        _agree(any_history(seed))


def _unknown_or_until(kind: Any, invoked: int, lasts: int | None, values: tuple[Any, Any], missed: bool) -> Operation:
    lost = lasts is None and kind != "read"
    outcome: Outcome = "unknown" if lost else "mismatch" if missed and kind == "cas" else "ok"
    expected = values[1] if kind == "cas" else None
    return Operation(0, kind, "r", values[0], expected, outcome, invoked, math.inf if lost else invoked + (lasts or 0))


@given(
    st.lists(
        st.builds(
            _unknown_or_until,
            st.sampled_from(["read", "write", "cas"]),
            st.integers(0, 8),
            st.none() | st.integers(0, 5),
            st.tuples(st.sampled_from([None, 1, 2]), st.sampled_from([None, 1, 2])),
            st.booleans(),
        ),
        max_size=6,
    )
)
@settings(max_examples=300, deadline=None)
def test_agrees_with_the_definition(history: list[Operation]) -> None:
    _agree(history)


@given(
    seed=st.integers(0, 2**32),
    operations=st.integers(1, 200),
    clients=st.integers(1, 8),
    keys=st.integers(1, 3),
    values=st.none() | st.integers(1, 5),
    unknown=st.sampled_from([0, 0.02, 0.2]),
)
@settings(max_examples=150, deadline=None)
def test_what_a_register_did_is_linearizable(
    seed: int, operations: int, clients: int, keys: int, values: int | None, unknown: float
) -> None:
    history = recorded(seed, operations, clients=clients, keys=keys, values=values, unknown=unknown)
    verdict = check(history, deadline_s=20)
    assert verdict.linearizable, render(verdict)


@given(seed=st.integers(0, 2**32), unknown=st.sampled_from([0, 0.02, 0.2]), data=st.data())
@settings(max_examples=100, deadline=None)
def test_a_read_of_what_was_overwritten_is_found_among_many_operations(
    seed: int, unknown: float, data: st.DataObject
) -> None:
    """Every value is written once, so that it cannot come back."""
    history = recorded(seed, 150, unknown=unknown)
    changes = [each for each in history if each.kind == "write" and each.outcome == "ok"]
    reads = [each for each in history if each.kind == "read" and each.outcome == "ok"]
    gone = [
        (later, first.value)
        for later in reads
        for first in changes
        if any(first.returned < second.invoked and second.returned < later.invoked for second in changes)
    ]
    later, value = data.draw(st.sampled_from(gone))
    broken = [msgspec.structs.replace(each, value=value) if each is later else each for each in history]
    assert not check(broken, deadline_s=20).linearizable
    assert check(history, deadline_s=20).linearizable


# --- speed ------------------------------------------------------------------------------------------------------------


def test_a_long_history_on_many_registers_is_judged_soon() -> None:
    history = recorded(1, 200_000, clients=10, keys=1000, unknown=0.02)
    began = time.process_time()
    assert check(history).linearizable
    assert time.process_time() - began < 30


def test_hundreds_of_unknown_outcomes_on_one_register_do_not_make_it_exponential() -> None:
    history = recorded(2, 3000, unknown=0.2)
    assert sum(each.outcome == "unknown" for each in history) > 500
    assert check(history, deadline_s=20).linearizable
    ends = max(each.returned for each in history if each.returned < math.inf)
    assert not check([*history, read("never written", ends + 1, ends + 2)], deadline_s=20).linearizable


def test_past_the_deadline_there_is_no_verdict() -> None:
    with pytest.raises(CheckTimedOut, match=r"no verdict within 1e-09 s.*'0'"):
        check(recorded(3, 100), deadline_s=1e-9)


# --- explanation ------------------------------------------------------------------------------------------------------


def test_the_explanation_says_where_it_stops_and_why() -> None:
    history = [
        write(1, 0, 1), write(2, 2, 3, client=4), read(1, 4, 5, client=7), write(3, 4, 9), read(None, 6, 7),
    ]  # fmt: skip
    verdict = check([*history, read(0, 0, 1, key="other", outcome="unknown")])
    assert verdict.key == "r"
    assert verdict.prefix[:2] == tuple(history[:2])
    assert verdict.unplaced[0] == history[2]
    assert set(verdict.held) == {2, 3}
    text = render(verdict)
    assert "register 'r'" in text
    assert "the register held 2 or 3" in text
    assert "client 7 [4, 5]: read 1 ok" in text
    assert "client 4 [2, 3]: write 2 ok" in text


# --- stale reads ------------------------------------------------------------------------------------------------------

CHANGES = [write(1, 0, 1), write(2, 10, 11), cas(2, 3, 20, 21)]


@pytest.mark.parametrize(
    ("stale", "bound_s", "fine"),
    [
        (read(1, 12, 13), 1.5, True),
        (read(1, 12, 13), 0.5, False),
        (read(2, 12, 13), 0, True),
        (read(3, 12, 13), 100, False),  # not written yet
        (read(3, 20.1, 20.2), 0, True),
        (read(None, 1, 2), 0, True),
        (read(None, 2, 3), 0.5, False),
        (read(None, 2, 3), 1, True),
        (read(2, 22, 23), 0.5, False),
        (read(1, 12, 13, outcome="unknown"), 0.5, True),
        (read(None, 50, 51, key="untouched"), 0, True),
        (read(1, 50, 51, key="untouched"), 9, False),
    ],
)
def test_a_stale_read_within_its_bound_is_fine(stale: Operation, bound_s: float, fine: bool) -> None:
    violations = stale_violations([*CHANGES, stale], bound_s)
    assert [each.read for each in violations] == ([] if fine else [stale])


def test_a_stale_read_is_reported_only_where_it_is_certain() -> None:
    late = read(1, 50, 51)
    assert stale_violations([*CHANGES, late], 5)
    assert not stale_violations([*CHANGES, write(1, 2), late], 5)  # may take effect at any time
    assert not stale_violations([write(1, 0, 1), write(2, 10), late], 5)  # may never take effect
    assert not stale_violations([write(1, 0, 1), write(2, 1, 2), late], 5)  # may have come first
    assert not stale_violations([write(1, 0, 1), cas(9, 2, 3, 4, outcome="mismatch"), late], 5)
    assert not stale_violations([*CHANGES, write(1, 40, 44), late], 5)  # written again
    assert stale_violations([read(7, 0, 1)], 5, initial=6)


def test_a_stale_violation_says_how_late_it_is() -> None:
    (violation,) = stale_violations([*CHANGES, read(1, 50, 51, client=3)], 5)
    assert violation.overwritten == 11
    assert str(violation) == (
        "register 'r': client 3 [50, 51]: read 1 ok: overwritten by 11, 39 s before the read began; the bound is 5 s"
    )
    (violation,) = stale_violations([*CHANGES, read(8, 50, 51)], 5)
    assert "nobody can have written this value" in str(violation)


def test_reads_of_a_register_itself_are_never_too_stale() -> None:
    assert stale_violations(recorded(5, 2000, keys=3), 0) == []


# --- files and the command --------------------------------------------------------------------------------------------

INVOKE = "INFO  jepsen.util - 0\t:invoke\t:cas\t[1 2]\n"


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    history = [*recorded(4, 50, keys=2), write({"a": [1]}, 0, 1), cas("é", None, 3)]
    write_history(tmp_path / "history", history)
    assert read_history(tmp_path / "history") == history


def test_a_jepsen_log_is_read_by_its_rules(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        "INFO  jepsen.util - 0\t:invoke\t:read\tnil\nINFO  jepsen.util - 0\t:fail\t:read\t:timed-out\n"
        "INFO  jepsen.util - 1\t:invoke\t:cas\t[3 0]\nINFO  jepsen.util - 1\t:fail\t:cas\t[3 0]\n"
        "INFO  jepsen.util - 2\t:invoke\t:write\t4\nINFO  jepsen.util - 2\t:info\t:write\t:timed-out\n"
        "INFO  jepsen.util - 3\t:invoke\t:read\tnil\nINFO  jepsen.util - 3\t:ok\t:read\t4\n"
        "INFO  jepsen.util - 4\t:invoke\t:cas\t[4 5]\n"
    )
    assert [msgspec.structs.astuple(each)[1:2] + msgspec.structs.astuple(each)[3:] for each in read_history(log)] == [
        ("read", None, None, "unknown", 1, math.inf),
        ("cas", 0, 3, "mismatch", 3, 4),
        ("write", 4, None, "unknown", 5, math.inf),
        ("read", 4, None, "ok", 7, 8),
        ("cas", 5, 4, "unknown", 9, math.inf),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "line", "what"),
    [
        (b"", None, "holds no operations"),
        (b" \n\n", None, "holds no operations"),
        (b"\xff\xfe", None, "not text in UTF-8, at byte 0"),
        (b"hello\n", 1, "neither an event of a Jepsen log nor an operation as JSON: 'hello'"),
        (b"INFO  jepsen.util - 0\t:invoke\t:delete\t1\n", 1, "not an event"),
        (INVOKE.encode() + b"{}\n", 2, "not an event"),
        (2 * INVOKE.encode(), 2, "process 0 invokes while its operation of line 1 has not ended"),
        (INVOKE.replace("invoke", "ok").encode(), 1, "ends an operation that it did not invoke"),
        (INVOKE.encode() + b"INFO  jepsen.util - 0\t:ok\t:write\t1\n", 2, "ends a write, but invoked a cas in line 1"),
        (INVOKE.encode() + b"INFO  jepsen.util - 0\t:ok\t:cas\t[1 3]\n", 2, "line 1 invoked it with [1 2]"),
        (INVOKE.replace("[1 2]", "1").encode(), 1, "a cas has [expected new], not '1'"),
        (INVOKE.replace(":cas\t[1 2]", ":write\tx").encode(), 1, "a write has a number or nil, not 'x'"),
        (encode(write(1, 0, 1)) + b"\n" + encode(write(1, 0, 1))[:20] + b"\n", 3, "not an operation: "),
        (encode(write(1, 0, 1)).replace(b"write", b"delete"), 1, "Invalid enum value 'delete'"),
        (encode(write(1, 0, 1)).replace(b'"key"', b'"consistency"'), 1, "unknown field `consistency`"),
        (b'{"client":1,"kind":"read"}\n', 1, "missing required field"),
        (encode(write(1, 5, 6)).replace(b":6", b":1"), 1, "before it was invoked"),
        (encode(write(1, 5, 6)).replace(b":6", b":null"), 1, "`returned` is missing"),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(tmp_path: Path, content: bytes, line: int | None, what: str) -> None:
    file = tmp_path / "history"
    file.write_bytes(content)
    with pytest.raises(UnreadableHistory) as refused:
        read_history(file)
    assert refused.value.line == line
    assert str(refused.value).startswith(f"{file}: " if line is None else f"{file}:{line}: ")
    assert what in str(refused.value)


def test_the_command_prints_a_line_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = HISTORIES / "etcd_007.log", HISTORIES / "etcd_000.log"
    assert main([str(good)]) == 0
    assert capsys.readouterr() == (f"{good}\tlinearizable\n", "")
    assert main([str(bad), str(good), "--explain"]) == 1
    printed = capsys.readouterr()
    assert printed.out == f"{bad}\tnot-linearizable\n{good}\tlinearizable\n"
    assert "client 11 [85, 86]: read 2 ok" in printed.err
    (tmp_path / "empty").touch()
    assert main([str(tmp_path / "empty"), str(tmp_path / "absent"), str(bad), str(good)]) == 2
    printed = capsys.readouterr()
    assert printed.out == f"{bad}\tnot-linearizable\n{good}\tlinearizable\n"
    empty, absent = tmp_path / "empty", tmp_path / "absent"
    assert printed.err == f"{empty}: holds no operations\n{absent}: cannot be read: No such file or directory\n"
    assert main([str(good), "--deadline", "0"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"{good}: no verdict within 0 s")
