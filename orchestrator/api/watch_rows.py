"""The rows of a watch's subjects, as the list endpoints show them, as JSON.

What only the leader knows of a row (a component's last heartbeat) is null here, as in the answer of a follower: it does
not come by the log, and `figures` have it. A row is as the state is when it is asked for: as of the change that touched
it, or newer.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from pydantic import BaseModel

from orchestrator.api.alert_rules import shown_rule
from orchestrator.api.alerts import shown_alert, shown_silence
from orchestrator.api.components import UNHEARD, lasting_of
from orchestrator.api.execution_shown import summary
from orchestrator.api.following_journal import shown as shown_line
from orchestrator.api.groups import Group, described
from orchestrator.api.members import rows_of
from orchestrator.api.playbook_texts import Shelf
from orchestrator.api.playbooks import summary_of
from orchestrator.api.policies import shown_policy
from orchestrator.api.processors import Processor
from orchestrator.api.variables import shown as shown_variable
from orchestrator.api.view import NodeView
from orchestrator.audit.entry import text_of
from orchestrator.playbooks.journal import public
from orchestrator.topology import resolving
from orchestrator.watching.belonging import Belonging
from orchestrator.watching.subjects import CLAIM_ID, Touched

if TYPE_CHECKING:
    from orchestrator.components import ComponentRow
    from orchestrator.state import PlantState
    from orchestrator.topology.rows import ControlRow

Row = tuple[str, bytes | None]
"""(id, JSON); None: it is gone."""
GONE = b"null"


class Rows:
    """Of one node. What was encoded of a component is kept while its row stands: it is asked for again and again."""

    def __init__(self, node: NodeView, shelf: Shelf) -> None:
        self._node = node
        self._shelf = shelf
        self._belonging = Belonging()
        self._components: dict[str, tuple[ComponentRow, ControlRow | None, bytes]] = {}
        self._groups: dict[str, tuple[Any, Any, bytes]] = {}
        self._seen: set[str] = set()

    def forget(self) -> None:
        """The state has jumped: what was kept was found out about another one."""
        self._belonging = Belonging()
        self._components.clear()
        self._groups.clear()

    # ── All of a subject ────────────────────────────────

    def all(self, state: "PlantState", subject: str, now: float) -> Iterator[tuple[str, bytes]]:
        """Every row of a subject in `state`, which must not change meanwhile. `now`: unix seconds, for silences."""
        match subject:
            case "components":
                for each, row in sorted(state.components.rows.items()):
                    yield each, self._component(state, row)
            case "groups":
                for name, ids in resolving.groups(state).items():
                    yield name, _json(Group(**described(state, name, ids)))
            case "policies":
                for each, control in sorted(state.topology.controls.items()):
                    yield each, _json(shown_policy(control))
            case "playbooks":
                for name, book in sorted(state.executions.playbooks.rows.items()):
                    if not book.deleted:
                        yield name, _json(summary_of(self._shelf, book))
            case "executions":
                for execution in state.executions.rows.values():
                    yield execution.id, msgspec.json.encode(summary(execution))
            case "processors":
                for each, processor in sorted(state.processors.rows.items()):
                    yield each, _json(Processor(**processor.public()))
            case "variables":
                for name, variable in sorted(state.variables.rows.items()):
                    yield name, msgspec.json.encode(shown_variable(variable))
            case "alerts":
                for alert in (*state.alerts.firing.values(), *state.alerts.resolved):
                    yield alert.id, _json(shown_alert(alert, state.alerts.silences, now))
            case "silences":
                for silence in state.alerts.silences.values():
                    yield silence.id, _json(shown_silence(silence, now))
            case "alert_rules":
                for name, rule in sorted(state.alerts.effective().items()):
                    yield name, _json(shown_rule(rule, state.alerts.rules.get(name)))
            case "journal":
                for line in state.executions.journal.lines:
                    yield str(line.number), msgspec.json.encode(shown_line(public(line)))
            case "tokens":
                for each, token in sorted(state.access.rows.items()):
                    yield each, msgspec.json.encode(token.public())
            case "audit":
                for audited in state.audit.entries:
                    yield str(audited.number), text_of(audited)
            case "cluster":
                yield from self._cluster(state)

    # ── Those that a change touched ────────────────────────────────

    def of(self, state: "PlantState", touched: Touched, now: float) -> list[Row]:
        """The rows behind one entry of `touched`: mostly one."""
        subject, each = touched.subject, touched.id
        match subject:
            case "components":
                row = state.components.get(each)
                return [(each, None if row is None else self._component(state, row))]
            case "groups":
                return [(name, self._group(state, name)) for name in self._belonging.groups(state, touched)]
            case "journal":
                return [(each, msgspec.json.encode(shown_line(touched.data)))]
            case "alerts" if each.startswith("silence:"):
                silences, silence = state.alerts.silences, each.removeprefix("silence:")
                shown = [shown_alert(row, silences, now) for row in state.alerts.firing.values()]
                # Of one that has ended nobody knows whom it concerned.
                wanted = [row for row in shown if silence not in silences or silence in row.silenced_by]
                return [(str(row.id), _json(row)) for row in wanted]
            case "audit":
                # The newest stand at the end, and it is one of them.
                found = next((one for one in reversed(state.audit.entries) if str(one.number) == each), None)
                return [] if found is None else [(each, text_of(found))]
            case "cluster":
                if each != CLAIM_ID:
                    led = state.leaderships.get(each.removeprefix("@"))
                    return [(each, None if led is None else msgspec.json.encode(led))]
                rows = dict(self._members())
                gone, self._seen = self._seen - rows.keys(), set(rows)
                return [*rows.items(), *((name, None) for name in sorted(gone))]
        return [(each, self._one(state, subject, each, now))]

    def _one(self, state: "PlantState", subject: str, each: str, now: float) -> bytes | None:
        shown: BaseModel | Mapping[str, Any] | None = None
        match subject:
            case "policies" if (control := state.topology.controls.get(each)) is not None:
                shown = shown_policy(control)
            case "playbooks" if (book := state.executions.playbooks.get(each)) is not None:
                shown = summary_of(self._shelf, book)
            case "executions" if (execution := state.executions.get(each)) is not None:
                shown = summary(execution)
            case "processors" if (processor := state.processors.get(each)) is not None:
                shown = Processor(**processor.public())
            case "variables" if (variable := state.variables.get(each)) is not None:
                shown = shown_variable(variable)
            case "alerts" if (alert := state.alerts.get(each)) is not None:
                shown = shown_alert(alert, state.alerts.silences, now)
            case "silences" if (silence := state.alerts.silences.get(each)) is not None:
                shown = shown_silence(silence, now)
            case "alert_rules" if (rule := state.alerts.effective().get(each)) is not None:
                shown = shown_rule(rule, state.alerts.rules.get(each))
            case "tokens" if (token := state.access.get(each)) is not None:
                shown = token.public()
        if shown is None:
            return None
        return _json(shown) if isinstance(shown, BaseModel) else msgspec.json.encode(shown)

    # ── Kept, or made of several ────────────────────────────────

    def _component(self, state: "PlantState", row: "ComponentRow") -> bytes:
        control = state.topology.controls.get(row.id)
        held = self._components.get(row.id)
        if held is not None and held[0] is row and held[1] is control:
            return held[2]
        data = msgspec.json.encode({**lasting_of(row, control or state.topology.control(row.id)), **UNHEARD})
        if len(self._components) > len(state.components.rows) + 100:
            self._components.clear()  # of components that are gone
        self._components[row.id] = (row, control, data)
        return data

    def _group(self, state: "PlantState", name: str) -> bytes | None:
        rows, groups = state.components.rows, state.topology.groups
        held = self._groups.get(name)
        if held is not None and held[0] is rows and held[1] is groups:
            return held[2]
        ids = self._belonging.members(state, name)
        if ids is None:
            self._groups.pop(name, None)
            return None
        data = _json(Group(**described(state, name, ids)))
        self._groups[name] = (rows, groups, data)
        return data

    def _cluster(self, state: "PlantState") -> Iterator[tuple[str, bytes]]:
        yield from self._members()
        for row in state.leaderships.rows:
            yield f"@{row.epoch}", msgspec.json.encode(row)

    def _members(self) -> Iterator[tuple[str, bytes]]:
        """The claim and the members, as this node sees them now."""
        node = self._node
        seen, epoch = node.cluster.status(), node.epoch()
        members = rows_of(node)
        claim = {
            "leader": seen.leader_id,
            "leader_api": node.leader_api(),
            "epoch": None if epoch is None else str(epoch),
            "mode": node.config.cluster.mode,
            "members": [member.id for member in members],
        }
        yield CLAIM_ID, msgspec.json.encode(claim)
        for member in members:
            yield member.id, _json(member)


def entry(subject: str, row_id: str, kind: str, row: bytes | None) -> bytes:
    """One member of `changes` in what a watch tells."""
    head = msgspec.json.encode({"subject": subject, "id": row_id, "kind": kind})[:-1]
    return head + b',"row":' + (GONE if row is None else row) + b"}"


def _json(model: BaseModel) -> bytes:
    return model.__pydantic_serializer__.to_json(model)
