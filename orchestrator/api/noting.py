"""What people do that is no replicated command, entered in the audit: what is intended before it, the outcome after it.

    asking.noted("component.command", …)
        intended ── cannot be entered ──▶ refused: nothing is done that nobody would know of
        …the effect…
        done | the code of a refusal | unknown

A node that does not lead (it was asked for its own state, or has just handed leadership over) passes the note on to the
leader.
"""

import asyncio
import contextlib
import hashlib
import logging
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec

from cluster import Applied, ClusterError, KindUnsupported, NoLeader, NotLeader, Position
from orchestrator.api.leader_link import Broken, LeaderLink, NotSent
from orchestrator.api.problems import Problem, refused
from orchestrator.api.view import NodeView
from orchestrator.audit.chain import Note
from orchestrator.audit.entry import DONE, UNKNOWN

log = logging.getLogger(__name__)

PATH = "/v1/audit/notes"
WAIT_S = 3.0
"""How long a leader is looked for that takes a note."""
POLL_S = 0.05


class Passed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A note as one node gives it to another."""

    note: Note
    actor: dict[str, str]
    command_id: str
    key: str = ""
    request: str = ""


class Notes:
    """Those of one node. `link` reaches the other nodes."""

    def __init__(self, node: NodeView, link: LeaderLink) -> None:
        self._node = node
        self._link = link
        self._later: set[asyncio.Task[None]] = set()
        """each of a request, and over within `WAIT_S`"""

    async def enter(self, passed: Passed) -> Applied | None:
        """Returns once it stands in the audit: as what, if this node entered it.

        Raises `Problem` (`key_reused`, `no_leader`, …) or a ClusterError.
        """
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                applied = await self._propose(passed)
            except KindUnsupported:
                return None  # while a release is rolled out nothing is entered
            except (NotLeader, NoLeader):
                if await self._passed_on(passed):
                    return None
            else:
                if not applied.outcome.ok:
                    raise refused(applied.outcome.code, applied.outcome.message)
                return applied
            if time.monotonic() >= deadline:
                raise Problem("no_leader", "what was asked for cannot be entered in the audit; nothing was done")
            await asyncio.sleep(POLL_S)

    async def _propose(self, passed: Passed) -> Applied:
        return await self._node.propose(
            Note.kind,
            passed.note,
            command_id=passed.command_id,
            key=passed.key,
            request=passed.request,
            actor=passed.actor,
        )

    async def _passed_on(self, passed: Passed) -> bool:
        leader = self._node.leader_api()
        if leader is None or self._node.cluster.status().leader_id == self._node.config.node.id:
            return False
        token = self._node.config.api_token()
        headers = [(b"Content-Type", b"application/json")]
        if token is not None:
            headers.append((b"Authorization", f"Bearer {token}".encode()))
        try:
            answer = await self._link.ask(leader, "POST", PATH, headers, msgspec.json.encode(passed), within_s=WAIT_S)
        except (NotSent, Broken) as error:
            log.info("a note for the audit did not reach the leader (%s); trying again", error)
            return False
        if answer.status == 204:
            return True
        try:
            problem: Any = msgspec.json.decode(answer.content)
            code, detail = str(problem["code"]), str(problem["detail"])
        except (ValueError, LookupError, TypeError):
            code, detail = "internal", f"the leader answered {answer.status}"
        if code == "no_leader":
            return False
        raise refused(code, detail)

    def enter_later(self, passed: Passed) -> None:
        """As `enter_outcome`, without waiting for it: whoever asked is answered meanwhile."""
        task = asyncio.create_task(self.enter_outcome(passed), name="audit-note")
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def enter_outcome(self, passed: Passed) -> None:
        """As `enter`, for what is done already: where it cannot be entered, the node's log has it."""
        try:
            await self.enter(passed)
        except (ClusterError, Problem) as error:
            log.warning("not entered in the audit (%s): %s", error, msgspec.json.encode(passed).decode())


class Noted:
    """What is done, while it is done: `members` stand in the entry of the outcome.

    `first_asked`: where in the log the same request was entered before, under its key; None for one that is new, or
    where it is not known.
    """

    def __init__(self) -> None:
        self.members: dict[str, Any] = {}
        self.first_asked: Position | None = None


@contextlib.asynccontextmanager
async def noted(
    notes: Notes,
    intent: Note,
    *,
    actor: dict[str, str] | None,
    command_id: str,
    key: str,
    request: str,
    needed: bool = True,
    moves: bool = False,
) -> AsyncIterator[Noted]:
    """Around an effect. Raises what it raises; before it, what keeps the intent from being entered.

    Not `needed`: then it is done all the same, and the node's log tells of it. `moves`: the effect may take leadership
    away from here. Then, and where the cluster itself has failed, the answer does not wait for the outcome's entry.
    """
    done = Noted()
    if actor is None:
        yield done
        return

    def passed(note: Note, name: str) -> Passed:
        return Passed(note=note, actor=actor, command_id=name, key=key, request=request)

    def told(outcome: str) -> Passed:
        note = msgspec.structs.replace(intent, outcome=outcome, after={**(intent.after or {}), **flat(done.members)})
        # Another outcome of the same request, repeated after one that was not known, is an entry of its own.
        digest = hashlib.sha256(msgspec.msgpack.encode(note, order="sorted")).hexdigest()[:16]
        return passed(note, f"{command_id}/{digest}")

    if needed:
        entered = await notes.enter(passed(intent, command_id))
        if entered is not None and entered.duplicate:
            done.first_asked = entered.position
    else:
        await notes.enter_outcome(passed(intent, command_id))
    try:
        yield done
    except ClusterError as error:
        notes.enter_later(told(outcome_of(error)))
        raise
    except Exception as error:
        await notes.enter_outcome(told(outcome_of(error)))
        raise
    if moves:
        notes.enter_later(told(DONE))
    else:
        await notes.enter_outcome(told(DONE))


def outcome_of(error: Exception) -> str:
    """What an effect that raised came to."""
    code = getattr(error, "code", None)
    if not isinstance(code, str):
        return UNKNOWN
    return UNKNOWN if code == "outcome_unknown" else code


def flat(members: Mapping[str, Any]) -> dict[str, Any]:
    """What a note may tell: plain values, texts bounded."""
    return {
        name: value[:200] if isinstance(value, str) else value
        for name, value in members.items()
        if value is None or isinstance(value, str | int | float | bool)
    }
