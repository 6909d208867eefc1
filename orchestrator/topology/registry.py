"""The replicated registry of the plant's topology: groups, and what people want of each component. Pure, deterministic.

Groups may hold components that are not registered (yet): a plant comes up in any order. They hold only groups that were
put. Cycles of groups, and of the dependencies that policies add, are refused by name. Dependencies come from
registrations, too, and these are never refused: a cycle that arises so is shown, and whoever plans refuses it.

Codes: `precondition_failed` (with `{"revision": …}`), `group_unknown`, `group_cycle`, `group_in_use`,
`dependency_cycle`, `policy_unknown`, `too_many_groups`, `registry_full`, `component_unknown`,
`component_in_maintenance`, `nothing_to_acknowledge`, `supervision_changed`, `invalid_command`.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from orchestrator.components import COMPONENTS_MAX, Position
from orchestrator.lifecycle import State
from orchestrator.topology.dependencies import Components, merged_dependencies
from orchestrator.topology.ordering import arrows, cycle
from orchestrator.topology.rows import (
    KINDS,
    STARTED,
    Acknowledge,
    Acknowledgement,
    Begin,
    ControlRow,
    DeleteGroup,
    DeletePolicy,
    Desire,
    End,
    GiveUp,
    GroupRow,
    Maintain,
    Maintenance,
    PutGroup,
    Run,
    SetPolicy,
)

GROUPS_MAX = 1_000
RESTARTS_KEPT = 100
"""Of the times of restarts, whatever a policy says."""

replace = msgspec.structs.replace


class Result(msgspec.Struct, frozen=True):
    """`value` is plain builtins; `code` is empty when the command was accepted."""

    value: Any = None
    code: str = ""
    message: str = ""


class TopologyEvent(NamedTuple):
    kind: str
    subject: str
    data: dict[str, Any]


Applied = tuple[Result, list[TopologyEvent]]


class TopologyRegistry:
    """`groups` by name, `controls` by component id: replaced on change, never altered. Any thread may read them."""

    def __init__(self) -> None:
        self.groups: Mapping[str, GroupRow] = {}
        self.controls: Mapping[str, ControlRow] = {}
        self.revision = 0
        """the newest that was ever given, also to what is deleted"""
        self.at = 0.0
        """the newest plant time that a command of the supervision carried"""

    @property
    def untouched(self) -> bool:
        """Nothing was ever said."""
        return self.revision == 0 and not self.controls

    def control(self, component_id: str) -> ControlRow:
        """What is said of a component; of one that nobody spoke of, the defaults, which ask for nothing."""
        return self.controls.get(component_id) or ControlRow(id=component_id)

    def snapshot(self) -> dict[str, Any]:
        """Plain builtins, in order: equal states give equal bytes."""
        return {
            "version": 1,
            "revision": self.revision,
            "at": self.at,
            "groups": [msgspec.to_builtins(row) for _, row in sorted(self.groups.items())],
            "controls": [msgspec.to_builtins(row) for _, row in sorted(self.controls.items())],
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """Replaces everything. Raises ValueError when the snapshot is of a version that this code does not know."""
        if data.get("version") != 1:
            raise ValueError(f"topology: snapshot version {data.get('version')!r} is not known here")
        groups = msgspec.convert(data["groups"], list[GroupRow])
        controls = msgspec.convert(data["controls"], list[ControlRow])
        revision, at = msgspec.convert(data["revision"], int), msgspec.convert(data["at"], float)
        self.groups = {row.name: row for row in groups}
        self.controls = {row.id: row for row in controls}
        self.revision, self.at = revision, at

    def adopt(self, other: "TopologyRegistry") -> None:
        """Become what `other` is."""
        self.groups, self.controls = other.groups, other.controls
        self.revision, self.at = other.revision, other.at

    def apply(self, kind: str, body: bytes, *, time: float, position: Position, components: Components) -> Applied:
        """Apply one command; `body` is its msgpack, `components` are the registered ones. A refusal changes nothing."""
        try:
            command = msgspec.msgpack.decode(body, type=KINDS[kind])
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return Result(code="invalid_command", message=f"{kind}: {error}"), []
        match command:
            case PutGroup():
                return self._put_group(command, time, position)
            case DeleteGroup():
                return self._delete_group(command, position)
            case SetPolicy():
                return self._set_policy(command, position, components)
            case DeletePolicy():
                return self._delete_policy(command, position)
            case Desire():
                return self._desire(command, position)
            case Maintain():
                return self._maintain(command, time, position)
            case Acknowledge():
                return self._acknowledge(command, time, position, components)
            case Begin():
                return self._begin(command, time, position)
            case End():
                return self._end(command)
            case GiveUp():
                return self._give_up(command)

    # ── Groups ────────────────────────────────

    def _put_group(self, command: PutGroup, time: float, position: Position) -> Applied:
        held = self.groups.get(command.name)
        if (refusal := _unmet(f"group {command.name}", command.if_revision, held)) is not None:
            return refusal, []
        if held is None and len(self.groups) >= GROUPS_MAX:
            return Result(code="too_many_groups", message=f"{GROUPS_MAX} groups are there already"), []
        for member in command.groups:
            if member not in self.groups and member != command.name:
                message = f"group {command.name} shall hold group {member}, which is not there; put {member} first"
                return Result(code="group_unknown", message=message), []
        graph = {name: row.groups for name, row in self.groups.items()} | {command.name: command.groups}
        if circle := cycle(graph, [command.name]):
            message = f"groups would hold one another: {arrows(circle)}"
            return Result(value={"cycle": list(circle)}, code="group_cycle", message=message), []
        row = GroupRow(
            name=command.name,
            title=command.title,
            components=command.components,
            groups=command.groups,
            strategy=command.strategy,
            revision=self._next_revision(position),
            time=time,
        )
        self.groups = {**self.groups, row.name: row}
        value = {"revision": row.revision, "time": time, "created": held is None}
        return Result(value=value), [TopologyEvent("group.put", row.name, {"revision": row.revision})]

    def _delete_group(self, command: DeleteGroup, position: Position) -> Applied:
        held = self.groups.get(command.name)
        if (refusal := _unmet(f"group {command.name}", command.if_revision, held)) is not None:
            return refusal, []
        if held is None:
            return Result(code="group_unknown", message=f"group {command.name} is not there"), []
        if holding := sorted(name for name, row in self.groups.items() if command.name in row.groups):
            message = f"group {command.name} is a member of {', '.join(holding[:10])}; take it out there first"
            return Result(code="group_in_use", message=message), []
        self.groups = {name: row for name, row in self.groups.items() if name != command.name}
        return Result(), [TopologyEvent("group.deleted", command.name, {"revision": self._next_revision(position)})]

    # ── What people say of a component ────────────────────────────────

    def _set_policy(self, command: SetPolicy, position: Position, components: Components) -> Applied:
        held = self.control(command.id)
        if (refusal := self._unchangeable([command.id], command.if_revision)) is not None:
            return refusal, []
        row = replace(
            held,
            depends_on=command.depends_on,
            restart=command.restart,
            on_dependency_failure=command.on_dependency_failure,
            restarts=(),
            exhausted="",
        )
        graph = merged_dependencies(components, {**self.controls, row.id: row})
        if circle := cycle(graph, [row.id]):
            message = f"these would need one another: {arrows(circle)}"
            return Result(value={"cycle": list(circle)}, code="dependency_cycle", message=message), []
        return self._said([row], position, "policy.set")

    def _delete_policy(self, command: DeletePolicy, position: Position) -> Applied:
        if (refusal := self._unchangeable([command.id], command.if_revision)) is not None:
            return refusal, []
        if command.id not in self.controls:
            return Result(code="policy_unknown", message=f"nothing is said of component {command.id}"), []
        self.controls = {key: row for key, row in self.controls.items() if key != command.id}
        return Result(), [TopologyEvent("policy.deleted", command.id, {"revision": self._next_revision(position)})]

    def _desire(self, command: Desire, position: Position) -> Applied:
        if (refusal := self._unchangeable(command.ids, command.if_revision)) is not None:
            return refusal, []
        rows = [
            replace(self.control(each), desired=command.state, desired_by=command.by, restarts=(), exhausted="")
            for each in dict.fromkeys(command.ids)
        ]
        return self._said(rows, position, "desired.set")

    def _maintain(self, command: Maintain, time: float, position: Position) -> Applied:
        if (refusal := self._unchangeable(command.ids, command.if_revision)) is not None:
            return refusal, []
        since = Maintenance(reason=command.reason, by=command.by, since=time) if command.on else None
        rows = [replace(self.control(each), maintenance=since) for each in dict.fromkeys(command.ids)]
        return self._said(rows, position, "maintenance.begun" if command.on else "maintenance.ended")

    def _acknowledge(self, command: Acknowledge, time: float, position: Position, components: Components) -> Applied:
        row = components.get(command.id)
        if row is None:
            return Result(code="component_unknown", message=f"component {command.id} is not registered"), []
        held = self.control(command.id)
        if row.state != State.FAULT and not held.exhausted:
            message = f"component {command.id} is {row.state}, and nothing about it waits for anybody"
            return Result(code="nothing_to_acknowledge", message=message), []
        if (refusal := self._unchangeable([command.id], None)) is not None:
            return refusal, []
        seen = Acknowledgement(
            by=command.by,
            note=command.note,
            time=time,
            position=row.position,
            sequence=row.sequence,
            reason=row.reason,
        )
        control = replace(held, acknowledged=seen)
        if command.retry:
            control = replace(control, restarts=(), exhausted="")
        self._next_revision(position)  # the registry is touched; what people want of the component is as it was
        return self._stored([control], "fault.acknowledged")

    def _unchangeable(self, ids: Iterable[str], if_revision: int | None) -> Result | None:
        """Why nothing can be said of these now."""
        ids = set(ids)
        if if_revision is not None and len(ids) != 1:
            return Result(code="invalid_command", message="if_revision goes with one component")
        for each in sorted(ids):
            if (refusal := _unmet(f"component {each}", if_revision, self.controls.get(each))) is not None:
                return refusal
        if len(self.controls.keys() | ids) > COMPONENTS_MAX:
            message = f"something is said of {COMPONENTS_MAX} components already; delete the policies of some first"
            return Result(code="registry_full", message=message)
        return None

    def _said(self, rows: list[ControlRow], position: Position, event: str) -> Applied:
        revision = self._next_revision(position)
        return self._stored([replace(row, revision=revision) for row in rows], event)

    def _stored(self, rows: list[ControlRow], event: str) -> Applied:
        self.controls = {**self.controls, **{row.id: row for row in rows}}
        events = [TopologyEvent(event, row.id, {"revision": row.revision}) for row in rows]
        return Result(value={"revision": rows[0].revision if rows else self.revision}), events

    # ── What the supervision does ────────────────────────────────

    def _begin(self, command: Begin, time: float, position: Position) -> Applied:
        held = self.control(command.id)
        if (refusal := _overtaken(held, command.replaces)) is not None:
            return refusal, []
        if held.maintenance is not None:
            message = f"component {command.id} is in maintenance: {held.maintenance.reason}"
            return Result(code="component_in_maintenance", message=message), []
        if command.id not in self.controls and len(self.controls) >= COMPONENTS_MAX:
            return Result(code="registry_full", message=f"{COMPONENTS_MAX} components are supervised already"), []
        run = Run(
            number=self._next_revision(position),
            purpose=command.purpose,
            goal=command.goal,
            reason=command.reason,
            position=command.position,
            sequence=command.sequence,
            begun=command.at,
            not_before=command.not_before,
            time=time,
        )
        restarts = held.restarts
        if command.purpose == "restart":
            recent = [each for each in held.restarts if each > command.at - held.restart.window_s]
            restarts = (*recent, command.at)[-RESTARTS_KEPT:]
        self.at = max(self.at, command.at)
        self.controls = {**self.controls, held.id: replace(held, run=run, restarts=restarts)}
        told = {"number": run.number, "purpose": run.purpose, "goal": str(run.goal), "reason": run.reason}
        return Result(value={"number": run.number}), [TopologyEvent("supervision.begun", held.id, told)]

    def _end(self, command: End) -> Applied:
        held = self.control(command.id)
        if held.run is None or held.run.outcome or held.run.number != command.number:
            return Result(code="supervision_changed", message=f"run {command.number} goes on no more"), []
        ended = replace(held, run=replace(held.run, outcome=command.outcome))
        if command.outcome == "reached" and str(held.run.goal) == STARTED:
            ended = replace(ended, acknowledged=None)
            if held.exhausted:  # somebody else has brought it up
                ended = replace(ended, exhausted="", restarts=())
        self.at = max(self.at, command.at)
        self.controls = {**self.controls, held.id: ended}
        told = {"number": command.number, "outcome": command.outcome}
        return Result(), [TopologyEvent("supervision.ended", held.id, told)]

    def _give_up(self, command: GiveUp) -> Applied:
        held = self.control(command.id)
        if (refusal := _overtaken(held, command.replaces)) is not None:
            return refusal, []
        run = held.run if held.run is None or held.run.outcome else replace(held.run, outcome="abandoned")
        self.at = max(self.at, command.at)
        self.controls = {**self.controls, held.id: replace(held, run=run, exhausted=command.reason)}
        return Result(), [TopologyEvent("supervision.gave_up", held.id, {"reason": command.reason})]

    def _next_revision(self, position: Position) -> int:
        self.revision = max(position[1], self.revision + 1)
        return self.revision


def _unmet(subject: str, if_revision: int | None, held: GroupRow | ControlRow | None) -> Result | None:
    """The refusal of a change whose subject has another revision than it asks for."""
    revision = 0 if held is None else held.revision
    if if_revision is None or if_revision == revision:
        return None
    now = f"has revision {revision}" if revision else "has none: nothing was said of it yet"
    message = f"{subject} {now}, the condition was revision {if_revision}; nothing was changed"
    return Result(value={"revision": revision}, code="precondition_failed", message=message)


def _overtaken(held: ControlRow, replaces: int) -> Result | None:
    number = 0 if held.run is None else held.run.number
    if number == replaces:
        return None
    return Result(code="supervision_changed", message=f"run {number} of component {held.id} has begun since")
