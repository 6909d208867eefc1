"""`client.frames`: queues, the ledger, and what became of frames."""

from collections.abc import Sequence

from orchestrator.client.calls import Call
from orchestrator.client.endpoints import Emitting, M, Noun, each, endpoint
from orchestrator.client.programs import given, paged
from orchestrator.client.shapes.frames import (
    DeadFrame,
    DeadPage,
    FrameServer,
    FrameStats,
    FrameStory,
    Handled,
    Latency,
    Ledger,
    PlaceLag,
    TailPage,
)

TAIL_PATIENCE_S = 5.0
"""How long a node may take beyond what it was told to wait."""


class Frames(Noun[M]):
    @endpoint("GET", "/v1/frames/server")
    def server(self) -> Call[FrameServer]:
        """Where frames are published."""
        return Call(FrameServer)

    @endpoint("GET", "/v1/frames/stats")
    def stats(self) -> Call[FrameStats]:
        """Queues, lanes and counters at one instant."""
        return Call(FrameStats)

    @endpoint("GET", "/v1/frames/ledger")
    def ledger(self, *, stuck_s: float | None = None) -> Call[Ledger]:
        """Frame by frame: published = settled + dead + dropped + in flight, or what is missing."""
        return Call(Ledger, query={"stuck_s": stuck_s})

    @endpoint("GET", "/v1/frames/lag")
    def lag(self) -> Call[list[PlaceLag]]:
        """What waits in each queue, and for how long."""
        return Call(list[PlaceLag])

    @endpoint("GET", "/v1/frames/trace/{frame}")
    def trace(self, frame: str) -> Call[FrameStory]:
        """What became of one frame, by its id or as CAMERA:NUMBER."""
        return Call(FrameStory, {"frame": frame})

    @endpoint("GET", "/v1/frames/dead")
    def dead(self, *, cursor: str = "", limit: int = 100, camera: str = "", reason: str = "") -> Call[DeadPage]:
        """One page of the frames that are given up, the oldest first."""
        query = {"cursor": cursor or None, "limit": limit, "camera": camera or None, "reason": reason or None}
        return Call(DeadPage, query=query)

    @each()
    def iterate_dead(self, *, limit: int = 100, camera: str = "", reason: str = "") -> Emitting[DeadFrame]:
        """All of them, `limit` at a time."""

        def call(cursor: str) -> Call[DeadPage]:
            return Frames.dead.call(self, cursor=cursor, limit=limit, camera=camera, reason=reason)

        return paged(self.acting, call, lambda page: page.frames, lambda page: page.cursor)

    @endpoint("GET", "/v1/frames/latency")
    def latency(self, *, window_s: float = 10.0) -> Call[Latency]:
        """How long frames took, of those that ended within the last `window_s` seconds."""
        return Call(Latency, query={"window_s": window_s})

    @endpoint("POST", "/v1/frames/dead/replay")
    def replay(
        self,
        ids: Sequence[str] | None = None,
        *,
        all_: bool = False,
        camera: str = "",
        reason: str = "",
        cursor: str = "",
        key: str | None = None,
    ) -> Call[Handled]:
        """Have these work again; with `all_` a part of all, and on with `cursor` until that is None."""
        return _which(ids, all_, camera, reason, cursor, key)

    @endpoint("POST", "/v1/frames/dead/drop")
    def drop(
        self,
        ids: Sequence[str] | None = None,
        *,
        all_: bool = False,
        camera: str = "",
        reason: str = "",
        cursor: str = "",
        key: str | None = None,
    ) -> Call[Handled]:
        """Forget these for good; otherwise as `replay`."""
        return _which(ids, all_, camera, reason, cursor, key)

    @endpoint("GET", "/v1/frames/tail")
    def tail(self, *, cursor: str = "", wait_s: float = 5.0, limit: int = 500) -> Call[TailPage]:
        """What ended behind `cursor`, waiting `wait_s` seconds for the first; the answer's `cursor` leads on.

        Its `not_kept` says, by `results` and `dropped`, how many came behind `cursor` and are not kept any more.
        """
        query = {"cursor": cursor or None, "wait_s": wait_s, "limit": limit}
        return Call(TailPage, query=query, patience_s=wait_s + TAIL_PATIENCE_S)


def _which(
    ids: Sequence[str] | None, all_: bool, camera: str, reason: str, cursor: str, key: str | None
) -> Call[Handled]:
    listed = None if ids is None else [*ids]
    body = given(ids=listed, all=all_, camera=camera or None, reason=reason or None, cursor=cursor or None)
    return Call(Handled, body=body, key=key)
