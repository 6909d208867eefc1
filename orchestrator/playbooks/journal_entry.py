"""What the journal keeps of an event. Pure."""

import json

from orchestrator.events import Event
from orchestrator.playbooks.execution import JournalEntry

JOURNAL_DATA_MAX = 4_000
"""Characters of a payload as JSON."""


def journal_entry(event: Event, at: float) -> JournalEntry:
    """`at`: plant time. Its payload as JSON, bounded; what is none is left out."""
    severity = event.payload.get("severity")
    try:
        data = json.dumps(event.payload, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:  # NaN and the like: what is shown of the journal has to be JSON
        data = '{"left_out":"it is no JSON: a number is not finite"}'
    return JournalEntry(
        type=event.type,
        source=event.source,
        level=severity if severity in ("info", "warning", "error", "critical") else "info",
        message=str(event.payload.get("message", ""))[:1000],
        data=data if len(data) <= JOURNAL_DATA_MAX else '{"truncated":true}',
        at=at,
    )
