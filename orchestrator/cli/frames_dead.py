"""`triarch frames dead list|replay|drop`."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from orchestrator.cli.exits import Exit
from orchestrator.cli.frames_source import Redis, from_api, from_redis, redis_option
from orchestrator.cli.frames_story import clock
from orchestrator.cli.http import Api, api_options
from orchestrator.cli.output import emit, emit_rows, leave, note, output_option

if TYPE_CHECKING:
    from framebuffer.dead_letters import Done, Verb
    from framebuffer.shards import ShardedStreams

F = TypeVar("F", bound=Callable[..., Any])

COLUMNS = {
    "ENTRY": "entry_id",
    "FRAME": "frame_id",
    "CAPABILITY": "capability",
    "ATTEMPTS": "attempts",
    "PROCESSOR": "processor_id",
    "DIED": "died",
    "REASON": "reason",
}
HIDDEN = ("event",)

camera_option = click.option("--camera", default="", metavar="ID", help="Only frames of this camera.")
reason_option = click.option("--reason", default="", metavar="TEXT", help="Only frames whose reason holds TEXT.")


@click.group()
def dead() -> None:
    """Frames that were given up, each with the reason."""


@dead.command(
    "list",
    epilog="\b\nExamples:\n  triarch frames dead list\n  triarch frames dead list --camera cam-1 --reason ValueError\n"
    "  triarch frames dead list -o json | jq -r '.frames[].entry_id'",
)
@camera_option
@reason_option
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="Frames of one page.")
@click.option("--cursor", default="", help="Go on where a page ended.")
@redis_option
@api_options
@output_option
def list_(
    camera: str,
    reason: str,
    limit: int,
    cursor: str,
    redis_url: str | None,
    urls: str,
    timeout_s: float,
    output: str,
) -> None:
    """Show dead frames, oldest first, and where the next page begins."""

    async def asked(streams: "ShardedStreams") -> object:
        from framebuffer.dead_letters import page

        found = await page(streams, cursor=cursor, limit=limit, camera=camera, reason=reason)
        return {"frames": found.frames, "cursor": found.cursor or None}

    params = {"cursor": cursor, "limit": str(limit), "camera": camera, "reason": reason}
    found = from_redis(redis_url, asked) if redis_url else from_api("/v1/frames/dead", urls, timeout_s, **params)
    found["frames"] = [
        {name: value for name, value in frame.items() if name not in HIDDEN} for frame in found["frames"]
    ]
    if output != "table":
        emit(found, output)
        return
    rows = [{**frame, "died": clock(frame["died_ms"])} for frame in found["frames"]]
    emit_rows(rows, COLUMNS, output, empty="no frame is dead" if not found["cursor"] else "none on this page")
    if found["cursor"]:
        note(f"there are more: --cursor {found['cursor']}")


def _which(command: F) -> F:
    for option in (
        output_option,
        api_options,
        redis_option,
        reason_option,
        camera_option,
        click.option("--all", "every", is_flag=True, help="All that are dead now, and match --camera and --reason."),
        click.argument("entries", nargs=-1, metavar="[ENTRY]…"),
    ):
        command = option(command)
    return command


@dead.command(
    epilog="\b\nExamples:\n  triarch frames dead replay 1764000000000-0\n"
    "  triarch frames dead replay --all --camera cam-1 --reason ValueError"
)
@_which
def replay(
    entries: tuple[str, ...],
    every: bool,
    camera: str,
    reason: str,
    redis_url: str | None,
    urls: str,
    timeout_s: float,
    output: str,
) -> None:
    """Send dead frames on their way again, as if they had never failed.

    ENTRY is what `triarch frames dead list` shows. Mend the cause first: what fails again dies again.
    """
    _check(entries, every, camera, reason)
    _report(_handled("replay", entries, camera, reason, redis_url, urls, timeout_s), "replayed", output)


@dead.command(
    epilog="\b\nExamples:\n  triarch frames dead drop 1764000000000-0\n"
    "  triarch frames dead drop --all --reason payload_missing --yes"
)
@click.option("--yes", is_flag=True, help="Do not ask before --all, on a terminal.")
@_which
def drop(
    entries: tuple[str, ...],
    every: bool,
    camera: str,
    reason: str,
    redis_url: str | None,
    urls: str,
    timeout_s: float,
    output: str,
    yes: bool,
) -> None:
    """Delete dead frames for good. The ledger keeps that they died.

    ENTRY is what `triarch frames dead list` shows.
    """
    _check(entries, every, camera, reason)
    if every and not yes and sys.stdin.isatty():
        click.confirm("Delete the bytes of all dead frames that match?", abort=True, err=True)
    _report(_handled("drop", entries, camera, reason, redis_url, urls, timeout_s), "dropped", output)


def _check(entries: tuple[str, ...], every: bool, camera: str, reason: str) -> None:
    if every == bool(entries):
        raise click.UsageError("name the entries, or take --all")
    if entries and (camera or reason):
        raise click.UsageError("--camera and --reason go with --all")
    if len(entries) > 1000:
        raise click.UsageError("at most 1000 entries at once; --all with --camera or --reason takes any number")


def _handled(
    verb: "Verb",
    entries: tuple[str, ...],
    camera: str,
    reason: str,
    redis_url: str | None,
    urls: str,
    timeout_s: float,
) -> dict[str, int]:
    """The totals over as many calls as it takes."""
    totals = {"done": 0, "not_found": 0, "refused": 0}
    cursor = ""

    async def asked(streams: "ShardedStreams") -> "Done":
        from framebuffer.dead_letters import handle, handle_all

        if entries:
            return await handle(streams, verb, entries)
        return await handle_all(streams, verb, cursor=cursor, camera=camera, reason=reason)

    def add(found: dict[str, Any]) -> str:
        for name in totals:
            totals[name] += found[name]
        return found["cursor"] or ""

    if redis_url:
        with Redis(redis_url) as redis:
            while cursor := add(redis.ask(asked)):
                pass
        return totals
    with Api.of(urls, timeout_s) as api:
        body: dict[str, Any] = {"ids": list(entries)} if entries else {"all": True, "camera": camera, "reason": reason}
        while cursor := add(api.post(f"/v1/frames/dead/{verb}", {**body, "cursor": cursor} if cursor else body)):
            pass
    return totals


def _report(totals: dict[str, int], done: str, output: str) -> None:
    emit({done: totals["done"], "not_found": totals["not_found"], "refused": totals["refused"]}, output)
    if totals["refused"]:
        leave(Exit.REFUSED)
    leave(Exit.NOT_FOUND if totals["not_found"] and not totals["done"] else Exit.OK)
