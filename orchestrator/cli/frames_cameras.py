"""`triarch frames cameras`: what the ledger counts of each camera, and how old its last picture is."""

from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.frames_source import Redis, redis_option
from orchestrator.cli.http import Api, api_options
from orchestrator.cli.output import emit_rows, output_option

if TYPE_CHECKING:
    from framebuffer.shards import ShardedStreams

PATH = "/v1/frames/cameras"
PAGE = 500
COLUMNS = {
    "CAMERA": "id",
    "LAST": "last_sequence",
    "PUBLISHED": "published",
    "SETTLED": "settled",
    "DEAD": "dead",
    "DROPPED": "dropped",
    "IN FLIGHT": "in_flight",
    "POLICY": "policy",
    "PICTURE AGE S": "picture_age_s",
}


@click.command(
    epilog="\b\nExamples:\n  triarch frames cameras\n"
    "  triarch frames cameras -o json | jq -r '.[] | select(.dead > 0) | .id'"
)
@redis_option
@api_options
@output_option
def cameras(redis_url: str | None, urls: str, timeout_s: float, output: str) -> None:
    """Show every camera that was ever opened: its frames by what became of them, and the age of its last picture.

    published = settled + dead + dropped + in flight. A camera keeps about one picture a second, for ten minutes.
    """
    found = _from_redis(redis_url) if redis_url else _from_api(urls, timeout_s)
    if output == "table":
        found = [{**row, "picture_age_s": (row["picture"] or {}).get("age_s")} for row in found]
    emit_rows(found, COLUMNS, output, empty="no camera was ever opened")


def _from_api(urls: str, timeout_s: float) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    with Api.of(urls, timeout_s) as api:
        while True:
            page = api.get(PATH, limit=str(PAGE), **({"cursor": cursor} if cursor else {}))
            found += page["cameras"]
            if not (cursor := page["cursor"] or ""):
                return found


def _from_redis(url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after, more = "", True
    with Redis(url) as redis:
        while more:

            async def asked(streams: "ShardedStreams", after: str = after) -> object:
                from framebuffer.cameras import cameras as some_cameras

                return await some_cameras(streams, after=after, limit=PAGE)

            page, more = redis.ask(asked)
            found += [_shown(row) for row in page]
            after = found[-1]["id"] if found else ""
    return found


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """As the API shows it."""
    counters, picture = row["counters"], row["picture"]
    names = ("published", "settled", "dead", "dropped", "dropped_by_reason")
    done = counters["settled"] + counters["dead"] + counters["dropped"]
    return {
        "id": row["id"],
        "shard": row["shard"],
        "session": counters["session"][:8],
        "last_sequence": None if counters["highest"] < 0 else counters["highest"],
        **{name: counters[name] for name in names},
        "in_flight": counters["published"] - done,
        "policy": picture and picture["policy"],
        "picture": picture and {name: picture[name] for name in ("sequence", "frame_id", "age_s")},
    }
