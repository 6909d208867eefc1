"""`triarch dev`, `demo` and `bench`: flags become options; the work stands in the packages of these names."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from orchestrator.bench.options import BENCHES, FAULTS, BenchOptions
from orchestrator.cli.output import Failure
from orchestrator.demo.options import KILLS, DemoOptions
from orchestrator.dev.options import DevOptions

O = TypeVar("O")  # noqa: E741 - options

_FILE = click.Path(dir_okay=False, path_type=Path)
_DIRECTORY = click.Path(file_okay=False, path_type=Path)
_REPORT = click.Path(dir_okay=False, allow_dash=True, path_type=Path)


def _options(kind: Callable[..., O], **flags: Any) -> O:
    """The options, or a usage error that names the flag which is out of bounds."""
    try:
        return kind(**flags)
    except ValueError as error:
        name, colon, reason = str(error).partition(": ")
        hint = f"--{name.replace('_', '-')}" if colon and name in flags else None
        raise click.BadParameter(reason if hint else str(error), param_hint=hint) from None


def _run(module: str, function: str, options: object) -> None:
    try:
        entry = getattr(importlib.import_module(module), function)
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] not in ("cluster", "framebuffer", "orchestrator"):
            raise Failure("failed", f"{error.name} is not installed: pip install 'triarch[demo]'") from None
        raise
    click.get_current_context().exit(entry(options))


@click.command(
    epilog="\b\nExamples:\n  triarch dev\n  triarch dev --video hall.mp4 --cameras 8\n  triarch dev --no-frames --fresh"
)
@click.option("--video", type=_FILE, help="Frames come from this file, round and round. [default: the shipped clip]")
@click.option("--cameras", type=int, default=4, show_default=True)
@click.option("--fps", type=float, default=15.0, show_default=True, help="Frames a second of each camera.")
@click.option("--directory", type=_DIRECTORY, help="Data and logs. [default: .triarch/dev]")
@click.option("--api-port", type=int, default=8101, show_default=True, help="Of the first node; the others follow.")
@click.option("--raft-port", type=int, default=7101, show_default=True, help="Of the first node; the others follow.")
@click.option("--redis-port", type=int, default=6390, show_default=True)
@click.option("--frames/--no-frames", default=True, show_default=True, help="With cameras, processors and components.")
@click.option("--fresh", is_flag=True, help="Forget the state of the last run first.")
def dev(**flags: Any) -> None:
    """Run a whole plant on this machine until it is interrupted.

    Three nodes, an embedded Valkey, cameras, processors and components; the addresses are printed.
    """
    _run("orchestrator.dev", "supervise", _options(DevOptions, **flags))


@click.command(
    epilog="\b\nExamples:\n  triarch demo\n  triarch demo --kill primary --report report.json\n"
    "  triarch demo --video hall.mp4 --cameras 8 --fps 10 --seconds 60"
)
@click.option("--video", type=_FILE, help="Frames come from this file, round and round. [default: the shipped clip]")
@click.option("--cameras", type=int, default=4, show_default=True)
@click.option("--fps", type=float, default=15.0, show_default=True, help="Frames a second of each camera.")
@click.option("--seconds", type=float, default=30.0, show_default=True, help="How long the cameras publish.")
@click.option("--kill", type=click.Choice(KILLS), default="leader", show_default=True, help="What is killed midway.")
@click.option("--report", type=_REPORT, help="Where the JSON report goes; - is stdout.")
@click.option("--directory", type=_DIRECTORY, help="Data and logs. [default: a new one below .triarch/]")
def demo(**flags: Any) -> None:
    """Move real frames, kill a part in the middle, prove that nothing was lost.

    The exit code is 0 only when every promise of the run held.
    """
    _run("orchestrator.demo", "run", _options(DemoOptions, **flags))


@click.command(
    epilog="\b\nExamples:\n  triarch bench frames\n  triarch bench failover --runs 10 --report failover.json\n"
    "  triarch bench api --components 1000 --processors 50 --cameras 200 --rate 500 --report api.json"
)
@click.argument("name", type=click.Choice(BENCHES))
@click.option("--report", type=_REPORT, help="Where the JSON report goes; - is stdout.")
@click.option("--seconds", type=float, default=60.0, show_default=True, help="Bound of the whole measurement.")
@click.option("--runs", type=int, default=5, show_default=True, help="Kills of `failover`.")
@click.option(
    "--fault",
    type=click.Choice((*FAULTS, "both")),
    default="both",
    show_default=True,
    help="Of the leader in `failover`'s agreement part: SIGKILL, SIGSTOP.",
)
@click.option("--watchers", type=int, default=100, show_default=True, help="Of `watch`, spread over the nodes.")
@click.option("--components", type=int, default=0, help="Of `api` (then open-loop) and `watch`: beating components.")
@click.option("--processors", type=int, default=0, help="Of a plant with components.")
@click.option("--cameras", type=int, default=0, help="Of a plant with components: a frame a second each.")
@click.option(
    "--rate", type=float, default=0.0, help="Changes a second of `watch`, reads a second of `api`. [default: 200, 500]"
)
@click.option("--write-rate", type=float, default=20.0, show_default=True, help="Beside them: writes a second.")
@click.option("--directory", type=_DIRECTORY, help="Data and logs. [default: a new one below .triarch/]")
def bench(name: str, **flags: Any) -> None:
    """Measure NAME, side by side with the ceiling of the same run."""
    _run(f"orchestrator.bench.{name}", "run", _options(BenchOptions, **flags))
