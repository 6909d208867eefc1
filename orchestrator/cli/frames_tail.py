"""`triarch frames tail`."""

import json
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.exits import Exit, exit_of
from orchestrator.cli.frames_source import Redis, redis_option
from orchestrator.cli.frames_story import clock
from orchestrator.cli.http import Api, api_options
from orchestrator.cli.output import Failure, note, printable

if TYPE_CHECKING:
    from framebuffer.shards import ShardedStreams

WAIT_S = 5.0
PAUSE_S = 1.0
KINDS = ("settled", "dead", "dropped")
_KEPT = {"results": ("settled", "results"), "dropped": ("dropped", "dropped frames")}
"""Streams that are trimmed: what ends there, and what its entries are called."""
_PASSING = frozenset({Exit.NO_LEADER, Exit.DEGRADED, Exit.UNKNOWN})
"""What heals by itself: the command waits for it."""
_LASTING = "redis_unsupported"
"""Of these the one that does not: a server that is too old, or frames of a newer version."""

Fetch = Callable[[str], dict[str, Any]]


@click.command(
    epilog="\b\nExamples:\n  triarch frames tail\n  triarch frames tail --only dead --only dropped\n"
    "  triarch frames tail -o json | jq -c 'select(.what == \"dead\") | [.frame_id, .reason]'"
)
@click.option("--camera", default="", metavar="ID", help="Only frames of this camera.")
@click.option("--only", type=click.Choice(KINDS), multiple=True, help="Only what ended so; may be given again.")
@click.option("--from-start", is_flag=True, help="Begin with the oldest that is kept, not with what comes now.")
@click.option("--count", type=click.IntRange(1), metavar="N", help="End after N frames.")
@redis_option
@api_options
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="A line for people, or a JSON document, for each frame.",
)
def tail(
    camera: str,
    only: tuple[str, ...],
    from_start: bool,
    count: int | None,
    redis_url: str | None,
    urls: str,
    timeout_s: float,
    output: str,
) -> None:
    """Follow what ends: results, dead and dropped frames, as they come, until interrupted.

    Goes on where it was after a lost connection, so that nothing is skipped that is still kept; says it where some
    were not.
    """
    left = count
    with _source(redis_url, urls, timeout_s) as fetch:
        for frame in _frames(fetch, "0" if from_start else "", only or KINDS):
            if (camera and frame["camera_id"] != camera) or (only and frame["what"] not in only):
                continue
            click.echo(json.dumps(frame, ensure_ascii=False) if output == "json" else printable(line(frame)))
            sys.stdout.flush()
            if left is not None and (left := left - 1) == 0:
                return


def line(frame: dict[str, Any]) -> str:
    """One frame on one line."""
    why = frame.get("reason", "").replace("\n", " ")
    if frame.get("result") is not None:
        why = json.dumps(frame["result"], ensure_ascii=False, separators=(",", ":"))
    parts = (clock(frame["at_ms"]), f"{frame['what']:7}", frame["frame_id"], frame.get("processor_id") or "-", why)
    return "  ".join(part for part in parts if part)


def _frames(fetch: Fetch, cursor: str, wanted: Collection[str]) -> Iterator[dict[str, Any]]:
    """For ever. A failure that heals by itself is said once, and waited for; what is not kept any more is said."""
    failing = False
    while True:
        try:
            found = fetch(cursor)
        except Failure as failure:
            if failure.code == _LASTING or exit_of(failure.code) not in _PASSING:
                raise
            if not failing:
                note(f"{failure.message}; waiting, and going on where this was")
            failing = True
            time.sleep(PAUSE_S)
            continue
        if failing:
            note("it answers again")
            failing = False
        cursor = found["cursor"]
        for stream, number in found.get("not_kept", {}).items():
            what, called = _KEPT[stream]
            if what in wanted:
                note(f"{number} {called} not kept: they were trimmed before this came to them")
        yield from found["frames"]


@contextmanager
def _source(redis_url: str | None, urls: str, timeout_s: float) -> Iterator[Fetch]:
    if redis_url:
        with Redis(redis_url) as redis:
            yield lambda cursor: redis.ask(_ask(cursor))
        return
    with Api.of(urls, max(timeout_s, WAIT_S + 1)) as api:

        def fetch(cursor: str) -> dict[str, Any]:
            found: dict[str, Any] = api.get(
                "/v1/frames/tail", cursor=cursor, wait_s="0" if not cursor else f"{WAIT_S:g}"
            )
            return found

        yield fetch


def _ask(cursor: str) -> "Callable[[ShardedStreams], Any]":
    async def asked(streams: "ShardedStreams") -> object:
        from framebuffer.following import cursor_of, follow, newest, positions_of

        positions = positions_of(cursor, len(streams)) if cursor else await newest(streams)
        found = await follow(streams, positions, wait_s=WAIT_S if cursor else 0.0)
        return {"frames": found.frames, "cursor": cursor_of(found.positions), "not_kept": found.not_kept}

    return asked
