"""A process of the fuzz campaign that draws, changes and sends requests, and judges each answer.

Several of them run side by side, each with a seed of its own. Prints a JSON object a line: `{"sent": N}` every second,
and at the end what came of it all. Most of a request's time here is drawing (schemathesis takes milliseconds for one)
and waiting: bytes that are no whole request get no answer. So one that was drawn is changed many times, and many
connections wait side by side.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import uvloop
from schemathesis import GenerationMode

from tests.soak.fuzz_cases import Document, Request, mutants, noise
from tests.soak.fuzz_clients import ANSWER_S, QUIET_S, Connection

CONNECTIONS = 150
DRAWN_AT_ONCE = 6
"""Of an operation and a mode, before the next one has its turn."""
MUTANTS = 40
"""Of each drawn request."""
DRAWN_OF_SMALL, MUTANTS_OF_SMALL = 1, 1
NOISE_EVERY = 40
EXAMPLES_MAX = 20
BEHIND = 6
"""In `nice`: on few cores the nodes come first, as they would with clients on other machines."""


class Sending:
    """What is sent, and what came of it. `small`: comes to every operation, and changes each request once."""

    def __init__(
        self, apis: Sequence[str], document: Document, total: int, token: str, *, seed: int, small: bool, seconds: float
    ) -> None:
        self._apis = apis
        self._document = document
        self._total = total
        self._token = token
        self._seed = seed
        self._small = small
        self._seconds = seconds
        self._dice = random.Random(seed)
        self._queue: asyncio.Queue[tuple[bytes, Request | None]] = asyncio.Queue(4 * CONNECTIONS)
        self.sent = self.drawn = self.validated = 0
        self.answers: Counter[int] = Counter()
        self.faults: Counter[str] = Counter()
        self.problems: list[str] = []

    async def run(self) -> None:
        """Send everything."""
        producer = asyncio.create_task(self._produce())
        workers = [asyncio.create_task(self._work(number)) for number in range(CONNECTIONS)]
        try:
            await producer
            await self._queue.join()
        finally:
            for task in workers:
                task.cancel()
            results = await asyncio.gather(*workers, return_exceptions=True)
        for error in results:
            if isinstance(error, Exception):
                raise error

    def found(self) -> dict[str, Any]:
        """What came of it."""
        answers = {str(status): count for status, count in self.answers.items()}
        return {
            "sent": self.sent,
            "drawn": self.drawn,
            "validated": self.validated,
            "answers": answers,
            "faults": dict(self.faults),
            "problems": self.problems,
        }

    async def _produce(self) -> None:
        """Draws in a thread, as that takes longer than sending."""
        seed = self._seed
        queued = 0
        at_once = DRAWN_OF_SMALL if self._small else DRAWN_AT_ONCE
        operations = list(self._document.operations)
        if not self._small:
            self._dice.shuffle(operations)  # the processes side by side are to be at different ones
        ends = time.monotonic() + self._seconds
        while queued < self._total:
            for operation in operations:
                for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                    seed += 1
                    drawn = await asyncio.to_thread(
                        self._document.draw, operation, mode, at_once, seed, token=self._token
                    )
                    self.drawn += len(drawn)
                    for raw, request in self._spread(drawn):
                        await self._queue.put((raw, request))
                        queued += 1
                        if queued >= self._total or time.monotonic() > ends:
                            return

    def _spread(self, drawn: list[Request]) -> Iterator[tuple[bytes, Request | None]]:
        for request in drawn:
            yield request.raw, request
            if request.mutable:
                for raw in mutants(request, MUTANTS_OF_SMALL if self._small else MUTANTS, self._dice):
                    yield raw, None
                    if self._dice.randrange(NOISE_EVERY) == 0:
                        yield noise(self._dice), None

    async def _work(self, number: int) -> None:
        connection = Connection(self._apis[number % len(self._apis)])
        try:
            while True:
                raw, request = await self._queue.get()
                try:
                    status = await connection.ask(raw, QUIET_S if request is None else ANSWER_S)
                    self._judge(raw, request, status, connection.code, connection.json)
                except OSError as error:
                    self._problem(f"{self._apis[number % len(self._apis)]}: nobody listens: {error}", raw)
                finally:
                    self.sent += 1
                    self._queue.task_done()
        finally:
            connection.close()

    def _judge(
        self, raw: bytes, request: Request | None, status: int | None, code: str | None, body: bytes | None
    ) -> None:
        if status is None:
            if request is not None:
                self._problem(f"{request.operation}: no answer", raw)
            return
        self.answers[status] += 1
        if status >= 500:
            self.faults[f"{status} {code}"] += 1
            if status != 503:
                self._problem(f"answered {status} {code}", raw)
                return
        if request is None:
            return  # it may have become a request of any operation
        if status not in self._document.answers[request.operation]:
            self._problem(f"{request.operation}: answered {status}, which is not documented", raw)
        elif status < 300 and request.refused:
            self._problem(f"{request.operation}: answered {status} to what has to be refused", raw)
        elif body is not None:
            self.validated += 1
            if amiss := self._document.amiss(request.operation, status, body):
                self._problem(
                    f"{request.operation}: answered {status} with a body that its schema refuses: {amiss}", raw
                )

    def _problem(self, text: str, raw: bytes) -> None:
        if len(self.problems) < EXAMPLES_MAX:
            self.problems.append(f"{text}: {raw[:600]!r}")


async def _obey(order: dict[str, Any]) -> None:
    document = Document(order["document"], order["home"])
    sending = Sending(
        order["apis"],
        document,
        order["total"],
        order["token"],
        seed=order["seed"],
        small=order["small"],
        seconds=order["seconds"],
    )
    under_way = asyncio.create_task(sending.run())
    while not under_way.done():
        await asyncio.wait({under_way}, timeout=1.0)
        _say({"sent": sending.sent})
    await under_way
    _say({"done": True, **sending.found()})


def _say(found: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


def main(argv: Sequence[str] | None = None) -> None:
    """One order, a JSON object, is read from standard input."""
    argparse.ArgumentParser(description=__doc__).parse_args(argv)
    os.nice(BEHIND)
    uvloop.run(_obey(json.load(sys.stdin)))


if __name__ == "__main__":
    main()
