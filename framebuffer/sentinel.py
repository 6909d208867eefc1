"""Finding the primary with Sentinel.

All sentinels are asked at once. As soon as most of them have answered, the answer with the highest configuration epoch
counts: a sentinel that was cut off, and still names the server before the last failover, is outvoted. When fewer
answer, the best of theirs counts; the role of the server is checked before it is used (``framebuffer.primary``).
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import redis.exceptions as redis_errors
from redis.asyncio.sentinel import MasterNotFoundError

from framebuffer.connection import Backoff, Client, connect, node_url
from framebuffer.tasks import ended

__all__ = ["Monitored", "SentinelLocator"]

log = logging.getLogger(__name__)

ASK_S = 1.0
"""How long the sentinels may take to answer."""

_SWITCHED = "+switch-master"


class Monitored(msgspec.Struct, frozen=True):
    """What a sentinel says of the primary. ``replicas``: all that it knows, those that are down included."""

    address: tuple[str, int]
    config_epoch: int
    replicas: int
    flags: frozenset[str]
    other_sentinels: int = 0


class SentinelLocator:
    """Asks the sentinels for the primary called ``service``, and listens to them.

    ``password``, ``username``: of the sentinels. ``tls``, ``options``: of the connections to them.
    """

    def __init__(
        self,
        sentinels: Sequence[tuple[str, int]],
        service: str,
        *,
        username: str | None = None,
        password: str | None = None,
        tls: bool = False,
        options: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.service = service
        self._names = [f"{host}:{port}" for host, port in sentinels]
        self._asked: set[asyncio.Task[Monitored]] = set()
        self._sentinels = [
            connect(
                node_url(host, port, tls=tls, options=options), username=username, password=password, timeout_s=ASK_S
            )
            for host, port in sentinels
        ]

    async def locate(self) -> Monitored:
        """Errors: MasterNotFoundError (a ConnectionError): no sentinel answers, or none knows a primary that runs."""
        asked = {
            asyncio.create_task(self._ask(sentinel)): name
            for sentinel, name in zip(self._sentinels, self._names, strict=True)
        }
        for task in asked:
            # Not cancelled when the others have answered: that would cost a connection each time.
            self._asked.add(task)
            task.add_done_callback(self._answered)
        answers: list[Monitored] = []
        troubles: list[str] = []
        waiting = set(asked)
        while waiting and len(answers) <= len(self._sentinels) // 2:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                error = task.exception()
                if error is None:
                    answers.append(task.result())
                elif isinstance(error, (redis_errors.RedisError, OSError)):
                    troubles.append(f"{asked[task]}: {str(error) or type(error).__name__}")
                else:
                    raise error
        if not answers:
            raise MasterNotFoundError(f"no sentinel names a primary {self.service!r}: {'; '.join(sorted(troubles))}")
        best = max(answers, key=lambda answer: answer.config_epoch)
        if "o_down" in best.flags:
            host, port = best.address
            raise MasterNotFoundError(f"the primary {self.service!r} at {host}:{port} is down, says Sentinel")
        replicas = max(answer.replicas for answer in answers if answer.address == best.address)
        return msgspec.structs.replace(best, replicas=replicas)

    def _answered(self, task: asyncio.Task[Monitored]) -> None:
        self._asked.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, so that asyncio does not warn

    async def watch(self, moved: Callable[[str], None]) -> None:
        """Listen to all sentinels at once; each switch is told by several, and counts once."""
        known: set[str] = set()

        def switched(text: str) -> None:
            if text.split(" ", 1)[0] == self.service and text not in known:
                known.clear()  # the next one may be back to the server before
                known.add(text)
                moved(f"failover: {text}")

        async with asyncio.TaskGroup() as group:
            for sentinel in self._sentinels:
                group.create_task(self._listen(sentinel, switched))

    async def aclose(self) -> None:
        await ended(*self._asked)
        for sentinel in self._sentinels:
            await sentinel.aclose()

    async def _ask(self, sentinel: Client) -> Monitored:
        # The one that leads a failover names the promoted server in the first answer, and still the one before in the
        # second, under the new epoch already.
        async with asyncio.timeout(ASK_S), sentinel.pipeline(transaction=False) as pipe:
            pipe.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.service)
            pipe.execute_command("SENTINEL", "MASTER", self.service)
            place, flat = await pipe.execute()
        said = {flat[at].decode(): flat[at + 1].decode() for at in range(0, len(flat), 2)}
        address = (said["ip"], int(said["port"])) if place is None else (place[0].decode(), int(place[1]))
        return Monitored(
            address=address,
            config_epoch=int(said.get("config-epoch", 0)),
            replicas=int(said.get("num-slaves", 0)),
            flags=frozenset(said["flags"].split(",") if address == (said["ip"], int(said["port"])) else ()),
            other_sentinels=int(said.get("num-other-sentinels", 0)),
        )

    async def _listen(self, sentinel: Client, switched: Callable[[str], None]) -> None:
        """For ever. What is missed while a sentinel is away is found out by the connections themselves."""
        backoff = Backoff(0.1, 2.0)
        while True:
            channel: Any = sentinel.pubsub(ignore_subscribe_messages=True)
            try:
                await channel.subscribe(_SWITCHED)
                async for message in channel.listen():
                    backoff.reset()
                    switched(message["data"].decode("utf-8", "replace"))
            except (redis_errors.RedisError, OSError) as error:
                log.debug("a sentinel cannot be listened to: %s", error)
            finally:
                await channel.aclose()
            await backoff.wait()
