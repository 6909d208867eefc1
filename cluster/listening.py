"""Whether an address can be listened on, asked before pysyncobj tries: it does not say why it cannot."""

import errno
import socket
import time

from cluster.errors import AddressUnusable, PortInUse
from cluster.settings import split_address

ATTEMPTS = 20
PAUSE_S = 0.1


def probe(address: str) -> None:
    """Bind and release `host:port`, for up to 2 s while it is in use. Blocks. PortInUse, AddressUnusable."""
    host, port = split_address(address)
    try:
        family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise AddressUnusable(address, str(error)) from error
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE_S)
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(where)
                listener.listen(1)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise AddressUnusable(address, str(error.strerror)) from error
            else:
                return
    raise PortInUse(address)
