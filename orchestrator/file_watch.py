"""Files that may change while a node runs: looked at every `LOOK_S`, and at once when somebody asks."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

LOOK_S = 2.0
"""Between two looks: a look is a call of `stat` for each file."""

Facts = tuple[int, int, int]
"""What tells one version of a file from another."""


class FileWatch:
    """Of files that are read together. What they hold when this is made counts as known."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = tuple(paths)
        self._seen = self._look()
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Have the files read now, whether they look changed or not."""
        self._asked.set()

    async def changed(self) -> None:
        """Returns when they are to be read again.

        Once for each change: files that are no use are not complained of every few seconds.
        """
        while True:
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._asked.wait()
            except TimeoutError:
                pass
            asked = self._asked.is_set()
            self._asked.clear()
            # Before they are read: what changes while they are is seen at the next look.
            before, self._seen = self._seen, await asyncio.to_thread(self._look)
            if asked or self._seen != before:
                return

    def _look(self) -> tuple[Facts, ...]:
        return tuple(_facts(path) for path in self._paths)


def _facts(path: Path) -> Facts:
    """Changes with the file, also where it is a link that was moved, as Kubernetes does it."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_mtime_ns, found.st_size)
