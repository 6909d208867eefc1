"""What a component finds of itself: its health, and figures of its own, bounded before they are sent."""

import asyncio
import logging
import math
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from orchestrator.events import METRICS_MAX, REASON_CHARS_MAX, HealthWord

log = logging.getLogger(__name__)

CHECK_WITHIN_S = 1.0
"""A check that takes longer counts as DEGRADED: heartbeats do not wait for it."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Health:
    """`Health.OK`, or `Health.degraded("oil is low")`. What cannot go on at all calls `Component.fault` instead."""

    status: HealthWord = "OK"
    reason: str = ""

    OK: ClassVar["Health"]

    @classmethod
    def degraded(cls, reason: str) -> "Health":
        return cls("DEGRADED", reason[:REASON_CHARS_MAX])


Health.OK = Health()


class SelfCheck:
    """Asks a component's hooks before each heartbeat; whatever they do, the heartbeat is sent."""

    def __init__(
        self,
        component_id: str,
        check: Callable[[], Awaitable[Health]],
        metrics: Callable[[], Mapping[str, float]],
        *,
        within_s: float = CHECK_WITHIN_S,
    ) -> None:
        self._id = component_id
        self._check = check
        self._metrics = metrics
        self._within_s = within_s
        self._trouble = ""
        self.health = Health.OK
        """by the latest check"""

    async def run(self) -> Health:
        """Ask how it is. A check that fails, or does not end in time, is DEGRADED and says why."""
        try:
            async with asyncio.timeout(self._within_s):
                found = await self._check()
            self.health = Health(found.status, found.reason[:REASON_CHARS_MAX])
        except TimeoutError:
            self.health = Health.degraded(f"check_health did not end within {self._within_s:g} s")
        except Exception as error:
            if self.health.status == "OK":
                log.exception("component %s: check_health failed", self._id)
            self.health = Health.degraded(f"check_health failed: {type(error).__name__}: {error}")
        return self.health

    def figures(self) -> dict[str, float]:
        """Its metrics, at most `METRICS_MAX`, each finite; what cannot be sent is left out, and said once."""
        try:
            given: dict[Any, Any] = dict(self._metrics())  # whatever a component's author returns
        except Exception as error:
            trouble = f"metrics() failed: {type(error).__name__}: {error}"
            if trouble != self._trouble:
                log.exception("component %s: metrics() failed", self._id)
            self._trouble = trouble
            return {}
        fit: dict[str, float] = {}
        unfit: list[str] = []
        for name, value in given.items():
            if not (isinstance(name, str) and _NAME.fullmatch(name)):
                unfit.append(f"{str(name)[:80]!r} is no name")
            elif isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value):
                unfit.append(f"{name} is no finite number")
            elif len(fit) >= METRICS_MAX:
                unfit.append(f"more than {METRICS_MAX} figures")
                break
            else:
                fit[name] = float(value)
        trouble = f"metrics left out: {'; '.join(unfit[:5])}" if unfit else ""
        if trouble and trouble != self._trouble:
            log.warning("component %s: %s", self._id, trouble)
        self._trouble = trouble
        return fit


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that no float holds
        return False
