"""What the doctor says of answers, of a plant that runs, and of a host."""

import json
import socket
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.cli.exits import Exit
from orchestrator.clock_offset import ClockOffset
from orchestrator.doctor.finding import Finding, Verdict, worst
from orchestrator.doctor.plant import NodeSaid, PlantSaid, judge
from tests.command_line import triarch
from tests.orchestrator.api_nodes import TOKEN, Nodes, serving, settings
from tests.support import eventually, free_port

MEMBERS = [{"id": f"n{at}", "voter": True, "release": "1.0"} for at in (1, 2, 3)]


def node(
    name: str,
    *,
    api: str = "http://127.0.0.1:1",
    clock_s: float = 0.0,
    figures: Mapping[str, float] | None = None,
    **cluster: Any,
) -> NodeSaid:
    seen = {"node": name, "leader": "n1", "commit_index": 50, "applied_index": 50, "members": MEMBERS, **cluster}
    clock = ClockOffset(clock_s, 0.01)
    ready = (200, {"role": "follower"})
    return NodeSaid(id=name, api=api, cluster=seen, ready=ready, clock=clock, figures=figures or {})


def found(said: PlantSaid, check: str) -> list[Finding]:
    return [finding for finding in judge(said) if finding.check == check and finding.verdict is not Verdict.OK]


def three(**others: Any) -> PlantSaid:
    return PlantSaid(nodes=[node("n1"), node("n2"), node("n3")], **others)


def test_a_plant_that_is_well() -> None:
    ledger = {"published": 9, "ledger_ok": True, "lost": 0, "duplicates": 0, "stuck": 0}
    findings = judge(three(ledger=ledger, lag=[], processors=[], components=[], alerts=[]))
    assert worst(findings) is Verdict.OK
    assert {"answers", "ready", "leader", "state", "clock", "ledger"} <= {finding.check for finding in findings}
    assert all(finding.advice == "" for finding in findings)


@pytest.mark.parametrize(
    ("said", "check", "verdict", "told"),
    [
        (PlantSaid([node("n1"), node("n2", leader="n2"), node("n3")]), "leader", Verdict.FAIL, "n2: n2"),
        (PlantSaid([node(f"n{at}", leader=None) for at in (1, 2, 3)]), "leader", Verdict.FAIL, "nobody leads"),
        (PlantSaid([node("n1"), node("n2", applied_index=10)]), "state", Verdict.OK, ""),
        (PlantSaid([node("n1", commit_index=500), node("n2")]), "state", Verdict.WARN, "450 entries"),
        (PlantSaid([node("n1", commit_index=50_000), node("n2")]), "state", Verdict.FAIL, "49950 entries"),
        (PlantSaid([node("n1", refused={"secret": 3, "crowd": 9})]), "raft port", Verdict.WARN, "secret: 3"),
        (PlantSaid([node("n1", refusals={"n2": "lost its disk"})]), "membership", Verdict.FAIL, "n2 refuses it"),
        (PlantSaid([node("n1", clock_s=5.0)]), "clock", Verdict.WARN, "+5 s"),
        (PlantSaid([node("n1", clock_s=-100.0)]), "clock", Verdict.FAIL, "-100 s"),
        (PlantSaid([node("n1", figures={"triarch_audit_broken": 1})]), "audit", Verdict.FAIL, "not the chain"),
        (PlantSaid([node("n1", figures={"triarch_audit_write_failed": 1})]), "audit", Verdict.FAIL, "cannot be"),
        (PlantSaid([node("n1", figures={"triarch_redis_up": 0})]), "redis", Verdict.FAIL, "no answer"),
        (
            PlantSaid([node("n1", figures={"triarch_redis_up": 1, "triarch_redis_persistence_ok": 0})]),
            *("redis persistence", Verdict.FAIL, "nothing on disk"),
        ),
        (
            PlantSaid([node("n1", figures={"triarch_redis_replica_lag_bytes": 5e7})]),
            *("redis replicas", Verdict.WARN, "48 MiB"),
        ),
        (
            PlantSaid([node("n1", figures={"triarch_disk_size_bytes": 1e12, "triarch_disk_free_bytes": 1e11})]),
            *("disk space", Verdict.WARN, "10 %"),
        ),
        (
            PlantSaid([node("n1", figures={"triarch_disk_size_bytes": 1e12, "triarch_disk_free_bytes": 1e9})]),
            *("disk space", Verdict.FAIL, "0.9 GiB"),
        ),
        (
            PlantSaid([node("n1", figures={"triarch_event_loop_delay_seconds": 2.0})]),
            *("load", Verdict.WARN, "2.0 s late"),
        ),
        (PlantSaid([node("n1", figures={"triarch_clock_synchronised": 0})]), "clock", Verdict.WARN, "nothing keeps"),
        (
            PlantSaid([node("n1", figures={"process_open_fds": 90, "process_max_fds": 100})]),
            *("open files", Verdict.WARN, "90 of"),
        ),
        (
            PlantSaid([node("n1", figures={"triarch_api_certificate_expiry_seconds": 864000})]),
            *("certificate", Verdict.WARN, "10.0 days left"),
        ),
        (
            PlantSaid([node("n1", figures={"triarch_api_certificate_expiry_seconds": -86400})]),
            *("certificate", Verdict.FAIL, "expired 1.0 days ago"),
        ),
        (
            PlantSaid([node("n1", figures={"triarch_api_certificate_reload_failed": 1})]),
            *("certificate", Verdict.WARN, "cannot be served"),
        ),
        (PlantSaid([node("n1", api="http://10.0.0.1:8101")]), "encryption", Verdict.WARN, "plain http"),
        (PlantSaid([NodeSaid("n1", "http://h:1", error="refused")]), "answers", Verdict.FAIL, "refused"),
        (
            PlantSaid([NodeSaid("n1", "http://h:1", ready=(503, {"reasons": ["no leader"]}))]),
            "ready",
            Verdict.FAIL,
            "no l",
        ),
        (PlantSaid([node("n1", members=MEMBERS[:2])]), "members", Verdict.WARN, "2 voters"),
        (
            PlantSaid([node("n1", members=[*MEMBERS[:2], {"id": "n3", "voter": True, "release": "2.0"}])]),
            *("release", Verdict.WARN, "n3: 2.0"),
        ),
        (three(ledger={"published": 9, "lost": 2, "duplicates": 1}), "ledger", Verdict.FAIL, "2 lost, 1 twice of 9"),
        (three(ledger={"published": 9, "ledger_ok": True, "stuck": 4}), "stuck", Verdict.WARN, "4 in flight"),
        (three(lag=[{"place": "lane:faces", "length": 7, "oldest_s": 90.0}]), "waiting", Verdict.WARN, "7 frames"),
        (three(processors=[{"id": "p1", "healthy": False, "reason": "silent"}]), "processor", Verdict.WARN, "silent"),
        (three(components=[{"id": "c", "state": "FAULT", "health": "OK"}]), "component", Verdict.WARN, "FAULT"),
        (three(alerts=[{"id": "a", "state": "FIRING", "summary": "too hot"}]), "alert", Verdict.WARN, "too hot"),
        (three(problems={"/v1/alerts": "no_leader: none"}), "asked", Verdict.WARN, "no_leader"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(said: PlantSaid, check: str, verdict: Verdict, told: str) -> None:
    findings = found(said, check)
    if verdict is Verdict.OK:
        assert findings == []
        return
    assert findings[0].verdict is verdict
    assert told in findings[0].found
    assert findings[0].advice


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    async with serving(3, tmp_path_factory.mktemp("doctor"), token=TOKEN) as running:
        yield running


def environment(nodes: Nodes) -> Mapping[str, str]:
    return {"TRIARCH_URL": ",".join(nodes.urls), "TRIARCH_TOKEN": TOKEN}


@pytest.mark.anyio
async def test_the_doctor_and_top_of_real_nodes(nodes: Nodes) -> None:
    async def well() -> bool:
        """On a busy machine the nodes may elect once more, and are seen on the way to it."""
        code, out, err = await triarch("doctor", "-o", "json", **environment(nodes))
        findings = {(row["check"], row["subject"]): row for row in json.loads(out)}
        assert {("answers", f"n{at}") for at in (1, 2, 3)} <= findings.keys(), err
        assert findings["leader", "all nodes"]["verdict"] == "ok"
        assert findings["ledger", "frames"]["verdict"] == "ok"
        clocks = [row["found"] for row in json.loads(out) if row["check"] == "clock"]
        assert sum("as here, within" in told for told in clocks) == 3
        # What is true of the machine that this runs on is not what is tested.
        of_machine = {"clock", "load", "disk space"}
        assert [row for (check, _), row in findings.items() if check not in of_machine and row["verdict"] != "ok"] == []
        return code in (Exit.OK, Exit.DEGRADED)

    await eventually(well, deadline_s=30)
    code, out, err = await triarch("top", "--once", "-o", "json", **environment(nodes))
    assert code == 0, err
    assert len(json.loads(out)["cluster"]["members"]) == 3
    code, out, err = await triarch("top", "--once", **environment(nodes))
    assert code == 0, err
    assert f"leader n{await nodes.leader() + 1}" in out


@pytest.mark.anyio
async def test_nobody_to_look_at() -> None:
    for command in (("doctor",), ("top", "--once")):
        code, _, err = await triarch(*command, TRIARCH_URL=f"http://127.0.0.1:{free_port()}")
        assert code == Exit.NO_LEADER
        assert "no_node" in err


@pytest.mark.anyio
async def test_the_shell_is_offered_ids(nodes: Nodes) -> None:
    words = {"_TRIARCH_COMPLETE": "bash_complete", "COMP_WORDS": "triarch cluster remove n", "COMP_CWORD": "3"}
    _, out, err = await triarch(**environment(nodes), **words)
    assert out.split() == ["plain,n1", "plain,n2", "plain,n3"], err
    nobody = {"TRIARCH_URL": f"http://127.0.0.1:{free_port()}"}
    _, out, err = await triarch(**nobody, **words)
    assert (out.strip(), err) == ("", "")


@pytest.mark.anyio
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
async def test_a_script_for_each_shell(shell: str) -> None:
    code, out, _ = await triarch("completion", shell)
    assert code == 0
    assert "_TRIARCH_COMPLETE" in out


@pytest.mark.anyio
async def test_a_host(tmp_path: Path) -> None:
    """A port that is taken, a directory that others may read, and a server that is not there are found."""
    raft, api = free_port(), free_port()
    tree = settings(0, [(raft, api)], tmp_path, free_port())
    path = tmp_path / "n1.yaml"
    path.write_text(yaml.safe_dump(tree))
    kept = Path(tree["node"]["data_dir"])
    kept = (kept if kept.is_absolute() else tmp_path / kept) / "cluster"
    kept.mkdir(parents=True)
    kept.chmod(0o755)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", api))
        taken.listen()
        code, out, err = await triarch("doctor", "--config", str(path), "-o", "json")
    assert code == Exit.FAILED, err
    findings = {(row["check"], row["verdict"]): row for row in json.loads(out)}
    assert "0755" in findings["data directory", "fail"]["found"]
    assert str(api) in findings["port", "fail"]["subject"]
    assert "ss -ltnp" in findings["port", "fail"]["advice"]
    assert findings["redis", "fail"]["advice"]
    assert ("disk sync", "ok") in findings or ("disk sync", "warn") in findings
    code, _, err = await triarch("doctor", "--config", str(tmp_path / "missing.yaml"))
    assert code == Exit.USAGE
    assert "missing.yaml" in err
