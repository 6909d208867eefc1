"""Attacks on the Raft port of real nodes: strangers get nowhere, cost little, and are named once."""

import asyncio
import logging
import os
import pickle
import socket
import struct
import subprocess
import sys
import textwrap
import time
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from cluster import Cluster
from cluster.messages import (
    Acknowledge,
    Append,
    ChunkReceived,
    Hello,
    Message,
    RequestVote,
    TimeoutNow,
    Vote,
    encode_messages,
)
from cluster.session import Session, session_key
from cluster.transport import HANDSHAKE_S, HANDSHAKES_MAX
from tests.cluster.machines import Nodes, Register, command, nodes, value_of
from tests.support import eventually, free_port

pytestmark = pytest.mark.anyio

SECRET = "a secret of at least thirty-two characters"


def port_of(node: Cluster) -> int:
    return int(node.settings.address.rpartition(":")[2])


def connect(node: Cluster) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port_of(node)), timeout=10)


def until_closed(connection: socket.socket) -> bytes:
    """All that the node says before it hangs up."""
    said = b""
    try:
        while data := connection.recv(4096):
            said += data
    except ConnectionResetError:
        pass
    return said


def say(node: Cluster, data: bytes) -> bytes:
    """Everything that comes back, until the node hangs up."""
    with connect(node) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(data)
        return until_closed(connection)


@asynccontextmanager
async def undisturbed(directory: Path, **settings: Any) -> AsyncIterator[Nodes]:
    """Three nodes that have the same leader, in the same term, before and after, and still take commands."""
    async with nodes(directory, secret=SecretStr(SECRET), **settings) as group:
        leader = await group.leader()
        await group.followers()
        before = (leader.settings.node_id, leader.status().epoch)
        yield group
        leader = await group.leader()
        assert (leader.settings.node_id, leader.status().epoch) == before
        assert (await leader.propose(command(key="after"))).outcome.ok


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "cluster.strangers"]


async def counted(node: Cluster, kind: str, count: int) -> None:
    """The counter shows it with the next tick, and no more than that."""
    await eventually(lambda: node.status().refused[kind] >= count)
    assert node.status().refused[kind] == count


class Exploit:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return open, (str(self._path), "w")


@pytest.mark.parametrize("frame", ["stock", "compressed", "hello", "bare"])
async def test_a_pickle_is_never_unpickled(tmp_path: Path, frame: str, caplog: pytest.LogCaptureFixture) -> None:
    trace = tmp_path / "executed"
    payload = pickle.dumps(Exploit(trace))
    pickle.loads(payload).close()  # noqa: S301 - it does work
    trace.unlink()
    packed = zlib.compress(payload)
    data = {
        "stock": struct.pack("i", len(packed)) + packed,
        "compressed": packed,
        "hello": struct.pack("<H", len(payload)) + payload + bytes(32),
        "bare": payload,
    }[frame]
    async with undisturbed(tmp_path) as group:
        leader = await group.leader()
        said = await asyncio.to_thread(say, leader, data + bytes(600))
        assert len(said) == 36  # its challenge, and nothing more
        assert not trace.exists()


async def test_commands_of_the_stock_library_do_nothing(tmp_path: Path) -> None:
    async with undisturbed(tmp_path) as group:
        leader = await group.leader()
        for message in ("readonly", ["status"], ["transfer", "n2"], ["add", "10.9.9.9:1"], {"type": "timeout_now"}):
            packed = zlib.compress(pickle.dumps(message, 2))
            await asyncio.to_thread(say, leader, struct.pack("i", len(packed)) + packed + bytes(600))
        assert [member.id for member in leader.status().members] == ["n1", "n2", "n3"]


async def test_a_thousand_strangers_are_counted_and_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with undisturbed(tmp_path) as group:
        leader = await group.leader()
        caplog.clear()

        def attack() -> None:
            for _ in range(1000):
                say(leader, b"\xff" * 40)

        await asyncio.to_thread(attack)
        await counted(leader, "secret", 1000)
        assert warnings(caplog) == ["refused 127.0.0.1: what dials here is no member: its first bytes are no hello"]


@pytest.mark.parametrize("length", [2 << 30, (1 << 32) - 1])
async def test_a_huge_length_from_a_stranger_is_refused_at_once(tmp_path: Path, length: int) -> None:
    async with undisturbed(tmp_path) as group:
        leader = await group.leader()
        began = time.monotonic()
        await asyncio.to_thread(say, leader, struct.pack("<I", length) + bytes(1 << 20))
        assert time.monotonic() - began < HANDSHAKE_S


async def test_a_slow_trickle_is_dropped_in_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with undisturbed(tmp_path) as group:
        leader = await group.leader()
        caplog.clear()

        def trickle() -> float:
            began = time.monotonic()
            with connect(leader) as connection:
                connection.settimeout(0.1)
                connection.sendall(b"\x40\x00")  # a hello of 64 bytes is to come
                while time.monotonic() - began < 4 * HANDSHAKE_S:
                    try:
                        connection.sendall(b"x")
                        if connection.recv(64) == b"":
                            break
                    except TimeoutError:
                        continue
                    except (BrokenPipeError, ConnectionResetError):
                        break
            return time.monotonic() - began

        took = await asyncio.to_thread(trickle)
        assert HANDSHAKE_S * 0.9 < took < 4 * HANDSHAKE_S  # dropped before the trickle ended by itself
        await counted(leader, "handshake", 1)
        assert warnings(caplog) == [f"refused 127.0.0.1: it did not prove itself within {HANDSHAKE_S:g} s"]


async def test_a_crowd_that_says_nothing_keeps_no_member_out(tmp_path: Path) -> None:
    async with undisturbed(tmp_path) as group:
        leader = await group.leader()
        follower = (await group.followers())[0].settings.node_id
        with ExitStack() as stack:
            for _ in range(200):
                stack.enter_context(await asyncio.to_thread(connect, leader))
            await eventually(lambda: leader.status().refused["crowd"] >= 200 - HANDSHAKES_MAX)
            raft = leader._raft
            assert raft is not None
            assert len(raft._transport._shaking) <= HANDSHAKES_MAX
            await group.stop(follower)
            await eventually(lambda: not connected(leader, follower))
            await group.start(follower)
            await eventually(lambda: connected(leader, follower))
            assert (await leader.propose(command(value="amid the crowd"))).outcome.ok
            await eventually(partial(_holds, group.running[follower], "amid the crowd"))


async def _holds(node: Cluster, value: object) -> bool:
    return bool(await value_of(node) == value)


def connected(node: Cluster, member_id: str) -> bool:
    return next(member.connected for member in node.members() if member.id == member_id)


# ── Those who know, or have seen, something ────────────────────────────────


class Intruder:
    """A process that knows what it is given of the secret, and speaks for a member."""

    def __init__(self, node: Cluster, own: str, *, secret: str = SECRET, wanted: str = "") -> None:
        self.connection = connect(node)
        self.session = Session(
            session_key(secret, "triarch"),
            cluster="triarch",
            own=own,
            peer=wanted or node.settings.node_id,
            payload_bytes_max=1 << 22,
            entropy=os.urandom,
        )
        self.sent: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.sent.append(data)
        self.connection.sendall(data)

    def enter(self) -> bool:
        """The handshake; False when the node hangs up."""
        while not self.session.established:
            data = self.connection.recv(4096)
            if not data:
                return False
            answer = self.session.feed(data)[1]
            if answer:
                self.send(answer)
        return True

    def say(self, *messages: Message) -> None:
        self.send(self.session.seal(encode_messages(messages)))

    def __enter__(self) -> "Intruder":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()


async def test_who_does_not_know_the_secret_is_not_heard(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with undisturbed(tmp_path) as group:
        leader = await group.leader()
        caplog.clear()
        for _ in range(10):
            with Intruder(leader, "n2", secret="x" * 40) as intruder:
                assert not await asyncio.to_thread(intruder.enter)
        await counted(leader, "secret", 10)
        (named,) = warnings(caplog)
        assert named.startswith("refused 127.0.0.1: it does not know the secret of this cluster")


async def test_a_node_with_another_secret_joins_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with nodes(tmp_path, secret=SecretStr(SECRET)) as group:
        await group.followers()
        other = Cluster(
            group.settings("n3").model_copy(update={"secret": SecretStr("x" * 40), "data_dir": tmp_path / "x"}),
            Register(),
        )
        await group.stop("n3")
        caplog.clear()
        await other.start()
        leader = await group.leader()
        assert (await leader.propose(command())).outcome.ok
        await eventually(lambda: any("secret" in line for line in warnings(caplog)))
        await eventually(lambda: sum(node.status().refused["secret"] for node in group.running.values()) > 4)
        assert len(warnings(caplog)) <= 4  # once a node and direction
        assert other.status().leader_id is None
        assert other.status().term == 0
        await other.stop()
        assert await group.leader() is leader


async def test_a_recorded_session_played_again_is_not_heard(tmp_path: Path) -> None:
    async with undisturbed(tmp_path, count=3) as group:
        leader = await group.leader()
        with Intruder(leader, "n9") as member:
            assert await asyncio.to_thread(member.enter)
            member.say(Hello(0, "aa", 1, "x", ""), RequestVote(99, 10**9, 98, False))
            recorded = list(member.sent)
        for replay in (recorded, recorded[:1], recorded[1:]):
            said = await asyncio.to_thread(say, leader, b"".join(replay) + bytes(600))
            assert len(said) == 36
        await counted(leader, "secret", 3)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"\x80\x04cposix\nsystem\n.", "cannot be read"),
        (b"\x91" * 1000, "cannot be read"),
        (encode_messages([TimeoutNow(99)]), "did not say who it is first"),
        (encode_messages([Hello(0, "aa", 1, "x", ""), Append(99, 1, 1, 1, [(b"", 7, 1)])]), "with a gap"),
    ],
)
async def test_one_with_the_secret_that_says_nonsense_is_dropped(
    tmp_path: Path, payload: bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with undisturbed(tmp_path) as group:
        leader = await group.leader()
        caplog.clear()
        for _ in range(3):
            with Intruder(leader, "n9") as intruder:
                assert await asyncio.to_thread(intruder.enter)
                intruder.send(intruder.session.seal(payload))
                await asyncio.to_thread(until_closed, intruder.connection)
        await counted(leader, "protocol", 3)
        (named,) = warnings(caplog)
        assert reason in named
        assert "n9" in named


async def test_a_record_of_two_gigabytes_is_not_buffered(tmp_path: Path) -> None:
    async with undisturbed(tmp_path) as group:
        leader = await group.leader()
        with Intruder(leader, "n9") as intruder:
            assert await asyncio.to_thread(intruder.enter)
            intruder.send(struct.pack("<I", 2 << 30))
            await asyncio.to_thread(until_closed, intruder.connection)
        await counted(leader, "protocol", 1)


async def test_votes_and_acknowledgements_of_one_that_is_no_member_count_for_nothing(tmp_path: Path) -> None:
    """R14: also with the secret, by a node of an id that no membership holds."""
    async with undisturbed(tmp_path) as group:
        leader = await group.leader()
        term = leader.status().term
        with Intruder(leader, "n9") as intruder:
            assert await asyncio.to_thread(intruder.enter)
            intruder.say(Hello(0, "aa", 1, "x", ""))
            for _ in range(20):
                intruder.say(
                    Vote(term),
                    Vote(term + 1),
                    Acknowledge(term, 10**9, True),
                    ChunkReceived(term, 10**9, False),
                    TimeoutNow(term),
                )
            await leader.propose(command())
        assert leader.status().term == term


async def test_one_with_the_secret_that_speaks_for_a_member_is_refused_by_its_incarnation(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with undisturbed(tmp_path) as group:
        leader = await group.leader()
        victim = (await group.followers())[0].settings.node_id
        await eventually(lambda: connected(leader, victim))
        caplog.clear()
        for _ in range(5):
            with Intruder(leader, victim) as intruder:
                assert await asyncio.to_thread(intruder.enter)
                intruder.say(Hello(0, "aa", 1, "x", ""), RequestVote(99, 10**9, 98, True))
                await asyncio.to_thread(until_closed, intruder.connection)
        await counted(leader, "member", 5)
        assert connected(leader, victim)
        (named,) = warnings(caplog)
        assert f"{victim} comes with another data directory than before (incarnation aa" in named


# ── Descriptors ────────────────────────────────

_EXHAUSTED = """
    import logging, resource, socket, sys, time
    from cluster.sockets import SocketReactor

    logging.basicConfig(level=logging.ERROR)

    class Receiver:
        def opened(self): pass
        def received(self, data): pass
        def closed(self, reason): pass

    class Acceptor:
        count = 0
        def accepted(self, stream):
            self.count += 1
            self.streams.append(stream)
            return Receiver()
        streams = []

    port = int(sys.argv[1])
    reactor, acceptor = SocketReactor(), Acceptor()
    reactor.listen(f"127.0.0.1:{port}", acceptor)
    resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))

    def until(check):
        ends = time.monotonic() + 10
        while not check():
            assert time.monotonic() < ends, (acceptor.count, reactor.listening)
            reactor.wait(0.01)

    held = []
    try:
        while True:
            held.append(socket.socket())
    except OSError:
        pass
    for sock in held[-1:]:  # one to dial with, none to accept with
        sock.settimeout(5)
        sock.connect(("127.0.0.1", port))
    until(lambda: not reactor.listening)
    assert acceptor.count == 0
    ends = time.monotonic() + 0.7
    until(lambda: time.monotonic() > ends)  # it tries again, in vain
    for sock in held[:-1]:
        sock.close()
    until(lambda: acceptor.count == 1)
    assert reactor.listening
    reactor.close()
    print("accepts again")
"""


async def test_running_out_of_descriptors_does_not_end_listening() -> None:
    """The stock listener is unbound for good after that."""

    def run() -> subprocess.CompletedProcess[str]:
        script = textwrap.dedent(_EXHAUSTED)
        return subprocess.run(
            [sys.executable, "-c", script, str(free_port())], capture_output=True, text=True, timeout=30, check=False
        )

    done = await asyncio.to_thread(run)
    assert done.stdout == "accepts again\n", done.stderr
    assert done.stderr.count("cannot accept connections now: [Errno 24] Too many open files") == 1


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger="cluster.strangers")
