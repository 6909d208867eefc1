"""A frame's story as people read it. Pure: from the JSON of the answer to lines and rows."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

COLUMNS = {
    "TIME": "time",
    "AFTER MS": "after_ms",
    "WHAT": "what",
    "ATTEMPT": "attempt",
    "PROCESSOR": "processor_id",
    "DETAIL": "detail",
}
RESULT_CHARS = 200


def heading(story: Mapping[str, Any]) -> Iterator[str]:
    """What the frame is, and what became of it."""
    named = f"{story['frame_id']}, " if story["frame_id"] else ""
    yield f"frame   {named}camera {story['camera_id']}, sequence {story['sequence']}"
    yield f"status  {story['status']}"
    if story["capability"]:
        priority = "" if story["priority"] is None else f", priority {story['priority']}"
        parts = f", in {story['parts']} parts" if story["parts"] > 1 else ""
        yield f"asks    {story['capability']}{priority}{parts}"
    if story["trace_id"]:
        yield f"trace   {story['trace_id']}"


def rows(story: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for each thing that happened."""
    began = story["received_ms"]
    parts = story["parts"] > 1
    return [
        {
            "time": clock(step["at_ms"]),
            "after_ms": None if began is None else step["at_ms"] - began,
            "what": step["what"],
            "attempt": _attempt(step),
            "processor_id": step.get("processor_id") or None,
            "detail": "; ".join(_detail(step, parts)) or None,
        }
        for step in story["steps"]
    ]


def footing(story: Mapping[str, Any]) -> Iterator[str]:
    """Where it waits, and what is not known any more."""
    for wait in story["waits"]:
        held = ""
        if wait.get("consumer"):
            held = f", in the hands of {wait['consumer']} for {wait.get('idle_ms', 0) / 1000:.1f} s"
        part = f" ({wait['capability']})" if story["parts"] > 1 else ""
        yield f"waits in {wait['place']}{part} since {clock(wait['since_ms'])}{held}"
    for said in story["unkept"]:
        yield f"not kept: {said}"


def clock(at_ms: int) -> str:
    """UTC with milliseconds."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _attempt(step: Mapping[str, Any]) -> int | None:
    """The how manieth attempt a step belongs to: entries count those that failed before."""
    failed = step.get("attempts")
    if failed is None or step["what"] in ("received", "dropped", "replayed", "forgotten"):
        return None
    return int(failed) + 1 if step["what"] in ("dispatched", "settled") else int(failed)


def _detail(step: Mapping[str, Any], parts: bool) -> Iterator[str]:
    if step["what"] == "received" or (parts and step.get("capability")):
        priority = "" if step.get("priority") is None else f", priority {step['priority']}"
        yield f"{step.get('capability') or '-'}{priority}"
    if step["what"] == "dispatched":
        yield f"by {step['node']} (epoch {step['epoch']}), {step['strategy']}"
        shown = [f"{one['processor_id']} {one['outstanding']}/{one['capacity']}" for one in step.get("candidates", ())]
        if shown:
            yield f"among {', '.join(shown)}"
        if step.get("outstanding") is not None:
            yield f"had {step['outstanding']} then"
    if step.get("reason"):
        yield str(step["reason"])
    if step.get("result") is not None:
        text = json.dumps(step["result"], ensure_ascii=False, separators=(",", ":"))
        yield text if len(text) <= RESULT_CHARS else f"{text[:RESULT_CHARS]}…"
