"""Single keys, without Enter, where standard input is a terminal; which is given back as it was, however this ends."""

import contextlib
import os
import re
import select
import signal
import sys
import termios
import time
import tty
from types import FrameType, TracebackType
from typing import Any

ENDING = (signal.SIGTERM, signal.SIGHUP)
KEYS_BYTES = 64
SEQUENCE = re.compile(rb"\x1b(?:O.|\[[0-9;]*.)")
"""Of a key that is no letter: F2 is several bytes, and one of them is Q."""


class Keyboard:
    """A context in which keys are read. Ctrl-C stays what it is: KeyboardInterrupt.

    A signal that ends the process leaves the context first, as SystemExit with 128 + its number.
    """

    def __init__(self) -> None:
        self._fd = sys.stdin.fileno() if sys.stdin is not None and sys.stdin.isatty() else None
        self._before: list[Any] | None = None
        self._handlers: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Keyboard":
        for number in ENDING:
            self._handlers[number] = signal.signal(number, _leave)
        if self._fd is not None:
            self._before = termios.tcgetattr(self._fd)
            tty.setcbreak(self._fd)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._fd is not None and self._before is not None:
            with contextlib.suppress(termios.error):  # it is gone
                termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def pressed(self, within_s: float) -> bytes:
        """Letters that were pressed, empty where none came within the time. Raises EOFError: the terminal is gone."""
        if self._fd is None:
            time.sleep(within_s)
            return b""
        ready, _, _ = select.select([self._fd], [], [], within_s)
        if not ready:
            return b""
        keys = os.read(self._fd, KEYS_BYTES)
        if not keys:
            raise EOFError("the terminal is gone")
        return SEQUENCE.sub(b"", keys)


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
