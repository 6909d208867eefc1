"""The audit as a file of each node: every entry that this node has applied, for longer than the state keeps it.

    DIR/000000000001.jsonl     entries 1 …, a line each, as `orchestrator.audit.entry` has their text
    DIR/000000004096.jsonl     …

The thread that applies commands only hands entries over; a thread of the trail's own writes them, in order, and syncs
what it has written at once, at most every `GATHER_S`: while change follows change, the log's syncs have the disk to
themselves most of the time. Nothing is lost with a process that is killed: what it had not written is applied again
from the log, and the last line says from where on. A node that got a snapshot instead of entries which the state does
not hold any more notes the gap in a line of its own: {"gap": {"after": N, "next": M}}.

Old segments are removed by age and by size; the one that is written to stays.
"""

import json
import logging
import math
import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from orchestrator.audit.entry import GENESIS, Entry, text_of

log = logging.getLogger(__name__)

SEGMENT_BYTES = 8 << 20
WAITING_MAX = 20_000
"""Entries that wait to be written. Beyond, a disk that is too slow makes a gap."""
RETRY_S = 5.0
GATHER_S = 0.25
"""Between two writes: what comes meanwhile is written, and synced, together."""
SUFFIX = ".jsonl"
DAY_S = 86_400.0


class _Last(msgspec.Struct):
    """What is looked at in a line."""

    number: int = 0
    hash: str = GENESIS
    gap: dict[str, int] | None = None


class Trail:
    """The file of one node. Made and opened before the first entry can come.

    Args:
        directory: made when there is none; readable by its owner alone.
        keep_s, keep_bytes: segments older than this, or beyond so many bytes together, are removed.
    """

    def __init__(self, directory: Path, *, keep_s: float, keep_bytes: int) -> None:
        self._directory = directory
        self._keep_s = keep_s
        self._keep_bytes = keep_bytes
        self._waiting: deque[Entry] = deque()
        self._wake = threading.Condition()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._offered = 0
        """number of the newest entry that was handed over, or stands in the file"""
        self.last = 0
        self.hash = GENESIS
        """of the newest entry in the file"""
        self.trouble = ""
        """why it cannot be written now; empty while it can"""

    # ── Life ────────────────────────────────

    def open(self) -> None:
        """Find where the file ends, and cut off a line that was not written whole. OSError."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for segment in reversed(segments(self._directory)):
            end = _end_of(segment)
            if end is None:
                segment.unlink()  # nothing whole in it
                continue
            size, last = end
            if size < segment.stat().st_size:
                os.truncate(segment, size)
            self.last, self.hash = last.number, last.hash
            break
        self._offered = self.last
        self._thread = threading.Thread(target=self._run, name="audit-trail", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what waits, and end. Blocks for as long as that takes."""
        with self._wake:
            self._ending.set()
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    # ── From the thread that applies ────────────────────────────────

    def offer(self, entries: Iterable[Entry]) -> None:
        """Hand over what was applied, in order; what stands in the file already is left out."""
        fresh = [entry for entry in entries if entry.number > self._offered]
        if not fresh:
            return
        with self._wake:
            self._offered = fresh[-1].number
            self._waiting.extend(fresh)
            while len(self._waiting) > WAITING_MAX:
                self._waiting.popleft()
            self._wake.notify()

    def read(self, after: int) -> Iterator[tuple[int, bytes]]:
        """As `lines`, of this directory."""
        return lines(self._directory, after)

    # ── The writing thread ────────────────────────────────

    def _run(self) -> None:
        written_at = -math.inf
        while True:
            with self._wake:
                while not self._waiting and not self._ending.is_set():
                    self._wake.wait()
                if not self._waiting:
                    return
            self._ending.wait(max(0.0, written_at + GATHER_S - time.monotonic()))
            written_at = time.monotonic()
            with self._wake:
                batch = list(self._waiting)
            try:
                self._write(batch)
            except OSError as error:
                if not self.trouble:
                    log.error("the audit cannot be written to %s: %s; trying again", self._directory, error)
                self.trouble = str(error)
                with self._wake:
                    if self._ending.is_set():
                        return
                    self._wake.wait(RETRY_S)
                continue
            self.trouble = ""
            with self._wake:
                while self._waiting and self._waiting[0].number <= self.last:
                    self._waiting.popleft()

    def _write(self, batch: list[Entry]) -> None:
        """All of it on the disk when this returns, or OSError; then what was written of it is cut off again."""
        last, lines = self.last, []
        for entry in batch:
            if entry.number <= last:
                continue
            if entry.number != last + 1:
                lines.append(gap_line(last, entry.number))
            lines.append(text_of(entry))
            last, newest = entry.number, entry.hash
        if not lines:
            return
        segment = self._segment(next(entry.number for entry in batch if entry.number > self.last))
        fresh = not segment.exists()
        size = 0 if fresh else segment.stat().st_size
        descriptor = os.open(segment, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            data = b"".join(line + b"\n" for line in lines)
            try:
                while data:
                    data = data[os.write(descriptor, data) :]
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, size)
                raise
        finally:
            os.close(descriptor)
        if fresh:
            self._sync_directory()
            self._remove_old(segment)
        self.last, self.hash = last, newest

    def _segment(self, number: int) -> Path:
        known = segments(self._directory)
        if known and known[-1].stat().st_size < SEGMENT_BYTES:
            return known[-1]
        return self._directory / f"{number:012d}{SUFFIX}"

    def _sync_directory(self) -> None:
        descriptor = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _remove_old(self, newest: Path) -> None:
        held = 0
        for segment in reversed(segments(self._directory)):
            if segment == newest:
                continue
            stat = segment.stat()
            held += stat.st_size
            if held > self._keep_bytes or time.time() - stat.st_mtime > self._keep_s:
                log.info("audit: %s is older or more than is kept, and removed", segment)
                segment.unlink(missing_ok=True)


def segments(directory: Path) -> list[Path]:
    """The segments, the oldest first."""
    return sorted(each for each in directory.glob(f"*{SUFFIX}") if each.stem.isdecimal())


def gap_line(after: int, following: int) -> bytes:
    """Says that the entries between are not here."""
    return json.dumps({"gap": {"after": after, "next": following}}).encode()


def lines(directory: Path, after: int) -> Iterator[tuple[int, bytes]]:
    """The lines behind entry `after` as they stand on the disk now, without their ends, and the number up to which all
    is told then (0: of a line that is none). Blocks. OSError.
    """
    found = segments(directory)
    begins = [int(segment.stem) for segment in found]
    first = max((at for at, number in enumerate(begins) if number <= after + 1), default=0)
    for segment in found[first:]:
        try:
            with segment.open("rb") as file:
                for line in file:
                    if not line.endswith(b"\n"):
                        return  # being written
                    number = _number(line)
                    if number is None:
                        yield 0, line[:-1]  # whoever verifies it has to see it
                    elif number > after:
                        yield number, line[:-1]
        except FileNotFoundError:
            continue  # removed for its age meanwhile


def _number(line: bytes) -> int | None:
    try:
        found = msgspec.json.decode(line, type=_Last)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return found.number if found.gap is None else found.gap.get("next", 1) - 1


def _end_of(segment: Path) -> tuple[int, _Last] | None:
    """(bytes up to the end of the last whole entry, that entry); None when there is none."""
    size, whole, last = 0, 0, None
    with segment.open("rb") as file:
        for line in file:
            size += len(line)
            if not line.endswith(b"\n"):
                break
            try:
                found = msgspec.json.decode(line, type=_Last)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                continue
            if found.gap is None and found.number:
                whole, last = size, found
    return None if last is None else (whole, last)
