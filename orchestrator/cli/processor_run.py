"""What `triarch processor run` does: find the class or the function, make a processor of it, run it."""

import importlib
import logging
import os
import re
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from typing import Any

import click

from framebuffer.errors import FrameBufferError
from framebuffer.models import DEFAULT_CAPABILITY
from framebuffer.otlp import from_environment
from framebuffer.processor import ProcessorClient
from orchestrator.cli.connection import of_a_machine
from orchestrator.cli.output import Failure

_HINT = "MODULE:NAME"


def run_processor(
    target: str,
    processor_id: str | None,
    *,
    capabilities: Sequence[str],
    capacity: int | None,
    concurrency: int | None,
    processes: int | None,
    labels: Mapping[str, str],
    health_url: str | None,
    urls: str | None,
    redis_url: str | None,
    log_level: str,
) -> None:
    """Run it until it is told to stop. Errors: click's usage errors; Failure."""
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("framebuffer").setLevel(log_level.upper())
    found = load(target)
    urls, token = of_a_machine(urls)
    options: dict[str, Any] = {
        "labels": labels or None,
        "health_url": health_url,
        "redis_url": redis_url,
        "redis_password": os.environ.get("TRIARCH_REDIS_PASSWORD") or None,
        "token": token,
        "capacity": capacity,
        "concurrency": concurrency or processes,
        "executor": _pool_of(processes) if processes else None,
    }
    given = {name: value for name, value in options.items() if value is not None}
    offered = tuple(capabilities) or _offered(found)
    try:
        telemetry = from_environment("triarch-processor")
        if telemetry is not None:
            given["spans"] = telemetry.spans
        made = _made(found, target, processor_id or _id_of(target), offered, urls, given)
        try:
            made.run()
        finally:
            if telemetry is not None:
                telemetry.spans.close()
    except FrameBufferError as error:
        raise Failure(error.code, str(error)) from None
    except BrokenExecutor as error:
        raise Failure("failed", f"a process of the pool died: {error}") from None


def load(target: str) -> type[ProcessorClient] | Callable[..., Any]:
    """What MODULE:NAME names. Errors: click.BadParameter that says what is wrong with it."""
    module_name, colon, name = target.partition(":")
    if not colon or not module_name or not name:
        raise click.BadParameter(f"{target!r} is not MODULE:NAME, for example detectors:Faces", param_hint=_HINT)
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            reason = f"there is no module {module_name!r}, neither here nor installed"
            raise click.BadParameter(f"{reason}; here is {os.getcwd()}", param_hint=_HINT) from None
        raise Failure("failed", f"module {module_name} cannot be imported: {error}") from None
    except Exception as error:  # the user's module may raise anything
        raise Failure("failed", f"module {module_name} cannot be imported: {type(error).__name__}: {error}") from error
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if isinstance(found, type):
        if issubclass(found, ProcessorClient) and found is not ProcessorClient:
            return found
        raise click.BadParameter(f"{target} is a class, but no subclass of ProcessorClient", param_hint=_HINT)
    if isinstance(found, ProcessorClient):
        raise click.BadParameter(f"{target} is a processor already; name its class", param_hint=_HINT)
    if callable(found):
        function: Callable[..., Any] = found
        return function
    if found is None:
        raise click.BadParameter(_missing(module, module_name, name), param_hint=_HINT)
    raise click.BadParameter(
        f"{target} is a {type(found).__name__}, neither a subclass of ProcessorClient nor a function", param_hint=_HINT
    )


def _missing(module: Any, module_name: str, name: str) -> str:
    there = [
        key
        for key, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, ProcessorClient) and value is not ProcessorClient
    ]
    hint = f"; its processors are {', '.join(sorted(there))}" if there else ""
    return f"module {module_name} has no {name!r}{hint}"


def _made(
    found: type[ProcessorClient] | Callable[..., Any],
    target: str,
    processor_id: str,
    capabilities: Sequence[str],
    urls: str,
    options: Mapping[str, Any],
) -> ProcessorClient:
    if not isinstance(found, type):
        return ProcessorClient(processor_id, capabilities, urls, work=found, **options)
    try:
        made: ProcessorClient = found(processor_id, capabilities, urls, **options)
        return made
    except TypeError as error:
        raise Failure(
            "failed",
            f"{target} cannot be made: {error}; it is called like ProcessorClient, with (id, capabilities, URLs, "
            f"{', '.join(f'{name}=…' for name in options)})",
        ) from error


def _pool_of(processes: int) -> Callable[[], ProcessPoolExecutor]:
    def pool() -> ProcessPoolExecutor:
        return ProcessPoolExecutor(processes)

    return pool


def _offered(found: Any) -> tuple[str, ...]:
    offered = getattr(found, "capabilities", None)
    if isinstance(offered, str):
        return (offered,)
    return tuple(offered) if isinstance(offered, Sequence) and offered else (DEFAULT_CAPABILITY,)


def _id_of(target: str) -> str:
    """From the name and the host, of what an id may hold."""
    name = target.rpartition(":")[2].rpartition(".")[2].lower()
    return re.sub(r"[^A-Za-z0-9._-]", "-", f"{name}-{socket.gethostname().partition('.')[0]}").lstrip("._-")[:64]
