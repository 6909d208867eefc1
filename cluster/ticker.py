"""The thread in which Raft runs: nothing else calls pysyncobj."""

import threading
from collections.abc import Callable
from typing import Protocol


class Ticking(Protocol):
    """What is ticked."""

    def tick(self) -> None:
        """One round; waits for work inside."""
        ...

    def wake(self) -> None:
        """End the wait of a round under way."""
        ...

    def close(self, error: Exception | None = None) -> None:
        """Called last, in the thread."""
        ...


class Ticker:
    """Ticks until `stop`, or until a tick raises: then calls `failed(error)` in the thread. Either way it closes."""

    def __init__(self, ticking: Ticking, *, name: str, failed: Callable[[Exception], None]) -> None:
        self._ticking = ticking
        self._failed = failed
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the current tick. Does not wait: see `join`."""
        self._stopping.set()
        self._ticking.wake()

    def join(self, timeout: float) -> bool:
        """Wait for the thread to end; False when it did not in time. Blocks: not for the event loop."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        error: Exception | None = None
        try:
            while not self._stopping.is_set():
                self._ticking.tick()
        except Exception as raised:  # noqa: BLE001 - fail-stop: going on after a defect or a disk error may diverge
            error = raised
        try:
            self._ticking.close(error)
        except Exception as raised:  # noqa: BLE001 - what went wrong first is what counts
            error = error or raised
        if error is not None:
            self._failed(error)
