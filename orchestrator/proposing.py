"""What a node proposes: typed bodies become commands, with who is behind the request that asks for them."""

import time

import msgspec

from cluster import Applied, Cluster, Command, Epoch
from orchestrator.access.acting import ACTOR
from orchestrator.ids import new_id
from orchestrator.playbooks.execution import EventAccepted
from orchestrator.state import AUDIT_LEVEL, PlantState


class Proposals:
    """Those of one node."""

    def __init__(self, cluster: Cluster, state: PlantState) -> None:
        self._cluster = cluster
        self._state = state

    async def propose(
        self,
        kind: str,
        body: msgspec.Struct,
        *,
        command_id: str | None = None,
        epoch: Epoch | None = None,
        key: str = "",
        request: str = "",
        actor: dict[str, str] | None = None,
    ) -> Applied:
        """Replicate a typed body. A repeat under the same `command_id` answers what the first one did.

        `key`: nothing but the commands of `request` may use it. `actor`: of a request that came to another node.
        """
        known = self.audited()
        command = Command(
            kind=kind,
            body=msgspec.msgpack.encode(body),
            id=command_id or new_id(),
            time=time.time(),
            epoch=epoch,
            version=_layout(type(body)),
            # What carries the epoch is decided by a duty, also where a request has brought it about: nobody's, but for
            # an event, which is the sender's.
            actor=(actor or self.actor()) if epoch is None or kind == EventAccepted.kind else None,
            key=key if known else "",
            request=request if known and key else "",
        )
        return await self._cluster.propose(command)

    def actor(self) -> dict[str, str] | None:
        """Who is behind the request that is worked on, as the log tells it; None while a member would not enter it."""
        actor = ACTOR.get()
        return None if actor is None or not self.audited() else msgspec.to_builtins(actor)

    def audited(self) -> bool:
        """Whether every member knows actors and keys: it does now, or did when the first change was entered.

        One that does not would neither enter a change nor refuse a key, and then its state is another one.
        """
        return not self._state.audit.untouched or self._cluster.level() >= AUDIT_LEVEL


def _layout(body: type[msgspec.Struct]) -> int:
    """The version of a body's layout: its class says it. A field of that name belongs to the command itself."""
    version = getattr(body, "version", 1)
    return version if isinstance(version, int) else 1
