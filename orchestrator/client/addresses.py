"""Which node is asked next: the leader if it is known, those that failed lately last. Pure: it is told the time.

The addresses given are asked for ever. Others are learned from the cluster's list of members, and only such as are
reached the same way (a client of https goes nowhere without it). Which address is whose, the headers of answers tell.
"""

from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import urlsplit

from orchestrator.client.errors import SettingsInvalid

REST_S = 2.0
"""How long an address that failed comes after the others, at least."""
REST_MAX_S = 30.0
REST_FACTOR = 5.0
"""So many times as long as it kept the caller waiting: one that hangs costs more than one that refuses at once."""
LEARNED_MAX = 64
MEMBERS_AGAIN_S = 60.0
"""At most so often the members are asked for while the leader's address is not known."""


def checked_addresses(urls: str | Iterable[str]) -> tuple[str, ...]:
    """The addresses, of a sequence or a comma list. Raises SettingsInvalid for one that is no http(s) URL, or none."""
    listed = urls.split(",") if isinstance(urls, str) else list(urls)
    found = tuple(dict.fromkeys(_plain(url.strip()) for url in listed if url.strip()))
    for url in found:
        try:
            parts = urlsplit(url)
            wrong = parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0
        except ValueError:
            raise SettingsInvalid(f"{url!r} is not an http:// or https:// address") from None
        if wrong:
            raise SettingsInvalid(f"{url!r} is not an http:// or https:// address")
        if parts.username or parts.password:
            raise SettingsInvalid("an address holds no user or password; a node asks for a token")
        if parts.query or parts.fragment:
            raise SettingsInvalid(f"{url!r} is not an address of a node: it has a query or a fragment")
    if not found:
        raise SettingsInvalid("no address given")
    return found


def _plain(url: str) -> str:
    """Without a slash at its end, its scheme in lower case: what begins with `https://` is asked by TLS."""
    scheme, colon, rest = url.rstrip("/").partition(":")
    return scheme.lower() + colon + rest


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL, "" for one that has none."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.hostname}:{port}" if parts.hostname and port else ""


class Addresses:
    """The nodes as this client knows them."""

    def __init__(self, given: Sequence[str]) -> None:
        self.given = tuple(given)
        self._learned: tuple[str, ...] = ()
        self._schemes = {urlsplit(url).scheme for url in self.given}
        self._nodes: dict[str, str] = {}
        self._resting: dict[str, float] = {}
        self._leader = ""
        self._last = self.given[0]
        self._asked_members = float("-inf")

    @property
    def known(self) -> tuple[str, ...]:
        """Those given, then those learned."""
        return (*self.given, *self._learned)

    @property
    def leader(self) -> str | None:
        """The address of the node that leads, as far as the last answer told."""
        return self._nodes.get(self._leader)

    def order(self, now: float, *, any_node: bool = False) -> list[str]:
        """Every address once, in the order in which they are worth asking."""
        leader = None if any_node else self.leader

        def rank(url: str) -> tuple[float, bool, bool]:
            rests_until = self._resting.get(url, now)
            return (rests_until if rests_until > now else 0.0, url != leader, url != self._last)

        return sorted(self.known, key=rank)  # stable: otherwise as given

    def failed(self, url: str, now: float, waited_s: float = 0.0) -> None:
        """Nothing came from there, or nothing that helps; it took `waited_s` seconds to find out."""
        self._resting[url] = now + min(REST_MAX_S, max(REST_S, REST_FACTOR * waited_s))
        if url == self.leader:
            self._leader = ""

    def answered(self, url: str, headers: Mapping[str, str]) -> None:
        """An answer came from `url`, with these headers (names in lower case)."""
        self._last = url
        self._resting.pop(url, None)
        # A node that passed the request on signs beside the leader, whose own headers those are.
        node = headers.get("x-triarch-forwarded-by") or headers.get("x-triarch-node")
        if node and url in self.known:
            self._nodes = {name: at for name, at in self._nodes.items() if at != url or name == node} | {node: url}
        if leader := headers.get("x-triarch-leader"):
            self._leader = leader

    def learn(self, members: Mapping[str, str]) -> None:
        """The members' addresses by id, as a node lists them."""
        known = {origin_of(url): url for url in self.given}
        learned: list[str] = []
        for node, address in list(members.items())[:LEARNED_MAX]:
            url = address.rstrip("/")
            if urlsplit(url).scheme not in self._schemes or not origin_of(url):
                continue
            if origin_of(url) not in known:
                if any(at in self.given for name, at in self._nodes.items() if name == node):
                    continue  # this member is reached by an address that was given; its own may be an inner one
                known[origin_of(url)] = url
                learned.append(url)
            self._nodes[node] = known[origin_of(url)]
        self._learned = tuple(learned)
        self._nodes = {node: url for node, url in self._nodes.items() if url in self.known}

    def asks_members(self, now: float) -> bool:
        """Whether to ask for the members now: some node leads, and it is not known where. Notes that it is done."""
        if not self._leader or self.leader is not None or now - self._asked_members < MEMBERS_AGAIN_S:
            return False
        self._asked_members = now
        return True
