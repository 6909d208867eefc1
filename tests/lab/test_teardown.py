"""Last of all: the lab is taken down, and nothing of it is left; also of one whose making was killed in the middle."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.conftest import KEEP, NUMBER
from tests.lab.deployment import figures
from tests.lab.hosts import Lab, LabFailed
from tests.lab.hosts.running import mounts, run, why_not
from tests.support import eventually_sync

OTHER = (NUMBER + 5) % 10
"""A second lab, which stands beside the first for a moment."""


@pytest.fixture
def other() -> Iterator[Lab]:
    if reason := why_not():
        pytest.skip(reason)
    made = Lab(OTHER)
    if made.remains() or made.place.exists():
        pytest.skip(f"lab {OTHER} is in use on this machine")
    try:
        yield made
    finally:
        made.down()


def traces(number: int) -> list[str]:
    """All on this machine that has the lab's name, asked of the kernel and not of the lab's own code."""
    names = (f"trilab{number}", f"tr{number}-n", f"triarch-lab-{number}")
    said = [
        *run("ip", "-oneline", "link").splitlines(),
        *run("nft", "list", "tables").splitlines(),
        *run("losetup", "--list", "--noheadings").splitlines(),
        *Path("/proc/self/mountinfo").read_text().splitlines(),
        *(
            str(path)
            for place, _ in [*mounts("cgroup"), *mounts("cgroup2")]
            for path in place.glob("*")
            if path.is_dir()
        ),
        *(str(path) for path in (*Path("/var/tmp").iterdir(), *Path("/run/systemd/nspawn").glob("*/*"))),  # noqa: S108
        *Path("/proc/net/unix").read_text().splitlines(),
    ]
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            said.append(place.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:  # ended meanwhile
            continue
    return [line for line in said if any(name in line for name in names)]


def test_a_making_that_is_killed_is_cleaned_up_by_the_next(other: Lab) -> None:
    argv = [sys.executable, "-m", "tests.lab.hosts", "up", "--number", str(OTHER)]
    with subprocess.Popen(argv, start_new_session=True) as making:
        try:
            eventually_sync(lambda: other.remains().processes, deadline_s=60, message="a host is booted")
        finally:
            os.killpg(making.pid, signal.SIGKILL)
    assert traces(OTHER) != []
    other.up()
    assert all(host.reachable() for host in other.hosts())
    other.down()
    assert traces(OTHER) == []


def test_two_commands_do_not_work_on_one_lab(other: Lab) -> None:
    with other.alone(), pytest.raises(LabFailed, match="another command"):
        other.down()


def test_nothing_is_left(request: pytest.FixtureRequest) -> None:
    if KEEP:
        pytest.skip("the lab is kept")
    lab: Lab = request.getfixturevalue("lab")
    assert traces(NUMBER) != []
    figures["lab: down"] = round(lab.down(), 2)
    eventually_sync(lambda: traces(NUMBER) == [], deadline_s=5, message="nothing is left")
