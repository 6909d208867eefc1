"""A command is ended in order by SIGINT and SIGTERM, and says so by its exit code."""

import asyncio
import signal
import subprocess
import sys

import pytest

from orchestrator.dev.interrupt import run_interruptible

PROGRAM = """
import asyncio
from orchestrator.dev.interrupt import run_interruptible
async def command():
    try:
        print("up", flush=True)
        await asyncio.sleep(60)
    finally:
        print("in order", flush=True)
    return 0
raise SystemExit(run_interruptible(command))
"""


def test_a_command_that_ends_by_itself_has_its_own_exit_code() -> None:
    async def command() -> int:
        return 4

    assert run_interruptible(command) == 4


def test_a_cancellation_that_no_signal_caused_goes_on() -> None:
    async def command() -> int:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        run_interruptible(command)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_command_in_order(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(number)
        assert process.wait(10) == 128 + number
        assert process.stdout.read() == "in order\n"
