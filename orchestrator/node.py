"""One node, wired together: the only module that knows every part.

cluster ──leadership──▶ Leadership ──▶ duties of this epoch: plant, processors, dispatch
   ▲  ▲                                   │
   │  └──────── state ◀── PlantState      ▼ epoch on every effect
propose                              components, Redis
   │
  API (any node answers) ◀── NodeView ── Node
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from importlib import metadata
from typing import Any

import httpx
import msgspec
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from cluster import Applied, Cluster, ClusterError, Epoch, OutcomeUnknown
from framebuffer.embedded import EmbeddedServer
from framebuffer.health_pull import health_client
from framebuffer.metrics import FrameMetrics
from framebuffer.router import Router, load_router
from framebuffer.shards import ShardedStreams
from framebuffer.streams import FrameStreams
from framebuffer.wire import DispatchReport
from orchestrator.access.tokens_note import TokensNote
from orchestrator.api import build_app
from orchestrator.api.health import epoch_text, not_ready
from orchestrator.api_edge import Edge
from orchestrator.api_server import ApiServer, listening
from orchestrator.audit.sweep import AuditSweep
from orchestrator.audit.trail import DAY_S, Trail
from orchestrator.command_link import CommandLink
from orchestrator.config import NodeConfig
from orchestrator.duties import Duties
from orchestrator.errors import OrchestratorError
from orchestrator.host_watch import HostWatch
from orchestrator.leadership import Duty, Leadership
from orchestrator.monitoring.alert_figures import AlertFigures
from orchestrator.monitoring.history import History
from orchestrator.plant_figures import PlantFigures
from orchestrator.playbook_parts import PlaybookParts
from orchestrator.playbooks.clock import PlantClock
from orchestrator.proposing import Proposals
from orchestrator.raft_figures import RaftFigures
from orchestrator.rate import Rate
from orchestrator.redis_figures import RedisFigures
from orchestrator.redis_link import RedisLink
from orchestrator.service_notify import described
from orchestrator.tasks import ended
from orchestrator.telemetry import Telemetry
from orchestrator.timed_state import TimedState
from orchestrator.trust_watch import also_trusting

log = logging.getLogger(__name__)

RATE_WINDOW_S = 5.0
HAND_OVER_S = 1.0
"""How long a leader that stops looks for a successor. When all nodes stop together there may be none."""


class Node:
    """A node that takes part until ``stop``. It is the ``NodeView`` that the API serves."""

    def __init__(self, config: NodeConfig) -> None:
        self.config = config
        self._clock = PlantClock()
        self._tokens_note = TokensNote(config.node.data_dir)
        kept = config.audit
        self.trail = Trail(config.node.data_dir / "audit", keep_s=kept.keep_days * DAY_S, keep_bytes=kept.keep_bytes)
        self.state = TimedState(self._clock, self.trail, tokens_asked_for=self._tokens_note.write)
        self.cluster = Cluster(config.cluster_settings(), self.state)
        self.proposals = Proposals(self.cluster, self.state)
        self.registry = CollectorRegistry()
        self.metrics = FrameMetrics(self.registry, node_id=config.node.id, version=metadata.version("triarch"))
        self.registry.register(RaftFigures(self.cluster))
        self.registry.register(PlantFigures(self.state))
        # The node's, not one leadership's: a node that leads again has a gap in its history, and the rest still.
        self.history = History(time.monotonic(), series_max=config.monitoring.history_series_max)
        self.registry.register(AlertFigures(self.state.alerts, self.history))
        self._telemetry = Telemetry(config, self.metrics)
        self._embedded: EmbeddedServer | None = None
        self._redis: RedisLink | None = None
        self._leadership = Leadership(self.cluster.leadership, self._duties_of)
        self._duties: Duties | None = None
        self._router: Router | None = None
        # Made here once, and loaded before it is needed: that would hold up a takeover by a tenth of a second.
        self.trust = tls = also_trusting(config.api.ca_file)
        self._http = httpx.AsyncClient(verify=tls, trust_env=False)
        self._link = CommandLink()
        self._health_http = health_client(tls)  # one of its own: processors must not be sent the token
        self.playbooks = PlaybookParts(
            self.state, self._clock, self.cluster, self.registry, tls, spans=lambda: self._telemetry.spans
        )
        self._rate = Rate(RATE_WINDOW_S)
        self._edge = Edge(config, self.registry, tls)
        self._redis_figures = RedisFigures()
        self.registry.register(self._redis_figures)
        self._host = HostWatch(
            config.node.data_dir,
            self.registry,
            others=self._others,
            tls=self._edge.peers,
            trail=self.trail,
            sweep=AuditSweep(self.trail, lambda: self.state.audit.entries),
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._server: ApiServer | None = None
        self._app: FastAPI | None = None

    # ── NodeView ─────────────────────────────────────────────────────────────────────────────────────────

    @property
    def streams(self) -> FrameStreams | None:
        return None if self._redis is None else self._redis.streams()

    @property
    def shards(self) -> ShardedStreams | None:
        return None if self._redis is None else self._redis.shards()

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
        """Replicate a typed body. A repeat under the same ``command_id`` answers what the first one did."""
        return await self.proposals.propose(
            kind, body, command_id=command_id, epoch=epoch, key=key, request=request, actor=actor
        )

    def actor(self) -> dict[str, str] | None:
        return self.proposals.actor()

    def audited(self) -> bool:
        return self.proposals.audited()

    def tokens_asked_for(self) -> bool:
        return self.state.access.enforced or self._tokens_note.written

    def leader_api(self) -> str | None:
        leader = self.cluster.status().leader_id
        return None if leader is None else self.api_of(leader)

    def api_of(self, member_id: str) -> str | None:
        # As with Raft addresses: where this node's configuration says how to reach a member, it knows better.
        known = next((member.api for member in self.config.cluster.members if member.id == member_id), None)
        return known or next((member.api for member in self.cluster.members() if member.id == member_id), None)

    def _others(self) -> list[tuple[str, str]]:
        own = self.config.node.id
        found = ((member.id, self.api_of(member.id)) for member in self.cluster.members() if member.id != own)
        return [(member_id, api) for member_id, api in found if api]

    def is_leader(self) -> bool:
        return self._leadership.epoch is not None and self._duties is not None

    def epoch(self) -> Epoch | None:
        return self.cluster.epoch()

    def leading(self) -> Epoch | None:
        """The epoch whose duties run here; None while this node does not lead."""
        return self._leadership.epoch

    def duties(self) -> Duties | None:
        return self._duties if self._leadership.epoch is not None else None

    def plant_time(self) -> float:
        return self._clock.now()

    def redis_health(self) -> tuple[bool, str]:
        if self._redis is None:
            return False, "not connected yet"
        ok, reason = self._redis.health()
        duties = self.duties()  # a deposed leader that was fenced is as it should be
        fenced = None if duties is None else duties.dispatch.fenced
        return (False, str(fenced)) if ok and fenced is not None else (ok, reason)

    def control_status(self) -> Mapping[str, Any]:
        leading = self.is_leader()
        duties = self.duties()
        return {
            "node": self.config.node.id,
            "leading": leading,
            "paused": False,
            "consumption_rate": self._rate.per_second() if leading else 0.0,
            "dispatched_total": self._rate.total,
            "leaderships_total": self._leadership.changes_total,
            "backpressure": None if duties is None else duties.pressure.status(),
        }

    # ── The leader ─────────────────────────────────────────────────────────────────────────────────────────

    def _duties_of(self, epoch: Epoch) -> Sequence[Duty]:
        self._duties = Duties(
            self.config,
            self.state,
            epoch,
            propose=self.propose,
            http=self._http,
            link=self._link,
            health_http=self._health_http,
            streams=lambda: self.shards,
            metrics=self.metrics,
            dispatched=self.dispatched,
            spans=self._telemetry.spans,
            router=self._router,
            playbooks=self.playbooks,
            history=self.history,
            counters=self.cluster.counters,
        )
        # Later: what has to be gone through for it must not hold up a takeover.
        asyncio.get_running_loop().call_soon(self.playbooks.spans.taken_over, self._clock.now())
        return self._duties.in_order

    def dispatched(self, report: DispatchReport) -> None:
        """What a dispatch call did: for the rate that the API shows."""
        self._rate.add(report.moved)

    # ── Life ─────────────────────────────────────────────────────────────────────────────────────────

    async def start(self) -> None:
        """Join, begin to look for Redis, and listen: whoever connects from its end on is answered.

        Errors: AddressInUse, StartFailed, EmbeddedFailure, TelemetryMissing, InvalidRouter.
        """
        listener = listening(self.config.api_bind())
        try:
            if self.config.frames.router is not None:
                self._router = load_router(self.config.frames.router)
            self._telemetry.start()
            await self._start_redis()
            await asyncio.to_thread(self.trail.open)
            await self.cluster.start()
        except BaseException:
            listener.close()
            await self.stop()
            raise
        self._app = build_app(self, self._edge.peers)
        self._server = self._edge.server(self._app)
        self._app.state.watching.cut = self._server.cut
        serving = self._spawn(self._server.serve(sockets=[listener]), "api")
        self._spawn(self._leadership.run(), "leadership")
        self._spawn(self.playbooks.keep_read(), "playbooks")
        self._spawn(self._edge.run(), "edge")
        self._spawn(self._host.run(), "host")
        await self._server.listens_or(serving)  # where it has ended instead, `run` says so

    async def _start_redis(self) -> None:
        settings, frames = self.config.redis, self.config.frames
        url, password = settings.public_url, self.config.redis_password()
        if settings.mode == "url":
            url = settings.url  # with a user, if there is one
        if settings.mode == "embedded":
            self._embedded = EmbeddedServer(self.config.node.data_dir / "redis", settings.port, password=password)
            await self._embedded.start()
        self._redis = RedisLink(
            url,
            password,
            sentinel_password=self.config.sentinel_password(),
            inline_bytes_max=frames.inline_bytes_max,
            max_attempts=frames.max_attempts,
            figures=self._redis_figures,
        )
        await self._redis.start()

    def in_words(self) -> str:
        """One line for people: what this node does, and what keeps it from being ready."""
        status = self.cluster.status()
        return described(status.role, status.leader_id, epoch_text(self), not_ready(self))

    def reload(self) -> None:
        """Read the files again that may change while a node runs: its certificate."""
        self._edge.reload()

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        self._tasks.append(task := asyncio.create_task(work, name=name))
        return task

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set. Raises what ended the node instead: then it must not go on."""
        ending = [asyncio.create_task(stop.wait()), asyncio.create_task(self.cluster.wait_ended())]
        try:
            done, _ = await asyncio.wait({*ending, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            if not stop.is_set():
                names = ", ".join(sorted(task.get_name() for task in done))
                raise OrchestratorError(f"{names} ended without being told to")
        finally:
            for task in ending:
                task.cancel()
            await asyncio.wait(ending)

    async def stop(self) -> None:
        """Hand leadership over, then end in reverse: the API, the duties, the cluster, Redis."""
        async with contextlib.AsyncExitStack() as stack:  # whatever one part raises, the others are ended
            stack.push_async_callback(self._telemetry.stop)
            if self._embedded is not None:
                stack.push_async_callback(self._embedded.stop)
            if self._redis is not None:
                stack.push_async_callback(self._redis.stop)
            stack.push_async_callback(asyncio.to_thread, self.trail.close)
            stack.push_async_callback(self.cluster.stop)
            stack.push_async_callback(self._http.aclose)
            stack.push_async_callback(self._link.aclose)
            stack.push_async_callback(self._health_http.aclose)
            stack.push_async_callback(self.playbooks.aclose)
            await self._hand_over()
            if self._app is not None:
                self._app.state.following.stop()
                await self._app.state.watching.stop()
            if self._server is not None:
                self._server.should_exit = True
            for task in self._tasks:
                if task.get_name() == "api":
                    await asyncio.wait([task])
                else:
                    await ended(task)  # what it raised has ended `run`

    async def _hand_over(self) -> None:
        """A planned stop costs milliseconds without a leader, not an election."""
        if not self.is_leader() or sum(member.voter for member in self.cluster.members()) == 1:
            return
        try:
            epoch = await self.cluster.transfer(timeout=HAND_OVER_S)
        except OutcomeUnknown as error:
            log.info("leadership may be handed over: %s", error.reason)
        except ClusterError as error:
            log.info("leadership is not handed over: %s", error)
        else:
            log.info("leadership is handed over: epoch %s", epoch)


@contextlib.asynccontextmanager
async def running(config: NodeConfig) -> AsyncIterator[Node]:
    """A started node, stopped at the end."""
    node = Node(config)
    await node.start()
    try:
        yield node
    finally:
        await node.stop()
