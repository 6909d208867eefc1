"""`triarch frames verify|stats`."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.exits import Exit
from orchestrator.cli.http import Api, api_options
from orchestrator.cli.output import Failure, emit, emit_rows, leave, note, output_option

if TYPE_CHECKING:
    from framebuffer.shards import ShardedStreams

TOTALS = ("published", "settled", "dead", "dropped", "in_flight", "lost", "duplicates", "ledger_ok")
NAMED = ("lost_frames", "duplicate_frames")

redis_option = click.option(
    "--redis-url",
    envvar="TRIARCH_REDIS_URL",
    show_envvar=True,
    help="Ask this Redis directly; otherwise a node is asked.",
)


@click.group()
def frames() -> None:
    """Queues, counters and the ledger."""


@frames.command(
    epilog="\b\nExamples:\n  triarch frames verify\n"
    "  triarch frames verify --redis-url redis://127.0.0.1:6390/0 --report ledger.json"
)
@redis_option
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Where the JSON report goes as well.")
@api_options
@output_option
def verify(redis_url: str | None, report: Path | None, urls: str, timeout_s: float, output: str) -> None:
    """Prove that published = settled + dead + dropped + in flight.

    Names every frame that breaks it. Exits with 0 only when the ledger is in order.
    """
    found = _from_redis(redis_url, _ledger) if redis_url else _from_api("/v1/frames/ledger", urls, timeout_s)
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
    found = _from_redis(redis_url, _stats) if redis_url else _from_api("/v1/frames/stats", urls, timeout_s)
    if output != "table":
        emit(found, output)
        return
    rows = [{"queue": "capture", "length": found["capture_len"], "pending": found.get("capture_pending")}]
    rows += [{"queue": f"lane {name}", "length": length} for name, length in sorted(found["lanes"].items())]
    rows += [{"queue": f"ready {name}", **queue} for name, queue in sorted(found["ready"].items())]
    rows += [{"queue": name, "length": found[f"{name}_len"]} for name in ("results", "dead")]
    emit_rows(rows, {"QUEUE": "queue", "LENGTH": "length", "PENDING": "pending"}, output)


def _from_api(path: str, urls: str, timeout_s: float) -> Any:
    with Api.of(urls, timeout_s) as api:
        return api.get(path)


def _from_redis(url: str, ask: "Callable[[ShardedStreams], Awaitable[object]]") -> Any:
    import asyncio

    import msgspec

    from framebuffer.errors import FrameBufferError
    from framebuffer.shards import ShardedStreams

    if url.partition("://")[0].partition("+")[0] not in ("redis", "rediss", "unix"):
        raise click.BadParameter("must start with redis://, rediss:// or unix://", param_hint="--redis-url")

    async def asked() -> object:
        streams = ShardedStreams.connect(url)
        try:
            await streams.ready()
            return await ask(streams)
        finally:
            await streams.aclose()

    try:
        return msgspec.to_builtins(asyncio.run(asked()))
    except FrameBufferError as error:
        raise Failure(error.code, str(error)) from None


async def _ledger(streams: "ShardedStreams") -> object:
    from framebuffer.shards import verify_shards

    return await verify_shards(streams)


async def _stats(streams: "ShardedStreams") -> object:
    return await streams.stats()
