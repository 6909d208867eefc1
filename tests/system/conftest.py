"""A plant of real processes: three nodes and a server, on ports of their own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator.dev.local import LocalPlant
from orchestrator.dev.topology import on_free_ports


@pytest.fixture(autouse=True)
def untraced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines of these nodes are not counted, which costs half as much again: those of tests/orchestrator are."""
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)


@pytest.fixture
async def plant(tmp_path: Path, anyio_backend: str) -> AsyncIterator[LocalPlant]:
    """Three nodes that are ready, one of them leading."""
    async with LocalPlant(on_free_ports(tmp_path / "plant")) as running:
        await running.wait_ready()
        yield running
