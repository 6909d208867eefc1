"""The units of systemd on this host, where there are any: do they run, do they keep restarting, will they return."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping

from orchestrator.doctor.finding import Finding, Verdict, well

__all__ = ["OTHERS", "OURS", "judged", "units"]

OURS = ("triarch-node", "triarch-redis", "triarch-sentinel", "triarch-firewall")
FIREWALL = "triarch-firewall"
TABLE = ("list", "table", "inet", "triarch")
"""What the unit of the firewall has loaded, as nft names it."""
OTHERS = ("redis-server", "redis-sentinel")
"""Debian's own, which must not stand beside ours."""
PROPERTIES = ("Id", "LoadState", "ActiveState", "SubState", "Result", "NRestarts", "UnitFileState", "LimitNOFILE")
RESTARTS_WARN = 3
FILES_WARN = 4_096
WITHIN_S = 5.0

Facts = Mapping[str, str]


def units() -> list[Finding]:
    """What systemd says; nothing where there is none, or it knows none of them."""
    program = shutil.which("systemctl")
    if program is None:
        return []
    names = [f"{name}.service" for name in (*OURS, *OTHERS)]
    arguments = [program, "show", f"--property={','.join(PROPERTIES)}", *names]
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=WITHIN_S, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        return [Finding("unit", "systemd", Verdict.WARN, f"cannot be asked: {error}", "see systemctl status")]
    if done.returncode:
        return []  # systemd is not what runs this host
    every = [_facts(block) for block in done.stdout.split("\n\n")]
    loaded = any(facts.get("Id") == f"{FIREWALL}.service" and facts.get("ActiveState") == "active" for facts in every)
    return judged(every) + (_table() if loaded else [])


def _table() -> list[Finding]:
    """Whether the table that the firewall's unit has loaded is still there: only root can see that."""
    program = shutil.which("nft", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None or os.geteuid() != 0:
        return []
    try:
        done = subprocess.run([program, *TABLE], capture_output=True, timeout=WITHIN_S, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        return [Finding("firewall", "rules", Verdict.WARN, f"nft cannot be asked: {error}", "see nft list ruleset")]
    if done.returncode:
        told = "the unit says that it has loaded table inet triarch, and it is not there"
        advice = f"systemctl restart {FIREWALL}; somebody flushed all rules (nft flush ruleset)"
        return [Finding("firewall", "rules", Verdict.FAIL, told, advice)]
    return [well("firewall", "rules", "table inet triarch is loaded")]


def _facts(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


def judged(every: Iterable[Facts]) -> list[Finding]:
    """From the properties of each unit. Pure."""
    findings = []
    for facts in every:
        name = facts.get("Id", "").removesuffix(".service")
        if facts.get("LoadState") != "loaded":
            continue
        if name in OTHERS:
            findings += _other(name, facts)
        elif name in OURS:
            findings += _own(name, facts)
    return findings


def _other(name: str, facts: Facts) -> list[Finding]:
    if facts.get("ActiveState") != "active" and facts.get("UnitFileState") not in ("enabled", "enabled-runtime"):
        return []
    told = f"{facts.get('ActiveState')}, {facts.get('UnitFileState')}"
    advice = f"systemctl disable --now {name}: it would take the port of triarch-{name.removesuffix('-server')}"
    return [Finding("unit", name, Verdict.WARN, told, advice)]


def _own(name: str, facts: Facts) -> list[Finding]:
    findings = []
    state = f"{facts.get('ActiveState')} ({facts.get('SubState')})"
    if facts.get("ActiveState") not in ("active", "activating", "reloading"):
        told = f"{state}, result {facts.get('Result')}"
        findings.append(Finding("unit", name, Verdict.FAIL, told, f"journalctl -u {name}, then systemctl start {name}"))
    restarts = int(facts.get("NRestarts") or 0)
    if restarts >= RESTARTS_WARN:
        told = f"systemd has started it again {restarts} times"
        findings.append(Finding("unit", name, Verdict.WARN, told, f"journalctl -u {name} says why it ended"))
    if facts.get("UnitFileState") not in ("enabled", "static", "linked"):
        told = f"it is {facts.get('UnitFileState')}"
        findings.append(
            Finding("unit", name, Verdict.WARN, told, f"systemctl enable {name}: else it stays off after a boot")
        )
    limit = facts.get("LimitNOFILE", "infinity")
    if name == "triarch-node" and limit.isdecimal() and int(limit) < FILES_WARN:
        findings.append(Finding("unit", name, Verdict.WARN, f"{limit} open files", "raise LimitNOFILE of the unit"))
    return findings or [well("unit", name, state)]
