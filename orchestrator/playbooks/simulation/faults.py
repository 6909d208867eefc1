"""What goes wrong in a simulation, and when, as it is written on a command line. Pure.

io:FAULT@12s            it goes into FAULT
io:UNRESPONSIVE@5s      it is there, and answers nothing any more
io:RECOVER@40s          it answers again
io:REFUSE:CMD_START     it refuses that command (with @: from then on)
io:FAIL:CMD_START       that command fails, and it goes into FAULT
io:SLOW:30s             each of its commands takes that much longer
io:LOSE_ANSWER@3s       it does the next command; the answer gets lost
leader:TAKEOVER@3s      another leader goes on from what is recorded
notify:REFUSE           notifications cannot be delivered
http:REFUSE             HTTP requests are answered with 400
http:LOSE_ANSWER@3s     the next request arrives; its answer gets lost
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.errors import SimulationInvalid
from orchestrator.lifecycle import Command, parse_any_command
from orchestrator.playbooks.durations import parse_duration

LEADER = "leader"
HTTP = "http"
NOTIFY = "notify"
SERVICES = (LEADER, HTTP, NOTIFY)
_SPEC = re.compile(
    r"(?P<subject>[A-Za-z0-9][A-Za-z0-9._-]{0,63}):(?P<kind>[A-Z_]+)(?::(?P<what>[^@]+))?(?:@(?P<at>.+))?"
)


class FaultKind(StrEnum):
    FAULT = "FAULT"
    UNRESPONSIVE = "UNRESPONSIVE"
    RECOVER = "RECOVER"
    REFUSE = "REFUSE"
    FAIL = "FAIL"
    SLOW = "SLOW"
    LOSE_ANSWER = "LOSE_ANSWER"
    TAKEOVER = "TAKEOVER"


_OF_SERVICES = (FaultKind.REFUSE, FaultKind.LOSE_ANSWER)
_NEED_COMMAND = (FaultKind.REFUSE, FaultKind.FAIL)


@dataclass(frozen=True, slots=True)
class Fault:
    """`at`: virtual seconds. `command`: the one that is refused or fails, None for any. `extra_s`: of SLOW."""

    subject: str
    kind: FaultKind
    at: float = 0.0
    command: Command | str | None = None
    extra_s: float = 0.0

    def __str__(self) -> str:
        what = f":{self.command}" if self.command else f":{self.extra_s:g}s" if self.extra_s else ""
        return f"{self.subject}:{self.kind}{what}" + (f"@{self.at:g}s" if self.at else "")


def parse_fault(text: str) -> Fault:
    """SimulationInvalid says what is wrong, and how it is written."""
    match = _SPEC.fullmatch(text.strip())
    if match is None:
        raise SimulationInvalid(f"{text!r} is no failure; write for example io:FAULT@12s or io:REFUSE:CMD_START")
    subject, what = match["subject"], match["what"]
    try:
        kind = FaultKind(match["kind"])
    except ValueError:
        raise SimulationInvalid(f"{text!r}: unknown kind {match['kind']}; known: {', '.join(FaultKind)}") from None
    if (subject == LEADER) != (kind is FaultKind.TAKEOVER):
        raise SimulationInvalid(f"{text!r}: TAKEOVER is what happens to `{LEADER}`, and nothing else does")
    if subject in (HTTP, NOTIFY) and kind not in _OF_SERVICES:
        raise SimulationInvalid(f"{text!r}: {subject} takes {' and '.join(_OF_SERVICES)}")
    try:
        at = parse_duration(match["at"]) if match["at"] and match["at"] not in ("0", "0s") else 0.0
        command = parse_any_command(what) if what and kind in _NEED_COMMAND and subject not in (HTTP, NOTIFY) else None
        extra_s = parse_duration(what or "") if kind is FaultKind.SLOW else 0.0
    except ValueError as error:
        raise SimulationInvalid(f"{text!r}: {error}") from None
    if what and command is None and not extra_s:
        raise SimulationInvalid(f"{text!r}: {kind} takes no {what!r}")
    return Fault(subject, kind, at, command, extra_s)
