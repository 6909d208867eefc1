"""Commands encoded in C: redis-py's asyncio connections join each argument in Python, a third of a producer's time."""

from typing import Any

import hiredis
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection

__all__ = ["PackingConnection", "PackingSSLConnection", "packing"]


class PackingConnection(Connection):
    """A connection that encodes a command at once."""

    def pack_command(self, *args: Any) -> list[Any]:
        """The bytes of one command. What is no argument of a command raises as it does with redis-py."""
        name = args[0]
        if isinstance(name, str) and name.split() == [name]:  # "CONFIG GET" is two
            try:
                return [hiredis.pack_command(args)]
            except (TypeError, ValueError):  # redis-py knows more kinds, and says what is wrong with the others
                pass
        packed: list[Any] = super().pack_command(*args)
        return packed


class PackingSSLConnection(PackingConnection, SSLConnection):
    """The same with TLS."""


def packing(kind: type[AbstractConnection]) -> type[AbstractConnection]:
    """The class that encodes so, of redis-py's own; any other as it is."""
    known: dict[type[AbstractConnection], type[AbstractConnection]] = {
        Connection: PackingConnection,
        SSLConnection: PackingSSLConnection,
    }
    return known.get(kind, kind)
