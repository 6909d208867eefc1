"""The effects that are under way, one task each, so many at once; the others wait their turn."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from orchestrator.errors import StaleEpoch
from orchestrator.failpoints import reach
from orchestrator.playbooks.effect import Effect, Failed, Result

log = logging.getLogger(__name__)

AT_ONCE = 2_000

Perform = Callable[[Effect], Awaitable[Result]]
Place = tuple[str, str]
"""(execution, path): a step has one effect at a time."""


class EffectPool:
    """Begins and cancels effects. `ended(effect, result)` is called once for each that was not cancelled.

    Args:
        perform: does an effect. What it raises beside StaleEpoch is a defect: the step fails as `internal`.
        ended: hears of it. Without a result when a newer leader has spoken: then this one has no say any more.
    """

    def __init__(
        self,
        perform: Perform,
        ended: Callable[[Effect, Result | None], None],
        *,
        at_once: int = AT_ONCE,
    ) -> None:
        self._perform = perform
        self._ended = ended
        self._at_once = at_once
        self._tasks: dict[Place, asyncio.Task[None]] = {}
        self._waiting: OrderedDict[Place, Effect] = OrderedDict()

    def __len__(self) -> int:
        return len(self._tasks) + len(self._waiting)

    def begin(self, effect: Effect) -> None:
        """Have it done; whatever was under way for the same step is cancelled."""
        place = (effect.execution, effect.path)
        self.cancel(place)
        if len(self._tasks) >= self._at_once:
            self._waiting[place] = effect
            return
        task = asyncio.create_task(self._run(effect), name=f"effect {effect.key}")
        self._tasks[place] = task
        task.add_done_callback(lambda done: self._gone(place, done))

    def cancel(self, place: Place) -> None:
        """Nobody waits for it any more. It may have happened."""
        self._waiting.pop(place, None)
        task = self._tasks.pop(place, None)
        if task is not None:
            task.cancel()

    async def close(self) -> None:
        """Cancel all of them, and wait until they have ended."""
        self._waiting.clear()
        tasks, self._tasks = list(self._tasks.values()), {}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _run(self, effect: Effect) -> None:
        result: Result | None
        reach("playbook.before_effect")
        try:
            result = await self._perform(effect)
        except StaleEpoch as error:
            log.debug("effect %s: %s", effect.key, error.message)
            result = None
        except Exception as error:
            log.exception("effect %s could not be done: this is a defect", effect.key)
            result = Failed("internal", f"{type(error).__name__}; the leader's log says more")
        reach("playbook.after_effect")
        self._ended(effect, result)

    def _gone(self, place: Place, task: asyncio.Task[None]) -> None:
        if self._tasks.get(place) is task:
            del self._tasks[place]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("an effect's end could not be taken", exc_info=error)
        while self._waiting and len(self._tasks) < self._at_once:
            _, effect = self._waiting.popitem(last=False)
            self.begin(effect)
