"""What a client says became of an operation, against servers that do the worst at each step.

A client that is sure where it cannot be would make right histories look wrong, and wrong ones look right.
"""

import asyncio
import itertools
import math
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.dev.local import LocalPlant
from orchestrator.dev.topology import on_free_ports
from orchestrator.drills.histories import register_clients as clients
from orchestrator.drills.histories.http_link import Broken, HttpLink, NotSent
from orchestrator.drills.histories.register_clients import Register, RegisterClient, Seen, Unexpected
from tests.chaos.recording import Recording, record
from tests.support import eventually, free_port

pytestmark = pytest.mark.anyio

SHOWN = b'{"name":"r","value":7,"revision":42,"time":1.0}'


def answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def problem(status: int, code: str) -> bytes:
    return answer(f"{status} No", b'{"code":"%s"}' % code.encode())


OK = answer("200 OK", SHOWN, 'ETag: "42"')
HANG_UP, HANG = b"", None


class Server:
    """Gives the next of `answers` to each request, however many connections there are; the last one again and again."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.heads: list[str] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.heads.append(head.decode())
                length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Le")), 0)
                await reader.readexactly(length)
                said = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if said is HANG:
                    await reader.read()
                elif said:
                    writer.write(said)
                    continue
                break
        except asyncio.IncompleteReadError:
            pass  # the client has gone
        finally:
            writer.close()


@asynccontextmanager
async def serving(*answers: bytes | None) -> AsyncIterator[tuple[Server, int]]:
    server = Server(*answers)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    async with listening:
        yield server, listening.sockets[0].getsockname()[1]


@asynccontextmanager
async def client_of(*ports: int, repeat: float = 0.0, hasty: float = 0.0) -> AsyncIterator[RegisterClient]:
    nodes = [("127.0.0.1", port) for port in ports]
    client = RegisterClient(3, nodes, itertools.count(7), random.Random(1), token="t", repeat=repeat, hasty=hasty)
    try:
        yield client
    finally:
        client.close()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "TIMEOUT_S", 0.2)


# ── The connection ────────────────────────────────


async def test_a_connection_stays_open() -> None:
    async with serving(OK) as (server, port), HttpLink("127.0.0.1", port) as link:
        for _ in range(3):
            found = await link.exchange("GET", "/x", timeout=1)
            assert (found.status, found.body, found.headers["etag"]) == (200, SHOWN, '"42"')
        assert (server.connections, len(server.heads)) == (1, 3)
        assert server.heads[0].startswith("GET /x HTTP/1.1\r\nHost: 127.0.0.1:")


async def test_an_answer_without_a_body_is_followed_by_the_next() -> None:
    async with serving(b"HTTP/1.1 204 No Content\r\n\r\n", OK) as (server, port), HttpLink("127.0.0.1", port) as link:
        assert (await link.exchange("DELETE", "/x", timeout=1)).status == 204
        assert (await link.exchange("GET", "/x", timeout=1)).status == 200
        assert server.connections == 1


async def test_a_server_that_closes_after_its_answer_is_dialled_again() -> None:
    async with (
        serving(answer("200 OK", SHOWN, "Connection: close"), OK) as (server, port),
        HttpLink("127.0.0.1", port) as link,
    ):
        await link.exchange("GET", "/x", timeout=1)
        await link.exchange("GET", "/x", timeout=1)
        assert server.connections == 2


async def test_nothing_was_sent_where_nobody_listens() -> None:
    async with HttpLink("127.0.0.1", free_port()) as link:
        with pytest.raises(NotSent):
            await link.exchange("GET", "/x", timeout=1)


@pytest.mark.parametrize(
    "said",
    [
        HANG_UP,
        HANG,
        OK[:-5],
        OK[:20],
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"220 mail.example ESMTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"x" * 100_000,
    ],
)
async def test_what_is_no_answer_breaks_the_connection(said: bytes | None) -> None:
    async with serving(said, OK) as (server, port), HttpLink("127.0.0.1", port) as link:
        with pytest.raises(Broken):
            await link.exchange("GET", "/x", timeout=0.2)
        assert (await link.exchange("GET", "/x", timeout=1)).status == 200, "the next one gets its own answer"
        assert server.connections == 2


# ── Operations ────────────────────────────────


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (OK, "ok"),
        (answer("201 Created", SHOWN, 'ETag: "42"'), "ok"),
        (problem(503, "no_leader"), "failed"),
        (problem(503, "queue_full"), "failed"),
        (problem(503, "node_stopped"), "failed"),
        (problem(504, "outcome_unknown"), "unknown"),
        (HANG_UP, "unknown"),
        (HANG, "unknown"),
        (OK[:-5], "unknown"),
    ],
)
async def test_what_became_of_a_write(said: bytes | None, outcome: str) -> None:
    async with serving(said) as (server, port), client_of(port) as client:
        register = Register("r", 9)
        done = await client.write(register)
        assert (done.client, done.kind, done.key, done.value, done.expected) == (3, "write", "r", 7, None)
        assert done.outcome == outcome
        assert math.isinf(done.returned) == (outcome == "unknown")
        assert register.seen == (Seen(7, 42) if outcome == "ok" else Seen())
        [head] = server.heads
        assert "If-" not in head
        assert "\r\nIdempotency-Key: r.7\r\nAuthorization: Bearer t\r\n" in head


async def test_a_write_to_nobody_has_failed() -> None:
    async with client_of(free_port()) as client:
        assert (await client.write(Register("r", 9))).outcome == "failed"


async def test_a_compare_and_set_asks_for_what_was_seen() -> None:
    async with (
        serving(problem(412, "precondition_failed"), OK, problem(412, "precondition_failed")) as (server, port),
        client_of(port) as client,
    ):
        register = Register("r", 9)
        first, second, third = [await client.compare_and_set(register) for _ in range(3)]
        assert [(each.outcome, each.expected) for each in (first, second, third)] == [
            ("mismatch", None),
            ("ok", None),
            ("mismatch", 8),
        ]
        assert ["If-None-Match: *" in head for head in server.heads] == [True, True, False]
        assert 'If-Match: "42"' in server.heads[2]


@pytest.mark.parametrize(
    ("said", "outcome", "value"),
    [
        (OK, "ok", 7),
        (problem(404, "variable_unknown"), "ok", None),
        (problem(503, "no_leader"), "failed", None),
        (problem(503, "too_stale"), "failed", None),
        (problem(503, "read_timed_out"), "failed", None),
        (HANG_UP, "failed", None),
        (HANG, "failed", None),
    ],
)
async def test_what_a_read_saw(said: bytes | None, outcome: str, value: int | None) -> None:
    async with serving(said) as (server, port), client_of(port) as client:
        seen = await client.read(Register("r", 9), "stale", 0.5)
        assert (seen.kind, seen.outcome, seen.value) == ("read", outcome, value)
        assert server.heads[0].startswith("GET /v1/variables/r?consistency=stale&max_stale=0.5 ")


@pytest.mark.parametrize(
    ("said", "act"),
    [
        (problem(500, "internal"), lambda client: client.write(Register("r", 9))),
        (problem(503, "redis_unavailable"), lambda client: client.write(Register("r", 9))),
        (problem(503, "too_stale"), lambda client: client.write(Register("r", 9))),
        (problem(404, "not_found"), lambda client: client.read(Register("r", 9), "leader")),
        (problem(412, "precondition_failed"), lambda client: client.write(Register("r", 9))),
        (answer("200 OK", SHOWN, 'ETag: "41"'), lambda client: client.read(Register("r", 9), "leader")),
    ],
)
async def test_an_answer_that_must_not_be_is_no_outcome(
    said: bytes, act: Callable[[RegisterClient], "asyncio.Future[object]"]
) -> None:
    async with serving(said) as (_, port), client_of(port) as client:
        with pytest.raises(Unexpected):
            await act(client)


# ── Asking again under the key ────────────────────────────────


@pytest.mark.parametrize(
    ("then", "outcome"),
    [(OK, "ok"), (problem(412, "precondition_failed"), "mismatch"), (problem(503, "no_leader"), "unknown")],
)
async def test_an_unknown_outcome_is_asked_for_again(then: bytes, outcome: str) -> None:
    """A refusal is certain of the second attempt only: the first may still be done."""
    async with (
        serving(problem(504, "outcome_unknown"), then, problem(503, "no_leader")) as (server, port),
        client_of(port, repeat=1.0) as client,
    ):
        done = await client.compare_and_set(Register("r", 9))
        assert done.outcome == outcome
        assert {head.split("Idempotency-Key: ")[1].split("\r\n")[0] for head in server.heads} == {"r.7"}
        assert client.repeated == len(server.heads) - 1 > 0
        assert math.isinf(done.returned) == (outcome == "unknown")


async def test_what_was_never_sent_again_stays_unknown() -> None:
    """The node is gone by the second attempt: nothing more is learnt, and nothing becomes certain."""
    async with client_of(free_port(), repeat=1.0) as client:
        async with serving(HANG_UP) as (server, port):
            client._links = [HttpLink("127.0.0.1", port)]
            listening = asyncio.ensure_future(client.write(Register("r", 9)))
            while not server.heads:
                await asyncio.sleep(0)
        assert (await listening).outcome == "unknown"


async def test_a_hasty_client_does_not_know_what_it_did() -> None:
    async with serving(HANG) as (server, port), client_of(port, hasty=1.0) as client:
        for count in (1, 2):
            assert (await client.write(Register("r", 9))).outcome == "unknown"
            await eventually(lambda count=count: len(server.heads) == count)  # type: ignore[misc]


async def test_a_node_that_does_not_answer_is_left_alone_for_a_while() -> None:
    async with serving(OK) as (server, port), client_of(free_port(), port) as client:
        register = Register("r", 9)
        outcomes = [(await client.write(register)).outcome for _ in range(20)]
        assert outcomes.count("failed") <= 2
        assert len(server.heads) == outcomes.count("ok")


async def test_a_node_that_finds_no_leader_is_left_alone_but_by_reads_of_its_own_state() -> None:
    async with (
        serving(problem(503, "no_leader")) as (alone, at),
        serving(OK) as (_, port),
        client_of(at, port) as client,
    ):
        register = Register("r", 9)
        outcomes = [(await client.write(register)).outcome for _ in range(20)]
        outcomes += [(await client.read(register, "leader")).outcome for _ in range(20)]
        assert len(alone.heads) == outcomes.count("failed") == 1
        for _ in range(20):
            await client.read(register, "stale")
        assert len(alone.heads) > 1


# ── A recording that is stopped ────────────────────────────────


async def test_a_change_that_is_cancelled_is_under_way() -> None:
    async with serving(HANG) as (server, port), client_of(port) as client:
        writing = asyncio.ensure_future(client.write(Register("r", 9)))
        await eventually(lambda: len(server.heads) == 1)
        writing.cancel()
        await asyncio.wait([writing])
        assert writing.cancelled()
        assert client.under_way is not None
        assert (client.under_way.kind, client.under_way.value) == ("write", 7)
        assert client.under_way.outcome == "unknown"
    async with serving(OK) as (_, port), client_of(port) as client:
        await client.write(Register("r", 9))
        assert client.under_way is None


async def test_what_stops_a_recording_leaves_a_history(tmp_path: Path) -> None:
    """Everybody's change may be done: without it, a read of its value would look invented."""
    async with serving(answer("500 No")) as (_, port):
        topology = on_free_ports(tmp_path)
        nodes = tuple(replace(node, api_port=port) for node in topology.nodes)
        recording = Recording()
        with pytest.raises(Unexpected, match="500"):
            await record(LocalPlant(replace(topology, nodes=nodes)), operations=9, seed=1, faults={}, into=recording)
    assert len(recording.history.changes) == len(recording.history) > 0
    assert {operation.outcome for operation in recording.history.changes} == {"unknown"}
    assert recording.seconds > 0
