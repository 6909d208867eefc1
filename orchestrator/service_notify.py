"""What a node tells the service manager that started it: that it is ready, that its event loop turns, that it stops.

systemd gives a service of ``Type=notify`` the address of a datagram socket in ``NOTIFY_SOCKET``, and with
``WatchdogSec=`` in ``WATCHDOG_USEC`` the time within which it wants to hear ``WATCHDOG=1`` again. A service that is
silent for longer is killed and started anew. Without these variables nothing is sent anywhere: a node started by hand
behaves as before. The protocol is in sd_notify(3) and sd_watchdog_enabled(3).
"""

import asyncio
import logging
import os
import socket
from collections.abc import Callable, MutableMapping

log = logging.getLogger(__name__)

BEATS_A_PERIOD = 3
"""One beat may come late, and another be lost, before the service manager loses patience."""
IDLE_S = 5.0
"""Between two looks at the status where no watchdog asks for beats."""
STATUS_CHARS_MAX = 200


class ServiceNotify:
    """Sends to the service manager, if there is one.

    Args:
        address: of its socket: a path, or ``@name`` in the abstract namespace; None: there is none.
        watchdog_s: seconds of silence after which it kills this process; None: it does not.
    """

    def __init__(self, address: str | None, watchdog_s: float | None = None) -> None:
        self.watchdog_s = watchdog_s if address else None
        self._address = address
        self._status = ""
        self._failing = False
        self._socket: socket.socket | None = None
        if address is not None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            # The event loop must not wait for a service manager that does not read.
            self._socket.setblocking(False)

    @classmethod
    def from_environment(
        cls, environment: MutableMapping[str, str] | None = None, *, pid: int | None = None
    ) -> "ServiceNotify":
        """As systemd says it. Takes the variables away, so that no child process speaks in the name of this one."""
        found = os.environ if environment is None else environment
        address = found.pop("NOTIFY_SOCKET", "")
        period = found.pop("WATCHDOG_USEC", "")
        watched = found.pop("WATCHDOG_PID", "")
        if address and address[0] not in "/@":
            log.warning("NOTIFY_SOCKET=%s is neither a path nor an abstract name: nothing is told there", address)
            address = ""
        mine = not watched or watched == str(os.getpid() if pid is None else pid)
        try:
            seconds = int(period) / 1e6 if period and mine else 0.0
        except ValueError:
            log.warning("WATCHDOG_USEC=%s is no number: the watchdog is not served", period)
            seconds = 0.0
        return cls(address or None, seconds if seconds > 0 else None)

    @property
    def beat_s(self) -> float:
        """Between two beats."""
        return IDLE_S if self.watchdog_s is None else self.watchdog_s / BEATS_A_PERIOD

    def ready(self, status: str = "") -> None:
        """It listens: units that wait for this one may start."""
        self._send("READY=1", *self._told(status))

    def stopping(self) -> None:
        """It ends in order; what comes now is not a failure."""
        self._send("STOPPING=1", *self._told("stopping"))

    def beat(self, status: str = "") -> None:
        """The event loop turns; `status` is sent only where it is another one."""
        lines = self._told(status)
        if self.watchdog_s is not None:
            lines = ["WATCHDOG=1", *lines]
        if lines:
            self._send(*lines)

    async def keep(self, status: Callable[[], str]) -> None:
        """Beat from the event loop until cancelled: a loop that is blocked sends nothing, which is the point."""
        if self._socket is None:
            return
        while True:
            self.beat(status())
            await asyncio.sleep(self.beat_s)

    def close(self) -> None:
        """Nothing is sent any more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _told(self, status: str) -> list[str]:
        text = " ".join(status.split())[:STATUS_CHARS_MAX]
        if not text or text == self._status:
            return []
        self._status = text
        return [f"STATUS={text}"]

    def _send(self, *lines: str) -> None:
        if self._socket is None or self._address is None:
            return
        # "@" stands for the zero byte that begins a name in the abstract namespace.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            self._socket.sendto("\n".join(lines).encode(), address)
        except OSError as error:
            if not self._failing:
                log.warning("the service manager at %s cannot be told %s: %s", self._address, lines[0], error)
            self._failing = True
            self._status = ""  # what was not sent has not been told
        else:
            self._failing = False


def described(role: str, leader: str | None, epoch: str | None, reasons: list[str]) -> str:
    """One line for ``systemctl status``: what the node does, and what keeps it from being ready."""
    if role == "leader":
        where = f"leads, epoch {epoch}" if epoch else "elected, not leading yet"
    else:
        where = f"follows {leader}" if leader else "follows nobody"
    return f"{where}; not ready: {'; '.join(reasons)}" if reasons else f"{where}; ready"
