"""`client.groups`, and `client.plans`: groups of components, and in which order they would move."""

from collections.abc import Sequence
from typing import Literal, Unpack

from orchestrator.client.calls import Call, ReadOptions, if_match, nothing
from orchestrator.client.endpoints import M, Noun, endpoint
from orchestrator.client.nouns.components import Desired
from orchestrator.client.shapes.groups import Group, GroupWithMembers
from orchestrator.client.shapes.plans import Plan, SupervisionDecision
from orchestrator.client.shapes.several import Revision

Strategy = Literal["one_for_one", "rest_for_one", "all_for_one"]


class Groups(Noun[M]):
    @endpoint("GET", "/v1/groups/{name}")
    def get(self, name: str, **read: Unpack[ReadOptions]) -> Call[GroupWithMembers]:
        return Call(GroupWithMembers, {"name": name}, query=read)

    @endpoint("PUT", "/v1/groups/{name}")
    def put(
        self,
        name: str,
        *,
        components: Sequence[str] = (),
        groups: Sequence[str] = (),
        title: str = "",
        strategy: Strategy = "one_for_one",
        if_revision: int | None = None,
        key: str | None = None,
    ) -> Call[Revision]:
        """Make or replace a group. `if_revision`: only while it has this one; 0: only if nobody has put it."""
        body = {"title": title, "components": [*components], "groups": [*groups], "strategy": strategy}
        return Call(Revision, {"name": name}, body=body, headers=if_match(if_revision), key=key)

    @endpoint("DELETE", "/v1/groups/{name}")
    def delete(self, name: str, *, if_revision: int | None = None, key: str | None = None) -> Call[None]:
        return nothing({"name": name}, headers=if_match(if_revision), key=key)

    @endpoint("PUT", "/v1/groups/{name}/desired")
    def desire(self, name: str, state: Desired | None, *, by: str = "", key: str | None = None) -> Call[Revision]:
        """In which state its components shall be kept; None: in none."""
        return Call(Revision, {"name": name}, body={"state": state, "by": by}, key=key)

    @endpoint("PUT", "/v1/groups/{name}/maintenance")
    def begin_maintenance(self, name: str, reason: str, *, by: str = "", key: str | None = None) -> Call[Revision]:
        return Call(Revision, {"name": name}, body={"reason": reason, "by": by}, key=key)

    @endpoint("DELETE", "/v1/groups/{name}/maintenance")
    def end_maintenance(self, name: str, *, key: str | None = None) -> Call[Revision]:
        return Call(Revision, {"name": name}, key=key)

    @endpoint("GET", "/v1/groups")
    def list(self, **read: Unpack[ReadOptions]) -> Call[list[Group]]:
        return Call(list[Group], query=read)


class Plans(Noun[M]):
    @endpoint("GET", "/v1/plan")
    def of(
        self,
        target: Literal["READY", "INIT_COMPLETE", "STARTED", "STOPPED"],
        *,
        groups: Sequence[str] = (),
        components: Sequence[str] = (),
        related: bool = False,
        **read: Unpack[ReadOptions],
    ) -> Call[Plan]:
        """In which order these would move; nothing does. `related`: with all that they need, or that need them."""
        query = {"target": target, "group": groups, "component": components, "related": related, **read}
        return Call(Plan, query=query)

    @endpoint("GET", "/v1/supervision")
    def supervision(self) -> Call[list[SupervisionDecision]]:
        """What the supervision last decided of each component, and why."""
        return Call(list[SupervisionDecision])
