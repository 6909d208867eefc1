"""Faults of a plant's processes, one at a time, each with the proof that it happened and that it was healed.

A recorder takes factories by name (`PROCESS_FAULTS`), so that others, of the network, can stand beside these.
"""

import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from orchestrator.dev.local import Leader, LocalPlant
from orchestrator.dev.waiting import until

LEADER_S = 10.0
"""How long a leader, or the next one, is waited for: elections take under a second, on a busy machine some."""
SIGNAL_S = 5.0
READY_S = 30.0


class FaultMissing(AssertionError):
    """A fault did not happen, or was not healed: a history recorded without it proves nothing."""


class Fault(Protocol):
    """One fault, once: `begin`, whatever time it shall last, `heal`; `happened` at any time after `begin`."""

    async def begin(self) -> None:
        """Make it happen, and return when it has. FaultMissing, NotReached."""

    async def heal(self) -> None:
        """Undo it, and return when every node is ready again. FaultMissing, NotReached."""

    def happened(self) -> str:
        """What proves it, in a line: an exit status, a state that the kernel names, who led before and after."""


MakeFault = Callable[[LocalPlant], Fault]


def state_of(pid: int) -> str:
    """The kernel's letter for a process: T is stopped. "" where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except FileNotFoundError:
        return ""


def is_stopped(pid: int) -> bool:
    """Whether SIGSTOP has taken effect."""
    return state_of(pid) == "T"


class Kill:
    """SIGKILL of one node, the leader or a follower, and its restart on the same data directory.

    Of the leader: another one is waited for before the fault counts as begun.
    """

    def __init__(self, plant: LocalPlant, *, leader: bool) -> None:
        self._plant = plant
        self._leader = leader
        self._proof: list[str] = []
        self._node_id = ""
        self._pid = 0

    async def begin(self) -> None:
        first = await self._plant.current_leader(LEADER_S)
        self._node_id = first.node_id if self._leader else _follower(self._plant, first)
        self._pid = self._plant.node(self._node_id).pid
        status = await self._plant.kill(self._node_id)
        if status != -signal.SIGKILL or state_of(self._pid):
            raise FaultMissing(f"{self._node_id} (pid {self._pid}) was not killed: exit status {status}")
        self._proof.append(f"{self._node_id} (pid {self._pid}) ended with status {status}")
        if self._leader:
            self._proof.append(await _succession(self._plant, first))

    async def heal(self) -> None:
        await self._plant.restart(self._node_id)
        await self._plant.wait_ready(seconds=READY_S)
        pid = self._plant.node(self._node_id).pid
        if pid == self._pid or not state_of(pid):
            raise FaultMissing(f"{self._node_id} was not started again: pid {pid}")
        self._proof.append(f"ready again as pid {pid}")

    def happened(self) -> str:
        return "; ".join(self._proof)


class Pause:
    """SIGSTOP of one node, and SIGCONT: it keeps its connections, its memory, and what it believed of itself.

    Of the leader: another one is waited for before the fault counts as begun.
    """

    def __init__(self, plant: LocalPlant, *, leader: bool) -> None:
        self._plant = plant
        self._leader = leader
        self._proof: list[str] = []
        self._node_id = ""
        self._since = 0.0

    async def begin(self) -> None:
        first = await self._plant.current_leader(LEADER_S)
        self._node_id = first.node_id if self._leader else _follower(self._plant, first)
        self._plant.send(self._node_id, signal.SIGSTOP)
        await self._until_stopped(True)
        self._since = time.monotonic()
        self._proof.append(f"{self._node_id} (pid {self._pid}) in state T")
        if self._leader:
            self._proof.append(await _succession(self._plant, first))

    async def heal(self) -> None:
        self._plant.send(self._node_id, signal.SIGCONT)
        await self._until_stopped(False)
        self._proof.append(f"in state {state_of(self._pid)} after {time.monotonic() - self._since:.2f} s")
        await self._plant.wait_ready(seconds=READY_S)

    def happened(self) -> str:
        return "; ".join(self._proof)

    @property
    def _pid(self) -> int:
        return self._plant.node(self._node_id).pid

    async def _until_stopped(self, wanted: bool) -> None:
        async def look() -> bool:
            if not state_of(self._pid):
                raise self._plant.node(self._node_id).ended()
            return is_stopped(self._pid) == wanted

        what = f"{self._node_id} (pid {self._pid}) {'stopped' if wanted else 'going on'}"
        await until(look, seconds=SIGNAL_S, what=what, interval=0.005)


def _follower(plant: LocalPlant, leader: Leader) -> str:
    """The node after the leader: as leaders change, it is each in turn."""
    ids = [node.id for node in plant.topology.nodes]
    return ids[(ids.index(leader.node_id) + 1) % len(ids)]


async def _succession(plant: LocalPlant, first: Leader) -> str:
    second = await plant.other_leader(first, seconds=LEADER_S)
    return f"{second} leads after {first}"


PROCESS_FAULTS: Mapping[str, MakeFault] = {
    "leader-killed": lambda plant: Kill(plant, leader=True),
    "leader-paused": lambda plant: Pause(plant, leader=True),
    "follower-killed": lambda plant: Kill(plant, leader=False),
    "follower-paused": lambda plant: Pause(plant, leader=False),
}
