"""`triarch frames verify|stats|lag|trace|tail|dead|cameras`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from orchestrator.cli.exits import Exit
from orchestrator.cli.frames_cameras import cameras
from orchestrator.cli.frames_dead import dead
from orchestrator.cli.frames_source import from_api, from_redis, redis_option
from orchestrator.cli.frames_tail import tail
from orchestrator.cli.http import api_options
from orchestrator.cli.output import Failure, emit, emit_rows, leave, note, output_option, printable

if TYPE_CHECKING:
    from framebuffer.shards import ShardedStreams

TOTALS = ("published", "settled", "dead", "dropped", "in_flight", "lost", "duplicates", "stuck", "ledger_ok")
NAMED = ("lost_frames", "duplicate_frames", "stuck_frames")


@click.group()
def frames() -> None:
    """Queues, counters, the ledger, and what became of each frame."""


frames.add_command(dead)
frames.add_command(tail)
frames.add_command(cameras)


@frames.command(
    epilog="\b\nExamples:\n  triarch frames verify\n"
    "  triarch frames verify --redis-url redis://127.0.0.1:6390/0 --report ledger.json\n"
    "  triarch frames verify --stuck-s 5 -o json | jq .stuck_frames"
)
@redis_option
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Where the JSON report goes as well.")
@click.option(
    "--stuck-s",
    type=click.FloatRange(0, 1e9, min_open=True),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="A frame in flight for longer is named as stuck.",
)
@api_options
@output_option
def verify(
    redis_url: str | None, report: Path | None, stuck_s: float, urls: str, timeout_s: float, output: str
) -> None:
    """Prove that published = settled + dead + dropped + in flight.

    Names every frame that breaks it, and those that are stuck. Exits with 0 only when the ledger is in order; a stuck
    frame is not lost, and does not change that.
    """

    async def asked(streams: "ShardedStreams") -> object:
        from framebuffer.shards import verify_shards

        return await verify_shards(streams, stuck_s=stuck_s)

    path = "/v1/frames/ledger"
    found = from_redis(redis_url, asked) if redis_url else from_api(path, urls, timeout_s, stuck_s=str(stuck_s))
    if report is not None:
        try:
            report.write_text(json.dumps(found, indent=2) + "\n")
        except OSError as error:
            raise Failure("failed", f"{report}: {error.strerror}") from None
    if output == "table":
        emit({name: found[name] for name in TOTALS}, output)
        for name in NAMED:
            for frame in found.get(name, ()):
                note(f"{name.removesuffix('_frames')}: {frame if isinstance(frame, str) else json.dumps(frame)}")
    else:
        emit(found, output)
    leave(Exit.OK if found["ledger_ok"] else Exit.FAILED)


@frames.command(epilog="\b\nExamples:\n  triarch frames stats\n  triarch frames stats -o json | jq .ready")
@redis_option
@api_options
@output_option
def stats(redis_url: str | None, urls: str, timeout_s: float, output: str) -> None:
    """Show every queue with its length."""
    found = from_redis(redis_url, _stats) if redis_url else from_api("/v1/frames/stats", urls, timeout_s)
    if output != "table":
        emit(found, output)
        return
    rows = [{"queue": "capture", "length": found["capture_len"], "pending": found.get("capture_pending")}]
    rows += [{"queue": f"lane {name}", "length": length} for name, length in sorted(found["lanes"].items())]
    rows += [{"queue": f"ready {name}", **queue} for name, queue in sorted(found["ready"].items())]
    rows += [{"queue": name, "length": found[f"{name}_len"]} for name in ("results", "dead")]
    emit_rows(rows, {"QUEUE": "queue", "LENGTH": "length", "PENDING": "pending"}, output)


@frames.command(
    epilog="\b\nExamples:\n  triarch frames lag\n  triarch frames lag -o json | jq '.[] | select(.oldest_s > 1)'"
)
@redis_option
@api_options
@output_option
def lag(redis_url: str | None, urls: str, timeout_s: float, output: str) -> None:
    """Show how far behind each place is: capture, lanes, and the processors' queues.

    AGE is that of the frame that is next there, in seconds since it was published; IN HAND are frames that a processor
    has taken and not settled; LEVELS counts frames by priority, `s` for those that failed before.
    """
    found = from_redis(redis_url, _lag) if redis_url else from_api("/v1/frames/lag", urls, timeout_s)
    columns = {"PLACE": "place", "LENGTH": "length", "AGE S": "oldest_s", "IN HAND": "pending", "LEVELS": "levels"}
    if output == "table":
        found = [{**row, "levels": " ".join(f"{level}:{n}" for level, n in row["levels"].items())} for row in found]
    emit_rows(found, columns, output)


@frames.command(
    epilog="\b\nExamples:\n  triarch frames trace cam-1-42\n  triarch frames trace cam-1:42\n"
    "  triarch frames trace cam-1:42 -o json | jq '.steps[] | select(.what == \"dispatched\")'"
)
@click.argument("frame", metavar="FRAME")
@redis_option
@api_options
@output_option
def trace(frame: str, redis_url: str | None, urls: str, timeout_s: float, output: str) -> None:
    """Tell the whole story of FRAME, its id or CAMERA:SEQUENCE.

    When it was received, each dispatch with the candidates and their load and the leader in force, attempts and their
    outcomes, how it ended, where it waits now; and what of all this is no longer kept.
    """
    from orchestrator.cli import frames_story

    async def asked(streams: "ShardedStreams") -> object:
        from framebuffer.inquiry import trace as traced

        return await traced(streams, frame)

    path = f"/v1/frames/trace/{quote(frame, safe='')}"
    found = from_redis(redis_url, asked) if redis_url else from_api(path, urls, timeout_s)
    if output != "table":
        emit(found, output)
        return
    for line in frames_story.heading(found):
        click.echo(printable(line))
    emit_rows(frames_story.rows(found), frames_story.COLUMNS, output)
    for line in frames_story.footing(found):
        click.echo(printable(line))


async def _stats(streams: "ShardedStreams") -> object:
    return await streams.stats()


async def _lag(streams: "ShardedStreams") -> object:
    from framebuffer.inquiry import lags

    return await lags(streams)
