"""Where the server is, as one text. Pure.

::

    redis://[user[:password]@]host[:port][/database]            one server; rediss:// for TLS, unix:// for a socket
    redis+sentinel://[user[:password]@]host[:port],host[:port],.../service[/database]
    redis+cluster://[user[:password]@]host[:port],host[:port],...[?shards=3]

User and password are the data servers'. ``rediss+sentinel`` and ``rediss+cluster`` take TLS for every connection.
Behind ``?`` may stand redis-py's ``ssl_*`` options; for Sentinel also ``sentinel_username`` and ``sentinel_password``;
for a cluster ``shards``, the number of parts that the streams are split into: the same for everybody who uses them.
"""

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import msgspec

__all__ = ["DEFAULT_SHARDS", "SHARDS_MAX", "ServerAddress", "address_of", "url_of", "without_secrets"]

DEFAULT_SHARDS = 3
SHARDS_MAX = 64

_PORTS = {"sentinel": 26379, "cluster": 6379}
_SECRETS = frozenset({"password", "sentinel_password", "ssl_password"})


class ServerAddress(msgspec.Struct, frozen=True):
    """A URL of the second or third form, taken apart. ``nodes``: the sentinels, or the first nodes of a cluster."""

    kind: str  # "sentinel" or "cluster"
    nodes: tuple[tuple[str, int], ...]
    service: str = ""
    database: int = 0
    shards: int = 1
    tls: bool = False
    username: str | None = None
    password: str | None = None
    sentinel_username: str | None = None
    sentinel_password: str | None = None
    options: tuple[tuple[str, str], ...] = ()  # ssl_*


def address_of(url: str) -> ServerAddress | None:
    """None for the plain forms. Errors: ValueError; its text never repeats the URL, which may hold a password."""
    scheme, found, rest = url.partition("://")
    plain, _, kind = scheme.lower().partition("+")
    if not found or not kind:
        return None
    if plain not in ("redis", "rediss") or kind not in _PORTS:
        raise ValueError("begins with neither redis+sentinel:// nor redis+cluster:// (rediss+... for TLS)")
    parts = urlsplit(f"//{rest}")
    user, _, places = parts.netloc.rpartition("@")
    username, _, password = user.partition(":")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    sentinel = kind == "sentinel"
    shards = 1 if sentinel else _count(options.pop("shards", str(DEFAULT_SHARDS)), "shards", 1, SHARDS_MAX)
    sentinel_username = options.pop("sentinel_username", None) if sentinel else None
    sentinel_password = options.pop("sentinel_password", None) if sentinel else None
    if odd := [name for name in options if not name.startswith("ssl_")]:
        raise ValueError(f"{', '.join(sorted(odd))}: no option of a {kind} URL")
    path = [unquote(part) for part in parts.path.split("/")[1:]]
    service, database = "", 0
    if sentinel:
        if not path or not path[0]:
            raise ValueError("a sentinel URL ends with the name of the primary, as in redis+sentinel://h1,h2/frames")
        service, path = path[0], path[1:]
        database = _count(path[0], "the database", 0, 99_999) if path and path[0] else 0
        path = path[1:]
    elif path == ["0"]:
        path = []  # a cluster has this database only
    if any(path):
        raise ValueError(f"what follows the nodes of a {kind} URL is not understood")
    return ServerAddress(
        kind=kind,
        nodes=tuple(_node(place, _PORTS[kind]) for place in places.split(",")),
        service=service,
        database=database,
        shards=shards,
        tls=plain == "rediss",
        username=unquote(username) or None,
        password=unquote(password) or None,
        sentinel_username=sentinel_username,
        sentinel_password=sentinel_password,
        options=tuple(sorted(options.items())),
    )


def url_of(
    kind: str,
    nodes: Sequence[str],
    *,
    service: str = "",
    shards: int = 1,
    tls: bool = False,
    options: Mapping[str, str] | None = None,
) -> str:
    """The URL of ``nodes`` (``host:port``), without credentials."""
    query = dict(options or {})
    if kind == "cluster":
        query["shards"] = str(shards)
    base = f"redis{'s' if tls else ''}+{kind}://{','.join(nodes)}"
    return base + (f"/{service}" if service else "") + (f"?{urlencode(query)}" if query else "")


def without_secrets(url: str) -> str:
    """The URL for people and logs."""
    scheme, found, rest = url.partition("://")
    if not found:
        return "?"
    head, _, query = rest.partition("?")
    place, slash, path = head.partition("/")
    kept = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name not in _SECRETS]
    return f"{scheme}://{place.rpartition('@')[2]}{slash}{path}" + (f"?{urlencode(kept)}" if kept else "")


def _node(place: str, port: int) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{place}")
        host, given = parts.hostname, parts.port
    except ValueError:
        raise ValueError("a node is host or host:port, IPv6 in brackets") from None
    if not host or parts.path or parts.query:
        raise ValueError("needs at least one node, as host or host:port with commas between them")
    return host, port if given is None else given


def _count(text: str, what: str, least: int, most: int) -> int:
    if not text.isascii() or not text.isdecimal() or not least <= int(text) <= most:
        raise ValueError(f"{what} must be a number from {least} to {most}")
    return int(text)
