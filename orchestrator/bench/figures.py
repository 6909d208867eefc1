"""What a measurement is boiled down to, and where it goes. Pure but for the writing."""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.bench.options import BenchOptions


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0..1) of `values` do not exceed (nearest rank). Raises ValueError."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def latency(seconds: Sequence[float], prefix: str = "") -> dict[str, float]:
    """`p50_ms` and `p99_ms` of durations in seconds, their names after `prefix`."""
    return {
        f"{prefix}p50_ms": round(percentile(seconds, 0.50) * 1_000, 3),
        f"{prefix}p99_ms": round(percentile(seconds, 0.99) * 1_000, 3),
    }


def write(options: BenchOptions, report: Mapping[str, Any]) -> int:
    """Write the report where it was asked for; return the exit code, 0 only where the report says `ok`."""
    if options.report is None or str(options.report) == "-":
        sys.stdout.write(json.dumps(report, indent=2) + "\n")
        sys.stdout.flush()
    else:
        options.report.parent.mkdir(parents=True, exist_ok=True)
        options.report.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0 if report.get("ok") else 1


def say(text: str) -> None:
    """A message about progress, on standard error."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
