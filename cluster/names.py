"""Host names, looked up beside the Raft thread: a name server that does not answer must not silence a heartbeat."""

import ipaddress
import logging
import socket
import threading

from cluster.clock import now
from cluster.settings import split_address

log = logging.getLogger(__name__)

KEPT_S = 60.0
"""A found name is looked up again after so long; the former answer serves until the new one is there."""

Endpoint = tuple[socket.AddressFamily, tuple[str, int]]


class Names:
    """`endpoint` answers at once; a name that it does not know yet it looks up in the background."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[float, socket.AddressFamily, str]] = {}
        self._asking: set[str] = set()
        self._failed: set[str] = set()

    def endpoint(self, address: str) -> Endpoint | None:
        """Where `host:port` is; None while it is not known: ask again later."""
        host, port = split_address(address)
        try:
            literal = ipaddress.ip_address(host)
        except ValueError:
            pass
        else:
            return (socket.AF_INET if literal.version == 4 else socket.AF_INET6), (host, port)
        known = self._found.get(host)
        if (known is None or now() - known[0] > KEPT_S) and host not in self._asking:
            self._asking.add(host)
            threading.Thread(target=self._look_up, args=(host,), name=f"look up {host}", daemon=True).start()
        return None if known is None else (known[1], (known[2], port))

    def _look_up(self, host: str) -> None:
        try:
            family, _, _, _, where = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
        except (OSError, UnicodeError) as error:  # the latter: no name can be so
            if host not in self._failed:
                log.warning("the name %s cannot be looked up: %s; it is tried again", host, error)
            self._failed.add(host)
        else:
            self._found[host] = (now(), family, str(where[0]))
            self._failed.discard(host)
        finally:
            self._asking.discard(host)
