"""A disk that is really slow: its kernel holds the writes of a host back. Preflight refuses it, and doctor says why."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.lab.deployment import Deployment
from tests.lab.hosts.lab import Host
from tests.lab.hosts.running import LabFailed, mounts, run, unified_hierarchy

pytestmark = pytest.mark.soak

WRITES_A_SECOND = 4
"""So that a small write takes a quarter of a second."""


def throttling() -> Path | None:
    """Root of the hierarchy of cgroup v1 that bounds writes of a disk; None where only v2 does."""
    return next((place for place, options in mounts("cgroup") if "blkio" in options.split(",")), None)


def move(whose: Sequence[Path], group: Path) -> None:
    """Every process of some groups into another; those that they start later are in it too."""
    for file in whose:
        for pid in (file / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):  # it has ended
                (group / "cgroup.procs").write_text(pid)


@contextmanager
def slow(host: Host) -> Iterator[None]:
    """The data disk of a host takes `WRITES_A_SECOND` from that host alone."""
    device = run("findmnt", "--noheadings", "--output", "MAJ:MIN", "--mountpoint", host.told.data).strip()
    unified, old = unified_hierarchy(), throttling()
    assert unified is not None
    if old is not None:
        group = old / f"{host.told.cgroup}-slow"
        group.mkdir(exist_ok=True)
        top = unified / host.told.cgroup
        move([top, *(file.parent for file in top.rglob("*/cgroup.procs"))], group)
        rule, bound, free = group / "blkio.throttle.write_iops_device", str(WRITES_A_SECOND), "0"
    elif "io" in (unified / "cgroup.controllers").read_text().split():
        (unified / "cgroup.subtree_control").write_text("+io")
        rule, bound, free = unified / host.told.cgroup / "io.max", f"wiops={WRITES_A_SECOND}", "wiops=max"
    else:
        raise LabFailed("this kernel bounds no writes: neither blkio of cgroup v1 nor io of v2 is there")
    rule.write_text(f"{device} {bound}")
    try:
        yield
    finally:
        rule.write_text(f"{device} {free}")
        if old is not None:
            while (group / "cgroup.procs").read_text():
                move([group], old)
            group.rmdir()


def sync_s(host: Host) -> float:
    """Seconds of one small write on the data disk of a host, until it is there."""
    code = (
        "import os, time; f = open('/var/lib/triarch/.probe', 'wb'); f.write(b'x' * 4096); f.flush(); "
        "start = time.monotonic(); os.fsync(f.fileno()); print(time.monotonic() - start); os.remove(f.name)"
    )
    return float(host.ssh(f'python3 -c "{code}"'))


def test_a_slow_disk_is_refused_and_told(deployed: Deployment) -> None:
    host, limit = deployed.lab.host("n1"), ("--extra-vars", "triarch_preflight_sync_ms_max=100")
    with slow(host):
        took = [sync_s(host) for _ in range(4)]
        assert max(took) > 0.5 / WRITES_A_SECOND, f"the fault happened: {took} s"
        refused = deployed.play("site.yml", *limit, check=False)
        said = host.ask("triarch doctor --config /etc/triarch/node.yaml -o json")
    told = list({line.strip() for line in refused.out.splitlines() if line.strip().startswith("- ")})
    assert refused.status != 0
    assert "Refused, and nothing was changed" in refused.out
    assert refused.count("changed") == 0
    assert len(told) == 1, told
    assert told[0].startswith("- n1: /var/lib/triarch needs "), told
    assert "Use a faster disk for /var/lib/triarch" in told[0]
    (sync,) = [one for one in json.loads(said.out) if one["check"] == "disk sync"]
    assert sync["verdict"] == "fail", sync
    deployed.ready()
    assert deployed.play("preflight.yml", *limit).count("changed") == 0
