"""A plant that runs, judged by what its nodes say. Pure: the answers come from `orchestrator.cli.doctor`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from orchestrator.clock_offset import ClockOffset
from orchestrator.doctor.clocks import clock_finding
from orchestrator.doctor.figures import judged
from orchestrator.doctor.finding import Finding, Verdict, limits, same, well

LAG_WARN, LAG_FAIL = 100, 10_000
"""Entries that a node is behind what is committed."""
STUCK_WARN_S = 60.0
_LOOPBACK = ("127.", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class NodeSaid:
    """What one member answered; None where it did not.

    `cluster`: its own view (GET /v1/cluster). `ready`: (status, document) of /readyz. `clock`: its clock minus
    ours, None when unknown. `figures`: gauges of its /metrics by name. `error`: why there is no answer.
    """

    id: str
    api: str
    cluster: Mapping[str, Any] | None = None
    ready: tuple[int, Mapping[str, Any]] | None = None
    clock: ClockOffset | None = None
    figures: Mapping[str, float] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True)
class PlantSaid:
    """All that was asked for; None where there was no answer."""

    nodes: Sequence[NodeSaid]
    ledger: Mapping[str, Any] | None = None
    lag: Sequence[Mapping[str, Any]] | None = None
    processors: Sequence[Mapping[str, Any]] | None = None
    components: Sequence[Mapping[str, Any]] | None = None
    alerts: Sequence[Mapping[str, Any]] | None = None
    problems: Mapping[str, str] = field(default_factory=dict)
    """What could not be asked, and why."""


def judge(said: PlantSaid) -> list[Finding]:
    """Every check, in the order in which a person would look."""
    findings = [_answers(node) for node in said.nodes]
    findings += [_ready(node) for node in said.nodes if node.ready is not None]
    answering = {node.id: node.cluster for node in said.nodes if node.cluster is not None}
    if answering:
        findings += _agreement(answering)
    findings += [clock_finding(node.id, node.clock) for node in said.nodes if node.clock is not None]
    for node in said.nodes:
        findings += judged(node.id, node.figures)
    findings += _access(said)
    findings += _frames(said)
    findings += _plant(said)
    findings += [
        Finding("asked", what, Verdict.WARN, why, "ask again when that is mended")
        for what, why in said.problems.items()
    ]
    return findings


def _answers(node: NodeSaid) -> Finding:
    if node.cluster is None and node.ready is None:
        return Finding(
            "answers", node.id, Verdict.FAIL, node.error or "no answer", f"look at the node behind {node.api}"
        )
    return well("answers", node.id, node.api)


def _ready(node: NodeSaid) -> Finding:
    status, document = node.ready or (0, {})
    if status == 200:
        return well("ready", node.id, str(document.get("role", "")))
    reasons = "; ".join(map(str, document.get("reasons", ()))) or f"answered {status}"
    return Finding("ready", node.id, Verdict.FAIL, reasons, "see docs/troubleshooting.md for each reason")


def _agreement(answering: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    leaders = {node: said.get("leader") for node, said in answering.items()}
    findings = [
        same("leader", leaders, advice="a node that names another one is cut off, or has just lost it: ask again")
    ]
    if set(leaders.values()) == {None}:
        findings[-1] = Finding(
            "leader", "all nodes", Verdict.FAIL, "nobody leads", "two of three nodes must reach each other's Raft port"
        )
    releases = {
        str(member["id"]): member.get("release")
        for said in answering.values()
        for member in said.get("members", ())
        if member.get("release") is not None
    }
    if len(set(releases.values())) > 1:
        told = ", ".join(f"{node}: {release}" for node, release in sorted(releases.items()))
        findings.append(
            Finding("release", "all nodes", Verdict.WARN, told, "finish the upgrade: what is new waits for all nodes")
        )
    newest = max(int(said["commit_index"]) for said in answering.values())
    for node, said in sorted(answering.items()):
        behind = newest - int(said["applied_index"])
        findings.append(
            limits(
                *("state", node, behind),
                warn=LAG_WARN,
                fail=LAG_FAIL,
                found=f"{behind} entries behind",
                advice="it is slow or was away: look at its disk and its network",
            )
        )
        refused = {kind: count for kind, count in said.get("refused", {}).items() if count and kind != "crowd"}
        if refused:
            told = ", ".join(f"{kind}: {count}" for kind, count in sorted(refused.items()))
            findings.append(
                Finding(
                    *("raft port", node, Verdict.WARN, f"turned away: {told}"),
                    "a member with another secret, or something else that connects to the Raft port",
                )
            )
        for member, why in sorted(said.get("refusals", {}).items()):
            findings.append(
                Finding("membership", node, Verdict.FAIL, f"{member} refuses it: {why}", "docs/runbooks/members.md")
            )
    voters = {str(m["id"]) for said in answering.values() for m in said.get("members", ()) if m.get("voter")}
    if voters and len(voters) < 3:
        findings.append(
            Finding(
                "members",
                "all nodes",
                Verdict.WARN,
                f"{len(voters)} voters",
                "with fewer than three no loss is survived",
            )
        )
    return findings


def _access(said: PlantSaid) -> list[Finding]:
    findings = []
    open_hosts = sorted(
        {
            node.id
            for node in said.nodes
            if urlsplit(node.api).scheme == "http" and not (urlsplit(node.api).hostname or "").startswith(_LOOPBACK)
        }
    )
    if open_hosts:
        findings.append(
            Finding(
                *("encryption", ", ".join(open_hosts), Verdict.WARN, "the API is plain http"),
                "tokens can be read on the way: set api.tls, or keep the network to yourself",
            )
        )
    return findings


def _frames(said: PlantSaid) -> list[Finding]:
    findings = []
    if said.ledger is not None:
        lost, twice, stuck = (int(said.ledger.get(name, 0)) for name in ("lost", "duplicates", "stuck"))
        published = said.ledger.get("published", 0)
        if said.ledger.get("ledger_ok"):
            findings.append(well("ledger", "frames", f"exact: {published} published, none lost, none twice"))
        else:
            told = f"{lost} lost, {twice} twice of {published}"
            findings.append(Finding("ledger", "frames", Verdict.FAIL, told, "triarch frames verify names each"))
        if stuck:
            findings.append(
                Finding(
                    "stuck", "frames", Verdict.WARN, f"{stuck} in flight for long", "triarch frames verify names each"
                )
            )
    for place in said.lag or ():
        age = place.get("oldest_s")
        if age is not None and age > STUCK_WARN_S:
            told = f"{place['length']} frames, the oldest {age:.0f} s old"
            findings.append(
                Finding("waiting", str(place["place"]), Verdict.WARN, told, "is there a healthy processor for it?")
            )
    return findings


def _plant(said: PlantSaid) -> list[Finding]:
    findings = [
        Finding("processor", str(row["id"]), Verdict.WARN, str(row.get("reason") or "not healthy"), "is it running?")
        for row in said.processors or ()
        if not row.get("healthy", True)
    ]
    for row in said.components or ():
        if row.get("health") in ("UNRESPONSIVE", "DEGRADED") or row.get("state") == "FAULT":
            told = ", ".join(str(row[name]) for name in ("state", "health", "reason") if row.get(name))
            advice = f"triarch component get {row['id']}"
            findings.append(Finding("component", str(row["id"]), Verdict.WARN, told, advice))
    findings += [
        Finding(
            "alert", str(row.get("id")), Verdict.WARN, str(row.get("summary") or row.get("rule")), "triarch alert list"
        )
        for row in said.alerts or ()
        if row.get("state") == "FIRING"
    ]
    for what, rows in (("components", said.components), ("processors", said.processors)):
        if rows is not None:
            findings.append(well(what, "plant", f"{len(rows)} registered"))
    return findings
