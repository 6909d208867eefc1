"""`triarch top` on a terminal of its own, before a real node."""

import asyncio
import contextlib
import os
import pty
import signal
import struct
import sys
import termios
from collections.abc import AsyncIterator, Callable
from fcntl import ioctl
from pathlib import Path

import pytest

from orchestrator.cli.exits import Exit
from tests.command_line import triarch
from tests.orchestrator.api_nodes import TOKEN, Nodes, serving
from tests.support import eventually

pytestmark = pytest.mark.anyio

STUCK = """\
name: stuck
actions:
  - {type: wait_for_state, components: press-9, target_state: STARTED, timeout: 0.2s, retry: {attempts: 9, delay: 60s}}
"""
GATED = "name: gated\nconcurrency: {limit: 40}\nactions: [{type: approve, message: go on?}]\n"
LEAVES_S = 15.0


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[Nodes]:
    async with serving(1, tmp_path, token=TOKEN) as found:
        yield found


class Terminal:
    """`triarch top` with a terminal, which a person would sit at."""

    def __init__(self, *arguments: str, url: str) -> None:
        self.at, self._end = pty.openpty()
        ioctl(self._end, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 200, 0, 0))
        self.before = termios.tcgetattr(self._end)
        self._command = [sys.executable, "-m", "orchestrator.cli.main", "top", "--every", "0.2", *arguments]
        self._environment = {**os.environ, "TRIARCH_URL": url, "TRIARCH_TOKEN": TOKEN, "TERM": "xterm"}
        self.shown = ""
        self.process: asyncio.subprocess.Process

    async def start(self) -> None:
        end = self._end
        self.process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=end,
            stdout=end,
            stderr=end,
            env=self._environment,
            start_new_session=True,
            preexec_fn=lambda: ioctl(end, termios.TIOCSCTTY, 0),
        )
        os.set_blocking(self.at, False)

    def read(self) -> str:
        """All that was written so far."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.at, 65536):
                self.shown += data.decode(errors="replace")
        return self.shown

    async def shows(self, text: str) -> None:
        await eventually(lambda: text in self.read(), deadline_s=20)

    async def ends(self) -> int:
        """Its exit status, as it leaves by itself; the terminal is as it was, and its own screen is left."""

        async def ended() -> bool:
            self.read()  # a terminal that is full would hold it up
            return self.process.returncode is not None

        await eventually(ended, deadline_s=LEAVES_S)
        assert termios.tcgetattr(self._end) == self.before
        assert "\x1b[?1049l" in self.read()
        return int(self.process.returncode or 0)

    async def close(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        os.close(self.at)
        os.close(self._end)


@contextlib.asynccontextmanager
async def top(nodes: Nodes, *arguments: str) -> AsyncIterator[Terminal]:
    terminal = Terminal(*arguments, url=nodes.urls[0])
    await terminal.start()
    try:
        await terminal.shows("executions under way")
        yield terminal
    finally:
        await terminal.close()


WAYS: dict[str, tuple[Callable[[Terminal], object], int]] = {
    "q": (lambda terminal: os.write(terminal.at, b"xq"), 0),
    "Ctrl-C": (lambda terminal: os.write(terminal.at, b"\x03"), 0),
    "SIGTERM": (lambda terminal: terminal.process.send_signal(signal.SIGTERM), 128 + signal.SIGTERM),
}


async def test_keys_and_signals_leave_it_and_the_terminal_is_as_it_was(nodes: Nodes) -> None:
    for way, (leave, status) in WAYS.items():
        async with top(nodes) as terminal:
            leave(terminal)
            assert await terminal.ends() == status, way


async def test_what_it_shows_is_not_live_when_the_node_has_died(nodes: Nodes) -> None:
    async with top(nodes) as terminal:
        assert "NOT LIVE" not in terminal.read()
        await nodes.stop(0)
        await terminal.shows("NOT LIVE")
        os.write(terminal.at, b"\x1bOQ")  # F2: none of its bytes is a key by itself
        await terminal.shows("NOT LIVE")
        os.write(terminal.at, b"q")
        assert await terminal.ends() == 0


async def test_what_is_tried_again_and_what_has_long_run_is_shown(nodes: Nodes) -> None:
    http = nodes.clients[0]
    for name, text in (("stuck", STUCK), ("gated", GATED)):
        yaml = {"Content-Type": "application/yaml"}
        assert (await http.put(f"/v1/playbooks/{name}", content=text, headers=yaml)).is_success
    run = (await http.post("/v1/playbooks/stuck/runs", json={})).json()["id"]
    for _ in range(30):
        assert (await http.post("/v1/playbooks/gated/runs", json={})).status_code == 202

    async def row() -> dict[str, object]:
        rows = (await http.get("/v1/executions?status=RUNNING")).json()["executions"]
        assert len(rows) == 31
        return dict(next(each for each in rows if each["id"] == run))

    async def retried() -> bool:
        return (await row())["retrying"] == 1

    await eventually(retried)
    assert "press-9" in str((await row())["error"])
    given = {"TRIARCH_URL": nodes.urls[0], "TRIARCH_TOKEN": TOKEN, "COLUMNS": "200"}
    code, out, _ = await triarch("top", "--once", **given)
    assert code == Exit.OK
    line = next(line for line in out.splitlines() if line.startswith(run))
    assert "RUNNING, 1 retrying" in line
    assert "press-9" in line
    assert "running 31  queued 0" in out
    code, out, _ = await triarch("execution", "list", "--playbook", "stuck", **given)
    assert [word in out for word in ("RETRYING", "press-9")] == [True, True]
