"""A bound socket, or the reason why there is none."""

import errno
import socket
import time

from cluster.errors import AddressUnusable, PortInUse
from cluster.settings import split_address

ATTEMPTS = 20
PAUSE_S = 0.1
BACKLOG = 64


def listener(address: str) -> socket.socket:
    """Listens at `host:port`; tries for up to 2 s while that is in use. Blocks. PortInUse, AddressUnusable."""
    host, port = split_address(address)
    try:
        family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:  # the latter: no name can be so
        raise AddressUnusable(address, str(error)) from error
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE_S)
        bound = socket.socket(family, socket.SOCK_STREAM)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(where)
            bound.listen(BACKLOG)
            bound.setblocking(False)
        except OSError as error:
            bound.close()
            if error.errno != errno.EADDRINUSE:
                raise AddressUnusable(address, str(error.strerror)) from error
        else:
            return bound
    raise PortInUse(address)
