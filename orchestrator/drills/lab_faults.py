"""Faults from outside, done to the three hosts of a lab: the network, the power, the disk, a clock, a process.

    faults = LabFaults(read_lab(path))
    done = await faults.cut([("n1", "n2"), ("n1", "n3")])    # lasts from now on
    done.proof                                               # {"dropped n1>n2": 17, …}
    await faults.heal()                                      # undoes all there is, also what another process did

Each returns a `Done` with what shows that it happened, and raises FaultUnseen when nothing does. What is done stands in
the kernel and on the hosts, not in this object: heal() finds it there and may be called at any time, twice too.
"""

import asyncio
import json
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from orchestrator.drills import lab_disk, lab_power, lab_services
from orchestrator.drills.lab_commands import LabCommandFailed, attempt, attempt_on_host, run
from orchestrator.drills.lab_file import LabFile
from orchestrator.drills.lab_rules import (
    CONTROLLER,
    Direction,
    both_ways,
    drop_text,
    dropped_packets,
    removal_text,
    table_text,
)
from orchestrator.drills.target import DrillError

PROOF_LIMIT_S = 20.0
DISCARD_PORT = 9
SKEW_TOLERANCE_S = 3
"""A Date has whole seconds, and the answer takes a while."""


class FaultUnseen(DrillError):
    """A fault was done to a lab and nothing shows that it happened."""

    code: ClassVar[str] = "fault_unseen"
    exit_code = 1


@dataclass(frozen=True, slots=True)
class Done:
    """A fault that happened. `at`: `time.monotonic()` just before it was done. `proof`: what shows it, by name."""

    how: str
    at: float
    proof: Mapping[str, str | int | float] = field(default_factory=dict)


class LabFaults:
    """All that can be done to one lab. Needs root. Every method raises LabCommandFailed when a command of it fails."""

    def __init__(self, lab: LabFile) -> None:
        self.lab = lab
        self._veths = {name: host.veth for name, host in lab.hosts.items()}

    # --- the network

    async def cut(self, pairs: Iterable[Direction], *, one_way: bool = False) -> Done:
        """Drop all that goes between these pairs; with `one_way` only from the first of a pair to the second.

        An end may be "controller", this machine: then ssh still passes. Raises ValueError for an unknown host.
        """
        directions = list(pairs) if one_way else both_ways(pairs)
        return await self._drop(directions, 100)

    async def isolate(self, host: str, *, controller: bool = False) -> Done:
        """Cut a host from all others; with `controller` also from this machine, but for ssh."""
        others = [name for name in self.lab.hosts if name != host]
        return await self.cut([(host, other) for other in (*others, *([CONTROLLER] if controller else []))])

    async def lose(self, pairs: Iterable[Direction], percent: int) -> Done:
        """Drop this share of the packets between these pairs, in both directions."""
        return await self._drop(both_ways(pairs), percent)

    async def dropped(self) -> dict[Direction, int]:
        """Packets that were dropped in each direction since it was harmed; empty when nothing is."""
        status, out, _ = await attempt("nft", "-j", "list", "table", "bridge", self.lab.table)
        return dropped_packets(json.loads(out)) if status == 0 else {}

    async def mend(self) -> None:
        """Undo all that was done to the network; the power is another matter."""
        await run("nft", "-f", "-", given=removal_text(self.lab.table))

    async def _drop(self, directions: Sequence[Direction], percent: int) -> Done:
        rules = table_text(self.lab.table) + drop_text(self.lab.table, self._veths, directions, percent)
        before = await self.dropped()
        at = time.monotonic()
        await run("nft", "-f", "-", given=rules)
        return Done(
            how=f"packets are dropped ({percent} %): " + ", ".join(f"{one} to {other}" for one, other in directions),
            at=at,
            proof=await self._counted(directions, before),
        )

    async def _counted(
        self, directions: Sequence[Direction], before: Mapping[Direction, int]
    ) -> dict[str, str | int | float]:
        """The counters of these directions, once each has counted: who is silent by himself is made to speak."""
        deadline = time.monotonic() + PROOF_LIMIT_S
        while True:
            now = await self.dropped()
            grown = {way: now.get(way, 0) - before.get(way, 0) for way in directions}
            silent = [way for way, count in grown.items() if count <= 0]
            if not silent:
                return {f"dropped {one}>{other}": count for (one, other), count in grown.items()}
            if time.monotonic() > deadline:
                raise FaultUnseen(f"no packet was dropped within {PROOF_LIMIT_S:g} s: {silent}; do these hosts run?")
            await asyncio.gather(*(self._speak(one, other) for one, other in silent))

    async def _speak(self, one: str, other: str) -> None:
        """A few packets from one end to the other, answered or not."""
        target = self.lab.controller if other == CONTROLLER else self.lab.hosts[other].address
        if one == CONTROLLER:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as speaker:
                speaker.setblocking(False)
                speaker.sendto(b"?", (target, DISCARD_PORT))
            await asyncio.sleep(0.05)
        else:
            await attempt_on_host(self.lab, one, f"ping -q -c 5 -i 0.02 -W 1 {target}")

    # --- the power

    async def power_off(self, host: str) -> Done:
        """A power cut: the cable goes dead, then every process of the host at once. Its disks stay as they are."""
        before, boot = len(lab_power.processes(self.lab, host)), lab_power.boot_id(self.lab, host)
        if not before:
            raise FaultUnseen(f"{host} is off already")
        at = time.monotonic()
        await lab_power.pull_plug(self.lab, host)
        after = len(lab_power.processes(self.lab, host))
        proof: dict[str, str | int | float] = {"processes_before": before, "processes_after": after, "boot": boot}
        return Done(f"the cable of {host} is dead and its {before} processes are killed", at, proof)

    async def power_on(self, host: str) -> Done:
        """Turn it on; returns when it answers ssh."""
        if lab_power.is_on(self.lab, host):
            raise FaultUnseen(f"{host} is on already")
        at = time.monotonic()
        await lab_power.turn_on(self.lab, host)
        took = round(time.monotonic() - at, 2)
        return Done(f"{host} is on", at, {"boot": lab_power.boot_id(self.lab, host), "seconds_until_ssh": took})

    async def freeze(self, host: str) -> Done:
        """Let all processes of a host stand still. Its kernel still acknowledges what reaches it."""
        if not (count := len(lab_power.processes(self.lab, host))):
            raise FaultUnseen(f"{host} is off")
        at = time.monotonic()
        await lab_power.set_frozen(self.lab, host, True)
        return Done(f"the {count} processes of {host} stand still", at, {"frozen": 1, "processes": count})

    async def thaw(self, host: str) -> Done:
        """Let them go on."""
        at = time.monotonic()
        await lab_power.set_frozen(self.lab, host, False)
        return Done(f"the processes of {host} go on", at, {"frozen": 0})

    # --- the disk

    async def fill_disk(self, host: str) -> Done:
        """Fill the data disk, /var/lib/triarch on the host, to the last byte."""
        at = time.monotonic()
        proof = await asyncio.to_thread(lab_disk.fill, self.lab, host)
        return Done(f"the data disk of {host} is full", at, proof)

    async def free_disk(self, host: str) -> Done:
        """Give back what was filled."""
        at = time.monotonic()
        await asyncio.to_thread(lab_disk.free, self.lab, host)
        return Done(f"the data disk of {host} has room", at, {"bytes_left": lab_disk.free_bytes(self.lab, host)})

    # --- services

    async def signal(self, host: str, unit: str, name: str) -> Done:
        """Send a signal ("KILL", "STOP", "TERM") to the main process of a unit. KILL and STOP are seen to have come."""
        at = time.monotonic()
        pid = await lab_services.send_signal(self.lab, host, unit, name)
        state = await lab_services.state_of(self.lab, host, pid)
        if (name == "KILL" and state[0] not in "gZ") or (name == "STOP" and state[0] not in "tT"):
            raise FaultUnseen(f"{host}: SIG{name} was sent to pid {pid} of {unit}, which is still {state}")
        return Done(f"SIG{name} to pid {pid} of {unit} on {host}", at, {"pid": pid, "state": state})

    async def arm_clock(self, host: str, unit: str = lab_services.NODE_UNIT) -> None:
        """Before a jump, and before the load begins: the service is restarted with a clock that can be set."""
        await lab_services.arm_clock(self.lab, host, unit)

    async def jump_clock(
        self, host: str, offset_s: int, unit: str = lab_services.NODE_UNIT, port: int = lab_services.API_PORT
    ) -> Done:
        """Let the wall clock of a service jump, seconds ahead of the host's; its monotonic clock goes on undisturbed.

        `port` is where it answers HTTP with a Date, which shows the jump.
        """
        await self.arm_clock(host, unit)
        at = time.monotonic()
        await lab_services.set_clock(self.lab, host, unit, offset_s)
        while True:
            complaint = ""
            try:
                seen = await lab_services.seen_skew(self.lab, host, port)
            except LabCommandFailed as error:  # just restarted, it does not answer yet
                complaint = error.message
            else:
                if abs(seen - offset_s) <= SKEW_TOLERANCE_S:
                    return Done(f"the clock of {unit} on {host} jumped by {offset_s:+d} s", at, {"seen_s": seen})
                complaint = f"it is {seen:+d} s off"
            if time.monotonic() - at > PROOF_LIMIT_S:
                raise FaultUnseen(
                    f"{host}: the clock of {unit} was set {offset_s:+d} s off, and does not show it: {complaint}"
                )
            await asyncio.sleep(0.2)

    async def reset_clock(self, host: str) -> Done:
        """Give the services of a host the host's own clock again; restarts those that had another."""
        at = time.monotonic()
        units = await lab_services.reset_clocks(self.lab, host)
        return Done(f"{host}: {', '.join(units) or 'no service had another clock'}", at, {"units": len(units)})

    # --- all of it

    async def heal(self) -> None:
        """Undo everything: mend the network, thaw, turn on, free disks, continue what is stopped, reset clocks."""
        await self.mend()
        await asyncio.gather(*(self._heal_host(host) for host in self.lab.hosts))

    async def _heal_host(self, host: str) -> None:
        await asyncio.to_thread(lab_disk.free, self.lab, host)
        if not lab_power.is_on(self.lab, host):
            await lab_power.turn_on(self.lab, host)  # nothing that was done to its services outlives a boot
            return
        if lab_power.is_frozen(self.lab, host):
            await lab_power.set_frozen(self.lab, host, False)
        await lab_power.plug_cable(self.lab, host)
        await lab_services.heal_services(self.lab, host)
