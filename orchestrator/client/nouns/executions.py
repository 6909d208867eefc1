"""`client.executions`: runs of playbooks, to look at, follow and steer."""

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from orchestrator.client.calls import Call, ReadOptions, filled
from orchestrator.client.endpoints import Emitting, M, Noun, Program, Working, each, endpoint, worked
from orchestrator.client.exchanging import Pause
from orchestrator.client.following import Course, Place, Stream, following
from orchestrator.client.programs import asked, paged, silent, streamed
from orchestrator.client.shapes.executions import Controlled, Execution, ExecutionPage, ExecutionSummary
from orchestrator.client.shapes.playbooks import Started
from orchestrator.client.sse import Event

ENDED = frozenset({"SUCCEEDED", "FAILED", "TIMED_OUT", "CANCELLED"})
FOLLOW = "/v1/executions/{execution_id}/follow"


class Executions(Noun[M]):
    @endpoint("GET", "/v1/executions/{execution_id}")
    def get(self, execution_id: str, **read: Unpack[ReadOptions]) -> Call[Execution]:
        return Call(Execution, {"execution_id": execution_id}, query=read)

    @endpoint("GET", "/v1/executions")
    def page(
        self,
        *,
        status: Sequence[str] = (),
        playbook: str | None = None,
        cursor: str = "",
        limit: int = 100,
        **read: Unpack[ReadOptions],
    ) -> Call[ExecutionPage]:
        """One page, the newest first; `cursor` of the answer leads to the next."""
        query = {"status": status, "playbook": playbook, "cursor": cursor or None, "limit": limit, **read}
        return Call(ExecutionPage, query=query)

    @each()
    def iterate(
        self, *, status: Sequence[str] = (), playbook: str | None = None, limit: int = 100
    ) -> Emitting[ExecutionSummary]:
        """All of them, the newest first, `limit` at a time."""

        def call(cursor: str) -> Call[ExecutionPage]:
            return Executions.page.call(self, status=status, playbook=playbook, cursor=cursor, limit=limit)

        return paged(self.acting, call, lambda page: page.executions, lambda page: page.cursor)

    @endpoint("POST", "/v1/playbooks/{name}/runs")
    def start(
        self, playbook: str, inputs: Mapping[str, Any] | None = None, *, who: str = "", key: str | None = None
    ) -> Call[Started]:
        """As `client.playbooks.run`."""
        return Call(Started, {"name": playbook}, body={"inputs": dict(inputs or {}), "who": who}, key=key)

    @endpoint("POST", "/v1/executions/{execution_id}/pause")
    def pause(self, execution_id: str, *, who: str = "", comment: str = "", key: str | None = None) -> Call[Controlled]:
        return _steered(execution_id, key, who=who, comment=comment)

    @endpoint("POST", "/v1/executions/{execution_id}/resume")
    def resume(
        self, execution_id: str, *, who: str = "", comment: str = "", key: str | None = None
    ) -> Call[Controlled]:
        return _steered(execution_id, key, who=who, comment=comment)

    @endpoint("POST", "/v1/executions/{execution_id}/cancel")
    def cancel(
        self, execution_id: str, *, who: str = "", comment: str = "", force: bool = False, key: str | None = None
    ) -> Call[Controlled]:
        """`force`: without what it would do when it is cancelled."""
        return _steered(execution_id, key, who=who, comment=comment, force=force)

    @endpoint("POST", "/v1/executions/{execution_id}/retry")
    def retry(
        self, execution_id: str, *, path: str = "", who: str = "", comment: str = "", key: str | None = None
    ) -> Call[Controlled]:
        """Go on where it failed, or from the step at `path`."""
        return _steered(execution_id, key, who=who, comment=comment, path=path)

    @endpoint("POST", "/v1/executions/{execution_id}/approve")
    def approve(
        self, execution_id: str, *, path: str = "", who: str = "", comment: str = "", key: str | None = None
    ) -> Call[Controlled]:
        """Let the step that waits for approval go on; `path` where there are several."""
        return _steered(execution_id, key, who=who, comment=comment, path=path)

    @endpoint("POST", "/v1/executions/{execution_id}/reject")
    def reject(
        self, execution_id: str, *, path: str = "", who: str = "", comment: str = "", key: str | None = None
    ) -> Call[Controlled]:
        return _steered(execution_id, key, who=who, comment=comment, path=path)

    @endpoint("POST", "/v1/executions/{execution_id}/signal")
    def signal(
        self, execution_id: str, name: str, value: Any = None, *, who: str = "", key: str | None = None
    ) -> Call[Controlled]:
        """Tell a step that waits for the signal `name`."""
        return _steered(execution_id, key, who=who, name=name, value=value)

    @each(f"GET {FOLLOW}")
    def follow(
        self, execution_id: str, *, place: Place | None = None, within_s: float | None = None
    ) -> Emitting[Event]:
        """Its changes until its end, from `place` on, without a gap; TimeOver after `within_s` seconds.

        Kinds: `snapshot` (as it is), `changed`, `ended`.
        """
        return streamed(self.acting, _stream(execution_id), place, within_s)

    @worked
    def wait(self, execution_id: str, *, within_s: float | None = None) -> Working[Execution]:
        """Until it has ended, and as it is then. Raises TimeOver after `within_s` seconds; it goes on."""

        def program(began: float) -> Program[Execution]:
            course = Course(until=None if within_s is None else began + within_s)
            yield from silent(following(_stream(execution_id), self.acting.addresses, Place(), course, began))
            now = (yield Pause(0.0)).now
            return (yield from asked(self.acting, Executions.get.call(self, execution_id), now))

        return Working(program)


def _steered(execution_id: str, key: str | None, **body: Any) -> Call[Controlled]:
    return Call(Controlled, {"execution_id": execution_id}, body=body, key=key)


def _stream(execution_id: str) -> Stream:
    return Stream(path=filled(FOLLOW, {"execution_id": execution_id}), query={}, ends=ended)


def ended(event: Event) -> bool:
    """`ended`, or the snapshot of what has ended: one that was retried since goes on after it."""
    return event.kind == "ended" or (event.kind == "snapshot" and event.data.get("status") in ENDED)
