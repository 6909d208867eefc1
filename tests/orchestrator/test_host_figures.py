"""What a node shows of its host, its server and its audit, each against something that is really so."""

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from cluster import SYNC_BOUNDS_S
from orchestrator.audit.entry import Entry, hashed
from orchestrator.audit.sweep import LINES, AuditSweep
from orchestrator.audit.trail import Trail
from orchestrator.clock_offset import ClockOffset, best, of_round_trip
from orchestrator.kernel_clock import kernel_clock
from orchestrator.redis_figures import figures_of
from tests.orchestrator.api_nodes import Nodes, serving
from tests.support import eventually

TIMES = st.floats(0, 2e9)
SPANS = st.floats(0, 100)


@given(sent=TIMES, there=st.floats(-1e6, 1e6), out=SPANS, back=SPANS)
def test_a_round_trip_never_tells_more_than_it_knows(sent: float, there: float, out: float, back: float) -> None:
    """However the way out and back share the time: the true offset lies within what was said."""
    found = of_round_trip(sent, sent + out + there, out + back)
    assert abs(found.offset_s - there) <= found.uncertainty_s + 1e-5
    assert abs(found.least_s) <= abs(there) + 1e-5


def test_the_quickest_round_trip_counts() -> None:
    assert best([ClockOffset(1.0, 0.5), ClockOffset(1.2, 0.1)]) == ClockOffset(1.2, 0.1)
    assert best([]) is None
    assert ClockOffset(-2.0, 0.5).least_s == -1.5
    assert ClockOffset(0.0021, 0.0004).told() == "+0.0021 s (within 0.0004 s)"


def test_the_kernel_is_asked_for_its_clock() -> None:
    found = kernel_clock()
    assert found.error_s >= 0
    assert found.synchronised in (True, False)


def test_the_furthest_replica_is_shown() -> None:
    info = {
        "master_repl_offset": 1000,
        "connected_slaves": 2,
        "slave0": {"state": "online", "offset": 990, "lag": 0},
        "slave1": {"state": "wait_bgsave", "offset": 400, "lag": 7},
        "aof_enabled": 1,
        "aof_last_write_status": "ok",
        "used_memory": 10,
        "maxmemory": 20,
    }
    found = figures_of(info)
    assert (found["replicas"], found["replica_lag_bytes"], found["replica_silence_seconds"]) == (1, 600, 7)
    assert (found["persistence_ok"], found["memory_bytes"], found["memory_max_bytes"]) == (1, 10, 20)
    assert figures_of({**info, "aof_last_write_status": "err"})["persistence_ok"] == 0
    assert figures_of({})["replicas"] == 0


def chain(count: int) -> list[Entry]:
    found: list[Entry] = []
    for number in range(1, count + 1):
        entry = Entry(
            number=number, index=number, epoch="1.1", time="2026-05-04T10:00:00Z", actor={}, kind="variable.set",
            subject="v", id=str(number), outcome="done", previous=found[-1].hash if found else "0" * 64, hash="",
        )  # fmt: skip
        found.append(
            Entry(
                **{name: getattr(entry, name) for name in entry.__struct_fields__ if name != "hash"}, hash=hashed(entry)
            )
        )
    return found


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Path, Trail, list[Entry]]:
    """A trail with more entries than one step goes through."""
    entries = chain(LINES + 20)
    trail = Trail(tmp_path / "audit", keep_s=1e9, keep_bytes=1 << 30)
    trail.open()
    trail.offer(entries)
    trail.close()
    return next((tmp_path / "audit").iterdir()), trail, entries


def swept(trail: Trail, entries: list[Entry]) -> AuditSweep:
    """After a whole pass."""
    sweep = AuditSweep(trail, lambda: entries[-5:])
    for _ in range(4):
        sweep.step()
    return sweep


def test_a_chain_that_holds(kept: tuple[Path, Trail, list[Entry]]) -> None:
    _, trail, entries = kept
    sweep = swept(trail, entries)
    assert sweep.broken == ""
    assert sweep.passes >= 1


@pytest.mark.parametrize("at", [0, 7, LINES - 1, LINES, LINES + 19])
def test_an_entry_that_was_altered_or_cut_out_is_found(kept: tuple[Path, Trail, list[Entry]], at: int) -> None:
    path, trail, entries = kept
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:at], lines[at].replace(b'"v"', b'"w"'), *lines[at + 1 :]]))
    assert f"entry {at + 1}" in swept(trail, entries).broken
    if 0 < at < LINES + 19:
        path.write_bytes(b"".join([*lines[:at], *lines[at + 1 :]]))
        assert f"entry {at + 1}" in swept(trail, entries).broken


def test_old_segments_that_are_removed_break_nothing(tmp_path: Path) -> None:
    entries = chain(LINES + 300)
    trail = Trail(tmp_path, keep_s=1e9, keep_bytes=1 << 30)
    from orchestrator.audit.entry import text_of

    for first, last in ((0, LINES), (LINES, LINES + 100), (LINES + 100, LINES + 300)):
        path = tmp_path / f"{first + 1:012d}.jsonl"
        path.write_bytes(b"".join(text_of(entry) + b"\n" for entry in entries[first:last]))
    sweep = AuditSweep(trail, lambda: entries[-5:])
    sweep.step()
    for first in (1, LINES + 1):
        (tmp_path / f"{first:012d}.jsonl").unlink()
    for _ in range(4):
        sweep.step()
    assert sweep.broken == ""
    assert sweep.passes >= 1


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    async with serving(2 + 1, tmp_path_factory.mktemp("host-figures")) as running:
        yield running


async def figures(client: httpx.AsyncClient) -> dict[tuple[str, str], float]:
    """By name and peer."""
    text = (await client.get("/metrics")).text
    return {
        (sample.name, sample.labels.get("peer", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if set(sample.labels) <= {"peer"}
    }


@pytest.mark.anyio
async def test_real_nodes_show_their_host(nodes: Nodes) -> None:
    client = nodes.clients[0]

    async def seen() -> dict[tuple[str, str], float] | None:
        found = await figures(client)
        clocks = {peer for name, peer in found if name == "triarch_clock_offset_seconds"}
        looked = found["triarch_redis_up", ""] and found["triarch_disk_free_bytes", ""]
        return found if clocks == {"n2", "n3"} and looked else None

    found = await eventually(seen, deadline_s=30)
    assert found is not None
    for peer in ("n2", "n3"):  # the three share one clock
        assert (
            abs(found["triarch_clock_offset_seconds", peer]) <= found["triarch_clock_uncertainty_seconds", peer] + 0.01
        )
    disk = os.statvfs(nodes.nodes[0].config.node.data_dir)
    assert found["triarch_disk_size_bytes", ""] == disk.f_blocks * disk.f_frsize
    assert 0 < found["triarch_disk_free_bytes", ""] < found["triarch_disk_size_bytes", ""]
    assert found["triarch_redis_persistence_ok", ""] == 1
    assert found["triarch_redis_memory_bytes", ""] > 0
    assert found["triarch_audit_broken", ""] == 0
    assert found["process_start_time_seconds", ""] <= time.time()
    status = nodes.nodes[0].cluster.status()
    assert len(status.sync_counts) == len(SYNC_BOUNDS_S) + 1
    assert 0 < found["triarch_raft_sync_duration_seconds_count", ""] <= status.syncs == sum(status.sync_counts)
