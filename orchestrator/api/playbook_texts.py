"""Playbooks as texts that come in, and as what is known of those that are there already."""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from fastapi import Request

from orchestrator.api.problems import Problem
from orchestrator.errors import PlaybookInvalid
from orchestrator.playbooks.books import Books, PlaybookUnreadable
from orchestrator.playbooks.cycles import cycle_through, scenarios_of
from orchestrator.playbooks.library import TEXT_BYTES_MAX, PlaybookRow
from orchestrator.playbooks.loading import Loaded, load_text
from orchestrator.playbooks.models import Playbook
from orchestrator.playbooks.plant_view import PlantView
from orchestrator.playbooks.templates import Templates

if TYPE_CHECKING:
    from orchestrator.api.view import NodeView

TEXT = """\
name: start_line
inputs:
  speed: {type: number, default: 120}
actions:
  - type: set_group_state
    group: line-a
    target_state: STARTED
  - type: log_event
    message: "line-a runs at {{ inputs.speed }} mm/s"
"""
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/yaml": {"schema": {"type": "string"}, "example": TEXT},
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {"text": {"type": "string", "description": "The YAML; at most 64 KiB."}},
                    "required": ["text"],
                    "additionalProperties": False,
                },
                "example": {"text": TEXT},
            },
        },
    }
}
"""A request body that is a playbook, for the OpenAPI document."""
YAML_TYPES = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml", "text/plain")


class Shelf:
    """The playbooks of one node's state as models, read once each, and the plant as they would see it."""

    def __init__(self, node: "NodeView") -> None:
        self._node = node
        self._library = node.state.executions.playbooks
        self._books = Books(self._library, lambda text: load_text(text, file="").playbook)
        self.view = PlantView(node.state, self._books.newest, self._metrics)
        self.templates = Templates()
        self.putting = asyncio.Lock()
        """Held from the look for cycles to the change: two puts at once must not close one together."""

    def _metrics(self, component_id: str) -> Mapping[str, float]:
        """What the component's last heartbeat said, as playbooks see it; only the leader has heard it."""
        duties = self._node.duties()
        heard = None if duties is None else duties.heard_of(component_id)
        if not heard or heard["cpu"] is None:
            return {}
        return {**heard["metrics"], "cpu": heard["cpu"], "memory": float(heard["memory"])}

    def newest(self, row: PlaybookRow) -> Playbook:
        """Raises `playbook_unreadable` where this release cannot read what another one put."""
        return self._books.version(row.name, row.newest.version)

    def refuse_cycle(self, playbook: Playbook) -> None:
        """Raises `playbook_cycle` when the playbook would start itself by way of others."""
        calls = {playbook.name: scenarios_of(playbook)}
        for name, row in self._library.rows.items():
            if name != playbook.name and not row.deleted:
                with contextlib.suppress(PlaybookUnreadable):  # it cannot run here either
                    calls[name] = scenarios_of(self.newest(row))
        if (cycle := cycle_through(playbook.name, calls)) is not None:
            raise Problem(
                "playbook_cycle",
                f"{playbook.name} would start itself by execute_scenario: {' → '.join(cycle)}; nothing was changed",
                cycle=list(cycle),
            )


def shelf_of(request: Request) -> Shelf:
    found: Shelf = request.app.state.shelf
    return found


def unknown(name: str) -> Problem:
    return Problem("playbook_unknown", f"playbook {name} is not there")


def loaded(text: str, file: str) -> Loaded:
    """The playbook in a text. Raises `playbook_invalid` with every problem's place."""
    try:
        return load_text(text, file=file)
    except PlaybookInvalid as error:
        faults = [{"location": each["field"] or "text", "type": "playbook", **each} for each in error.details["errors"]]
        raise Problem("playbook_invalid", error.message, errors=faults) from None


async def text_of(request: Request) -> str:
    """The YAML in a request: its body, or the member `text` of its JSON."""
    body = await request.body()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        text = _member(body)
    elif kind in YAML_TYPES or not kind:
        try:
            text = body.decode()
        except UnicodeDecodeError as error:
            raise _invalid("body", f"is not UTF-8: {error.reason} at byte {error.start}") from None
    else:
        raise _invalid("header.Content-Type", f"must be application/json or one of {', '.join(YAML_TYPES)}")
    if (size := len(text.encode())) > TEXT_BYTES_MAX:
        raise Problem("playbook_too_large", f"a playbook has at most {TEXT_BYTES_MAX} bytes, this one has {size}")
    return text


def _member(body: bytes) -> str:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise _invalid("body", "is no JSON") from None
    if not isinstance(document, dict) or set(document) != {"text"} or not isinstance(document["text"], str):
        raise _invalid("body", 'must be {"text": "the YAML of the playbook"} and nothing else')
    try:
        document["text"].encode()
    except UnicodeEncodeError:
        raise _invalid("body.text", "holds half a surrogate pair: that is no text") from None
    return str(document["text"])


def _invalid(location: str, reason: str) -> Problem:
    fault = {"location": location, "message": reason, "type": "playbook_text"}
    return Problem("invalid_request", f"{location}: {reason}", errors=[fault])
