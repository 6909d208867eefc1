"""What a command is about: the rows that it may change, as the audit tells them. Pure.

    kind ──▶ subject (as the watch names it) and the ids in the command's body ──▶ rows before, rows after

A row is told as the API shows it, without what is secret (owners' and people's tokens) and without large texts: of a
playbook its version and digest, of an execution where it stands. A kind that stands nowhere here is entered too,
without rows: nothing that a later release adds goes unnoticed.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

if TYPE_CHECKING:
    from orchestrator.state import PlantState

REPORTS = frozenset(
    {"leadership.noted", "component.observe", "component.presence", "component.health", "processor.health"}
    | {"triggers.seen", "alert.record", "alert.notified", "execution.record"}
    | {"supervision.begin", "supervision.end", "supervision.give_up"}
)
"""What machines report, and what the leader records of it: many a second, and no decision of anyone."""
IDS_TOLD_MAX = 20
"""Of a command that changes many rows, the rows of so many are told."""

Row = Callable[["PlantState", str], Any]


class About(NamedTuple):
    """`ids` is empty where only the outcome says which row it was."""

    subject: str
    ids: tuple[str, ...]
    row: Row

    @property
    def id(self) -> str:
        return ",".join(self.ids)


def about(kind: str, body: bytes) -> About:
    """What a command of the log is about. Whatever is not readable in it is left out."""
    subject, members, row = _KINDS.get(kind) or (_noun(kind), ("id", "name"), _nothing)
    try:
        found: Any = msgspec.msgpack.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return About(subject, (), row)
    return About(subject, _ids(found, members), row)


def told(state: "PlantState", about: About, ids: tuple[str, ...]) -> list[Any]:
    """The rows of `ids` as they are now; None where there is none. The same object while a row is the same."""
    return [about.row(state, each) for each in ids[:IDS_TOLD_MAX]]


def shown(ids: tuple[str, ...], rows: list[Any]) -> Any:
    """Rows as an entry holds them: that of one id, or a map by id."""
    if len(ids) == 1:
        return _public(rows[0]) if rows else None
    found = {each: _public(row) for each, row in zip(ids, rows, strict=False) if row is not None}
    return found or None


def id_in(value: Any) -> tuple[str, ...]:
    """The id that an outcome gives."""
    found = value.get("id") if isinstance(value, dict) else None
    return (found,) if isinstance(found, str) else ()


def _ids(found: Any, members: tuple[str, ...]) -> tuple[str, ...]:
    for member in members:
        at: Any = found
        for part in member.split("."):
            at = at.get(part) if isinstance(at, dict) else None
        if isinstance(at, str) and at:
            return (at,)
        if isinstance(at, list):
            return tuple(each for each in at if isinstance(each, str))
    return ()


def _noun(kind: str) -> str:
    noun = kind.partition(".")[0]
    return noun if noun.endswith("s") else f"{noun}s"


def _public(row: Any) -> Any:
    if hasattr(row, "public"):
        return row.public()
    return row


def _nothing(_state: "PlantState", _id: str) -> Any:
    return None


def _component(state: "PlantState", id: str) -> Any:
    return state.components.rows.get(id)


def _processor(state: "PlantState", id: str) -> Any:
    return state.processors.rows.get(id)


def _variable(state: "PlantState", name: str) -> Any:
    return state.variables.rows.get(name)


def _group(state: "PlantState", name: str) -> Any:
    return state.topology.groups.get(name)


def _control(state: "PlantState", id: str) -> Any:
    return state.topology.controls.get(id)


def _alert(state: "PlantState", id: str) -> Any:
    return state.alerts.get(id)


def _silence(state: "PlantState", id: str) -> Any:
    return state.alerts.silences.get(id)


def _token(state: "PlantState", id: str) -> Any:
    return state.access.rows.get(id)  # told by its `public`, which has no digest


def _rule(state: "PlantState", name: str) -> Any:
    return state.alerts.rules.get(name)


class _Stands(msgspec.Struct, frozen=True):
    """Where an execution stands."""

    playbook: str
    version: int
    status: str
    revision: int
    code: str
    error: str
    who: str
    cancel: str
    """why it is to end; it does so with its steps"""


def _execution(state: "PlantState", id: str) -> Any:
    row = state.executions.rows.get(id)
    if row is None:
        return None
    return _Stands(row.playbook, row.version, str(row.status), row.revision, row.code, row.error, row.who, row.cancel)


class _Text(msgspec.Struct, frozen=True):
    """A playbook without its text."""

    version: int
    sha256: str
    bytes: int
    who: str


def _playbook(state: "PlantState", name: str) -> Any:
    row = state.executions.playbooks.get(name)
    if row is None:
        return None
    text = row.newest.text.encode()
    return _Text(row.newest.version, hashlib.sha256(text).hexdigest(), len(text), row.newest.who)


def _limits(state: "PlantState", _id: str) -> Any:
    return state.limits.limits


_CONTROLS = ("policy.set", "policy.delete", "desired.set", "maintenance.set", "fault.acknowledge")
_KINDS: Mapping[str, tuple[str, tuple[str, ...], Row]] = {
    **{f"component.{verb}": ("components", ("id",), _component) for verb in ("register", "unregister")},
    **{
        f"processor.{verb}": ("processors", ("id",), _processor)
        for verb in ("register", "update", "unregister", "drain")
    },
    **{f"variable.{verb}": ("variables", ("name",), _variable) for verb in ("set", "delete")},
    **{f"group.{verb}": ("groups", ("name",), _group) for verb in ("put", "delete")},
    **dict.fromkeys(_CONTROLS, ("policies", ("id", "ids"), _control)),
    **{f"execution.{verb}": ("executions", ("id",), _execution) for verb in ("start", "control")},
    **{f"playbook.{verb}": ("playbooks", ("name",), _playbook) for verb in ("put", "delete")},
    "limits.put": ("limits", ("id",), _limits),
    **{f"token.{verb}": ("tokens", ("id",), _token) for verb in ("create", "rotate", "revoke")},
    "event.accepted": ("journal", ("entry.source",), _nothing),
    "alert.acknowledge": ("alerts", ("id",), _alert),
    **{f"alert.{verb}": ("silences", ("id",), _silence) for verb in ("silence", "unsilence")},
    **{f"alert_rule.{verb}": ("alert_rules", ("name", "rule.name"), _rule) for verb in ("set", "delete")},
}
