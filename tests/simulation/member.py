"""One simulated host and the member that runs on it: the real `Raft`, given a turn whenever something is due."""

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any, Protocol

from cluster import ClusterSettings
from cluster.core import Replica
from cluster.errors import ClusterError, DiskFailed, StartFailed
from cluster.host import Host
from cluster.membership import Membership
from cluster.raft import Batch, Raft, Sink
from tests.simulation.agenda import Agenda, Clocks, HostClock
from tests.simulation.disk import Crashed, SimDisk
from tests.simulation.invariants import LogShadow, Violation
from tests.simulation.machine import Registers
from tests.simulation.network import Network
from tests.simulation.reactor import SimReactor

TURN_S = 0.00002
"""what a turn costs besides the disk: so that time passes whatever a member does"""
DEDUP_ENTRIES = 100_000


class Watcher(Protocol):
    """Who hears what members do: see world.py."""

    def applied(self, member: "Member", machine: Registers, command_id: str) -> None:
        """A command was applied."""
        ...

    def appended(self, member: "Member", entry: tuple[bytes, int, int], previous_term: int | None) -> None:
        """An entry was put into the log."""
        ...

    def cut(self, member: "Member", index: int, term: int | None) -> None:
        """The log is cut from `index` on, where it has an entry of this term."""
        ...

    def looked_at(self, member: "Member") -> None:
        """A turn is over: the member's view may have changed."""
        ...

    def ended(self, member: "Member", why: str) -> None:
        """The process is gone."""
        ...

    def note(self, who: str, what: str) -> None:
        """Something for the trace."""
        ...


class Member:
    """A host with its disk and clock, and the process on it, if there is one."""

    def __init__(
        self,
        agenda: Agenda,
        clocks: Clocks,
        network: Network,
        watcher: Watcher,
        settings: Callable[[], ClusterSettings],
        *,
        number: int,
        clock: HostClock,
        sync_s: float,
        seed: str,
    ) -> None:
        self.number = number
        self.id = f"n{number}"
        self.address = f"{self.id}:4711"
        self.clock = clock
        self.disk = SimDisk(self.id, Random(f"disk {seed}"), clock.spend, sync_s=sync_s)
        self.raft: Raft | None = None
        self.machine: Registers | None = None
        self.log: LogShadow | None = None
        self.lost_log: LogShadow | None = None
        """what was on a disk that it has lost since: what it acknowledged from there may still be counted"""
        self.incarnation = 0
        self.paused_until = 0.0
        self.restart_after_s = 0.5
        """when it ends by itself"""
        self.down_until = 0.0
        self.retired = False
        self.membership: Membership | None = None
        """as of its latest turn"""
        self.role, self.term, self.commit, self.applied = "", 0, 0, 0
        self.ready_at = 0.0
        """until then it is busy"""
        self._agenda, self._clocks, self._network, self._watcher = agenda, clocks, network, watcher
        self._settings = settings
        self._random = Random(f"host {seed}")
        self._requests: deque[Callable[[Raft], None]] = deque()
        self._reactor: SimReactor | None = None
        self._wal_file: Any = None
        self._replacing = False
        self._violation: Violation | None = None
        self.snapshots_taken = 0
        self._due: float | None = None

    # ── The process ────────────────────────────────

    @property
    def up(self) -> bool:
        """Whether a process runs here, paused or not."""
        return self.raft is not None

    def start(self) -> bool:
        """Start the process; False where a disk that failed keeps it from starting. Anything else is a violation."""
        self.incarnation += 1
        self.paused_until = 0.0
        self.ready_at, self._due = self._agenda.now, None
        reactor = self._reactor = SimReactor(self._network, self.id, self.clock, self._ring)
        self.machine = Registers(self._applied)
        replica = Replica(self.machine, dedup_entries=DEDUP_ENTRIES)
        sink = Sink(self._deliver, _ignore, _ignore, _ignore, self._restored)
        self.clock.spent, self._clocks.host = 0.0, self.clock
        try:
            host = Host(self.disk, reactor, self._random, self._random.randbytes)
            raft = Raft(self._settings(), host, replica, sink)
        except DiskFailed as error:
            self._network.end_process(reactor, power=False)
            self._reactor = None
            self._watcher.note(self.id, f"does not start: {error}")
            return False
        except Crashed:
            self._watcher.note(self.id, "ends while it starts")
            self.crash(power=self.power_at_crash)
            return False
        except StartFailed as error:
            raise Violation("restart", f"{self.id} refuses to start: {error}") from error
        self.raft = raft
        self.commit = 0
        self._watch_log(raft)
        self._watcher.note(self.id, f"started ({self.incarnation}), log {self._span()}")
        self._watcher.looked_at(self)
        self._schedule(self._agenda.now)
        return True

    def crash(self, *, power: bool) -> None:
        """End the process, if there is one, or the whole host."""
        self.disk.reopened()
        was_up, reactor = self.up, self._reactor
        if reactor is not None:
            self._network.end_process(reactor, power=power)
        if was_up and self.log is not None:
            self.log.settle(self.holds)
        self.raft = self._reactor = None
        self._requests.clear()
        if power:
            self._network.off.add(self.id)
            kept = self.disk.lose_power()
            self.clock.boot()
            if kept:
                self._watcher.note(self.id, f"its disk: {kept}")
        if was_up:
            self._watcher.ended(self, "lost power" if power else "was killed")

    def retire(self) -> None:
        """The host is gone for good, and its disk with it."""
        self.retired = True
        self.disk.wipe()

    @property
    def last_index(self) -> int:
        """Of its log."""
        return self.log.last if self.log is not None else 0

    def boot(self) -> bool:
        """Power is back, if it was gone; start the process. False where it did not start."""
        if self.retired:
            return True
        self._network.off.discard(self.id)
        return self.up or self.start()

    def pause(self, until: float) -> None:
        """No turns until then; what arrives waits."""
        self.paused_until = max(self.paused_until, until)
        self._due = None
        self._schedule(self.paused_until)

    def resume(self) -> None:
        """A pause ends now."""
        self.paused_until = 0.0
        self._due = None
        self._ring()

    def request(self, function: Callable[[Raft], None]) -> bool:
        """Have a client's request handled in the next turn; False where no process is there."""
        if self.raft is None:
            return False
        self._requests.append(function)
        self._ring()
        return True

    def lose_disk(self) -> None:
        """The host loses its power, and its disk with everything on it."""
        self.crash(power=True)
        self.lost_log = self.log
        self.disk.wipe()

    def holds(self, size: int) -> bool:
        """See invariants.Kept."""
        if size == 0 or self._wal_file is None:
            return size == 0
        if self._replacing:  # by one that holds the same: whichever has the name now
            return bool(self._wal_file.inode.synced >= size)
        return self.disk.holds(self._wal_file.inode, size)

    # ── Turns ────────────────────────────────

    def _ring(self) -> None:
        self._schedule(self._agenda.now)

    def _schedule(self, when: float) -> None:
        if self.raft is None:
            return
        when = max(when, self.ready_at, self.paused_until)
        if self._due is None or when < self._due:
            self._due = when
            self._agenda.at(when, self._turn, when)

    def _turn(self, due: float) -> None:
        raft, reactor = self.raft, self._reactor
        if due != self._due or raft is None or reactor is None:
            return
        self._due = None
        self.clock.spent, self._clocks.host = 0.0, self.clock
        try:
            while self._requests:
                self._requests.popleft()(raft)
            reactor.run_arrived()
            raft.tick()
            self._watcher.looked_at(self)
        except Crashed:
            self.crash(power=self.power_at_crash)
            return
        except DiskFailed as error:
            self._fail(raft, error)
            return
        except ClusterError as error:
            if self._violation is not None:
                raise self._violation from error
            raise Violation("stopped itself", f"{self.id}: {type(error).__name__}: {error}") from error
        finally:
            self.clock.spend(TURN_S)
            self.ready_at = self.clock.virtual()
            self.clock.spent = 0.0
        self._schedule(self.ready_at + reactor.timeout_s / self.clock.rate)

    power_at_crash = False
    """whether the crash that was planted in the disk takes the host with it"""

    def _fail(self, raft: Raft, error: DiskFailed) -> None:
        """As cluster/ticker.py does."""
        self._watcher.note(self.id, f"stops itself: {error}")
        if self.log is not None:
            self.log.settle(self.holds)
        self.raft = None
        raft.close(error)
        if self._reactor is not None:
            self._network.end_process(self._reactor, power=False)
        self._requests.clear()
        self._watcher.ended(self, "stopped itself")

    def _applied(self, machine: Registers, command_id: str) -> None:
        try:
            self._watcher.applied(self, machine, command_id)
        except Violation as violation:  # raised inside Raft, which must not take it for the state machine's
            self._violation = violation
            raise

    def _restored(self, index: int) -> None:
        self._watcher.note(self.id, f"took the leader's snapshot at index {index}")
        self.snapshots_taken += 1

    def _deliver(self, batch: Batch) -> None:
        self._agenda.at(self.clock.virtual(), _run, batch)

    # ── What it writes ────────────────────────────────

    def _watch_log(self, raft: Raft) -> None:
        wal: Any = raft._SyncObj__raftLog.wal
        log = self.log = LogShadow(wal[:], wal.bytes)
        previous = None
        for entry in wal[:]:
            self._watcher.appended(self, entry, previous)
            previous = entry[2]
        self._wal_file, self._replacing = wal._file, False
        add, cut_from, replace = wal.add, wal.cut_from, wal.replace

        def added(data: bytes, index: int, term: int) -> None:
            add(data, index, term)
            before = log.term(index - 1)
            log.add(term, wal.bytes)
            self._watcher.appended(self, (data, index, term), before)

        def cut(position: int) -> None:
            index = wal[position][1] if position < len(wal) else None
            cut_from(position)
            if index is not None:
                self._watcher.cut(self, index, log.term(index))
                log.cut_from(index)

        def replaced(entries: Any) -> None:
            kept = list(entries)
            self._replacing = True
            replace(kept)
            self._replacing = False
            self._wal_file = wal._file
            log.replace(kept, wal.bytes)

        wal.add, wal.cut_from, wal.replace = added, cut, replaced

    def _span(self) -> str:
        return "" if self.log is None else f"{self.log.first}-{self.log.last}"


def _run(batch: Batch) -> None:
    for function, argument in batch:
        function(argument)


def _ignore(_: Any) -> None:
    pass
