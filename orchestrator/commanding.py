"""Sending a command to a component, and judging what it answers: done, refused, not delivered, or not known."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from cluster import Epoch
from orchestrator.command_link import Broken, CommandLink, NotDelivered
from orchestrator.components import ComponentRow
from orchestrator.errors import (
    ComponentStopping,
    EventInvalid,
    EventTooLarge,
    OutcomeUnknown,
    Refused,
    Unreachable,
    from_code,
)
from orchestrator.events import COMMAND, EVENT_BYTES_MAX, CommandAnswer, Event, invalid_event
from orchestrator.lifecycle import Command, parse_any_command

Bearer = Callable[[str], str | None]
"""By a component's id, the token that it is shown with a command; None: none."""

ANSWER_BYTES_MAX = 64 * 1024
SOURCE = "orchestrator"
_NOT_SENT = (
    *(httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.InvalidURL, NotDelivered),
    UnicodeError,  # no name can be so
)


class CommandSender:
    """Sends commands under one epoch; `timeout_s` bounds each from the connection to the whole answer.

    `link` takes those that it serves, at a tenth of the cost; `http` the others. `bearer` says what each is shown.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        epoch: Epoch,
        *,
        timeout_s: float,
        link: CommandLink | None = None,
        bearer: Bearer | None = None,
    ) -> None:
        self._http = http
        self._bearer = bearer
        self._link = link
        self._epoch = epoch
        self._timeout_s = timeout_s
        self._connect_s = min(1.0, timeout_s / 2)
        self._timeout = httpx.Timeout(timeout_s, connect=self._connect_s)

    async def send(
        self,
        row: ComponentRow,
        command: str,
        key: str,
        *,
        params: Mapping[str, Any] | None = None,
        traceparent: str | None = None,
    ) -> CommandAnswer:
        """The component's answer. Errors: as `PlantDuty.send_command`."""
        event = self._event(row.id, command, key, dict(params or {}), traceparent)
        try:
            async with asyncio.timeout(self._timeout_s):
                status, body = await self._exchange(row, event)
        except _NOT_SENT as error:
            raise Unreachable(f"component {row.id} cannot be reached at {row.address}: {error}") from error
        except (TimeoutError, httpx.HTTPError, Broken) as error:
            raise _unknown(row, key, f"did not answer ({type(error).__name__})") from error
        if 200 <= status < 300:
            return _answer(row, key, body)
        document = _document(body)
        code = str(document.get("code", "refused"))[:100]
        # Whatever stands in it: what is no character cannot be stored or passed on.
        detail = str(document.get("detail", f"status {status}"))[:1000].encode("utf-8", "replace").decode()
        if status >= 500 and code != ComponentStopping.code:
            raise _unknown(row, key, f"failed: {status} {detail}")
        refusal = from_code(code, f"component {row.id}: {detail}")
        # What a component cannot know of (who leads, who is registered) is not taken from it.
        raise refusal if isinstance(refusal, Refused) else Refused(refusal.message)

    def _event(
        self, component_id: str, command: str, key: str, params: dict[str, Any], traceparent: str | None
    ) -> Event:
        try:
            wanted = parse_any_command(command)
        except ValueError as error:
            raise EventInvalid(f"command: {error}") from None
        if params and isinstance(wanted, Command):
            raise EventInvalid(f"params: {wanted} is a command of the lifecycle and takes none")
        # Without params as the release before knows it: components are not all replaced at once.
        payload = {"command": wanted, **({"params": params} if params else {})}
        try:
            return Event(
                type=COMMAND,
                source=SOURCE,
                target=component_id,
                payload=payload,
                idempotency_key=key,
                epoch=str(self._epoch),
                traceparent=traceparent,
            )
        except ValidationError as error:
            raise invalid_event(error) from None

    async def _exchange(self, row: ComponentRow, event: Event) -> tuple[int, bytes]:
        """(status, body) of the component's answer; no body when it is too large."""
        try:
            content = event.model_dump_json(exclude_none=True).encode()
        except PydanticSerializationError as error:
            raise EventInvalid(f"params: they are JSON data: {error}") from None
        if len(content) > EVENT_BYTES_MAX:
            raise EventTooLarge(f"params: the command has {len(content)} bytes, an event at most {EVENT_BYTES_MAX}")
        bearer = None if self._bearer is None else self._bearer(row.id)
        if self._link is not None and self._link.serves(row.address):
            return await self._link.post(row.address, content, connect_s=self._connect_s, bearer=bearer)
        headers = {"Content-Type": "application/json"}
        if bearer is not None:
            headers["Authorization"] = f"Bearer {bearer}"
        body = bytearray()
        async with self._http.stream(
            "POST",
            f"{row.address}/event",
            content=content,
            headers=headers,
            timeout=self._timeout,
        ) as response:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > ANSWER_BYTES_MAX:
                    return response.status_code, b""
        return response.status_code, bytes(body)


def _answer(row: ComponentRow, key: str, body: bytes) -> CommandAnswer:
    try:
        answer = CommandAnswer.model_validate_json(body)
    except ValidationError as error:
        raise _unknown(row, key, "answered what is no answer to a command") from error
    if (answer.component_id, answer.key) != (row.id, key):
        raise _unknown(row, key, f"answered as {answer.component_id} for key {answer.key}")
    return answer


def _unknown(row: ComponentRow, key: str, what: str) -> OutcomeUnknown:
    return OutcomeUnknown(f"component {row.id} {what}; repeat it under the same key", idempotency_key=key)


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
