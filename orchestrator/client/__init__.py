"""A typed client of the API, for several nodes: `Client` waits, `AsyncClient` is awaited."""

from orchestrator.client.asynchronous import AsyncClient
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
