"""What the engine has done outside the replicated state, and what comes of it. Pure."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Effect:
    """Something to do outside the replicated state: `send_command`, `send_notification` or `http_request`.

    `data` is the resolved intent: of `send_command` `{component, command, params, wait}`, of `send_notification`
    `{channel, message, severity, data}`, of `http_request` `{method, url, headers, body, expect, safe}`. `deadline`:
    plant time at which nobody waits for it any more. `sends` tells one begin of it from the next.
    """

    execution: str
    path: str
    type: str
    key: str
    data: Mapping[str, Any]
    deadline: float | None
    sends: int


@dataclass(frozen=True, slots=True)
class Done:
    """It happened; `value` is JSON data."""

    value: Any = None


@dataclass(frozen=True, slots=True)
class Failed:
    """It certainly did not happen, or happened and failed: another attempt takes a new key."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may have happened: it is asked for again under the same key. `code` says what is known."""

    message: str
    code: str = "outcome_unknown"


Result = Done | Failed | Unknown


def shortened(key: str) -> str:
    """A key that is too long, as one that is as good: its beginning and its digest."""
    return f"{key[:120]}~{hashlib.sha256(key.encode()).hexdigest()[:32]}"
