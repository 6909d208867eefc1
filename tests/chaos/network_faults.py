"""Faults of a plant's network, one at a time, each with the proof that it happened and that it was healed.

They are made for a plant, begun, healed, and asked for their proof, as the recorder does with the faults of processes:
`cut_faults` for nodes in network namespaces, `link_faults` for nodes whose Raft links go through Toxiproxy.
"""

import itertools
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Literal

from orchestrator.dev.local import Leader, LocalPlant
from orchestrator.dev.waiting import until
from tests.chaos.namespace_plant import NamespacePlant
from tests.chaos.netns import Network
from tests.chaos.raft_links import RaftLinks
from tests.chaos.toxiproxy import Link

LEADER_S = 10.0
NOTICED_S = 10.0
READY_S = 30.0
LOOK_S = 0.02
DELAY_MS, JITTER_MS = 20, 5
NARROW_KB_S = 48
"""Heartbeats pass easily, what a dozen clients change hardly."""
PROBE_BYTES = 4096
LOST_PERCENT = 10
"""Few enough that TCP goes on, at a pace that makes some heartbeats late."""
DATAGRAMS = 100

Who = Literal["leader", "follower"]
Way = Literal["both ways", "in", "out"]


class _Fault:
    """One fault, once: `begin`, whatever time it shall last, `heal`. `happened` is the proof, in a line.

    Of the leader: another one is waited for before the fault counts as begun. NotReached when what shall come of a
    fault does not come, NetworkFailed and ToxiproxyFailed when it could not be made.
    """

    def __init__(self, plant: LocalPlant, who: Who) -> None:
        self._plant = plant
        self._who = who
        self._proof: list[str] = []
        self._began = 0.0
        self.node_id = ""
        self.others: list[str] = []

    async def begin(self) -> None:
        """Make it happen, and return when it has."""
        first = await self._plant.current_leader(LEADER_S)
        ids = [node.id for node in self._plant.topology.nodes]
        at = ids.index(first.node_id)
        # The one after the leader: as leaders change, it is each in turn.
        self.node_id = ids[at] if self._who == "leader" else ids[(at + 1) % len(ids)]
        self.others = [node_id for node_id in ids if node_id != self.node_id]
        self._began = time.monotonic()
        await self._begin(first)

    async def heal(self) -> None:
        """Undo it, and return when every node is ready again."""
        await self._heal()
        await self._plant.wait_ready(seconds=READY_S)

    def happened(self) -> str:
        """What proves it."""
        return "; ".join(self._proof)

    async def _begin(self, first: Leader) -> None:
        raise NotImplementedError

    async def _heal(self) -> None:
        raise NotImplementedError

    async def _noticed(self, first: Leader) -> None:
        """Wait for what a node that is out of touch leads to: another leader, or a follower without one."""
        if self._who == "leader":
            second = await self._plant.other_leader(first, seconds=LEADER_S)
            self._proof.append(f"{second} after {first}, {time.monotonic() - self._began:.2f} s later")
            return
        await until(self._has_no_leader, seconds=NOTICED_S, what=f"{self.node_id} without a leader", interval=LOOK_S)
        self._proof.append(f"{self.node_id} knew no leader {time.monotonic() - self._began:.2f} s later")

    async def _has_no_leader(self) -> bool:
        answer = await self._plant.ask(self.node_id, "/v1/cluster")
        return answer is not None and answer.status_code == 200 and answer.json()["leader"] is None


class Cut(_Fault):
    """A node is cut off from the other nodes: both ways, or only what comes in, or only what goes out.

    A follower that nobody hears still hears its leader, so nothing has to come of that cut. Clients and Redis reach
    every node all the time.
    """

    def __init__(self, plant: LocalPlant, who: Who, way: Way) -> None:
        super().__init__(plant, who)
        self._network = _network(plant)
        self._way = way
        self._is_noticed = who == "leader" or way != "out"
        self._dropped_before = 0

    async def _begin(self, first: Leader) -> None:
        self._dropped_before = await self._dropped()
        if self._way == "both ways":
            await self._network.cut([self.node_id], self.others)
        elif self._way == "in":
            await self._network.cut_one_way(self.others, [self.node_id])
        else:
            await self._network.cut_one_way([self.node_id], self.others)
        if self._is_noticed:
            await self._noticed(first)
        for source, target in self._ways():
            if await self._network.passes(source, target):
                raise AssertionError(f"{source} still reaches {target}")
        # A history in which nobody asks the one that is cut off would not show what it says.
        answer = await self._plant.ask(self.node_id, "/v1/cluster")
        if answer is None or answer.status_code != 200:
            raise AssertionError(f"{self.node_id} is cut off from its clients as well")

    async def _heal(self) -> None:
        # Counted at the end: what the nodes themselves tried is in it.
        self._proof.append(f"{self._way}: {await self._dropped() - self._dropped_before} packets dropped")
        await self._network.heal()
        for way in self._ways():
            await until(partial(self._network.passes, *way), seconds=NOTICED_S, what=f"{way[0]} reaching {way[1]}")
        self._proof.append(f"{self.node_id} and {', '.join(self.others)} reach each other again")

    async def _dropped(self) -> int:
        return sum([await self._network.dropped([source], [target]) for source, target in self._ways()])

    def _ways(self) -> list[tuple[str, str]]:
        into = [(other, self.node_id) for other in self.others]
        out = [(self.node_id, other) for other in self.others]
        return {"both ways": into + out, "in": into, "out": out}[self._way]


class PairCut(Cut):
    """A follower is cut off from the leader, or from the other follower, and the third node reaches both.

    Nothing has to come of it: there is a majority either way, and who hears a leader helps nobody to depose it.
    """

    def __init__(self, plant: LocalPlant, who: Who) -> None:
        super().__init__(plant, who, "both ways")
        self._is_noticed = False

    async def _begin(self, first: Leader) -> None:
        self.others = [next(other for other in self.others if other != first.node_id)]
        await super()._begin(first)


class Loss(_Fault):
    """Some of the packets between any two nodes are lost, by chance. Leaders may change, or not."""

    def __init__(self, plant: LocalPlant) -> None:
        super().__init__(plant, "leader")
        self._network = _network(plant)
        self._pairs = list(itertools.combinations((node.id for node in plant.topology.nodes), 2))
        self._dropped_before = 0

    async def _begin(self, first: Leader) -> None:
        self._dropped_before = await self._dropped()
        for one, other in self._pairs:
            await self._network.lose([one], [other], LOST_PERCENT)
        self._proof.append(f"under {first}")
        for one, other in self._pairs:
            arrived = await self._network.arriving(one, other, DATAGRAMS)
            if not 0 < arrived < DATAGRAMS:
                raise AssertionError(f"{arrived} of {DATAGRAMS} datagrams from {one} arrive at {other}: some shall")

    async def _heal(self) -> None:
        self._proof.append(f"{LOST_PERCENT} % lost: {await self._dropped() - self._dropped_before} packets dropped")
        await self._network.heal()
        for one, other in self._pairs:
            arrived = await self._network.arriving(one, other, DATAGRAMS)
            if arrived != DATAGRAMS:
                raise AssertionError(f"only {arrived} of {DATAGRAMS} datagrams from {one} arrive at {other}, healed")
        self._proof.append("all nodes reach each other again")

    async def _dropped(self) -> int:
        return sum([await self._network.dropped([one, other], [other, one]) for one, other in self._pairs])


def _network(plant: LocalPlant) -> Network:
    if not isinstance(plant, NamespacePlant):
        raise TypeError(f"only hosts in network namespaces can be cut off, and this is a {type(plant).__name__}")
    return plant.network


class Toxic(_Fault):
    """Something is done to every Raft link of a node. `act` does it to one link."""

    def __init__(self, plant: LocalPlant, links: RaftLinks, who: Who, act: Callable[[Link], Awaitable[None]]) -> None:
        super().__init__(plant, who)
        self._links = links
        self._act = act

    async def _begin(self, first: Leader) -> None:
        links = self._links.of(self.node_id)
        before = sum(link.accepted() for link in links)
        for link in links:
            await self._act(link)
        await self._noticed(first)
        done = {name for link in links for name in await link.toxics()}
        again = sum(link.accepted() for link in links) - before
        self._proof.append(f"{', '.join(sorted(done)) or 'closed'} on {len(links)} links, {again} times dialled again")

    async def _heal(self) -> None:
        await self._links.heal()
        self._proof.append("every link clean")


class Slow(_Fault):
    """Every Raft link takes longer. The leader stays; a linearizable read, which asks a majority, takes as long."""

    def __init__(self, plant: LocalPlant, links: RaftLinks) -> None:
        super().__init__(plant, "leader")
        self._links = links

    async def _begin(self, first: Leader) -> None:
        for link in self._links.all():
            await link.delay(DELAY_MS, jitter_ms=JITTER_MS)
        answer = await self._plant.call("GET", "/v1/components?consistency=linearizable", node_id=first.node_id)
        took, least = answer.elapsed.total_seconds() * 1000, 2 * (DELAY_MS - JITTER_MS)
        if took < least:
            raise AssertionError(f"a read of a majority took {took:.1f} ms over links that delay it by {least} ms")
        self._proof.append(
            f"links slower by {DELAY_MS} ± {JITTER_MS} ms each way: a read of a majority took {took:.0f} ms"
        )

    async def _heal(self) -> None:
        await self._links.heal()
        self._proof.append("every link clean")


class Narrow(_Fault):
    """Every Raft link carries little: what is said stands in line, heartbeats too. Leaders may change, or not."""

    def __init__(self, plant: LocalPlant, links: RaftLinks) -> None:
        super().__init__(plant, "leader")
        self._links = links

    async def _begin(self, first: Leader) -> None:
        for link in self._links.all():
            await link.throttle(NARROW_KB_S)
        value = {"value": secrets.token_hex(PROBE_BYTES // 2)}
        answer = await self._plant.call("PUT", "/v1/variables/narrow-links", json=value, node_id=first.node_id)
        took, least = answer.elapsed.total_seconds() * 1000, PROBE_BYTES / NARROW_KB_S / 1.024
        if answer.is_success and took < least:
            raise AssertionError(f"{PROBE_BYTES} bytes took {took:.1f} ms over links on which they take {least:.1f} ms")
        self._proof.append(
            f"links of {NARROW_KB_S} kB/s: a change of {PROBE_BYTES} bytes took {took:.0f} ms ({answer.status_code})"
        )

    async def _heal(self) -> None:
        await self._links.heal()
        self._proof.append("every link clean")


MakeNetworkFault = Callable[[LocalPlant], _Fault]


def cut_faults() -> Mapping[str, MakeNetworkFault]:
    """Faults for a NamespacePlant, by name."""
    return {
        "leader-cut-off": lambda plant: Cut(plant, "leader", "both ways"),
        "leader-unheard": lambda plant: Cut(plant, "leader", "out"),
        "leader-deaf": lambda plant: Cut(plant, "leader", "in"),
        "follower-cut-off": lambda plant: Cut(plant, "follower", "both ways"),
        "follower-unheard": lambda plant: Cut(plant, "follower", "out"),
        "follower-deaf": lambda plant: Cut(plant, "follower", "in"),
        "pair-with-leader-cut": lambda plant: PairCut(plant, "leader"),
        "pair-of-followers-cut": lambda plant: PairCut(plant, "follower"),
        "packets-lost": Loss,
    }


def link_faults(links: RaftLinks) -> Mapping[str, MakeNetworkFault]:
    """Faults for a plant that was started with `links.topology`, by name."""
    return {
        "links-slow": lambda plant: Slow(plant, links),
        "links-narrow": lambda plant: Narrow(plant, links),
        "leader-links-reset": lambda plant: Toxic(plant, links, "leader", Link.reset),
        "leader-links-half-open": lambda plant: Toxic(plant, links, "leader", Link.half_open),
        "follower-links-half-open": lambda plant: Toxic(plant, links, "follower", Link.half_open),
        "leader-links-closed": lambda plant: Toxic(plant, links, "leader", Link.down),
    }
