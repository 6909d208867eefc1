"""What the doctor says of a host, its units, its neighbours and its server of frames."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from framebuffer.embedded import EmbeddedServer
from framebuffer.shards import ShardedStreams
from orchestrator.cli.exits import Exit
from orchestrator.clock_offset import ClockOffset
from orchestrator.config import NodeConfig
from orchestrator.doctor.clocks import clock_finding
from orchestrator.doctor.finding import Finding, Verdict
from orchestrator.doctor.host import sync_finding
from orchestrator.doctor.neighbours import neighbours
from orchestrator.doctor.redis_server import ServerSaid, judged, redis_server
from orchestrator.doctor.units import judged as judged_units
from tests.command_line import triarch
from tests.orchestrator.api_nodes import TOKEN, configured, serving, settings
from tests.support import free_port

GOOD: dict[str, Any] = {
    "redis_version": "7.0.15",
    "aof_enabled": 1,
    "aof_last_write_status": "ok",
    "maxmemory_policy": "noeviction",
    "connected_slaves": 2,
}


def of(check: str, findings: list[Finding]) -> Finding:
    found = [finding for finding in findings if finding.check == check]
    assert found, [finding.shown() for finding in findings]
    return max(found, key=lambda finding: (finding.verdict is not Verdict.OK, finding.verdict is Verdict.FAIL))


def server(*, mode: str = "sentinel", durability: str = "1", new_here: bool = False, **said: Any) -> list[Finding]:
    info = {**GOOD, **said.pop("info", {})}
    return judged(ServerSaid(info, **said), "redis", mode=mode, durability=durability, new_here=new_here)


def test_a_server_that_is_well() -> None:
    config = {"min-replicas-to-write": "1", "maxmemory-policy": "noeviction", "appendfsync": "everysec"}
    findings = server(config=config, fence=("3.7", "n1"), ping_ms=(0.1,) * 50)
    assert [finding.shown() for finding in findings if finding.verdict is not Verdict.OK] == []
    assert of("redis persistence", findings).found == "append-only file, fsync everysec"
    assert of("redis data", findings).found == "held by n1 under epoch 3.7"


@pytest.mark.parametrize(
    ("said", "check", "verdict", "told"),
    [
        ({"info": {"redis_version": "6.2.0"}}, "redis", Verdict.FAIL, "6.2.0"),
        ({"info": {"aof_enabled": 0}}, "redis persistence", Verdict.FAIL, "no append-only file"),
        ({"info": {"aof_last_write_status": "err"}}, "redis persistence", Verdict.FAIL, "last write"),
        ({"info": {"maxmemory_policy": "allkeys-lru"}}, "redis memory", Verdict.FAIL, "allkeys-lru"),
        ({"info": {"maxmemory_policy": "volatile-lru"}}, "redis memory", Verdict.WARN, "volatile-lru"),
        ({"info": {"maxmemory": 100, "used_memory": 90}}, "redis memory", Verdict.WARN, "90 %"),
        ({"info": {"connected_slaves": 0}}, "redis replicas", Verdict.WARN, "none connected"),
        ({"info": {"connected_slaves": 1}, "durability": "2"}, "redis replicas", Verdict.FAIL, "asks for 2"),
        ({"config": {"min-replicas-to-write": "0"}}, "redis replicas", Verdict.WARN, "min-replicas-to-write 0"),
        ({"foreign": ("session:1", "x")}, "redis data", Verdict.WARN, "session:1, x"),
        ({"fence": ("9.9", "old"), "new_here": True}, "redis data", Verdict.FAIL, "another cluster"),
        ({"ping_ms": (0.1,) * 40 + (20.0,)}, "redis latency", Verdict.WARN, "20.00 ms"),
        ({"ping_ms": (0.1,) * 40 + (200.0,)}, "redis latency", Verdict.FAIL, "200.00 ms"),
    ],
)
def test_what_is_wrong_with_a_server_is_said(said: dict[str, Any], check: str, verdict: Verdict, told: str) -> None:
    finding = of(check, server(**said))
    assert finding.verdict is verdict
    assert told in finding.found
    assert finding.advice


@pytest.mark.parametrize(
    ("took", "verdict"),
    [([1.0] * 99 + [50.0], "ok"), ([1.0] * 98 + [300.0] * 2, "warn"), ([200.0] * 20, "fail"), ([20.0] * 20, "warn")],
)
def test_the_disk_is_judged_by_median_and_by_the_slowest_syncs(took: list[float], verdict: str) -> None:
    finding = sync_finding("/data", took)
    assert str(finding.verdict) == verdict
    assert "99th percentile" in finding.found


def test_a_clock_counts_as_apart_only_beyond_what_can_be_known() -> None:
    assert clock_finding("n2", ClockOffset(1.4, 0.5)).verdict is Verdict.OK
    assert clock_finding("n2", ClockOffset(1.6, 0.5)).verdict is Verdict.WARN
    finding = clock_finding("n2", ClockOffset(-100.0, 0.5))
    assert finding.verdict is Verdict.FAIL
    assert "-100 s (within 0.5 s)" in finding.found


def test_units() -> None:
    good = {"LoadState": "loaded", "ActiveState": "active", "SubState": "running", "UnitFileState": "enabled"}
    assert judged_units([{**good, "Id": "triarch-node.service", "NRestarts": "0"}])[0].verdict is Verdict.OK
    assert judged_units([{"Id": "triarch-node.service", "LoadState": "not-found"}]) == []
    bad = [
        {**good, "Id": "triarch-node.service", "ActiveState": "failed", "Result": "watchdog"},
        {**good, "Id": "triarch-redis.service", "NRestarts": "7"},
        {**good, "Id": "triarch-sentinel.service", "UnitFileState": "disabled"},
        {**good, "Id": "redis-server.service"},
    ]
    found = {finding.subject: finding for finding in judged_units(bad)}
    assert "watchdog" in found["triarch-node"].found
    assert found["triarch-node"].verdict is Verdict.FAIL
    assert "7 times" in found["triarch-redis"].found
    assert "disabled" in found["triarch-sentinel"].found
    assert "disable --now redis-server" in found["redis-server"].advice
    few = {**good, "Id": "triarch-node.service", "LimitNOFILE": "1024"}
    assert "1024 open files" in judged_units([few])[0].found


def host(tmp_path: Path, redis_port: int, **extra: Any) -> NodeConfig:
    """A node that was never started here."""
    return configured(settings(0, [(free_port(), free_port())], tmp_path, redis_port, **extra), tmp_path)


@pytest.mark.anyio
async def test_a_real_server_with_the_data_of_others(tmp_path: Path) -> None:
    async with EmbeddedServer(tmp_path / "redis", free_port()) as running:
        config = host(tmp_path, running.port)
        clean = await redis_server(config, others_run=False)
        assert {finding.verdict for finding in clean if finding.check != "redis latency"} == {Verdict.OK}, clean
        streams = ShardedStreams.connect(running.url)
        try:
            await streams.ready()
            await streams.fence((4, 12), "elsewhere")
            await streams.parts[0].redis.set("session:of:a:shop", "x")
        finally:
            await streams.aclose()
        findings = await redis_server(config, others_run=False)
        told = {finding.found for finding in findings if finding.check == "redis data"}
        assert any("session:of:a:shop" in one for one in told)
        assert any("held by elsewhere under epoch 4.12" in one for one in told)
        joining = await redis_server(config, others_run=True)
        assert of("redis data", joining).verdict is Verdict.WARN  # the keys alone


@pytest.mark.anyio
async def test_neighbours_that_run(tmp_path: Path) -> None:
    """Ports that are the node's own are well; a token that the others do not take is named; clocks are compared."""
    async with serving(3, tmp_path, token=TOKEN) as nodes:
        well = await neighbours(nodes.nodes[0].config)
        assert [finding.shown() for finding in well.findings if finding.verdict is not Verdict.OK] == []
        assert well.answering == 2
        found = {(finding.check, finding.subject): finding.found for finding in well.findings}
        assert found["port", f"API {nodes.nodes[0].config.api_bind()}"] == "this host's n1 listens"
        assert "as here, within" in found["clock", "n2"]
        config = nodes.nodes[0].config
        tree = settings(
            0,
            [
                (int(member.raft.rpartition(":")[2]), int(member.api.rpartition(":")[2]))
                for member in config.cluster.members
            ],
            tmp_path / "other",
            nodes.redis.port,
            api={"token": "another-" + TOKEN},
        )
        (tmp_path / "other").mkdir()
        wrong = await neighbours(configured(tree, tmp_path / "other"))
        tokens = [finding for finding in wrong.findings if finding.check == "token"]
        assert [finding.subject for finding in tokens] == ["n2", "n3"]
        assert all(finding.verdict is Verdict.FAIL for finding in tokens)


@pytest.mark.anyio
async def test_a_host_before_anything_runs(tmp_path: Path) -> None:
    """Three nodes in the settings, none of which is there: nothing fails for that but what has to be there."""
    ports = [(free_port(), free_port()) for _ in range(3)]
    async with EmbeddedServer(tmp_path / "redis", free_port()) as running:
        path = tmp_path / "n1.yaml"
        path.write_text(yaml.safe_dump(settings(0, ports, tmp_path, running.port)))
        code, out, err = await triarch("doctor", "--config", str(path), "-o", "json")
    rows = json.loads(out)
    of_machine = {"clock", "disk space", "disk sync", "open files", "redis latency", "unit"}
    failed = [row for row in rows if row["verdict"] == "fail" and row["check"] not in of_machine]
    assert failed == [], err
    assert {(row["subject"], row["found"]) for row in rows if row["check"] == "port"} == {
        (f"API 127.0.0.1:{ports[0][1]}", "free"),
        (f"Raft 127.0.0.1:{ports[0][0]}", "free"),
    }
    assert code in (Exit.DEGRADED, Exit.FAILED)  # the others cannot be reached
    assert any("does not run yet" in row["advice"] for row in rows)
