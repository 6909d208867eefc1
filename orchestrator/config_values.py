"""Ids, addresses and URLs as the settings hold them. A check returns the value or raises ValueError.

No message repeats a URL: it might hold a password.
"""

import ipaddress
import re
from urllib.parse import parse_qsl, urlsplit

from cluster.settings import split_address

__all__ = [
    "checked_address",
    "checked_api_url",
    "checked_id",
    "checked_network",
    "checked_otlp_url",
    "checked_redis_url",
    "host_and_port",
]

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_][A-Za-z0-9_-]{0,62}(?:\.[A-Za-z0-9_-]{1,63})*\.?")
_NUMERIC = re.compile(r"[0-9.]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# What a URL may tell redis-py. The rest either holds secrets or would undo what the client relies on.
_REDIS_OPTIONS = frozenset({"ssl_ca_certs", "ssl_cert_reqs", "ssl_certfile", "ssl_check_hostname", "ssl_keyfile"})


def checked_id(value: str) -> str:
    """The id of a node."""
    if not _ID.fullmatch(value):
        raise ValueError("an id is 1 to 64 letters, digits, '.', '_' or '-', and begins with a letter or digit")
    return value


def checked_address(value: str) -> str:
    """`host:port`, IPv6 in brackets."""
    host, _ = split_address(value)
    _check_host(host, bracketed=value.startswith("["))
    return value


def checked_network(value: str) -> str:
    """`10.0.0.7`, or `10.0.0.0/8`."""
    try:
        ipaddress.ip_network(value)
    except ValueError as error:
        raise ValueError(f"neither an address nor a network: {error}") from None
    return value


def _check_host(host: str, *, bracketed: bool) -> None:
    if bracketed or ":" in host:
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise ValueError("the host in brackets is not an IPv6 address") from None
        if not bracketed:
            raise ValueError(f"an IPv6 address stands in brackets: [{host}]:PORT")
    elif not _HOST.fullmatch(host):
        raise ValueError("the host is neither a name nor an address")
    elif _NUMERIC.fullmatch(host):
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            raise ValueError("the host looks like an IPv4 address, and is none") from None


def host_and_port(url: str) -> str:
    """`http://host:port` → `host:port`, brackets of IPv6 kept."""
    return urlsplit(url).netloc


def checked_api_url(value: str) -> str:
    """`http://host:port` or `https://host:port`; a slash at the end is taken off."""
    try:
        parts = urlsplit(value)
    except ValueError:
        raise ValueError("not a URL") from None
    if parts.scheme not in ("http", "https"):
        raise ValueError("begins with neither http:// nor https://")
    if "@" in parts.netloc:
        raise ValueError("holds a user name or password; api.token is what opens the API")
    if parts.path not in ("", "/") or "?" in value or "#" in value:
        raise ValueError("is http://host:port alone, without a path")
    try:
        checked_address(parts.netloc)
    except ValueError as error:
        raise ValueError(f"needs a host and a port: {error}") from None
    return f"{parts.scheme}://{parts.netloc.lower()}"


def checked_redis_url(value: str) -> str:
    """`redis://host:port/database` or `rediss://…`, without a password."""
    try:
        parts = urlsplit(value)
        _, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("not a URL redis://host:port/database") from None
    if _CONTROL.search(value) or " " in value:
        raise ValueError("holds white space")
    if parts.scheme not in ("redis", "rediss"):
        raise ValueError("begins with neither redis:// nor rediss://")
    user, _, place = parts.netloc.rpartition("@")
    options = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    if ":" in user or "password" in options or "ssl_password" in options:
        raise ValueError("holds a password, which would be shown to clients; redis.password is the place for it")
    if options - _REDIS_OPTIONS:
        raise ValueError(f"options that may stand after '?': {', '.join(sorted(_REDIS_OPTIONS))}")
    if parts.fragment or not re.fullmatch(r"/?[0-9]{0,5}", parts.path):
        raise ValueError("what follows the port is the number of a database, as in redis://host:6379/0")
    try:
        checked_address(place if port is not None else f"{place.removesuffix(':')}:6379")
    except ValueError as error:
        raise ValueError(f"needs a host: {error}") from None
    return value


def checked_otlp_url(value: str) -> str:
    """`http://host:port` or `https://…`, with a path or without; no user name, no password, no query."""
    try:
        parts = urlsplit(value)
        _, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("not a URL http://host:port") from None
    if _CONTROL.search(value) or " " in value:
        raise ValueError("holds white space")
    if parts.scheme not in ("http", "https"):
        raise ValueError("begins with neither http:// nor https://")
    if "@" in parts.netloc:
        raise ValueError("holds a user name or password; OTEL_EXPORTER_OTLP_HEADERS is the place for a credential")
    if "?" in value or "#" in value:
        raise ValueError("is http://host:port, or with a path behind it; nothing else")
    try:
        checked_address(parts.netloc if port is not None else f"{parts.netloc.removesuffix(':')}:4318")
    except ValueError as error:
        raise ValueError(f"needs a host: {error}") from None
    return value
