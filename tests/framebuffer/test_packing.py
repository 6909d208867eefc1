"""A command is encoded to the same bytes as by redis-py, only faster."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio.connection import Connection, UnixDomainSocketConnection
from redis.exceptions import DataError

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
