"""Groups of components: who belongs to them, their state as one, and what is desired of all members at once."""

import contextlib
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field

from orchestrator.api.asking import Ask, Read
from orchestrator.api.conditions import ETAGGED, IfMatch, IfNoneMatch, condition, etag
from orchestrator.api.documented import READ, WRITE, problems
from orchestrator.api.policies import Desired, MaintenanceBegins, Neighbour, Revision, neighbours
from orchestrator.api.problems import Problem
from orchestrator.audit.entry import NAME_CHARS_MAX
from orchestrator.audit.many import MANY_PREFIX, pieces
from orchestrator.audit.subjects import IDS_TOLD_MAX
from orchestrator.topology import resolving
from orchestrator.topology.aggregate import aggregate
from orchestrator.topology.models import ALL, GroupModel
from orchestrator.topology.rows import DeleteGroup, Desire, Maintain, PutGroup

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.state import PlantState

router = APIRouter(prefix="/v1/groups", tags=["groups"])

GroupName = Annotated[str, Path(pattern=r"^[@A-Za-z0-9][A-Za-z0-9._-]{0,63}$", examples=["line-a"])]
CHANGE = ("precondition_failed", "kind_unsupported", *WRITE)


class GroupState(BaseModel):
    """`state`: that of all members when they share one, else MIXED; EMPTY without members. `counts`: members by state.

    `offline`: members that are not heard. `absent`: members that are not registered. `troubled`: such a one, or FAULT.
    """

    state: str = Field(examples=["STARTED", "MIXED", "EMPTY"])
    counts: dict[str, int]
    offline: int
    absent: int
    troubled: bool


class Group(BaseModel):
    """A group. `components` and `groups` are those that it names; `revision` is the ETag.

    A group that only registrations name, and `@all`, have revision 0: nobody put them.
    """

    name: str
    title: str
    components: list[str]
    groups: list[str]
    strategy: str
    revision: int
    size: int = Field(description="Members with those of its groups.")
    state: GroupState


class GroupWithMembers(Group):
    """A group with its members, those of its groups included, and those whose registrations name it."""

    members: list[Neighbour]


@router.get("", summary="All groups", responses=problems(*READ))
async def groups(read: Read) -> list[Group]:
    """Ordered by name; also those that only registrations name."""
    plant = await read.plant()
    return [Group(**described(plant, name, ids)) for name, ids in resolving.groups(plant).items()]


@router.get(
    "/{name}", summary="One group with its members", responses=problems("group_unknown", *READ, also={200: ETAGGED})
)
async def group(read: Read, name: GroupName, response: Response) -> GroupWithMembers:
    """`@all` has every registered component."""
    plant = await read.plant()
    ids = resolving.members(plant, name)
    answer = GroupWithMembers(**described(plant, name, ids), members=neighbours(plant, ids))
    if answer.revision:
        response.headers["ETag"] = etag(answer.revision)
    return answer


@router.put(
    "/{name}",
    summary="Put a group",
    responses=problems(
        *("group_unknown", "group_cycle", "too_many_groups", "topology_invalid"),
        *CHANGE,
        also={200: ETAGGED, 201: {"model": Revision, "description": "Created", **ETAGGED}},
    ),
)
async def put_group(
    ask: Ask,
    name: GroupName,
    body: GroupModel,
    response: Response,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Revision:
    """201 when nobody had put it. Components need not be registered yet; groups that it holds must be there."""
    _put_by_people(name)
    applied = await ask.propose(PutGroup.kind, PutGroup.of(name, body, if_revision=condition(if_match, if_none_match)))
    told = applied.outcome.value
    response.headers["ETag"] = etag(told["revision"])
    if told["created"]:
        response.status_code = 201
    return Revision(revision=told["revision"])


@router.delete(
    "/{name}",
    status_code=204,
    summary="Delete a group",
    responses=problems("group_unknown", "group_in_use", "topology_invalid", *CHANGE),
)
async def delete_group(ask: Ask, name: GroupName, if_match: IfMatch = None) -> None:
    """Its members stay as they are. One that registrations name goes on with these."""
    _put_by_people(name)
    await ask.propose(DeleteGroup.kind, DeleteGroup(name=name, if_revision=condition(if_match)))


@router.put(
    "/{name}/desired",
    summary="Desire a state of all members",
    responses=problems("group_unknown", "selector_empty", *CHANGE),
)
async def desire_group(ask: Ask, read: Read, name: GroupName, body: Desired) -> Revision:
    """Of those that are members now: who joins later is not meant."""
    ids = resolving.select(await read.plant(), groups=[name])
    return await _of_all(
        ask, name, Desire(ids=ids, state=body.state or "", by=ask.signed(body.by)), state=body.state or "none"
    )


@router.put(
    "/{name}/maintenance",
    summary="Begin maintenance of all members",
    responses=problems("group_unknown", "selector_empty", *CHANGE),
)
async def begin_group_maintenance(ask: Ask, read: Read, name: GroupName, body: MaintenanceBegins) -> Revision:
    """Of those that are members now."""
    ids = resolving.select(await read.plant(), groups=[name])
    command = Maintain(ids=ids, on=True, reason=body.reason, by=ask.signed(body.by))
    return await _of_all(ask, name, command, on=True, reason=body.reason)


@router.delete(
    "/{name}/maintenance",
    summary="End maintenance of all members",
    responses=problems("group_unknown", "selector_empty", *CHANGE),
)
async def end_group_maintenance(ask: Ask, read: Read, name: GroupName) -> Revision:
    """Of those that are members now."""
    ids = resolving.select(await read.plant(), groups=[name])
    return await _of_all(ask, name, Maintain(ids=ids, on=False), on=False)


async def _of_all(ask: Ask, name: str, command: Desire | Maintain, **asked: Any) -> Revision:
    """One change of all members. Where they are more than its entry in the audit can tell, they are noted by group."""
    async with contextlib.AsyncExitStack() as around:
        if len(command.ids) > IDS_TOLD_MAX or len(",".join(command.ids)) > NAME_CHARS_MAX:
            kind = f"{MANY_PREFIX}{command.kind.partition('.')[0]}"
            await around.enter_async_context(ask.noted(kind, "groups", name, **asked, **pieces(command.ids)))
        applied = await ask.propose(command.kind, command)
    return Revision(revision=applied.outcome.value["revision"])


def _put_by_people(name: str) -> None:
    if name == ALL:
        raise Problem("topology_invalid", f"{ALL} is every registered component: it is not put or deleted")
    if name.startswith("@"):
        raise Problem("topology_invalid", f"{name}: a name begins with a letter or a digit; only {ALL} begins with @")


def described(plant: "PlantState", name: str, ids: "Iterable[str]") -> dict[str, Any]:
    row = plant.topology.groups.get(name)
    ids = tuple(ids)
    found = aggregate(ids, plant.components.rows)
    return {
        "name": name,
        "title": "" if row is None else row.title,
        "components": [] if row is None else list(row.components),
        "groups": [] if row is None else list(row.groups),
        "strategy": "one_for_one" if row is None else str(row.strategy),
        "revision": 0 if row is None else row.revision,
        "size": len(ids),
        "state": GroupState(
            state=found.state,
            counts=dict(found.counts),
            offline=found.offline,
            absent=found.absent,
            troubled=found.troubled,
        ),
    }
