"""The network as one simulated process sees it."""

from collections import deque
from collections.abc import Callable
from typing import Any

from cluster.reactor import Acceptor, Receiver
from tests.simulation.agenda import HostClock
from tests.simulation.network import End, Network


class SimReactor:
    """One process' streams: see cluster.reactor.Reactor. `ring()` is called when there is something to run."""

    def __init__(self, network: Network, host: str, clock: HostClock, ring: Callable[[], None]) -> None:
        self._network = network
        self.host = host
        self.clock = clock
        self._ring = ring
        self._acceptor: Acceptor | None = None
        self._arrived: deque[tuple[End, str, Any]] = deque()
        self.alive = True
        self.timeout_s = 0.0
        """of the latest wait"""
        self.woken = False

    @property
    def listening(self) -> bool:
        """See Reactor."""
        return self._acceptor is not None

    def listen(self, address: str, acceptor: Acceptor) -> None:
        """See Reactor."""
        self._network.listen(address, self)
        self._acceptor = acceptor

    def dial(self, address: str, receiver: Receiver) -> End:
        """See Reactor."""
        return self._network.dial(self, address, receiver)

    def wait(self, timeout_s: float) -> None:
        """See Reactor. Time passes outside: what comes later is run by `run_arrived`."""
        self.timeout_s = timeout_s
        self.run_arrived()

    def wake(self) -> None:
        """See Reactor."""
        self.woken = True
        self._ring()

    def close(self) -> None:
        """See Reactor."""
        self._network.end_process(self, power=False)

    def deliver(self, end: End, kind: str, what: Any) -> None:
        """Something arrived at this host for this process."""
        if self.alive:
            self._arrived.append((end, kind, what))
            self._ring()

    def run_arrived(self) -> int:
        """Run the callbacks of what arrived; how many these were."""
        count = 0
        while self._arrived and self.alive:
            end, kind, what = self._arrived.popleft()
            count += 1
            if kind == "accepted":
                if self._acceptor is not None:
                    end.receiver = self._acceptor.accepted(end)
            else:
                end.take(kind, what)
        if count:
            self.timeout_s = 0.0
        return count
