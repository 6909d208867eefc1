"""How far two hosts' clocks may be apart. Pure."""

from orchestrator.clock_offset import ClockOffset
from orchestrator.doctor.finding import Finding, limits

__all__ = ["CLOCK_FAIL_S", "CLOCK_WARN_S", "clock_finding"]

CLOCK_WARN_S, CLOCK_FAIL_S = 1.0, 30.0
"""How far they are apart at the least. Clocks order nothing here, but tokens expire and schedules come due by them."""


def clock_finding(node: str, offset: ClockOffset) -> Finding:
    """Of a node's clock against the one of whoever asks."""
    return limits(
        *("clock", node, abs(offset.least_s)),
        warn=CLOCK_WARN_S,
        fail=CLOCK_FAIL_S,
        found=f"{offset.told()} against this host"
        if offset.least_s
        else f"as here, within {offset.uncertainty_s:.2g} s",
        advice="have chrony or systemd-timesyncd keep the clocks: tokens expire and schedules come due by them",
    )
