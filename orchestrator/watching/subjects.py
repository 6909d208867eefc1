"""The subjects of a watch, and which rows a change of the log touches. Pure.

A row belongs to a subject and has an id there. A change touches the rows that its events name, and those that are made
of them: groups count the states of their members, a component's row shows what its policy says.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from cluster.commands import Event

CLUSTER = "cluster"
FIGURES = "figures"
LOGGED = (
    CLUSTER,
    "components",
    "groups",
    "policies",
    "playbooks",
    "executions",
    "processors",
    "variables",
    "alerts",
    "silences",
    "alert_rules",
    "journal",
    "tokens",
    "audit",
)
"""Of which the log tells each change."""
SUBJECTS = (*LOGGED, FIGURES)
"""All that there are."""
USUAL = tuple(each for each in SUBJECTS if each not in ("tokens", "audit"))
"""Those that are meant where none is named."""

CLAIM_ID = "@claim"
"""In `cluster`: who leads. Members stand there under their ids, leaderships as `@` and their epoch."""
RESTORED = "cluster.restored"
"""The whole state was replaced: nobody can be told by rows what that changed."""


class Touched(NamedTuple):
    """One row that a change touched, and by what kind of event."""

    subject: str
    id: str
    kind: str
    data: Mapping[str, Any] = {}
    """of the event, where the row is made of it"""


_BY_SPACE: Mapping[str, str] = {
    "playbook": "playbooks",
    "processor": "processors",
    "variable": "variables",
    "alert": "alerts",
    "alert_rule": "alert_rules",
    "execution": "executions",
    "token": "tokens",
    "audit": "audit",
}
_OF_POLICIES = frozenset({"policy", "desired", "maintenance", "fault", "supervision"})


def touched(events: "Iterable[Event]") -> list[Touched]:
    """The rows that the events of one change name, each once, with the last kind; in the order of the events.

    `groups` has one entry for each component that changed (its id, as `component:<id>`): which groups that concerns
    is known to whoever has the state. `silences` brings `alerts` with it in the same way.
    """
    found: dict[tuple[str, str], Touched] = {}
    for event in events:
        for each in _of(event):
            found.pop((each.subject, each.id), None)
            found[each.subject, each.id] = each
    return list(found.values())


def _of(event: "Event") -> list[Touched]:
    kind, subject, data = event.kind, event.subject, event.data
    space = kind.partition(".")[0]
    if space in _BY_SPACE:
        return [Touched(_BY_SPACE[space], subject, kind)]
    if space == "component":
        # `data` names the groups that it belonged to before, too.
        return [Touched("components", subject, kind), Touched("groups", f"component:{subject}", kind, data or {})]
    if space in _OF_POLICIES:
        return [Touched("policies", subject, kind), Touched("components", subject, kind)]
    if space == "group":
        return [Touched("groups", subject, kind)]
    if space == "silence":
        return [Touched("silences", subject, kind), Touched("alerts", f"silence:{subject}", kind)]
    if kind == "event.logged":
        return [Touched("journal", str(data["number"]), kind, data)]
    if space == "leadership":
        # By then everybody knows who leads: at the claim itself not every node does.
        return [Touched(CLUSTER, f"@{subject}", kind), Touched(CLUSTER, CLAIM_ID, kind)]
    if space == "cluster":
        return [Touched(CLUSTER, CLAIM_ID, kind)]
    return []
