"""A virtual network: streams between hosts that delay, hold, reorder against one another, break, and lie about it.

A stream delivers in order, each stream at its own pace, so what travels on two of them overtakes. What a closed
stream had under way is lost, or still arrives before the news of the end: so old data may come after a reconnect.
A cut holds what is sent (the hosts' kernels try again) until it heals, or breaks the streams then.
"""

from collections.abc import Callable
from random import Random
from typing import Any, Protocol

from cluster.errors import PortInUse
from cluster.reactor import Receiver
from tests.simulation.agenda import Agenda, HostClock

WINDOW_BYTES = 128 << 10
"""what the kernels of both sides hold of a stream that nobody reads"""
DIALS = 8
DIALLED_AGAIN_S = 0.25
"""a kernel repeats what opens a connection so often, at such intervals (in life after 1 s; here all times are short)"""
RESENT_AFTER_S = 0.2


class Port(Protocol):
    """One process' side of the network: see reactor.py."""

    host: str
    clock: HostClock
    alive: bool

    def deliver(self, end: "End", kind: str, what: Any) -> None:
        """Something arrived at this host for this process."""
        ...


class Link:
    """One direction from a host to another."""

    __slots__ = ("bytes_per_s", "cuts", "extra_s")

    def __init__(self) -> None:
        self.cuts = 0
        self.extra_s = 0.0
        self.bytes_per_s = 0.0
        """0: as fast as it is sent"""


class End:
    """One side of a stream: see cluster.reactor.Stream."""

    def __init__(self, network: "Network", reactor: Port, remote: str) -> None:
        self._network = network
        self.reactor = reactor
        self.remote = remote
        self.peer: End | None = None
        self.receiver: Receiver | None = None
        self.open = True
        """false once this side knows that it is over"""
        self.vanishing = False
        """what is sent from here disappears, and nobody is told"""
        self.late_s = 0.0
        self.arrives_at = 0.0
        """when the latest data sent from here arrives"""
        self.under_way = 0
        """bytes sent from here and not read there yet"""
        self.held: list[tuple[str, Any, float]] = []
        """sent from here during a cut, and when"""

    @property
    def unsent(self) -> int:
        """See Stream."""
        return max(0, self.under_way - WINDOW_BYTES)

    def send(self, data: bytes) -> None:
        """See Stream."""
        if self.open and self.peer is not None:
            self.under_way += len(data)
            self._network.carry(self, "data", data)

    def close(self) -> None:
        """See Stream."""
        if self.open:
            self.open = False
            self._network.carry(self, "end", "closed by the other side")

    def take(self, kind: str, what: Any) -> None:
        """Something arrives here; called in this side's `wait`."""
        if kind == "data" and self.peer is not None:
            self.peer.under_way -= len(what)
        if not self.open or self.receiver is None:
            return
        if kind == "data":
            self.receiver.received(what)
        elif kind == "opened":
            self.receiver.opened()
        else:
            self.open = False
            self.receiver.closed(what)


class Network:
    """All hosts' links. `delay_s`: a message's shortest and longest way."""

    def __init__(self, agenda: Agenda, draw: Random, *, delay_s: tuple[float, float]) -> None:
        self._agenda = agenda
        self._draw = draw
        self._delay_s = delay_s
        self._links: dict[tuple[str, str], Link] = {}
        self._listening: dict[str, Port] = {}
        self._streams: list[tuple[End, End]] = []
        self.refusing: set[str] = set()
        """addresses that refuse to be dialled"""
        self.off: set[str] = set()
        """hosts without power"""
        self.slowest_s = 0.0
        """the longest that any data was under way so far"""

    def link(self, source: str, target: str) -> Link:
        """From one host to another."""
        found = self._links.get((source, target))
        if found is None:
            found = self._links[source, target] = Link()
        return found

    # ── What nodes cause ────────────────────────────────

    def listen(self, address: str, reactor: Port) -> None:
        """PortInUse."""
        if address in self._listening:
            raise PortInUse(address)
        self._listening[address] = reactor

    def dial(self, dialler: Port, address: str, receiver: Receiver) -> End:
        """Ends in `opened` or `closed` at the receiver."""
        end = End(self, dialler, address)
        end.receiver = receiver
        self._way(end, address.rpartition(":")[0], self._connect, end, address, DIALS)
        return end

    def _connect(self, end: End, address: str, more: int) -> None:
        host, source = address.rpartition(":")[0], end.reactor.host
        if self.link(source, host).cuts or self.link(host, source).cuts or self.is_off(host):
            if more and end.open:
                self._agenda.after(DIALLED_AGAIN_S, self._connect, end, address, more - 1)
            else:
                end.reactor.deliver(end, "closed", "timed out")
            return
        target = self._listening.get(address)
        if target is None or address in self.refusing:
            self._agenda.after(self._delay(host, source), end.reactor.deliver, end, "closed", "refused")
            return
        if not end.open or not end.reactor.alive:
            return
        other = End(self, target, f"{source}:{self._draw.randrange(32768, 61000)}")
        end.peer, other.peer = other, end
        self._streams = [pair for pair in self._streams if not _over(pair)]
        self._streams.append((end, other))
        target.deliver(other, "accepted", None)
        self.carry(other, "opened", None)

    def carry(self, end: End, kind: str, what: Any, sent_at: float | None = None) -> None:
        """From this side to the other: data, or the news of the end."""
        peer = end.peer
        if peer is None or end.vanishing:
            return
        if self.link(end.reactor.host, peer.reactor.host).cuts:
            end.held.append((kind, what, self._agenda.now))
            return
        if sent_at is None:
            sent_at = self._agenda.now
        size = len(what) if kind == "data" else 0
        self._way(end, peer.reactor.host, self._arrive, end, kind, what, sent_at, size=size)

    def _way(self, end: End, target: str, action: Callable[..., None], *args: Any, size: int = 0) -> None:
        source = end.reactor.host
        leaves = max(end.reactor.clock.virtual(), self._agenda.now)
        link = self.link(source, target)
        arrives = leaves + self._delay(source, target) + end.late_s
        if link.bytes_per_s and size:
            arrives = max(arrives, end.arrives_at) + size / link.bytes_per_s
        end.arrives_at = max(arrives, end.arrives_at)
        self._agenda.at(end.arrives_at, action, *args)

    def _delay(self, source: str, target: str) -> float:
        shortest, longest = self._delay_s
        return shortest + (longest - shortest) * self._draw.random() ** 3 + self.link(source, target).extra_s

    def _arrive(self, end: End, kind: str, what: Any, sent_at: float) -> None:
        peer = end.peer
        if peer is None or end.vanishing:
            return
        self.slowest_s = max(self.slowest_s, self._agenda.now - sent_at)
        if not peer.reactor.alive:
            # Nobody knows of this stream there. A host that is up says so, one without power says nothing.
            if kind == "data" and not self.is_off(peer.reactor.host):
                self._refuse(end, peer)
            return
        if kind == "data" and not peer.open:
            self._refuse(end, peer)
        peer.reactor.deliver(peer, "closed" if kind == "end" else kind, what)

    def _refuse(self, end: End, peer: End) -> None:
        way = self._delay(peer.reactor.host, end.reactor.host)
        self._agenda.after(way, end.reactor.deliver, end, "closed", "reset")

    # ── What happens to it ────────────────────────────────

    def is_off(self, host: str) -> bool:
        """Whether this host is without power."""
        return host in self.off

    def end_process(self, reactor: Port, *, power: bool) -> None:
        """The process is gone. Its kernel closes its streams, unless that is gone too."""
        reactor.alive = False
        self._listening = {address: other for address, other in self._listening.items() if other is not reactor}
        for pair in self._streams:
            for end in pair:
                if end.reactor is reactor and end.open:
                    end.open = False
                    if not power:
                        self.carry(end, "end", "reset")
                    elif end.peer is not None:
                        end.held.clear()

    def cut(self, source: str, target: str) -> None:
        """Hold everything in this direction. Cuts add up."""
        self.link(source, target).cuts += 1

    def heal(self, source: str, target: str) -> None:
        """Take one cut back."""
        link = self.link(source, target)
        link.cuts = max(0, link.cuts - 1)
        if link.cuts:
            return
        for end in [end for pair in self._streams for end in pair]:
            if end.reactor.host == source and end.peer is not None and end.peer.reactor.host == target and end.held:
                held, end.held = end.held, []
                if self._draw.random() < 0.3:
                    self._break(end, end.peer, lose=3)
                    continue
                end.arrives_at = max(end.arrives_at, self._agenda.now + self._draw.random() * RESENT_AFTER_S)
                for kind, what, sent_at in held:
                    self.carry(end, kind, what, sent_at)

    def mend(self, one: str, other: str) -> None:
        """Take every cut between two hosts back."""
        for source, target in ((one, other), (other, one)):
            if self.link(source, target).cuts:
                self.link(source, target).cuts = 1
                self.heal(source, target)

    def heal_all(self) -> None:
        """Every direction is as it was in the beginning."""
        for (source, target), link in self._links.items():
            link.extra_s = link.bytes_per_s = 0.0
            if link.cuts:
                link.cuts = 1
                self.heal(source, target)
        self.refusing.clear()

    def between(self, one: str, other: str) -> list[tuple[End, End]]:
        """The streams of two hosts, of which a side is still open."""
        return [
            pair
            for pair in self._streams
            if {pair[0].reactor.host, pair[1].reactor.host} == {one, other} and not _over(pair)
        ]

    def reset(self, one: str, other: str, *, lose: int) -> int:
        """Break their streams; see _break. How many these were."""
        pairs = self.between(one, other)
        for first, second in pairs:
            self._break(first, second, lose=lose)
        return len(pairs)

    def lag(self, one: str, other: str, late_s: float) -> list[End]:
        """What `one` sends from now on over its present streams arrives that much later. Its sides of them."""
        ends = [end for pair in self.between(one, other) for end in pair if end.reactor.host == one]
        for end in ends:
            end.late_s = late_s
        return ends

    def abandon(self, end: End) -> None:
        """This side takes the stream for broken and may dial anew; the other side still reads what is under way."""
        if end.open and end.reactor.alive:
            self.carry(end, "end", "reset")
            end.reactor.deliver(end, "closed", "timed out")

    def silence(self, one: str, other: str, *, both: bool) -> int:
        """Their streams stay, but what the one sends on them disappears. How many these were."""
        pairs = self.between(one, other)
        for pair in pairs:
            for end in pair:
                end.vanishing = end.vanishing or both or end.reactor.host == one
        return len(pairs)

    def _break(self, first: End, second: End, *, lose: int) -> None:
        """Both sides hear of the end. `lose` 1, 2: what the one or the other has under way is lost; 3: both's."""
        for bit, end, peer in ((1, first, second), (2, second, first)):
            if lose & bit:
                end.vanishing = True
                way = self._delay(end.reactor.host, peer.reactor.host)
                self._agenda.after(way, peer.reactor.deliver, peer, "closed", "reset")
            else:
                self.carry(end, "end", "reset")


def _over(pair: tuple[End, End]) -> bool:
    return not any(end.open and end.reactor.alive for end in pair)
