"""Histories of real nodes under faults keep every promise of the API; and a promise that is broken is noticed."""

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.dev.local import LocalPlant
from orchestrator.dev.processes import Program
from orchestrator.dev.topology import NodePlace, on_free_ports
from orchestrator.drills.histories.operations import Kind, Outcome
from tests.chaos.faults import PROCESS_FAULTS
from tests.chaos.history_files import read_history
from tests.chaos.judging import LEADER_BOUND_S, MARGIN_S, History, Part
from tests.chaos.linearizability import Operation, check
from tests.chaos.namespace_plant import NamespacePlant, NamespaceTopology, on_network
from tests.chaos.netns import Network
from tests.chaos.network_faults import cut_faults
from tests.chaos.places import PLACES, lacking
from tests.chaos.raft_links import RaftLinks
from tests.chaos.recorder import Campaign, judged, show
from tests.chaos.recording import LEADER, LINEARIZABLE, MIX, Recording, record
from tests.chaos.toxiproxy import Toxiproxy

SEED = 7
LATE_S = 3.0
"""A leader that steps down so late is replaced long before, and then only the barrier keeps its reads linearizable."""


def judgement(recording: Recording) -> dict[str, Any]:
    """What a campaign reports of one recording."""
    campaign = Campaign(seed=SEED)
    campaign.recordings["here"] = recording
    found = judged(campaign)
    print(show(found))
    return found


def require(place: str) -> None:
    """Skip where there is no such place; with CI=true fail."""
    why = lacking(place)
    if why is not None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(why)


def much_happened(found: Mapping[str, Any], faults: Iterable[str]) -> None:
    """AssertionError for a history that would prove little."""
    assert set(found["faults"]) == set(faults)
    assert set(found["by_kind"]) == {kind if isinstance(kind, str) else f"read {kind}" for kind in MIX}
    for kind, outcomes in found["by_kind"].items():
        assert outcomes["ok"] > 20, kind
    assert found["by_kind"]["cas"]["mismatch"] > 20
    assert found["by_kind"]["write"]["unknown"] + found["by_kind"]["cas"]["unknown"] > 5
    assert found["repeated"] > 5


@pytest.mark.campaign
@pytest.mark.timeout(240)
@pytest.mark.anyio
async def test_a_history_under_faults_keeps_every_promise(plant: LocalPlant, tmp_path: Path) -> None:
    """Each fault of a process once. The long campaign is `python -m tests.chaos.recorder`."""
    recording = await record(plant, operations=3_000, seed=SEED)
    found = judgement(recording)
    assert found["violations"] == {"here": []}
    assert found["ok"]
    much_happened(found, PROCESS_FAULTS)
    for fault in recording.faults:
        assert 0 <= fault.began < fault.healed <= recording.seconds
    proofs = {fault.name: fault.proof for fault in recording.faults}
    assert "ended with status -9" in proofs["leader-killed"]
    assert "leads after" in proofs["leader-killed"]
    assert "ready again as pid" in proofs["follower-killed"]
    assert "in state T" in proofs["leader-paused"]
    assert "leads after" in proofs["leader-paused"]

    written = recording.history.write(tmp_path)
    assert sum(len(read_history(path)) for path in written) == found["operations"]
    assert check(read_history(tmp_path / "linearizable.jsonl")).linearizable


@pytest.mark.campaign
@pytest.mark.timeout(240)
@pytest.mark.anyio
@pytest.mark.parametrize("name", ["links", pytest.param("namespaces", marks=[pytest.mark.root, pytest.mark.soak])])
async def test_a_history_over_a_bad_network_keeps_every_promise(name: str, tmp_path: Path, anyio_backend: str) -> None:
    """Each fault of the network once, those of processes left out."""
    require(name)
    async with PLACES[name](tmp_path) as (plant, faults, token):
        of_the_network = {fault: make for fault, make in faults.items() if fault not in PROCESS_FAULTS}
        assert len(of_the_network) == len(faults) - len(PROCESS_FAULTS)
        recording = await record(plant, operations=1_000, seed=SEED, faults=of_the_network, token=token)
    found = judgement(recording)
    assert found["ok"], found["problems"]
    much_happened(found, of_the_network)


@pytest.mark.campaign
@pytest.mark.timeout(240)
@pytest.mark.anyio
async def test_a_read_that_is_less_than_it_promises_is_noticed(tmp_path: Path, toxic: Toxiproxy) -> None:
    """Recorded as linearizable, but asked of any node's own state, where followers hear of a commit 40 ms later."""
    links = await RaftLinks.between(on_free_ports(tmp_path / "plant"), toxic)
    async with LocalPlant(links.topology) as plant:
        await plant.wait_ready()
        for link in links.all():
            await link.delay(40)
        recording = await record(plant, operations=1_500, seed=8, faults={}, asks={LINEARIZABLE: Part("stale")})
    found = judgement(recording)
    assert not found["ok"]
    assert {violation["part"] for violation in found["violations"]["here"]} == {"linearizable"}
    assert "not linearizable" in show(found)


@dataclass(frozen=True)
class LateTopology(NamespaceTopology):
    """Nodes whose leader steps down late; `module` is what runs as a node."""

    module: str = "orchestrator.cli.main"

    def config(self, node: NodePlace) -> dict[str, Any]:
        tree = super().config(node)
        tree["cluster"] |= {"step_down_s": LATE_S, "takeover_budget_s": 2 * LATE_S}
        return tree

    def node_program(self, node: NodePlace) -> Program:
        program = super().node_program(node)
        return replace(program, argv=tuple(self.module if a == "orchestrator.cli.main" else a for a in program.argv))


@pytest.mark.campaign
@pytest.mark.root
@pytest.mark.timeout(240)
@pytest.mark.anyio
@pytest.mark.parametrize(
    ("module", "linearizable"), [("orchestrator.cli.main", True), ("tests.chaos.without_barrier", False)]
)
async def test_a_leader_that_is_cut_off_and_reads_without_a_barrier_is_noticed(
    module: str, linearizable: bool, network: Network, tmp_path: Path
) -> None:
    """A defect planted in the nodes, and the same plant without it."""
    given = on_network(tmp_path / "plant", network)
    topology = LateTopology(**{each.name: getattr(given, each.name) for each in fields(given)}, module=module)
    faults = {"leader-cut-off": cut_faults()["leader-cut-off"]}
    async with NamespacePlant(topology) as plant:
        await plant.wait_ready()
        recording = await record(plant, operations=1_000, seed=SEED, faults=faults, token=plant.places.secret("api"))
    # Reads with `leader` may be as far behind as the leader is late.
    broken = [violation for violation in recording.history.violations() if violation.part == "linearizable"]
    print(f"{len(recording.history)} operations in {recording.seconds:.0f} s, {len(broken)} not linearizable")
    assert bool(broken) is not linearizable, broken[:1]


# ── What is judged how ────────────────────────────────


def operation(
    kind: Kind, value: int | None, begin: float, end: float, outcome: Outcome = "ok", expected: int | None = None
) -> Operation:
    return Operation(1, kind, "r", value, expected, outcome, begin, end)


def changed() -> History:
    """1 until 2 came at second 10."""
    history = History()
    history.add_change(operation("write", 1, 0, 1))
    history.add_change(operation("cas", 2, 9, 10, expected=1))
    return history


@pytest.mark.parametrize(
    ("part", "behind_s"),
    [
        (LINEARIZABLE, 0.0),
        (LEADER, LEADER_BOUND_S),
        (Part("stale", 0.5), 0.5 + MARGIN_S),
        (Part("stale", 2.0), 2.0 + MARGIN_S),
        (Part("stale"), math.inf),
    ],
    ids=str,
)
def test_each_read_is_judged_by_its_own_bound(part: Part, behind_s: float) -> None:
    within = changed()
    begin = 10 + min(behind_s, 1_000) * 0.99 if behind_s else 9.5
    within.add_read(part, operation("read", 1, begin, begin + 0.1))
    assert within.violations() == []
    if not math.isinf(behind_s):
        beyond = changed()
        beyond.add_read(part, operation("read", 1, 10 + behind_s + 0.01, 10 + behind_s + 0.1))
        [violation] = beyond.violations()
        assert (violation.part, violation.key) == (str(part), "r")
    invented = changed()
    invented.add_read(part, operation("read", 3, 11, 12))
    [violation] = invented.violations()
    assert violation.part == str(part)


def test_a_lost_update_is_noticed() -> None:
    history = changed()
    history.add_change(operation("cas", 3, 11, 12, expected=1))
    [violation] = history.violations()
    assert violation.part == "linearizable"
    assert "cas 1 → 3 ok" in violation.text


def test_what_has_failed_observed_nothing() -> None:
    history = changed()
    history.add_read(LINEARIZABLE, operation("read", None, 20, 21, "failed"))
    history.add_read(LEADER, operation("read", None, 20, 21, "failed"))
    history.add_change(operation("write", 3, 20, math.inf, "unknown"))
    history.add_read(LINEARIZABLE, operation("read", 3, 30, 31))
    assert history.violations() == []
    assert history.counts() == {
        "cas": {"ok": 1},
        "read leader": {"failed": 1},
        "read linearizable": {"failed": 1, "ok": 1},
        "write": {"ok": 1, "unknown": 1},
    }
    assert len(history) == 6


def test_each_part_is_a_file_that_the_checker_reads(tmp_path: Path) -> None:
    history = changed()
    history.add_change(operation("write", 3, 20, math.inf, "unknown"))
    history.add_read(Part("stale", 0.5), operation("read", 2, 20, 21))
    paths = history.write(tmp_path / "histories")
    assert [path.name for path in paths] == ["linearizable.jsonl", "stale-0.5.jsonl"]
    assert read_history(paths[0]) == history.changes
    assert read_history(paths[1]) == history.reads[Part("stale", 0.5)]
