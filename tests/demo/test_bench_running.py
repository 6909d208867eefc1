"""What every bench shares: results of child processes, and what becomes of a failure."""

import sys
from pathlib import Path
from typing import Any

import pytest

from framebuffer.errors import RedisUnavailable
from orchestrator.bench.options import BenchOptions
from orchestrator.bench.running import first_result, last_line, run_bench
from orchestrator.dev.errors import MeasurementFailed, NotReached, ProcessDied
from orchestrator.dev.processes import Processes, Program

RESULT = """print("warming up"); print('{"fps": 7}', flush=True); import time; time.sleep(60)"""
SILENT = "import time; time.sleep(60)"


def python(name: str, code: str) -> Program:
    return Program(name, (sys.executable, "-c", code))


@pytest.mark.anyio
async def test_the_first_result_counts_whoever_has_it(tmp_path: Path) -> None:
    async with Processes(tmp_path, grace=2.0) as processes:
        silent, speaker = await processes.start(python("silent", SILENT), python("speaker", RESULT))
        assert await first_result([silent, speaker], 20) == {"fps": 7}
        assert last_line(silent) is None
        with pytest.raises(NotReached, match="a result of silent"):
            await first_result([silent], 0.2)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("code", "error", "message"),
    [
        ("raise SystemExit('no disk')", ProcessDied, "no disk"),
        ("print([1])", ProcessDied, "worker"),
        ('print(\'{"error": "no leader"}\')', MeasurementFailed, "no leader"),
    ],
)
async def test_a_worker_that_fails_says_why(tmp_path: Path, code: str, error: type[Exception], message: str) -> None:
    async with Processes(tmp_path) as processes:
        (worker,) = await processes.start(python("worker", code))
        await worker.wait(10)
        with pytest.raises(error, match=message):
            await first_result([worker], 5)


@pytest.mark.parametrize(
    ("error", "code"), [(NotReached("a leader", 3.0), 7), (RedisUnavailable("connection", "nobody listens"), 1)]
)
def test_a_bench_that_fails_has_an_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], error: NotReached | RedisUnavailable, code: int
) -> None:
    async def bench(options: BenchOptions, directory: Path) -> dict[str, Any]:
        raise error

    assert run_bench("raft", BenchOptions(directory=tmp_path / "run"), bench) == code
    said = capsys.readouterr()
    assert f"Error [{error.code}]: {error}" in said.err
    assert said.out == ""


def test_a_bench_without_a_directory_makes_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def bench(options: BenchOptions, directory: Path) -> dict[str, Any]:
        return {"ok": True, "inside": directory.is_relative_to(tmp_path)}

    monkeypatch.chdir(tmp_path)
    assert run_bench("raft", BenchOptions(), bench) == 0
    assert '"inside": true' in capsys.readouterr().out
