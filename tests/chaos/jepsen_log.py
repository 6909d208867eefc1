"""The log of a Jepsen run on one register, as etcd's was recorded: a line an event, in the order in which they
happened.

INFO  jepsen.util - 3	:invoke	:cas	[3 0]
INFO  jepsen.util - 3	:fail	:cas	[3 0]

PROCESS, `:invoke` | `:ok` | `:fail` | `:info`, `:read` | `:write` | `:cas`, VALUE. `nil` is an absent register; a
number is a value; `[expected new]` is a cas. A `:fail` of a cas is a compare that did not match; a `:fail` of a read
is one without a result. What ends with `:info`, or does not end, has an unknown outcome. There is no time: the number
of the line serves.
"""

import math
import re
from collections.abc import Iterable
from typing import Any, cast

from orchestrator.drills.histories.operations import Kind, Operation, Outcome, UnreadableHistory

REGISTER = "register"
"""the key of the one register of such a log"""

_EVENT = re.compile(r"INFO\s+jepsen\.util - (\d+)\s+:(invoke|ok|fail|info)\s+:(read|write|cas)\s+(.+)")
_NUMBER = re.compile(r"-?\d+")
_CAS = re.compile(r"\[(nil|-?\d+) (nil|-?\d+)\]")
_TIMED_OUT = ":timed-out"


def is_event(line: str) -> bool:
    """Whether a line is meant as one of such a log."""
    return line.startswith("INFO")


def read_events(lines: Iterable[tuple[int, str]], source: str) -> list[Operation]:
    """The operations of a log given as (number of the line, line). UnreadableHistory where a line makes no sense."""
    in_progress: dict[int, tuple[int, Kind, str]] = {}
    operations = []
    for number, line in lines:
        event = _EVENT.fullmatch(line.strip())
        if event is None:
            wanted = "INFO  jepsen.util - PROCESS :invoke|:ok|:fail|:info :read|:write|:cas VALUE"
            raise UnreadableHistory(source, number, f"not an event ({wanted}): {line.strip()[:120]!r}")
        process, kind, value = int(event[1]), cast(Kind, event[3]), event[4]
        if event[2] == "invoke":
            if process in in_progress:
                since = in_progress[process][0]
                raise UnreadableHistory(
                    source, number, f"process {process} invokes while its operation of line {since} has not ended"
                )
            in_progress[process] = (number, kind, value)
            continue
        begun, begun_kind, sent = in_progress.pop(process, (0, kind, ""))
        if not begun:
            raise UnreadableHistory(source, number, f"process {process} ends an operation that it did not invoke")
        if begun_kind != kind:
            raise UnreadableHistory(
                source, number, f"process {process} ends a {kind}, but invoked a {begun_kind} in line {begun}"
            )
        operations.append(_operation(source, process, kind, (begun, sent), (number, event[2], value)))
    for process, (begun, kind, sent) in in_progress.items():
        operations.append(_operation(source, process, kind, (begun, sent), None))
    return operations


def _operation(
    source: str, process: int, kind: Kind, begun: tuple[int, str], ended: tuple[int, str, str] | None
) -> Operation:
    """`begun`: (line, value sent); `ended`: (line, how, value), None where it did not."""
    line, sent = begun
    end, how, answer = ended or (line, "info", "")
    expected, value = (_values(source, line, kind, sent)) if kind != "read" else (None, None)
    outcome: Outcome
    if how == "info":
        outcome = "unknown"
    elif how == "ok":
        outcome = "ok"
        if kind == "read":
            value = _values(source, end, kind, answer)[1]
        elif answer != sent:
            what = f"the {kind} ends with {answer}, but line {line} invoked it with {sent}"
            raise UnreadableHistory(source, end, what)
    elif answer == _TIMED_OUT:
        # A read that timed out observed nothing. A write or cas that did may still take effect, whatever it is called.
        outcome = "unknown"
    else:
        outcome = "mismatch" if kind == "cas" else "failed"
    returned = math.inf if outcome == "unknown" else float(end)
    return Operation(process, kind, REGISTER, value, expected, outcome, float(line), returned)


def _values(source: str, line: int, kind: Kind, text: str) -> tuple[Any, Any]:
    """(expected, value) of a cas, (None, value) of anything else."""
    if kind == "cas":
        both = _CAS.fullmatch(text)
        if both is None:
            raise UnreadableHistory(source, line, f"a cas has [expected new], not {text!r}")
        return _value(both[1]), _value(both[2])
    if text != "nil" and not _NUMBER.fullmatch(text):
        raise UnreadableHistory(source, line, f"a {kind} has a number or nil, not {text!r}")
    return None, _value(text)


def _value(text: str) -> int | None:
    return None if text == "nil" else int(text)
