"""What the figures of a node say of it and of its host. Pure: the numbers come from its /metrics."""

from collections.abc import Mapping

from orchestrator.doctor.finding import Finding, Verdict, limits

__all__ = ["WANTED", "judged"]

DAY_S = 86_400.0
GIB = 1 << 30
WANTED = frozenset(
    {
        *("triarch_disk_free_bytes", "triarch_disk_size_bytes", "triarch_event_loop_delay_seconds"),
        *("triarch_api_certificate_expiry_seconds", "triarch_api_certificate_reload_failed"),
        *("triarch_audit_broken", "triarch_audit_write_failed", "triarch_clock_synchronised"),
        *("triarch_redis_up", "triarch_redis_persistence_ok", "triarch_redis_replica_lag_bytes"),
        *("process_open_fds", "process_max_fds"),
    }
)
"""Gauges without labels that are looked at. The bounds are those of the alerts in deploy/prometheus."""


def judged(node: str, figures: Mapping[str, float]) -> list[Finding]:
    """Of one node; what its release does not show is passed over."""
    findings = [*_disk(node, figures), *_certificate(node, figures)]
    if (delay := figures.get("triarch_event_loop_delay_seconds", 0.0)) > 0.5:
        told = f"its loop was up to {delay:.1f} s late in the last half minute"
        findings.append(
            Finding("load", node, Verdict.WARN, told, "take other work off the host, or give it processors")
        )
    if figures.get("triarch_audit_broken"):
        advice = "triarch audit verify names the first entry; docs/runbooks/alerts.md"
        findings.append(Finding("audit", node, Verdict.FAIL, "its file is not the chain that was written", advice))
    if figures.get("triarch_audit_write_failed"):
        findings.append(
            Finding("audit", node, Verdict.FAIL, "cannot be written", "its log says why; is the disk full?")
        )
    if figures.get("triarch_clock_synchronised", 1.0) == 0:
        findings.append(
            Finding("clock", node, Verdict.WARN, "nothing keeps its clock", "run chrony or systemd-timesyncd")
        )
    if figures.get("triarch_redis_up", 1.0) == 0:
        advice = "is its port open to that host, is the password file the right one?"
        findings.append(Finding("redis", node, Verdict.FAIL, "this node has no answer from it", advice))
    elif figures.get("triarch_redis_persistence_ok", 1.0) == 0:
        advice = "appendonly yes, and room on its disk"
        findings.append(Finding("redis persistence", node, Verdict.FAIL, "the server keeps nothing on disk", advice))
    if (lag := figures.get("triarch_redis_replica_lag_bytes", 0.0)) > 16 << 20:
        advice = "a failover now would lose it: look at the replica's host"
        findings.append(Finding("redis replicas", node, Verdict.WARN, f"{lag / (1 << 20):.0f} MiB behind", advice))
    most = figures.get("process_max_fds", 0.0)
    if most and figures.get("process_open_fds", 0.0) > 0.8 * most:
        told = f"{figures['process_open_fds']:.0f} of {most:.0f} open files"
        findings.append(Finding("open files", node, Verdict.WARN, told, "raise LimitNOFILE of the unit"))
    return findings


def _disk(node: str, figures: Mapping[str, float]) -> list[Finding]:
    size = figures.get("triarch_disk_size_bytes", 0.0)
    if not size:
        return []
    free = figures.get("triarch_disk_free_bytes", 0.0)
    return [
        limits(
            *("disk space", node, 1 - free / size),
            warn=0.85,
            fail=0.97,
            found=f"{free / GIB:.1f} GiB free, {100 * free / size:.0f} %",
            advice="make room: a node whose disk is full ends itself rather than promise what it cannot keep",
        )
    ]


def _certificate(node: str, figures: Mapping[str, float]) -> list[Finding]:
    findings = []
    left = figures.get("triarch_api_certificate_expiry_seconds")
    if left is not None:
        findings.append(
            limits(
                *("certificate", node, -left),
                warn=-14 * DAY_S,
                fail=-DAY_S,
                found=f"{left / DAY_S:.1f} days left" if left > 0 else f"expired {-left / DAY_S:.1f} days ago",
                advice="put the new one in the files of api.tls; it is read by itself",
            )
        )
    if figures.get("triarch_api_certificate_reload_failed"):
        told = "the files hold one that cannot be served; the one from before still is"
        findings.append(Finding("certificate", node, Verdict.WARN, told, "its log says which file and why"))
    return findings
