"""A command is encoded to the same bytes as by redis-py, only faster."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio.connection import Connection, UnixDomainSocketConnection
from redis.exceptions import ConnectionError, DataError

from framebuffer.connection import connect
from framebuffer.packing import PackingConnection, PackingSSLConnection, packing

ARGUMENTS = st.lists(
    st.one_of(
        st.text(), st.binary(max_size=9000), st.integers(), st.binary().map(lambda data: memoryview(data)), st.floats()
    ),
    max_size=8,
)
NAMES = st.sampled_from(["FCALL", "CONFIG GET", b"XADD", b"CLIENT INFO", "\u00e9", "A\tB"])


def packed(connection: Connection, command: tuple[Any, ...]) -> bytes:
    return b"".join(bytes(part) for part in connection.pack_command(*command))


@given(NAMES, ARGUMENTS)
def test_the_bytes_are_the_same(name: str | bytes, arguments: list[Any]) -> None:
    command = (name, *arguments)
    assert packed(PackingConnection(), command) == packed(Connection(), command)


@pytest.mark.parametrize(("wrong", "error"), [(None, DataError), (True, DataError), ("\ud800", UnicodeEncodeError)])
def test_what_is_no_argument_is_refused_alike(wrong: Any, error: type[Exception]) -> None:
    for connection in (Connection(), PackingConnection()):
        with pytest.raises(error):
            connection.pack_command("SET", wrong)


def test_every_client_encodes_so() -> None:
    kinds = {url: connect(url).connection_pool.connection_class for url in ("redis://h:1/0", "rediss://h:1/0")}
    assert list(kinds.values()) == [PackingConnection, PackingSSLConnection]
    moving = connect("redis+sentinel://h1,h2/frames").connection_pool.connection_class
    assert issubclass(moving, PackingConnection)
    assert packing(UnixDomainSocketConnection) is UnixDomainSocketConnection


class ClosedTransport:
    """What uvloop does with a write to a transport that it has closed meanwhile."""

    def __init__(self, error: RuntimeError) -> None:
        self._error = error

    def writelines(self, _: Any) -> None:
        raise self._error

    def close(self) -> None:
        """As often as one likes."""


@pytest.mark.anyio
async def test_a_connection_that_the_loop_has_closed_is_a_lost_one() -> None:
    """A node ended by that RuntimeError when a host was lost."""
    closed = RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")
    connection: Any = PackingConnection()
    connection._reader, connection._writer = object(), ClosedTransport(closed)
    with pytest.raises(ConnectionError, match=r"the connection is closed: .*handler is closed"):
        await connection.send_packed_command([b"PING"], check_health=False)
    connection._reader, connection._writer = object(), ClosedTransport(NotImplementedError())
    with pytest.raises(NotImplementedError):
        await connection.send_packed_command([b"PING"], check_health=False)
