"""Which web page may ask a node: those that a member of the cluster served. Pure.

Browsers say where a page came from (`Origin`), and whether it is another site's (`Sec-Fetch-Site`). The API takes its
credential from the `Authorization` header alone, so a foreign page has none to misuse; but a node on loopback that asks
for no token would do what any page in the operator's browser tells it. So a page of a foreign origin changes nothing.

Where no token is asked for, the name in `Host` counts too: a foreign page whose own name is made to resolve to
127.0.0.1 looks like one of ours in everything else.
"""

import functools
import ipaddress
from collections.abc import Collection, Iterable
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}
_OWN = {"127.0.0.1": "localhost", "localhost": "127.0.0.1"}


def origin_of(url: str) -> str:
    """`scheme://host[:port]` as a browser writes it: lower case, without the scheme's own port. "" when it is none."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""
    if parts.scheme not in _PORTS or not host:
        return ""
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + ("" if port in (None, _PORTS[parts.scheme]) else f":{port}")


def also_localhost(origins: Iterable[str]) -> set[str]:
    """The same, and those on this machine's own address by its name, too: people open pages as `localhost`.

    `127.0.0.1` and `localhost` are two origins to a browser, and one program to whoever is on this machine.
    """
    found = set(origins)
    for origin in tuple(found):
        host = urlsplit(origin).hostname
        if host in _OWN:
            found.add(origin.replace(f"//{host}", f"//{_OWN[host]}", 1))
    return found


def is_ours(origin: str, host: str, members: Collection[str], *, open_to_all: bool) -> bool:
    """Whether a page of `origin` belongs to this cluster.

    Args:
        origin: the header `Origin`; "null" and what is no origin is nobody's.
        host: the header `Host`: a page that came from this very address, perhaps through a proxy, is ours.
        members: origins of the members' APIs, as `origin_of` writes them.
        open_to_all: no token is asked for here. Then only a name of this host itself makes a page ours by `host`.
    """
    asked = origin_of(origin)
    if not asked or asked != origin.lower().rstrip("/"):
        return False
    if asked in members:
        return True
    # The proxy in front may have taken TLS off: the scheme of the page is not that of this connection.
    same = any(asked == origin_of(f"{scheme}://{host}") for scheme in _PORTS)
    return same and (not open_to_all or is_this_host(host))


@functools.lru_cache(maxsize=1024)  # asked with every request, and clients ask for few names
def is_this_host(host: str) -> bool:
    """Whether a `Host` header names this machine to itself: localhost, or an address of the loopback network."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def is_host_of(host: str, members: Collection[str]) -> bool:
    """Whether `host`, a `Host` header, is where one of the members is reached."""
    return any(origin_of(f"{scheme}://{host}") in members for scheme in _PORTS)
