"""Whom this node has met, whom it turned away, and where it finds them."""

import logging
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster import DataDirUnreadable, clock
from cluster.disk import OsDisk
from cluster.names import KEPT_S, Names
from cluster.peers import Met, Peers
from cluster.sockets import SocketReactor
from cluster.strangers import AGAIN_S, NAMED_MAX, Strangers
from tests.support import eventually_sync, free_port


class Adjustable:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time

    wall = now


@pytest.fixture
def adjustable(monkeypatch: pytest.MonkeyPatch) -> Adjustable:
    own = Adjustable()
    monkeypatch.setattr(clock, "source", own)
    return own


# ── Peers ────────────────────────────────


def test_who_was_met_is_known_after_a_restart(tmp_path: Path) -> None:
    peers = Peers(OsDisk(tmp_path))
    assert peers.meet("n2", Met("aa", 1, "1.0")) is None
    assert peers.meet("n2", Met("aa", 2, "1.1")) is None  # upgraded
    peers.pin({"n2": "zz", "n3": "cc"})
    again = Peers(OsDisk(tmp_path))
    assert again.met == {"n2": Met("aa", 2, "1.1"), "n3": Met("cc")}
    assert again.incarnations() == {"n2": "aa", "n3": "cc"}


def test_another_incarnation_under_a_known_id_is_refused_with_what_to_do(tmp_path: Path) -> None:
    peers = Peers(OsDisk(tmp_path))
    peers.meet("n2", Met("aa"))
    peers.pin({"n3": "cc"})
    for _ in range(2):
        for member, before in (("n2", "aa"), ("n3", "cc")):
            reason = peers.meet(member, Met("ff"))
            assert reason is not None
            assert f"{member} comes with another data directory than before (incarnation ff, was {before})" in reason
            assert "remove the member, then add it under a new id with an empty data_dir" in reason
        peers = Peers(OsDisk(tmp_path))
    assert peers.incarnations() == {"n2": "aa", "n3": "cc"}
    peers.forget("n2")
    peers.forget("n2")
    assert Peers(OsDisk(tmp_path)).incarnations() == {"n3": "cc"}


def test_nothing_is_written_when_nothing_is_new(tmp_path: Path) -> None:
    peers = Peers(OsDisk(tmp_path))
    peers.meet("n2", Met("aa"))
    before = (tmp_path / "peers").stat().st_ino  # each write makes a new file
    peers.meet("n2", Met("aa"))
    peers.pin({"n2": "aa"})
    peers.forget("n9")
    assert (tmp_path / "peers").stat().st_ino == before


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"n2": {}}', b'{"n2": {"incarnation": 1}}'])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "peers").write_bytes(content)
    with pytest.raises(DataDirUnreadable, match="peers: the members met so far cannot be read"):
        Peers(OsDisk(tmp_path))


# ── Strangers ────────────────────────────────


def test_each_stranger_is_named_once_and_again_after_a_while(
    adjustable: Adjustable, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    strangers = Strangers()
    for _ in range(1000):
        strangers.refuse("secret", "10.0.0.9", "no secret")
    strangers.refuse("secret", "10.0.0.8", "no secret")
    strangers.refuse("protocol", "10.0.0.9", "nonsense")
    assert caplog.messages == [
        "refused 10.0.0.9: no secret",
        "refused 10.0.0.8: no secret",
        "refused 10.0.0.9: nonsense",
    ]
    caplog.clear()
    adjustable.time += AGAIN_S
    strangers.refuse("secret", "10.0.0.9", "no secret")
    strangers.refuse("secret", "10.0.0.9", "no secret")
    assert caplog.messages == ["refused 10.0.0.9: no secret (999 more times since this was last said)"]
    assert strangers.counts == {"handshake": 0, "secret": 1003, "protocol": 1, "member": 0, "crowd": 0}


def test_what_is_remembered_of_strangers_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    strangers = Strangers()
    for number in range(3 * NAMED_MAX):
        strangers.refuse("secret", f"host {number}", "no secret")
    assert len(strangers._named) == NAMED_MAX
    assert strangers.counts["secret"] == 3 * NAMED_MAX


# ── Names ────────────────────────────────


def test_addresses_need_no_looking_up() -> None:
    names = Names()
    assert names.endpoint("127.0.0.1:7101") == (socket.AF_INET, ("127.0.0.1", 7101))
    assert names.endpoint("[::1]:7101") == (socket.AF_INET6, ("::1", 7101))
    assert not names._asking


def test_a_name_is_known_after_it_was_looked_up() -> None:
    names = Names()
    assert names.endpoint("localhost:7101") is None
    found = eventually_sync(lambda: names.endpoint("localhost:7101"))
    assert found is not None
    assert found[1][1] == 7101
    assert names.endpoint("localhost:7102") == (found[0], (found[1][0], 7102))


class NameServer:
    """Answers when it is let; stands for the host's resolver, which cannot be made slow in a test."""

    def __init__(self) -> None:
        self.let = threading.Event()
        self.asked = 0
        self.answer: str | None = "192.0.2.1"

    def getaddrinfo(self, host: str, *_: Any, **__: Any) -> list[Any]:
        self.asked += 1
        self.let.wait(10)
        if self.answer is None:
            raise socket.gaierror(socket.EAI_NONAME, f"Name or service not known: {host}")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (self.answer, 0))]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    own = NameServer()
    monkeypatch.setattr("cluster.names.socket.getaddrinfo", own.getaddrinfo)
    yield own
    own.let.set()


def test_a_name_server_that_does_not_answer_blocks_nobody(server: NameServer) -> None:
    names = Names()
    began = time.monotonic()
    for _ in range(1000):
        assert names.endpoint("n2.plant:7101") is None
    assert time.monotonic() - began < 1
    assert server.asked == 1  # one question at a time
    server.let.set()
    eventually_sync(lambda: names.endpoint("n2.plant:7101") == (socket.AF_INET, ("192.0.2.1", 7101)))


def test_a_former_answer_serves_until_the_new_one_is_there(server: NameServer, adjustable: Adjustable) -> None:
    names = Names()
    server.let.set()
    names.endpoint("n2.plant:7101")
    eventually_sync(lambda: names.endpoint("n2.plant:7101"))
    server.let.clear()
    server.answer = "192.0.2.2"
    adjustable.time += KEPT_S + 1
    for _ in range(10):
        assert names.endpoint("n2.plant:7101") == (socket.AF_INET, ("192.0.2.1", 7101))
    server.let.set()
    eventually_sync(lambda: names.endpoint("n2.plant:7101") == (socket.AF_INET, ("192.0.2.2", 7101)))


def test_a_name_that_is_not_found_is_asked_for_again_and_said_once(
    server: NameServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    names = Names()
    server.let.set()
    server.answer = None
    eventually_sync(lambda: names.endpoint("n2.plant:7101") is None and server.asked >= 3)
    server.answer = "192.0.2.1"
    eventually_sync(lambda: names.endpoint("n2.plant:7101"))
    assert [message.partition(":")[0] for message in caplog.messages] == ["the name n2.plant cannot be looked up"]


@pytest.mark.parametrize("host", ["a" * 64, "n2..plant"])
def test_a_name_that_cannot_be_one_is_said_once_and_harms_nobody(host: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    names = Names()
    for _ in range(5):
        assert names.endpoint(f"{host}:7101") is None
        eventually_sync(lambda: not names._asking)
    assert [message.partition(":")[0] for message in caplog.messages] == [f"the name {host} cannot be looked up"]


class Recorder:
    """What a stream's receiver hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def opened(self) -> None:
        self.heard.append("opened")

    def received(self, data: bytes) -> None:
        self.heard.append(data.decode())

    def closed(self, reason: str) -> None:
        self.heard.append(reason)


def test_dialling_a_name_returns_at_once_and_fails_until_it_is_known(server: NameServer) -> None:
    reactor, recorder = SocketReactor(), Recorder()
    began = time.monotonic()
    reactor.dial(f"n2.plant:{free_port()}", recorder)
    assert recorder.heard == []  # never inside the call
    reactor.wait(5)
    assert recorder.heard == ["its name is not looked up yet"]
    assert time.monotonic() - began < 5  # the name server takes 10
    reactor.close()


def test_whoever_dials_without_end_keeps_this_node_from_nothing() -> None:
    address = f"127.0.0.1:{free_port()}"
    host, _, port = address.rpartition(":")
    dialled = []

    class Insatiable:
        def accepted(self, _stream: Any) -> Recorder:
            dialled.append(socket.create_connection((host, int(port))))  # the next one waits already
            assert len(dialled) < 500, "still accepting"
            return Recorder()

    reactor = SocketReactor()
    reactor.listen(address, Insatiable())
    dialled.append(socket.create_connection((host, int(port))))
    try:
        reactor.wait(1)
        before = len(dialled)
        reactor.wait(1)
        assert 1 < before < len(dialled)
    finally:
        reactor.close()
        for one in dialled:
            one.close()


def test_dialling_where_nobody_listens_says_so() -> None:
    reactor, recorder = SocketReactor(), Recorder()
    reactor.dial(f"127.0.0.1:{free_port()}", recorder)

    def heard() -> list[str]:
        reactor.wait(0.05)
        return recorder.heard

    eventually_sync(heard)
    assert recorder.heard == ["Connection refused"]
    reactor.close()
