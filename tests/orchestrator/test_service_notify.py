"""What a node tells systemd: real datagram sockets, by path and in the abstract namespace, and a real process."""

import asyncio
import os
import signal
import socket
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from orchestrator.service_notify import STATUS_CHARS_MAX, ServiceNotify, described
from tests.orchestrator.api_nodes import settings
from tests.support import eventually, free_port

pytestmark = pytest.mark.anyio


class Supervisor:
    """The other end: what systemd would hear."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + name[1:] if name.startswith("@") else name)
        self.socket.setblocking(False)
        self.heard: list[str] = []

    def listen(self) -> list[str]:
        """All lines so far."""
        while True:
            try:
                self.heard += self.socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return self.heard


@pytest.fixture(params=["path", "abstract"])
def supervisor(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Supervisor]:
    if request.param == "abstract" and sys.platform != "linux":
        pytest.skip("only Linux has abstract socket names")
    found = Supervisor(str(tmp_path / "notify") if request.param == "path" else f"@triarch-{uuid.uuid4()}")
    yield found
    found.socket.close()


def test_readiness_status_and_stopping_arrive_in_order(supervisor: Supervisor) -> None:
    environment = {"NOTIFY_SOCKET": supervisor.name, "WATCHDOG_USEC": "3000000", "HOME": "/"}
    service = ServiceNotify.from_environment(environment)
    assert environment == {"HOME": "/"}  # a child process must not speak for this one
    assert service.watchdog_s == 3.0
    assert service.beat_s == 1.0
    service.ready("leads\nepoch 3.17")
    service.beat("leads epoch 3.17")  # nothing new to tell, but alive
    service.beat("follows n2; " + "x" * 500)
    service.stopping()
    long = ("follows n2; " + "x" * 500)[:STATUS_CHARS_MAX]
    assert supervisor.listen() == [
        "READY=1",
        "STATUS=leads epoch 3.17",
        "WATCHDOG=1",
        "WATCHDOG=1",
        f"STATUS={long}",
        "STOPPING=1",
        "STATUS=stopping",
    ]
    service.close()
    service.beat()
    assert len(supervisor.listen()) == 7


def test_the_watchdog_of_another_process_is_not_served(supervisor: Supervisor) -> None:
    environment = {"NOTIFY_SOCKET": supervisor.name, "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}
    service = ServiceNotify.from_environment(environment, pid=77)
    service.beat("follows n1; ready")
    service.beat("follows n1; ready")
    assert service.watchdog_s is None
    assert supervisor.listen() == ["STATUS=follows n1; ready"]
    service.close()


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"NOTIFY_SOCKET": "vsock:2:1234"}, "NOTIFY_SOCKET=vsock:2:1234"),
        ({"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "soon"}, "WATCHDOG_USEC=soon"),
    ],
)
def test_what_cannot_be_served_is_said_once(
    environment: dict[str, str], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    service = ServiceNotify.from_environment(environment)
    assert service.watchdog_s is None
    assert said in caplog.text
    service.beat("a")
    service.close()


def test_a_manager_that_went_away_is_logged_once_and_told_again_when_it_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = str(tmp_path / "notify")
    service = ServiceNotify(place, 3.0)
    service.beat("follows n1; ready")
    service.beat("follows n1; ready")
    assert caplog.text.count("cannot be told") == 1
    supervisor = Supervisor(place)
    service.beat("follows n1; ready")
    assert supervisor.listen() == ["WATCHDOG=1", "STATUS=follows n1; ready"]
    service.close()
    supervisor.socket.close()


async def test_without_a_manager_nothing_is_kept_running() -> None:
    service = ServiceNotify.from_environment({"WATCHDOG_USEC": "1000"})
    await service.keep(lambda: "never asked")  # returns at once
    service.ready("ready")
    service.close()


def test_the_status_says_what_a_person_asks() -> None:
    assert described("leader", "n1", "3.17", []) == "leads, epoch 3.17; ready"
    assert described("follower", "n2", "3.17", []) == "follows n2; ready"
    reasons = ["no leader is known", "Redis does not answer: refused"]
    assert described("candidate", None, None, reasons) == (
        "follows nobody; not ready: no leader is known; Redis does not answer: refused"
    )


async def test_a_node_is_ready_when_it_listens_beats_while_its_loop_turns_and_says_that_it_stops(
    tmp_path: Path,
) -> None:
    supervisor = Supervisor(str(tmp_path / "notify"))
    config = tmp_path / "n1.yaml"
    config.write_text(yaml.safe_dump(settings(0, [(free_port(), free_port())], tmp_path, free_port())))
    environment = {**os.environ, "NOTIFY_SOCKET": supervisor.name, "WATCHDOG_USEC": "300000"}
    node = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "orchestrator.cli.main", "node", "--config", str(config)),
        env=environment,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await eventually(lambda: "READY=1" in supervisor.listen(), deadline_s=30)
        await eventually(lambda: supervisor.listen().count("WATCHDOG=1") >= 3, deadline_s=10)
        await eventually(lambda: any(line.startswith("STATUS=leads, epoch") for line in supervisor.listen()), 20)
        node.send_signal(signal.SIGSTOP)
        # A beat may have been on its way; a process that is stopped sends no other.
        await eventually(lambda: _state(node.pid) == "T", deadline_s=5)
        heard = len(supervisor.listen())
        node.send_signal(signal.SIGCONT)
        await eventually(lambda: len(supervisor.listen()) > heard, deadline_s=10)
        node.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(node.wait(), 20) == 0
        assert "STOPPING=1" in supervisor.listen()
        assert "WATCHDOG=1" not in supervisor.heard[supervisor.heard.index("STOPPING=1") :]
    finally:
        if node.returncode is None:
            node.kill()
            await node.wait()
        supervisor.socket.close()


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
