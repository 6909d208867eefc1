"""Shapes of answers: groups. Generated from the API by `make docs`; not edited by hand."""

import msgspec

from orchestrator.client.shapes.several import Neighbour


class GroupState(msgspec.Struct, frozen=True, kw_only=True):
    """`state`: that of all members when they share one, else MIXED; EMPTY without members. `counts`: members by
    state. `offline`: members that are not heard. `absent`: members that are not registered. `troubled`: such
    a one, or FAULT.
    """

    state: str
    counts: dict[str, int]
    offline: int
    absent: int
    troubled: bool


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A group. `components` and `groups` are those that it names; `revision` is the ETag. A group that only
    registrations name, and `@all`, have revision 0: nobody put them.
    """

    name: str
    title: str
    components: list[str]
    groups: list[str]
    strategy: str
    revision: int
    size: int
    """Members with those of its groups."""
    state: GroupState


class GroupWithMembers(msgspec.Struct, frozen=True, kw_only=True):
    """A group with its members, those of its groups included, and those whose registrations name it."""

    name: str
    title: str
    components: list[str]
    groups: list[str]
    strategy: str
    revision: int
    size: int
    """Members with those of its groups."""
    state: GroupState
    members: list[Neighbour]
