"""A typed client of the API, for several nodes: `Client` waits, `AsyncClient` is awaited."""

from typing import TYPE_CHECKING, Any

from orchestrator.client.attempts import Tries
from orchestrator.client.errors import (
    ApiError,
    ClientError,
    Compacted,
    Conflict,
    Forbidden,
    Invalid,
    NoLeader,
    NoNode,
    NotFound,
    OutcomeUnknown,
    SettingsInvalid,
    TimeOver,
    TooManyRequests,
    Unauthorised,
    Unavailable,
    UnexpectedAnswer,
)
from orchestrator.client.following import Course, Place
from orchestrator.client.reply import Reply
from orchestrator.client.sse import Event
from orchestrator.client.synchronous import Client

if TYPE_CHECKING:
    from orchestrator.client.asynchronous import AsyncClient

__all__ = [
    "ApiError",
    "AsyncClient",
    "Client",
    "ClientError",
    "Compacted",
    "Conflict",
    "Course",
    "Event",
    "Forbidden",
    "Invalid",
    "NoLeader",
    "NoNode",
    "NotFound",
    "OutcomeUnknown",
    "Place",
    "Reply",
    "SettingsInvalid",
    "TimeOver",
    "TooManyRequests",
    "Tries",
    "Unauthorised",
    "Unavailable",
    "UnexpectedAnswer",
]


def __getattr__(name: str) -> Any:
    """The asynchronous client comes when it is asked for: asyncio is a third of what all this takes to import."""
    if name == "AsyncClient":
        from orchestrator.client.asynchronous import AsyncClient

        return AsyncClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
