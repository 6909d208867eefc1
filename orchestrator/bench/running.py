"""What every bench shares: a directory, an end on signals, errors with their exit codes, results of child processes."""

import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from framebuffer.errors import FrameBufferError
from orchestrator.bench.figures import say, write
from orchestrator.bench.options import BenchOptions
from orchestrator.dev.directory import check_report, locked, new_run_directory
from orchestrator.dev.errors import MeasurementFailed
from orchestrator.dev.interrupt import run_interruptible
from orchestrator.dev.processes import Process
from orchestrator.dev.waiting import until
from orchestrator.errors import OrchestratorError

Bench = Callable[[BenchOptions, Path], Coroutine[Any, Any, dict[str, Any]]]
"""Measures, in the directory given; returns its report."""


def run_bench(name: str, options: BenchOptions, bench: Bench) -> int:
    """Run a bench in a directory of its own, write its report, return the exit code."""

    async def command() -> int:
        check_report(options.report)
        directory = new_run_directory(f"bench-{name}") if options.directory is None else options.directory.absolute()
        with locked(directory):
            say(f"bench {name}: logs in {directory}")
            report = await bench(options, directory)
        return write(options, report)

    try:
        return run_interruptible(command)
    except OrchestratorError as error:
        say(f"Error [{error.code}]: {error}")
        return error.exit_code
    except FrameBufferError as error:
        say(f"Error [{error.code}]: {error}")
        return 1


def last_line(process: Process) -> dict[str, Any] | None:
    """The JSON object that a process printed last, None while there is none."""
    try:
        lines = process.out.read_text(encoding="utf-8").splitlines()
        found = json.loads(lines[-1]) if lines else None
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


async def first_result(processes: list[Process], seconds: float) -> dict[str, Any]:
    """Wait for the first of the processes that prints a result. Raises ProcessDied, NotReached, MeasurementFailed."""

    async def look() -> dict[str, Any] | None:
        for process in processes:
            if (found := last_line(process)) is not None:
                return found
            if not process.running:
                raise process.ended()
        return None

    found = await until(look, seconds=seconds, what=f"a result of {', '.join(one.name for one in processes)}")
    if "error" in found:
        raise MeasurementFailed(str(found["error"]))
    return found
