"""Connections to the other members: pysyncobj's `Transport`, over sessions that are authenticated and encrypted.

There is one connection between two members, used both ways. The one with the greater id dials; a leader, and whoever
knows no leader, dials also those that it should not, because they may not know of it. Where two connections meet, the
one that the greater id dialled stays. Everything runs in the Raft thread.
"""

import logging

import msgspec
from pysyncobj.node import Node
from pysyncobj.transport import Transport

from cluster.clock import now
from cluster.host import Host
from cluster.identity import Identity
from cluster.link import Link
from cluster.messages import Alive, Append, Farewell, Hello, Message, consecutive
from cluster.peers import Met, Peers
from cluster.reactor import Receiver, Stream
from cluster.session import Session, session_key
from cluster.settings import ClusterSettings
from cluster.strangers import Strangers

log = logging.getLogger(__name__)

HANDSHAKE_S = 2.0
HANDSHAKES_MAX = 32
"""Connections that have not proved themselves; with more, the oldest goes."""
RECORD_SPARE = 1 << 19
SHORT_S = 1.0
"""A connection that did not last longer is tried again later and later, after up to `PAUSE_MAX_S`."""
PAUSE_MAX_S = 3.0
OUTBOX_MAX = 64
PAYLOADS_UNSENT_MAX = 8
"""Records of the greatest size that may wait for a member that does not read; then its connection is dropped."""


class PeerNode(Node):  # type: ignore[misc]  # pysyncobj carries no annotations
    """A member as pysyncobj knows it. Its hash does not depend on the process, so neither does the order of a set."""

    def __init__(self, id: str, address: str = "") -> None:
        super().__init__(id, address=address)
        self._hash = int.from_bytes(id.encode()[-8:], "big")

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, PeerNode) and self._id == other._id)


class PeerTransport(Transport):  # type: ignore[misc]  # pysyncobj carries no annotations
    """Give it to SyncObj. `level`: what this node knows, see Met."""

    def __init__(
        self, settings: ClusterSettings, host: Host, identity: Identity, peers: Peers, *, level: int, release: str
    ) -> None:
        super().__init__(None, None, [])
        self._own = settings.node_id
        self._settings = settings
        self._host = host
        self._identity = identity
        self._hello = Hello(0, identity.incarnation, level, release, settings.address)
        self._key = session_key(settings.secret.get_secret_value() if settings.secret else "", settings.cluster_name)
        self._payload_max = 2 * settings.command_bytes_max + RECORD_SPARE
        self.peers = peers
        self.strangers = Strangers()
        self._removed: frozenset[str] = frozenset()
        self.dials_all = False
        """a leader, and whoever knows none: it may be that those who should dial it do not know of it"""
        self.changes = 0
        """in who is connected, met, refused"""
        self._nodes: dict[str, PeerNode] = {}
        self._links: dict[str, Link] = {}
        self._dialling: dict[str, Link] = {}
        self._shaking: list[Link] = []
        self._dial_at: dict[str, float] = {}
        self._pause_s: dict[str, float] = {}
        self.farewells: dict[str, str] = {}
        """members that refuse this node, and why"""
        self._waited_from = now()

    # ── What pysyncobj asks for ────────────────────────────────

    def addNode(self, node: PeerNode) -> None:  # noqa: N802
        """A member more."""
        self._nodes[node.id] = node
        link = self._links.get(node.id)
        if link is None:
            return
        stranger = self._known(node.id, link)
        if stranger is not None:
            self.refuse(link, "member", stranger)
        else:
            self._onNodeConnected(node)

    def dropNode(self, node: PeerNode) -> None:  # noqa: N802
        """A member less, as this node's log has it. That may still be cut, so its connection stays: see `exclude`."""
        self._nodes.pop(node.id, None)
        for table in (self._dial_at, self._pause_s, self.farewells):
            table.pop(node.id, None)
        if node.id in self._dialling:
            self._drop(self._dialling[node.id], "it was removed")

    def send(self, node: PeerNode, message: Message | msgspec.Raw) -> bool:
        """Say something with the next `flush`; False when there is no connection."""
        link = self._links.get(node.id)
        if link is None:
            return False
        link.outbox.append(message)
        if isinstance(message, msgspec.Raw):
            link.outbox_bytes += len(message)
        return True

    def destroy(self) -> None:
        """Close everything."""
        for link in (*self._links.values(), *self._dialling.values(), *self._shaking):
            if link.stream is not None:
                link.stream.close()
                link.stream = None
        self._links, self._dialling, self._shaking = {}, {}, []

    # ── What Raft asks for ────────────────────────────────

    def listen(self) -> None:
        """PortInUse, AddressUnusable."""
        self._host.reactor.listen(self._settings.listen_address, self)

    def flush(self) -> None:
        """Put what was said on its way: one record a member."""
        for link in list(self._links.values()):
            link.flush()
            if link.stream is not None and link.stream.unsent > PAYLOADS_UNSENT_MAX * self._payload_max:
                self._drop(link, "it does not read what it is sent")

    def exclude(self, removed: frozenset[str]) -> None:
        """These were removed, and that is committed: they are told, and refused from now on."""
        for member in removed - self._removed:
            self.peers.forget(member)
            link = self._links.get(member)
            if link is not None:
                self.refuse(link, "member", _removed(member))
        self._removed = removed

    def congested(self, node: PeerNode) -> bool:
        """Whether much waits for this member already: more would only fill this node's memory."""
        link = self._links.get(node.id)
        return (
            link is None
            or link.stream is None
            or link.stream.unsent + link.outbox_bytes > self._payload_max
            or len(link.outbox) > OUTBOX_MAX
        )

    def show_life(self, term: int) -> None:
        """Members that have nothing to say are not taken for dead."""
        for link in self._links.values():
            if not link.outbox:
                link.outbox.append(Alive(term))

    def before_wait(self) -> None:
        """To be called before each wait: what a peer said while this process was paused still counts."""
        self._waited_from = now()

    def tick(self) -> None:
        """Dial whom there is no connection to, and drop what is silent or slow."""
        for link in list(self._links.values()):
            if self._waited_from - link.heard_at > self._settings.connection_timeout_s:
                self._drop(link, f"nothing was heard for {self._settings.connection_timeout_s:g} s")
        for link in (*self._shaking, *self._dialling.values()):
            if self._waited_from - link.began_at > HANDSHAKE_S:
                if link.dialled:
                    self._drop(link, "no answer")
                else:
                    self.refuse(link, "handshake", f"it did not prove itself within {HANDSHAKE_S:g} s")
        for node in self._nodes.values():
            if node.id not in self._links and node.id not in self._dialling and (self.dials_all or self._own > node.id):
                self._dial(node)

    # ── Links ────────────────────────────────

    def _dial(self, node: PeerNode) -> None:
        instant = now()
        if instant < self._dial_at.get(node.id, instant):
            return
        self._dial_at[node.id] = instant + self._pause_s.get(node.id, self._settings.connection_retry_s)
        link = Link(self, self._session(node.id), dialled=True)
        self._dialling[node.id] = link
        link.stream = self._host.reactor.dial(node.address, link)

    def accepted(self, stream: Stream) -> Receiver:
        """See Acceptor."""
        link = Link(self, self._session(None), dialled=False)
        link.stream = stream
        self._shaking.append(link)
        if len(self._shaking) > HANDSHAKES_MAX:
            self.refuse(self._shaking[0], "crowd", "too many connections that have not proved themselves")
        link.write(link.session.start())
        return link

    def _session(self, peer: str | None) -> Session:
        return Session(
            self._key,
            cluster=self._settings.cluster_name,
            own=self._own,
            peer=peer,
            payload_bytes_max=self._payload_max,
            entropy=self._host.entropy,
        )

    def established(self, link: Link) -> None:
        """The handshake is done; say who we are."""
        link.outbox.append(self._hello)
        link.flush()

    def heard(self, link: Link, message: Message) -> None:
        """A message came."""
        peer = link.session.peer
        if not link.met:
            if isinstance(message, Hello):
                self._meet(link, message)
            else:
                self.refuse(link, "protocol", f"{peer} did not say who it is first")
            return
        if isinstance(message, Append) and not consecutive(message):
            self.refuse(link, "protocol", f"{peer} sent log entries with a gap")
            return
        if isinstance(message, Farewell):
            self.changes += 1
            self.strangers.name(peer, f"it refuses this node: {message.reason}")
            self.farewells[peer] = message.reason
        elif not isinstance(message, Hello | Alive):
            if self.farewells.pop(peer, None) is not None:  # it takes part again: the removal was taken back
                self.changes += 1
            self._onMessageReceived(self._nodes.get(peer) or PeerNode(peer), message)

    def _meet(self, link: Link, hello: Hello) -> None:
        peer = link.session.peer
        if peer in self._removed:
            self.refuse(link, "member", _removed(peer))
            return
        link.hello = hello
        # Who is no member yet is not pinned: it may begin anew with another directory until it is added.
        stranger = self._known(peer, link) if peer in self._nodes else None
        if stranger is not None:
            self.refuse(link, "member", stranger)
            return
        link.met = True
        link.began_at = now()
        former = self._links.get(peer)
        if former is not None:
            if self._rightly_dialled(former) and not self._rightly_dialled(link):
                self._drop(link, "there is one already")
                return
            self._drop(former, "a newer connection takes its place")
        self._forget(link)
        self._links[peer] = link
        log.log(self._loudness(peer), "connected to %s (%s, release %s)", peer, hello.address, hello.release)
        self.changes += 1
        node = self._nodes.get(peer)
        if node is not None:
            self._onNodeConnected(node)

    def _known(self, peer: str, link: Link) -> str | None:
        assert link.hello is not None  # noqa: S101 - it was met
        return self.peers.meet(peer, Met(link.hello.incarnation, link.hello.level, link.hello.release))

    def _loudness(self, peer: str) -> int:
        return logging.DEBUG if peer in self._pause_s else logging.INFO

    def _rightly_dialled(self, link: Link) -> bool:
        return link.dialled == (self._own > link.session.peer)

    # ── Endings ────────────────────────────────

    def refuse(self, link: Link, kind: str, reason: str) -> None:
        """Drop a link for what came over it."""
        who = link.session.peer if link.session.established else ""
        if link.stream is not None and not who:
            who = link.stream.remote if link.dialled else link.stream.remote.rpartition(":")[0]
        self.strangers.refuse(kind, who or "a peer", reason)
        if kind == "member" and link.session.established:
            link.outbox = [Farewell(0, reason)]
            link.flush()
        self._drop(link, reason)

    def _drop(self, link: Link, reason: str) -> None:
        if link.stream is not None:
            link.stream.close()
            link.stream = None
        self.lost(link, reason)

    def lost(self, link: Link, reason: str) -> None:
        """A link is gone."""
        self.changes += 1
        self._forget(link)
        peer = link.session.peer
        if peer and self._links.get(peer) is link:
            del self._links[peer]
            log.log(self._loudness(peer), "lost the connection to %s: %s", peer, reason)
            retry = self._settings.connection_retry_s
            if now() - link.began_at < SHORT_S:
                # It refuses this node, or goes down again and again: no need to find that out five times a second.
                self._pause_s[peer] = min(2 * self._pause_s.get(peer, retry), max(retry, PAUSE_MAX_S))
            else:
                self._pause_s.pop(peer, None)
                self.farewells.pop(peer, None)
            node = self._nodes.get(peer)
            if node is not None:
                self._onNodeDisconnected(node)

    def _forget(self, link: Link) -> None:
        if link in self._shaking:
            self._shaking.remove(link)
        if self._dialling.get(link.session.peer) is link:
            del self._dialling[link.session.peer]


def _removed(member: str) -> str:
    return f"{member} was removed from the cluster; it may come back under a new id"
