"""Commands encoded in C: redis-py's asyncio connections join each argument in Python, a third of a producer's time."""

from typing import Any

import hiredis
import redis.exceptions as redis_errors
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

    async def send_packed_command(self, *args: Any, **options: Any) -> None:
        """As redis-py's; a connection that the loop has closed meanwhile is one that is lost.

        uvloop says so with a RuntimeError, which nobody who calls a server expects: a node ended by it.
        """
        try:
            await super().send_packed_command(*args, **options)
        except RuntimeError as error:
            if type(error) is not RuntimeError:  # its kinds speak of the program
                raise
            raise redis_errors.ConnectionError(f"the connection is closed: {error}") from error


class PackingSSLConnection(PackingConnection, SSLConnection):
    """The same with TLS."""


def packing(kind: type[AbstractConnection]) -> type[AbstractConnection]:
    """The class that encodes so, of redis-py's own; any other as it is."""
    known: dict[type[AbstractConnection], type[AbstractConnection]] = {
        Connection: PackingConnection,
        SSLConnection: PackingSSLConnection,
    }
    return known.get(kind, kind)
