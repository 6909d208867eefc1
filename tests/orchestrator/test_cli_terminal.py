"""The command line where a person sits: tables in a terminal of 80 columns, completion in a real bash."""

import asyncio
import os
import pty
import re
import shutil
import struct
import sys
import termios
from collections.abc import AsyncIterator
from fcntl import ioctl
from pathlib import Path

import pytest

from tests.command_line import triarch
from tests.orchestrator.api_nodes import TOKEN, Nodes, serving
from tests.support import eventually

pytestmark = pytest.mark.anyio

COLUMNS = 80
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
PRESSES = ("press-hall-2-line-04", "press-hall-2-line-05")
FACES = "detection-faces-gpu-03"


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    async with serving(3, tmp_path_factory.mktemp("terminal"), token=TOKEN) as found:
        for number, name in enumerate(PRESSES):
            body = {"id": name, "address": f"http://192.0.2.10:91{number:02}", "name": f"Press {number}, hall 2"}
            assert (await found.clients[0].post("/v1/components", json=body)).is_success
        group = await found.clients[0].put("/v1/groups/hall-2", json={"components": list(PRESSES)})
        assert group.is_success, group.text
        row = {"id": FACES, "capabilities": ["face_detection", "object_detection", "defects"], "capacity": 16}
        assert (await found.clients[0].post("/v1/processors/register", json=row)).is_success
        yield found


async def shown(nodes: Nodes, *arguments: str) -> list[str]:
    """The lines of a command in a terminal, without colours and blanks at their ends."""
    at, end = pty.openpty()
    ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    environment |= {"TRIARCH_URL": ",".join(nodes.urls), "TRIARCH_TOKEN": TOKEN, "TERM": "xterm"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "orchestrator.cli.main", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=end,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    os.close(end)
    text, (_, err) = await asyncio.gather(asyncio.to_thread(read_all, at), process.communicate())
    os.close(at)
    assert process.returncode == 0, err.decode()
    return [line.rstrip() for line in COLOURS.sub("", text).splitlines()]


def read_all(at: int) -> str:
    found = b""
    try:
        while data := os.read(at, 65536):
            found += data
    except OSError:  # Linux says so that nobody has the other end any more
        pass
    return found.decode()


async def fits(nodes: Nodes, *arguments: str) -> list[str]:
    """The lines in the terminal. None is longer than it is wide, and folded or not they say what a pipe is told."""
    environment = {"TRIARCH_URL": ",".join(nodes.urls), "TRIARCH_TOKEN": TOKEN}
    lines: list[str] = []

    async def same() -> bool:  # what is listed may change between the two
        nonlocal lines
        lines = await shown(nodes, *arguments)
        code, plain, err = await triarch(*arguments, **environment)
        assert code == 0, err
        return sorted("".join(lines).replace(" ", "")) == sorted("".join(plain.split()))

    await eventually(same, deadline_s=20)
    assert max(map(len, lines)) <= COLUMNS, "\n".join(lines)
    return lines


@pytest.mark.parametrize(
    ("command", "names"),
    [
        (("component", "list"), PRESSES),
        (("processor", "list"), (FACES,)),
        (("cluster", "status"), ("n1", "n2", "n3")),
        (("cluster", "members"), ("n1", "n2", "n3")),
    ],
    ids=" ".join,
)
async def test_a_table_fits_and_what_its_rows_are_called_is_whole(
    nodes: Nodes, command: tuple[str, ...], names: tuple[str, ...]
) -> None:
    lines = await fits(nodes, *command)
    assert tuple(line.split()[0] for line in lines if line.startswith(names)) == names


async def test_a_name_without_room_is_folded_and_not_cut(nodes: Nodes) -> None:
    name = "faces-" + "0123456789" * 5 + "-the-end"
    row = {"id": name, "capabilities": ["faces"], "capacity": 1}
    assert (await nodes.clients[0].post("/v1/processors/register", json=row)).is_success
    await fits(nodes, "processor", "list", "--capability", "faces")


COMPLETED = r"""
set -eu
eval "$(triarch completion bash)"
read -ra COMP_WORDS <<<"$LINE"
[[ $LINE != *" " ]] || COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMPREPLY=()
[[ $(complete -p triarch) =~ -F\ ([A-Za-z0-9_]+) ]]
"${BASH_REMATCH[1]}" triarch
printf '%s\n' "${COMPREPLY[@]}"
"""
"""What a person has in ~/.bashrc, and what bash does at a press of TAB."""


async def completed(nodes: Nodes, line: str) -> list[str]:
    """What bash offers for the last word of `line`, by the script that it was given."""
    bash = shutil.which("bash")
    if bash is None:
        assert "CI" not in os.environ, "bash is missing"
        pytest.skip("no bash here")
    environment = {**os.environ, "TRIARCH_URL": nodes.urls[0], "TRIARCH_TOKEN": TOKEN, "LINE": line}
    environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    process = await asyncio.create_subprocess_exec(
        *(bash, "--norc", "--noprofile", "-c", COMPLETED),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    return out.decode().split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("triarch clu", ["cluster"]),
        ("triarch cluster tra", ["transfer"]),
        ("triarch cluster transfer --t", ["--to", "--timeout"]),
        ("triarch completion ", ["bash", "zsh", "fish"]),
        ("triarch component get press-", list(PRESSES)),
        ("triarch nothing-begins-so", []),
    ],
)
async def test_a_real_bash_completes(nodes: Nodes, line: str, offered: list[str]) -> None:
    assert await completed(nodes, line) == offered
