"""`triarch …` as a process of its own, without paying for its imports each time.

The first call of a run starts a process that imports every command; each call is then a fork of it with an environment,
arguments, output and exit status of its own. `tests/orchestrator/test_cli_main.py` starts the command as a shell does.

    code, out, err = await triarch("cluster", "status", TRIARCH_URL=url)
"""

import asyncio
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from orchestrator.cli.main import COMMANDS, main
from tests import support

REPO = Path(__file__).parents[1]
REQUEST_MAX = 1 << 20
LAZY = ("httpcore", "httpx", "orchestrator.client", "orchestrator.node")
"""What commands import when they are called, so that `triarch` starts soon: here each fork would pay for it."""
PATIENCE_S = 50.0  # less than a test has


class _Forks:
    """The process that the calls are forks of; one for a test run."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="triarch-cli-")
        path = str(Path(self._directory.name) / "socket")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.command_line", path],
            cwd=REPO,
            env={**os.environ, **_TRACED},
            stdin=subprocess.PIPE,  # it ends when this is closed, and so with this process
            stdout=subprocess.PIPE,
        )
        support.lasting_children.add(self._process.pid)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"
        self._path = path

    def call(self, arguments: list[str], environment: dict[str, str]) -> tuple[int, str, str]:
        request = json.dumps({"arguments": arguments, "environment": environment}).encode() + b"\n"
        with (
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asked,
        ):
            asked.settimeout(PATIENCE_S)
            asked.connect(self._path)
            socket.send_fds(asked, [request], [out.fileno(), err.fileno()])
            answer = asked.makefile().readline()
            assert answer, f"no exit status of triarch {' '.join(arguments)}"
            out.seek(0)
            err.seek(0)
            return int(answer), out.read().decode(), err.read().decode()


_forks: list[_Forks] = []
_TRACED = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
"""Whichever test makes the first call: lines of commands are counted, also where those of nodes are not."""


async def triarch(*arguments: str | Path, **environment: str) -> tuple[int, str, str]:
    """Exit code, stdout, stderr; `environment` is added to this process's. A traceback is never an answer."""
    if not _forks:
        _forks.append(await asyncio.to_thread(_Forks))
    given = {**os.environ, **environment}
    code, out, err = await asyncio.to_thread(_forks[0].call, [str(one) for one in arguments], given)
    assert "Traceback" not in err, err
    return code, out, err


def _serve(path: str) -> list[str]:
    """Fork for each request; returns only in the fork that is to be the command, with its arguments."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(path)
        listening.listen()
        os.write(1, b"ready\n")
        while True:
            readable, _, _ = select.select([listening.fileno(), 0], [], [])
            if 0 in readable:
                os._exit(0)
            asked, _ = listening.accept()
            if os.fork() == 0:
                break
            asked.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    request, fds, _, _ = socket.recv_fds(asked, REQUEST_MAX, 2)
    while not request.endswith(b"\n"):
        request += asked.recv(REQUEST_MAX)
    wanted = json.loads(request)
    command = os.fork()
    if command:
        _, status = os.waitpid(command, 0)
        asked.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    asked.close()
    for number, fd in enumerate((os.open(os.devnull, os.O_RDONLY), *fds)):
        os.dup2(fd, number)
    os.environ.clear()
    os.environ.update(wanted["environment"])
    arguments: list[str] = wanted["arguments"]
    return arguments


if __name__ == "__main__":
    for name in (*(place.partition(":")[0] for place, _ in COMMANDS.values()), *LAZY):
        importlib.import_module(name)
    # A fork that ends would look through all that was there before it, and copy each page on the way: half of its time.
    gc.freeze()
    main(_serve(sys.argv[1]), prog_name="triarch")
