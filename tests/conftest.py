"""Fixtures of all suites. Those of one package stand in tests/<package>/conftest.py."""

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import certifi
import hypothesis
import pytest

from orchestrator.dev import ports
from tests.support import eventually_sync, lasting_children, port_range

KEPT = ("TRIARCH_SCREENSHOTS", "TRIARCH_WITHOUT_HISTORY")

# A developer's own settings must not reach a node or a command under test.
for name in [name for name in os.environ if name.startswith("TRIARCH_") and name not in KEPT]:
    del os.environ[name]
os.environ["XDG_CONFIG_HOME"] = str(Path(tempfile.gettempdir()) / "triarch-tests-config")

# How long an example takes is the machine's affair. With CI set, Hypothesis has a profile of its own for that.
if "CI" not in os.environ:
    hypothesis.settings.register_profile("untimed", deadline=None)
    hypothesis.settings.load_profile("untimed")

# Nothing here asks the outside world. A client that trusts the public authorities reads all of them, which keeps its
# loop, and the nodes on it, for 30 ms and more: the first of them is enough.
_END = b"-----END CERTIFICATE-----\n"
_authority = tempfile.NamedTemporaryFile(prefix="triarch-tests-", suffix=".pem")  # noqa: SIM115  for the whole run
_authority.write(Path(certifi.where()).read_bytes().partition(_END)[0] + _END)
_authority.flush()
pytest.MonkeyPatch().setattr(certifi, "where", lambda: _authority.name)

# Tests that run side by side take ports from ranges that do not meet; plants are given theirs by the code under test.
_range = port_range(os.environ.get("PYTEST_XDIST_WORKER", ""))
ports.FIRST, ports.LAST = _range.start, _range.stop


LONG = ("demo", "simulation", "system")
"""Directories whose tests take long: first, so that no worker is left alone with one of them in the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests come first. Tests marked `root` are skipped, with the reason, where they cannot run."""
    items.sort(key=lambda item: item.path.parent.name not in LONG)
    if sys.platform.startswith("linux") and os.geteuid() == 0:
        return
    for item in items:
        if item.get_closest_marker("root"):
            item.add_marker(pytest.mark.skip(reason="needs root on Linux"))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The backend of anyio's pytest plugin; of session scope, so that async fixtures of any scope may use it."""
    return "asyncio"


def _children() -> dict[int, str]:
    """Living child processes of this one: pid → command line. Empty where /proc is absent (macOS)."""
    children: dict[int, str] = {}
    for listing in Path("/proc/self/task").glob("*/children"):
        try:
            pids = [int(pid) for pid in listing.read_text().split()]
        except FileNotFoundError:  # the thread ended meanwhile
            continue
        for pid in pids:
            try:
                command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if command:  # a zombie has none: it ended, and only waits to be reaped
                children[pid] = command.strip()
    return children


@pytest.fixture(autouse=True)
def no_processes_left() -> Iterator[None]:
    """Fails a test that leaves child processes behind, and kills them.

    Fixtures of a wider scope are set up before this one, so what they own is not counted.
    """
    if not sys.platform.startswith("linux"):
        yield
        return
    before = _children()
    yield

    def left() -> dict[int, str]:
        return {
            pid: command for pid, command in _children().items() if pid not in before and pid not in lasting_children
        }

    try:
        eventually_sync(lambda: not left(), deadline_s=1.0)
    except AssertionError:
        survivors = left()
        for pid in survivors:
            os.kill(pid, signal.SIGKILL)
        pytest.fail(f"the test left processes behind: {survivors}")
