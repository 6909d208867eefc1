"""`client.watch`, `client.snapshot`, `client.figures`: the plant as it is, and as it changes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from orchestrator.client.calls import Call
from orchestrator.client.endpoints import Emitting, M, Noun, Program, each, endpoint
from orchestrator.client.following import Place, Stream
from orchestrator.client.programs import asked, streamed
from orchestrator.client.sse import Event

if TYPE_CHECKING:  # else every client would load all shapes, for what few ask
    from orchestrator.client.shapes.watch import PlantFigures, Snapshot


class Watching(Noun[M]):
    @endpoint("GET", "/v1/snapshot")
    def snapshot(self, subjects: Sequence[str] = ()) -> "Call[Snapshot]":
        """Everything at one index, from the node that answers; all that the token may see without `subjects`."""
        from orchestrator.client.shapes.watch import Snapshot

        return Call(Snapshot, query={"subjects": ",".join(subjects) or None})

    @endpoint("GET", "/v1/figures")
    def figures(self, *, own: bool = False) -> "Call[PlantFigures]":
        """Rates, queues, processors as they are now. `own`: only from the node that works them out."""
        from orchestrator.client.shapes.watch import PlantFigures

        return Call(PlantFigures, query={"own": own or None})

    @each("GET /v1/watch")
    def watch(
        self,
        subjects: Sequence[str] = (),
        *,
        place: Place | None = None,
        snapshot: bool = False,
        within_s: float | None = None,
    ) -> Emitting[Event]:
        """Every change from `place` on, or from now on, in the order of the log and without a gap.

        Kinds: `ready`, `change` (`data["changes"]`), `figures`; `lost`, when a node cut the stream, which then goes on.

        Args:
            snapshot: give an event of the kind `snapshot` with all rows where there is no place yet, and instead of
                raising Compacted where it is not held any more.
            within_s: raise TimeOver after so many seconds.
        """
        names = ",".join(subjects) or None

        def state(now: float) -> Program[Event]:
            found = yield from asked(self.acting, Watching.snapshot.call(self, subjects), now)
            return Event(str(found.index), "snapshot", {"index": found.index, "subjects": found.subjects})

        stream = Stream(
            path="/v1/watch", query={"subjects": names}, state=state if snapshot else None, begins_with_state=snapshot
        )
        return streamed(self.acting, stream, place, within_s)
