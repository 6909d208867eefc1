"""What a component remembers of commands: which keys it has seen, what came of them, and the newest leader's epoch.

With a file, this survives the process: an append-only log of JSON lines, each synced to disk before it counts. What is
about to be done is written before it is begun, what came of it afterwards. So after a crash a key is one of three:
unknown (nothing was begun), finished (answered as the first time), or begun and not finished: `Entry.interrupted`.

    {"epoch": [3, 17]}
    {"key": "k", "command": "CMD_START", "digest": "…"}
    {"key": "k", "answer": {…}}

A last line that was cut off by a crash never counted, and is cut away. The log is rewritten when it has grown to
several times what it says. One process at a time has the file.
"""

import asyncio
import fcntl
import io
import os
from collections import OrderedDict
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.errors import MemoryFailed, MemoryUnreadable

KEYS_MAX = 1_000
"""Keys remembered; the oldest is forgotten first."""
LINES_PER_KEY = 8
"""The file is rewritten when it has more lines than this for each key that may be remembered."""

Epoch = tuple[int, int]


class Entry(msgspec.Struct, kw_only=True):
    """One key. `answer` is None until the work is finished. `interrupted`: the process that had begun it is gone."""

    command: str
    digest: str = ""
    answer: dict[str, Any] | None = None
    interrupted: bool = False


class _Line(msgspec.Struct, kw_only=True, omit_defaults=True):
    epoch: Epoch | None = None
    key: str = ""
    command: str = ""
    digest: str = ""
    answer: dict[str, Any] | None = None


class CommandMemory:
    """At most `KEYS_MAX` keys; in `path` from `open` to `close`, or in the process only when that is None."""

    def __init__(self, path: Path | None = None) -> None:
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._path = path
        self._file: io.FileIO | None = None
        self._lines = 0
        self._writing = asyncio.Lock()
        self.epoch: Epoch = (0, 0)
        """of the newest leader that has spoken"""

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str) -> Entry | None:
        return self._entries.get(key)

    @property
    def interrupted(self) -> dict[str, Entry]:
        """What a process before this one had begun, and nobody has settled since."""
        return {key: entry for key, entry in self._entries.items() if entry.interrupted and entry.answer is None}

    async def note_epoch(self, epoch: Epoch) -> None:
        """A newer leader has spoken. Errors: MemoryFailed, and then it does not count."""
        async with self._writing:
            await self._write(_Line(epoch=epoch))
            self.epoch = max(self.epoch, epoch)

    async def begin(self, key: str, command: str, digest: str) -> None:
        """Work under `key` is about to begin. Errors: MemoryFailed, and then it must not."""
        async with self._writing:
            before = self._entries.pop(key, None)
            # Here before it is written: a rewrite of the file takes all that is here along.
            self._entries[key] = Entry(command=command, digest=digest)
            try:
                await self._write(_Line(key=key, command=command, digest=digest))
            except MemoryFailed:
                del self._entries[key]
                if before is not None:
                    self._entries[key] = before
                raise
            if len(self._entries) > KEYS_MAX:
                self._entries.popitem(last=False)

    async def finish(self, key: str, answer: dict[str, Any]) -> None:
        """What came of it. Errors: MemoryFailed; the process knows it nevertheless."""
        entry = self._entries.get(key)
        if entry is None:
            return
        entry.answer = answer
        async with self._writing:
            await self._write(_Line(key=key, command=entry.command, digest=entry.digest, answer=answer))

    def open(self) -> None:
        """Take up what the file says. Errors: MemoryUnreadable (no file of ours, or in use elsewhere), OSError."""
        if self._path is not None and self._file is None:
            self._open(self._path)

    def close(self) -> None:
        """Give the file back. Safe to repeat."""
        if self._file is not None:
            self._file.close()
            self._file = None

    # ── The file ────────────────────────────────

    def _open(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = not path.exists()
        file = io.FileIO(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+")
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise MemoryUnreadable(f"memory {path}: another process of this component has it") from error
            self._load(path, file)
            if fresh:
                _sync_directory(path)
        except BaseException:
            file.close()
            raise
        self._file = file

    def _load(self, path: Path, file: io.FileIO) -> None:
        data = file.readall()
        whole = data.rfind(b"\n") + 1
        for number, text in enumerate(data[:whole].splitlines(), 1):
            try:
                self._recall(msgspec.json.decode(text, type=_Line))
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                raise MemoryUnreadable(
                    f"memory {path}, line {number}: {error}; if this is no file of this component's, name another one; "
                    "if it is damaged, see what the component has done, then remove it"
                ) from None
            self._lines = number
        if whole < len(data):
            file.truncate(whole)  # written in part when the process died: it never counted
            os.fsync(file)

    def _recall(self, line: _Line) -> None:
        if line.epoch is not None:
            self.epoch = max(self.epoch, line.epoch)
        if line.key:
            if line.answer is None:
                self._entries.pop(line.key, None)
            self._entries[line.key] = Entry(
                command=line.command, digest=line.digest, answer=line.answer, interrupted=line.answer is None
            )
            if len(self._entries) > KEYS_MAX:
                self._entries.popitem(last=False)

    async def _write(self, line: _Line) -> None:
        if self._path is None:
            return
        writing = asyncio.get_running_loop().run_in_executor(None, self._append, line)
        cancelled = False
        while not writing.done():  # a line is never left half way, whoever is cancelled meanwhile
            try:
                await asyncio.wait({writing})
            except asyncio.CancelledError:
                cancelled = True
        if (error := writing.exception()) is not None:
            raise MemoryFailed(f"memory {self._path} cannot be written: {error}") from error
        if cancelled:
            raise asyncio.CancelledError

    def _append(self, line: _Line) -> None:
        if self._file is None:
            raise OSError("it is closed")
        if self._lines >= LINES_PER_KEY * KEYS_MAX:
            self._rewrite()
        size = os.fstat(self._file.fileno()).st_size
        try:
            data = msgspec.json.encode(line) + b"\n"
            if self._file.write(data) != len(data):
                raise OSError("the disk is full")
            os.fsync(self._file)
        except OSError:
            try:
                os.ftruncate(self._file.fileno(), size)  # what follows must not be glued to a part of a line
            except OSError:
                self.close()
            raise
        self._lines += 1

    def _rewrite(self) -> None:
        """The same in as few lines as it takes, in a new file that then stands in the place of the old one."""
        assert self._path is not None  # noqa: S101 - there is a file
        assert self._file is not None  # noqa: S101
        lines = [_Line(epoch=self.epoch)] + [
            _Line(key=key, command=entry.command, digest=entry.digest, answer=entry.answer)
            for key, entry in list(self._entries.items())
        ]
        beside = self._path.with_name(self._path.name + ".new")
        file = io.FileIO(os.open(beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600), "r+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            data = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
            if file.write(data) != len(data):
                raise OSError("the disk is full")
            os.fsync(file)
            beside.replace(self._path)
            _sync_directory(self._path)
        except BaseException:
            file.close()
            raise
        self._file.close()
        self._file, self._lines = file, len(lines)


def _sync_directory(path: Path) -> None:
    """A new name is on disk only once its directory is."""
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
