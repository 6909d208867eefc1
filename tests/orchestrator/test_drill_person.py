"""A person's deed is believed only when nothing answers any more."""

import asyncio
import socket

import pytest

from orchestrator.drills.target import Fault, FaultUnproven
from orchestrator.drills.targets import person
from tests.support import eventually, free_port

pytestmark = pytest.mark.anyio


async def test_a_place_answers_while_somebody_listens() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    assert await person.answers(place)
    server.close()
    await server.wait_closed()
    assert not await person.answers(place)


async def test_silence_is_dated_from_the_last_answer() -> None:
    answered = 0

    def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal answered
        answered += 1
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    waiting = asyncio.create_task(person.silence(Fault.HOST_POWER_OFF, [place], wait_s=20))
    await eventually(lambda: answered >= 2)
    server.close()
    await server.wait_closed()
    closed = asyncio.get_running_loop().time()
    at, silent_s = await waiting
    assert at <= closed
    assert silent_s > 0


async def test_a_host_that_goes_on_answering_is_no_fault() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    place = f"127.0.0.1:{listening.getsockname()[1]}"
    with listening, pytest.raises(FaultUnproven, match=f"{place}, .* still answer after 0.2 s"):
        await person.silence(Fault.HOST_POWER_OFF, [place, f"127.0.0.1:{free_port()}"], wait_s=0.2)
