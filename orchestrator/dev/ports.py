"""Free TCP ports of the loopback interface."""

import random
import socket
from collections.abc import Iterable

from orchestrator.dev.errors import NotReached
from orchestrator.errors import AddressInUse

# Below the range that the kernel gives to outgoing connections (32768 on Linux, 49152 elsewhere): a port that a
# killed node left for some seconds must not become the local end of somebody's connection.
FIRST, LAST = 20_000, 32_000
TRIES = 2_000
ADVICE = "stop what listens there, or choose others: --api-port, --raft-port, --redis-port"


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: the waiting state of a closed connection does not make a port taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """Return `count` different ports that are free now. Raises NotReached when the machine has none left."""
    found: list[int] = []
    for _ in range(TRIES):
        if len(found) == count:
            return found
        port = random.randrange(FIRST, LAST)  # noqa: S311  spreads runs that start at once; no secret
        if port not in found and is_free(port):
            found.append(port)
    raise NotReached(f"{count} free ports", 0.0, f"{len(found)} found")


def require_free(ports: Iterable[int]) -> None:
    """Raise AddressInUse for the first of `ports` that something else listens on."""
    for port in ports:
        if not is_free(port):
            raise AddressInUse(f"port {port} of 127.0.0.1 is in use; {ADVICE}")
