"""`triarch drill run`: drills one after the other on one target, a report each."""

import asyncio
import datetime as dt
import importlib
import importlib.metadata
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from framebuffer.errors import FrameBufferError
from orchestrator.client import ClientError
from orchestrator.dev.directory import locked, new_run_directory
from orchestrator.dev.errors import NotWritable
from orchestrator.dev.interrupt import run_interruptible
from orchestrator.drills.budget import Budget, BudgetInvalid, budgets
from orchestrator.drills.one import Load, OneDrill
from orchestrator.drills.options import DrillOptions
from orchestrator.drills.page import page
from orchestrator.drills.report import Report, Run, build, read
from orchestrator.drills.target import DrillError, Fault, Target, TargetOptions
from orchestrator.errors import OrchestratorError

__all__ = ["draw", "main", "read_budgets"]

GIT_S = 5.0


def main(options: DrillOptions) -> int:
    """Run the drills and return the exit code: 0 all passed, 1 one failed, 2 could not be run."""
    try:
        return run_interruptible(lambda: _run(options))
    except (OrchestratorError, FrameBufferError, ClientError) as error:
        sys.stderr.write(f"Error [{error.code}]: {error}\n")
        return error.exit_code if isinstance(error, DrillError) else 2


def draw(file: Path) -> Path:
    """Draw the page of a report again, beside it. Raises ReportUnreadable, NotWritable."""
    try:
        report = read(file.read_bytes(), str(file))
    except OSError as error:
        raise DrillError(f"{file} cannot be read: {error.strerror}") from error
    return _written(file.with_suffix(".html"), page(report))


async def _run(options: DrillOptions) -> int:
    allowed = await asyncio.to_thread(read_budgets, options.budget)
    began = time.monotonic()

    def say(text: str) -> None:
        sys.stderr.write(f"{time.monotonic() - began:7.2f} s  {text}\n")

    directory = new_run_directory("drill") if options.directory is None else options.directory.absolute()
    reports = options.report or directory
    _written(reports / ".drill", "").unlink()  # told before a plant is harmed, not after
    with locked(directory):
        say(f"logs and data in {directory}")
        target = _open(options, directory / "plant")
        for fault in options.drills:
            target.check(fault)
        async with target:
            say(f"target {options.target}: {', '.join(host.id for host in target.hosts())}")
            made = []
            for fault in options.drills:
                for number in range(1, options.repeat + 1):
                    report = await _one(options, target, fault, number, allowed[fault], directory, say)
                    made.append(report)
                    say(_kept(report, reports))
                    sys.stdout.write(_line(report) + "\n")  # one by one: what has been drilled is told in any case
                    sys.stdout.flush()
    return 0 if all(report.ok for report in made) else 1


def _open(options: DrillOptions, directory: Path) -> Target:
    directory.mkdir(parents=True, exist_ok=True)
    try:
        module = importlib.import_module(f"orchestrator.drills.targets.{options.target}")
    except ModuleNotFoundError as error:
        raise DrillError(f"target {options.target} is no part of this installation: {error.name} is missing") from None
    target: Target = module.open_target(
        TargetOptions(
            directory,
            faults=options.drills,
            lab=options.lab,
            inventory=options.inventory,
            operator=options.operator,
        )
    )
    return target


async def _one(
    options: DrillOptions, target: Target, fault: Fault, number: int, budget: Budget, directory: Path, say: Any
) -> Report:
    started = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    load = Load(options.cameras, options.fps, options.hold_s)
    place = directory / f"{fault}-{number}"
    seen = await OneDrill(target, fault, load, place, say).run()
    if seen.recorded is not None:  # what the report was made from: whoever doubts it looks there
        _written(place / "facts.json", msgspec.json.encode(seen.recorded).decode() + "\n")
    run = Run(
        drill=str(fault),
        target=options.target,
        cameras=options.cameras,
        fps=options.fps,
        started=started,
        version=_version(),
        commit=await asyncio.to_thread(_commit),
        number=number,
        of=options.repeat,
    )
    return build(
        run,
        budget,
        evidence=seen.evidence,
        unproven=seen.unproven,
        moments=seen.moments,
        recorded=seen.recorded,
    )


def _kept(report: Report, directory: Path) -> str:
    """Write both forms; a line that says where."""
    name = report.drill if report.of == 1 else f"{report.drill}-{report.number}"
    document = msgspec.json.format(msgspec.json.encode(report), indent=1).decode() + "\n"
    _written(directory / f"{name}.json", document)
    drawn = _written(directory / f"{name}.html", page(report))
    return f"{report.drill}: {report.verdict}; {drawn}"


def _line(report: Report) -> str:
    """One drill in a line."""
    broken = [
        f"{one.what} {json.dumps(one.found)} (budget {json.dumps(one.budget)})" for one in report.verdicts if not one.ok
    ]
    figures = [
        f"{name} {value:.2f} s"
        for name, value in (
            ("takeover", report.takeover_s),
            ("dispatch gap", report.dispatch_gap_s),
            ("publish gap", report.publish_gap_s),
        )
        if value is not None
    ]
    if report.lost is not None:
        figures += [f"{report.lost} lost", f"{report.duplicates} twice"]
    return f"{report.drill:<16} {report.verdict:<8} {', '.join(figures)}{'; ' + '; '.join(broken) if broken else ''}"


def read_budgets(file: Path | None) -> Mapping[Fault, Budget]:
    """Those of a file, or the defaults. Raises BudgetInvalid."""
    if file is None:
        return budgets(None, "")
    try:
        return budgets(yaml.safe_load(file.read_text(encoding="utf-8")), str(file))
    except OSError as error:
        raise BudgetInvalid(f"{file} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BudgetInvalid(f"{file} is no YAML: {' '.join(str(error).split())}") from error


def _written(file: Path, text: str) -> Path:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise NotWritable(file, error) from error
    return file


def _version() -> str:
    try:
        return importlib.metadata.version("triarch")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _commit() -> str:
    """Of the source tree that this code runs from; "" where it is an installed package."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return ""
    try:
        command = ["git", "-C", str(root), "rev-parse", "HEAD"]
        found = subprocess.run(command, capture_output=True, text=True, timeout=GIT_S, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip()
