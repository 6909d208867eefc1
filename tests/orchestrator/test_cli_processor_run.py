"""`triarch processor run`: what it finds, what it says of what it cannot find, and a whole run beside a real node."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from framebuffer.connection import connect
from framebuffer.processor import ProcessorClient
from framebuffer.streams import FrameStreams
from framebuffer.wire import OutgoingFrame
from orchestrator.cli.main import main
from orchestrator.cli.processor_run import _id_of, _offered
from tests.orchestrator.api_nodes import TOKEN, Nodes, serving
from tests.support import eventually

MODULE = '''
"""A user's module."""
import os
from framebuffer.processor import ProcessorClient

class Sizes(ProcessorClient):
    """A class of processors."""
    capabilities = ["sizes"]

    def process_frame(self, frame):
        return {"bytes": len(frame.payload)}

class Odd(ProcessorClient):
    def __init__(self, camera):
        pass

def sizes(frame):
    return {"pid": os.getpid()}

def fragile(frame):
    """Ends its process once."""
    if not os.path.exists("fell"):
        open("fell", "x").close()
        os._exit(1)
    return {}

async def later(frame):
    return {}

number = 7
made = Sizes("a", ["b"], "http://127.0.0.1:1")
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module in the present directory, another one for each test."""
    name = f"users_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    (tmp_path / f"{name}_broken.py").write_text("import nothing_of_this_name\n")
    (tmp_path / f"{name}_raises.py").write_text("raise OSError('no camera')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


@pytest.mark.parametrize(
    ("target", "code", "said"),
    [
        ("{}", 2, "is not MODULE:NAME"),
        (":Sizes", 2, "is not MODULE:NAME"),
        ("{}:", 2, "is not MODULE:NAME"),
        ("nobody_has_this:Sizes", 2, "there is no module 'nobody_has_this', neither here nor installed"),
        ("{}.deeper:Sizes", 2, "there is no module"),
        ("{}:Faces", 2, "has no 'Faces'; its processors are Odd, Sizes"),
        ("{}:Sizes.nothing", 2, "has no 'Sizes.nothing'"),
        ("{}:ProcessorClient", 2, "no subclass of ProcessorClient"),
        ("{}:number", 2, "is a int, neither a subclass of ProcessorClient nor a function"),
        ("{}:made", 2, "is a processor already; name its class"),
        ("{}_broken:Sizes", 1, "cannot be imported: No module named 'nothing_of_this_name'"),
        ("{}_raises:Sizes", 1, "cannot be imported: OSError: no camera"),
        ("{}:Odd", 1, "cannot be made"),
    ],
)
def test_what_is_wrong_with_a_name_is_said(module: str, target: str, code: int, said: str) -> None:
    result = CliRunner().invoke(main, ["processor", "run", target.format(module), "--id", "a"])
    assert result.exit_code == code, result.output
    assert said in result.output.replace("\n", " ")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--label", "rack"], "'rack' is not NAME=VALUE"),
        (["--orchestrator", "ftp://x"], "is not an http:// or https:// address"),
        (["--id", "a b"], "invalid_registration"),
        (["--capability", "a b"], "capabilities"),
        (["--health-url", "nowhere"], "health_url"),
        (["--capacity", "0"], "--capacity"),
    ],
)
def test_options_that_make_no_sense_are_refused(module: str, options: list[str], said: str) -> None:
    result = CliRunner().invoke(main, ["processor", "run", f"{module}:Sizes", *options])
    assert result.exit_code in (1, 2)
    assert said in result.output


def test_an_id_is_made_of_the_name_and_the_host() -> None:
    made = _id_of("detectors.faces:Faces")
    assert made.startswith("faces-")
    ProcessorClient(made, ["a"], "http://127.0.0.1:1")
    assert _offered(ProcessorClient) == ("default",)


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[Nodes]:
    async with serving(1, tmp_path, token=TOKEN) as found:
        yield found


async def _started(nodes: Nodes, directory: Path, *arguments: str) -> asyncio.subprocess.Process:
    environment = {**os.environ, "TRIARCH_TOKEN": TOKEN, "TRIARCH_URL": nodes.urls[0]}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "orchestrator.cli.main", "processor", "run", *arguments),
        cwd=directory,
        env={**environment, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.anyio
async def test_one_of_its_processes_falls_and_it_works_on_until_it_is_told_to_stop(
    nodes: Nodes, module: str, tmp_path: Path
) -> None:
    options = ("--id", "fragile-1", "--capability", "fragile", "--processes", "2", "--concurrency", "2")
    process = await _started(nodes, tmp_path, f"{module}:fragile", *options)
    redis = connect(nodes.redis.url)
    streams = FrameStreams(redis)
    try:
        session = await streams.open_camera("cam")

        async def settled(count: int) -> bool:
            return (await streams.stats()).cameras["cam"].settled == count

        for number in range(3):
            frame = OutgoingFrame(f"f{number}", number, b"{}", b"xyz", "fragile")
            assert await streams.publish(session, [frame]) == ["ok"]
            await eventually(partial(settled, number + 1), deadline_s=20)
        assert (tmp_path / "fell").exists()
        process.send_signal(signal.SIGTERM)
        out, err = await asyncio.wait_for(process.communicate(), 15)
        assert (process.returncode, out) == (0, b""), err.decode()
        assert b"BrokenProcessPool" in err
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await streams.aclose()
        await redis.aclose()


@pytest.mark.anyio
async def test_a_class_and_a_function_in_processes_run_until_they_are_told_to_stop(
    nodes: Nodes, module: str, tmp_path: Path
) -> None:
    started = partial(_started, nodes, tmp_path)
    redis = connect(nodes.redis.url)
    streams = FrameStreams(redis)
    processes = [
        await started(f"{module}:Sizes", "--id", "sizes-1", "--label", "rack=7", "--capacity", "9"),
        await started(f"{module}:sizes", "--id", "pids-1", "--capability", "pids", "--processes", "1"),
    ]
    try:
        session = await streams.open_camera("cam")
        frames = [OutgoingFrame(f"f{n}", n, b"{}", b"xyz", ("sizes", "pids")[n % 2]) for n in range(6)]
        assert await streams.publish(session, frames) == ["ok"] * 6

        async def all_settled() -> bool:
            return (await streams.stats()).cameras["cam"].settled == 6

        await eventually(all_settled, deadline_s=20)
        row = (await nodes.clients[0].get("/processors/sizes-1")).json()
        assert (row["capabilities"], row["capacity"], row["labels"]) == (["sizes"], 9, {"rack": "7"})
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            out, err = await asyncio.wait_for(process.communicate(), 15)
            assert (process.returncode, out) == (0, b""), err.decode()
            assert b"Traceback" not in err
        assert (await nodes.clients[0].get("/processors")).json() == []
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
                await process.wait()
        await streams.aclose()
        await redis.aclose()
