"""Reads `frames:results` beside everything else: an account of the results that the ledger has no part in."""

import asyncio
import contextlib
import json
from typing import Any, Self

from redis.exceptions import RedisError

from framebuffer.connection import connect
from framebuffer.keys import Keys
from orchestrator.demo.tally import Tally

COUNT = 500
IDLE_S = 0.2  # well below the time in which the stream's limit of 100,000 results could overtake the reader


class ResultWatcher:
    """Follows the results stream from its beginning into a Tally; a server that went away is waited for."""

    def __init__(self, redis_url: str, keys: Keys | None = None) -> None:
        self.tally = Tally()
        keys = keys or Keys()
        self._redis: Any = connect(redis_url, key=keys.prefix)
        self._stream = keys.results
        self._last = "0-0"
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._follow(), name="results")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._redis.aclose()

    async def finish(self) -> Tally:
        """Stop following, read what is left, and return the account. Raises RedisError."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        while await self._read():
            pass
        return self.tally

    async def _follow(self) -> None:
        while True:
            try:
                if await self._read() == COUNT:
                    continue
            except (RedisError, OSError):  # OSError: also the client's own TimeoutError, of a server that stalls
                pass  # the server is away; what it stored meanwhile is read when it is back
            await asyncio.sleep(IDLE_S)

    async def _read(self) -> int:
        answer = await self._redis.xread({self._stream: self._last}, count=COUNT)
        entries = _entries(answer)
        for entry_id, fields in entries:
            self._last = entry_id.decode()
            self.tally.add(int(self._last.partition("-")[0]), document(fields))
        return len(entries)


def _entries(answer: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """Entries of the one stream that was asked for: RESP2 answers a list of pairs, RESP3 a mapping of lists."""
    if not answer:
        return []
    if isinstance(answer, dict):
        (batches,) = answer.values()
        return [entry for batch in batches for entry in batch]
    ((_, entries),) = answer
    return list(entries)


def document(fields: dict[bytes, bytes]) -> dict[str, Any]:
    """Return the result document of an entry; {} where it cannot be read or belongs to another frame than it says."""
    try:
        found = json.loads(fields[b"result"])
        _, camera_id, sequence, *_ = fields[b"frame"].decode().split(" ")
        if found["camera_id"] != camera_id or found["sequence"] != int(sequence):
            return {}
    except (KeyError, TypeError, ValueError):
        return {}
    return dict(found)
