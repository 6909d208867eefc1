"""Hosts in network namespaces on one switch, and cuts between them. Needs root on Linux, `ip` and `nft`.

        switch, a namespace with a bridge: ports n1, n2, n3, host
          │        │        │        │
    eth0 in n1  … n2    … n3     a link of this machine's own namespace

Every packet between two of them, this machine included, is forwarded by the bridge, and there it is dropped, so that no
end of a connection learns of it. Nothing stands in this machine's own namespace but the one link, its address and its
route. Namespaces and link carry the process id; the next run removes those of a process that is gone.

Delay is not here: the kernels of many small machines have no netem. `tests/chaos/toxiproxy.py` delays.
"""

import asyncio
import ctypes
import ipaddress
import itertools
import json
import os
import random
import re
import shutil
import socket
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from orchestrator.dev.errors import PlantError

HOST = "host"
"""Name of this machine's own port of the switch."""
PREFIX = "triarch"
SUBNETS = ipaddress.IPv4Network("198.18.0.0/15")  # for benchmarks of networks, RFC 2544: routed nowhere
PROBE_S = 0.3  # a datagram that arrives does so within a millisecond; the rest is for a busy machine
CLONE_NEWNET = 0x40000000  # linux/sched.h

_NAMESPACE = re.compile(rf"{PREFIX}-(\d+)-\S+")
_counter = itertools.count()


class NetworkFailed(PlantError):
    """A command of the network failed, or did not have its effect."""

    code = "network_failed"


def missing_tools() -> list[str]:
    """Programs this needs that are not on the PATH."""
    return [name for name in ("ip", "nft") if shutil.which(name) is None]


async def run(*argv: str, given: str = "") -> str:
    """Run a command, `given` on its standard input, and return its output. Raises NetworkFailed."""
    # No pipe to what reads none: under uvloop, a write to one that has ended raises.
    stdin = asyncio.subprocess.PIPE if given else asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=stdin, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate(given.encode() if given else None)
    if process.returncode:
        raise NetworkFailed(f"{' '.join(argv)}: exit status {process.returncode}: {err.decode().strip()}")
    return out.decode()


async def namespaces() -> list[str]:
    """Names of all network namespaces that `ip netns` knows."""
    return [line.split()[0] for line in (await run("ip", "netns", "list")).splitlines()]


async def remove_left_behind() -> list[str]:
    """Remove the namespaces of runs that were killed; their names. What was in them goes with them."""
    dead = [name for name in await namespaces() if (made := _NAMESPACE.fullmatch(name)) and not _lives(int(made[1]))]
    for name in dead:
        await run("ip", "netns", "del", name)
    return dead


def _lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def socket_in(namespace: str | None, kind: socket.SocketKind) -> socket.socket:
    """An IPv4 socket that lives in a namespace, non-blocking, to be used from here; None is this machine's own."""
    if namespace is None:
        made = socket.socket(socket.AF_INET, kind)
        made.setblocking(False)
        return made
    found: list[socket.socket | BaseException] = []

    def enter() -> None:
        # A namespace belongs to a thread, a socket to the namespace in which it was made: this thread moves, and ends.
        try:
            with Path("/var/run/netns", namespace).open("rb") as place:
                if ctypes.CDLL(None, use_errno=True).setns(place.fileno(), CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), f"setns to {namespace}")
            found.append(socket.socket(socket.AF_INET, kind))
        except BaseException as error:  # noqa: BLE001  raised again by the caller
            found.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    (one,) = found
    if isinstance(one, BaseException):
        raise one
    one.setblocking(False)
    return one


class Network:
    """Hosts that reach each other and this machine by a switch, until the block is left. Host names are identifiers."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self.hosts = tuple(hosts)
        self._mark = f"{os.getpid()}-{next(_counter)}"
        self._switch = f"{PREFIX}-{self._mark}-switch"
        # At most 15 characters: "tri", 7 digits of the process id, "-", the rest
        self._uplink = f"tri{self._mark}"
        self._addresses: Mapping[str, str] = {}
        self._cuts: dict[tuple[str, str], str] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await remove_left_behind()
        async with AsyncExitStack() as stack:
            await self._build(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def _build(self, stack: AsyncExitStack) -> None:
        subnet = await _unused_subnet()
        addresses = [str(address) for address in itertools.islice(subnet.hosts(), len(self.hosts) + 1)]
        self._addresses = dict(zip((HOST, *self.hosts), addresses, strict=True))
        for name in (self._switch, *map(self._name, self.hosts)):
            await run("ip", "netns", "add", name)
            stack.push_async_callback(run, "ip", "netns", "del", name)
        await run("ip", "-n", self._switch, "link", "add", "bridge", "up", "type", "bridge", "stp_state", "0")
        await run("ip", "link", "add", self._uplink, "type", "veth", "peer", "name", HOST, "netns", self._switch)
        # By hand and first: with its namespace it would go a moment after the block was left.
        stack.push_async_callback(run, "ip", "link", "del", self._uplink)
        for host in self.hosts:
            inside = self._name(host)
            await run(
                *("ip", "link", "add", "eth0", "netns", inside, "type", "veth", "peer", "name", host),
                *("netns", self._switch),
            )
            await run(
                "ip", "-n", inside, "address", "add", f"{self._addresses[host]}/{subnet.prefixlen}", "dev", "eth0"
            )
            await run("ip", "-n", inside, "link", "set", "eth0", "up")
            await run("ip", "-n", inside, "link", "set", "lo", "up")
        for port in (HOST, *self.hosts):
            await run("ip", "-n", self._switch, "link", "set", port, "master", "bridge", "up")
        await run("ip", "address", "add", f"{self._addresses[HOST]}/{subnet.prefixlen}", "dev", self._uplink)
        await run("ip", "link", "set", self._uplink, "up")
        counters = "".join(f"counter {_pair(*pair)} {{}}\n" for pair in itertools.permutations(self._addresses, 2))
        chain = "chain forward { type filter hook forward priority 0; policy accept; }"
        await self._nft(f"table bridge faults {{\n{counters}{chain}\n}}\n")

    def address(self, host: str) -> str:
        """IPv4 address of a host, or of this machine (HOST). Raises KeyError."""
        return self._addresses[host]

    def inside(self, host: str, argv: Iterable[str]) -> tuple[str, ...]:
        """The command that runs `argv` on a host. It becomes `argv`: process id and signals are the program's."""
        ip = shutil.which("ip")
        if ip is None:
            raise NetworkFailed("ip is not on the PATH; Debian and Ubuntu: apt install iproute2")
        return (ip, "netns", "exec", self._name(host), *argv)

    async def cut(self, side: Iterable[str], others: Iterable[str]) -> None:
        """Nothing passes between any of `side` and any of `others`, either way."""
        for one, other in itertools.product(tuple(side), tuple(others)):
            self._cuts[one, other] = self._cuts[other, one] = "drop"
        await self._apply()

    async def isolate(self, host: str) -> None:
        """Cut a host off from the other hosts. This machine still reaches it: a test may ask it, and Redis is there."""
        await self.cut((host,), (other for other in self.hosts if other != host))

    async def cut_one_way(self, sources: Iterable[str], targets: Iterable[str]) -> None:
        """Nothing that one of `sources` sends reaches any of `targets`; what these send arrives.

        Address resolution still works both ways: without it the other way would be cut too after some seconds.
        """
        for pair in itertools.product(tuple(sources), tuple(targets)):
            self._cuts[pair] = "ether type != arp drop"
        await self._apply()

    async def lose(self, side: Iterable[str], others: Iterable[str], percent: int) -> None:
        """Of all packets between any of `side` and any of `others`, `percent` in a hundred are lost, by chance."""
        for one, other in itertools.product(tuple(side), tuple(others)):
            self._cuts[one, other] = self._cuts[other, one] = f"numgen random mod 100 < {percent} drop"
        await self._apply()

    async def heal(self) -> None:
        """Everything passes again."""
        self._cuts.clear()
        await self._apply()

    async def dropped(self, sources: Iterable[str], targets: Iterable[str]) -> int:
        """Packets from any of `sources` to any of `targets` that were dropped since the network was built."""
        wanted = {_pair(*pair) for pair in itertools.product(tuple(sources), tuple(targets))}
        listed = json.loads(await self._in_switch("nft", "-j", "list", "counters", "table", "bridge", "faults"))
        counters = [item["counter"] for item in listed["nftables"] if "counter" in item]
        return sum(int(one["packets"]) for one in counters if one["name"] in wanted)

    async def passes(self, source: str, target: str) -> bool:
        """Whether a datagram that `source` sends arrives at `target`: tells one way from the other."""
        return await self.arriving(source, target, 1) == 1

    async def arriving(self, source: str, target: str, count: int) -> int:
        """How many of `count` datagrams that `source` sends arrive at `target`."""
        loop = asyncio.get_running_loop()
        with (
            socket_in(self._namespace(target), socket.SOCK_DGRAM) as receiver,
            socket_in(self._namespace(source), socket.SOCK_DGRAM) as sender,
        ):
            receiver.bind((self.address(target), 0))
            for number in range(count):
                sender.sendto(number.to_bytes(4), receiver.getsockname())
            seen: set[bytes] = set()
            try:
                while len(seen) < count:
                    async with asyncio.timeout(PROBE_S):
                        seen.add(await loop.sock_recv(receiver, 4))
            except TimeoutError:
                pass
        return len(seen)

    async def _apply(self) -> None:
        lines = ["flush chain bridge faults forward"]
        for (source, target), verdict in self._cuts.items():
            # The counter stands before the drop, after the condition: it counts what is dropped.
            counted = verdict.removesuffix("drop") + f"counter name {_pair(source, target)} drop"
            lines.append(f'add rule bridge faults forward iifname "{source}" oifname "{target}" {counted}')
        await self._nft("\n".join(lines) + "\n")  # one transaction

    async def _nft(self, script: str) -> None:
        await self._in_switch("nft", "-f", "-", given=script)

    async def _in_switch(self, *argv: str, given: str = "") -> str:
        return await run("ip", "netns", "exec", self._switch, *argv, given=given)

    def _name(self, host: str) -> str:
        return f"{PREFIX}-{self._mark}-{host}"

    def _namespace(self, host: str) -> str | None:
        return None if host == HOST else self._name(host)


def _pair(source: str, target: str) -> str:
    return f"{source}_to_{target}"


async def _unused_subnet() -> ipaddress.IPv4Network:
    """A /24 of SUBNETS that no interface of this machine is in."""
    listed = json.loads(await run("ip", "-json", "-4", "address"))
    taken = [ipaddress.ip_address(info["local"]) for link in listed for info in link.get("addr_info", ())]
    free = [net for net in SUBNETS.subnets(new_prefix=24) if not any(address in net for address in taken)]
    if not free:
        raise NetworkFailed(f"every subnet of {SUBNETS} is in use; runs that were killed leave theirs to the next run")
    return random.choice(free)
