"""`triarch processor list|get|drain|resume|remove|run`."""

import time
import urllib.parse
from typing import Any

import click

from orchestrator.cli.http import Api, addresses, api_options
from orchestrator.cli.output import Failure, emit, emit_rows, note, output_option

COLUMNS = {
    "ID": "id",
    "HEALTHY": "healthy",
    "DRAINING": "draining",
    "CAPABILITIES": "capabilities",
    "CAPACITY": "capacity",
    "QUEUE": "queue",
    "REASON": "reason",
}
POLL_S = 0.5

key_option = click.option("--key", help="Repeat an earlier attempt whose outcome is unknown: it is done once.")


@click.group()
def processor() -> None:
    """Processors of frames."""


@processor.command(
    "list",
    epilog="\b\nExamples:\n  triarch processor list\n  triarch processor list --capability face_detection -o yaml",
)
@click.option("--capability", help="Only those that offer it.")
@api_options
@output_option
def list_(capability: str | None, urls: str, timeout_s: float, output: str) -> None:
    """Show all processors."""
    params = {"capability": capability} if capability else {}
    with Api.of(urls, timeout_s) as api:
        rows = api.get("/v1/processors", **params)
    offers = f" that offers {capability}" if capability else ""
    emit_rows(rows, COLUMNS, output, empty=f"no processor{offers} is registered")


@processor.command(
    epilog="\b\nExamples:\n  triarch processor get faces-1\n  triarch processor get faces-1 -o json | jq .breaker"
)
@click.argument("processor_id", metavar="ID")
@api_options
@output_option
def get(processor_id: str, urls: str, timeout_s: float, output: str) -> None:
    """Show one processor, with what the leader knows of it: breaker, last heartbeat, health pull."""
    with Api.of(urls, timeout_s) as api:
        emit(api.get(_path(processor_id)), output)


@processor.command(
    epilog="\b\nExamples:\n  triarch processor drain faces-1\n  triarch processor drain faces-1 --wait 60"
)
@click.argument("processor_id", metavar="ID")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(0, 3600),
    default=0.0,
    metavar="SECONDS",
    help="Wait until it has no frame any more, for so long at most.",
)
@key_option
@api_options
@output_option
def drain(processor_id: str, wait_s: float, key: str | None, urls: str, timeout_s: float, output: str) -> None:
    """Give the processor ID no more frames; it finishes what it has.

    It stays so until `triarch processor resume`, or until another process registers under its id. With --wait the
    command exits with 7 when frames are left after that time.
    """
    with Api.of(urls, timeout_s) as api:
        row = api.post(f"{_path(processor_id)}/drain", key=key)
        left = _wait_empty(api, processor_id, wait_s) if wait_s else 0
    emit(row, output)
    if left:
        raise Failure("outcome_unknown", f"{processor_id} drains, and has {left} frames left after {wait_s:g} s")


@processor.command(epilog="\b\nExamples:\n  triarch processor resume faces-1")
@click.argument("processor_id", metavar="ID")
@key_option
@api_options
@output_option
def resume(processor_id: str, key: str | None, urls: str, timeout_s: float, output: str) -> None:
    """Give the processor ID frames again."""
    with Api.of(urls, timeout_s) as api:
        emit(api.post(f"{_path(processor_id)}/resume", key=key), output)


@processor.command(epilog="\b\nExamples:\n  triarch processor remove faces-1")
@click.argument("processor_id", metavar="ID")
@key_option
@api_options
@output_option
def remove(processor_id: str, key: str | None, urls: str, timeout_s: float, output: str) -> None:
    """Forget the processor ID; the frames in its queue go back to dispatch.

    One that still runs registers again: end its process first, or drain it.
    """
    with Api.of(urls, timeout_s) as api:
        api.delete(_path(processor_id), key=key)
    if output != "table":
        emit({"id": processor_id, "removed": True}, output)
    note(f"{processor_id} is removed")


@processor.command(
    epilog="\b\nExamples:\n  triarch processor run detectors:Faces --id faces-1 --capability face_detection\n"
    "  triarch processor run detectors:find_faces --id faces-1 --capability face_detection --processes 4\n"
    "  triarch processor run detectors:Faces --id faces-1 --orchestrator http://10.0.0.1:8101,http://10.0.0.2:8101"
)
@click.argument("target", metavar="MODULE:NAME")
@click.option("--id", "processor_id", metavar="ID", help="Unique in the plant. [default: the name, with the host's]")
@click.option(
    "--capability",
    "capabilities",
    multiple=True,
    metavar="NAME",
    help="What it can do; may be repeated. [default: the class's `capabilities`, or `default`]",
)
@click.option("--capacity", type=click.IntRange(1, 100_000), help="Frames that its queue may hold. [default: 32]")
@click.option("--concurrency", type=click.IntRange(1, 10_000), help="Frames worked on at once. [default: 1]")
@click.option("--processes", type=click.IntRange(1, 1024), help="Work in so many processes instead of threads.")
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="Shown with it; may be repeated.")
@click.option("--health-url", metavar="URL", help="Where the orchestrator may ask it how it is.")
@click.option(
    "--orchestrator",
    "urls",
    envvar="TRIARCH_URL",
    show_envvar=True,
    metavar="URL,…",
    help="Addresses of the nodes. [default: those of `triarch dev`]",
)
@click.option("--redis-url", envvar="TRIARCH_REDIS_URL", show_envvar=True, help="[default: what the nodes say]")
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", show_default=True
)
def run(target: str, processor_id: str | None, log_level: str, **options: Any) -> None:
    """Run a processor until SIGTERM or SIGINT; then it finishes what it works on and releases the rest.

    MODULE:NAME is a subclass of framebuffer.ProcessorClient, or a function (plain or async) that takes a frame and
    returns a dict. The module is looked for in the present directory too.

    The token comes from TRIARCH_TOKEN, the password of Redis from TRIARCH_REDIS_PASSWORD: a flag would stand in the
    process list.
    """
    from orchestrator.cli.processor_run import run_processor

    labels = {}
    for label in options.pop("labels"):
        name, equals, value = label.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{label!r} is not NAME=VALUE", param_hint="--label")
        labels[name] = value
    if options["urls"]:
        addresses(options["urls"])
    run_processor(target, processor_id, log_level=log_level, labels=labels, **options)


def _path(processor_id: str) -> str:
    return f"/v1/processors/{urllib.parse.quote(processor_id, safe='')}"


def _wait_empty(api: Api, processor_id: str, wait_s: float) -> int:
    """How many frames it has left at the end."""
    ends = time.monotonic() + wait_s
    told = False
    while True:
        left = int(api.get("/v1/frames/stats")["ready"].get(processor_id, {}).get("length", 0))
        if not left or time.monotonic() >= ends:
            return left
        if not told:
            note(f"{processor_id} has {left} frames left")
            told = True
        time.sleep(min(POLL_S, max(0.0, ends - time.monotonic())))
