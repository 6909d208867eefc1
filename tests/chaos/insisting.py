"""Requests of a test that is about something else than elections: asked again while nobody leads, under one key."""

import uuid
from typing import Any

import httpx

from orchestrator.dev.errors import PlantError
from orchestrator.dev.local import LocalPlant
from tests.support import eventually

NOBODY_LED = (httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.GATEWAY_TIMEOUT)


async def insist(
    plant: LocalPlant, method: str, path: str, json: Any = None, *, key: str | None = None, deadline_s: float = 20.0
) -> httpx.Response:
    """The first answer of any node that is neither 503 nor 504. What was asked for is done once, however often it was.

    A busy machine may have an election at any time, and a node that is killed takes its connections with it. An answer
    that tells of a defect (500) is given back at once, for the test to look at. AssertionError after `deadline_s`.
    """
    key = key or uuid.uuid4().hex
    found: list[httpx.Response] = []

    async def answered() -> bool:
        try:
            answer = await plant.call(method, path, json=json, key=key)
        except (httpx.HTTPError, PlantError):
            return False
        in_flight = answer.status_code == httpx.codes.CONFLICT and answer.json().get("code") == "key_in_flight"
        assert answer.status_code not in NOBODY_LED, answer.text
        assert not in_flight, "the first request of ours is still under way"
        found.append(answer)
        return True

    await eventually(answered, deadline_s=deadline_s, every_s=0.05, message=f"{method} {path}")
    return found[-1]
