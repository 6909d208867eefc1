"""The file of a bundle: a tar.gz whose members and whole are bounded, each scrubbed on its way in."""

import gzip
import io
import json
import os
import tarfile
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from orchestrator.bundle.scrubbing import scrubbed, scrubbed_text

__all__ = ["FILE_BYTES_MAX", "TOTAL_BYTES_MAX", "Archive"]

FILE_BYTES_MAX = 4 << 20
TOTAL_BYTES_MAX = 64 << 20
"""Of the members together, before they are packed."""


class Archive:
    """Made anew at `path`, readable by its owner alone; FileExistsError, OSError. `folder`: what all members are below.

    `made`: seconds since 1970, of every member.
    """

    def __init__(self, path: Path, folder: str, *, secrets: Collection[str], made: float) -> None:
        self._folder = folder
        self._secrets = secrets
        self._made = made
        self._total = 0
        self.members: list[dict[str, Any]] = []
        """`file`, `bytes`, and `left_out` where something was: bytes that found no room"""
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self._packed = gzip.GzipFile(fileobj=self._file, mode="wb", mtime=int(made))
        self._tar = tarfile.TarFile(fileobj=self._packed, mode="w", format=tarfile.PAX_FORMAT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tar.close()
        self._packed.close()
        self._file.close()

    def add(self, name: str, data: Any) -> None:
        """JSON data."""
        self._write(name, json.dumps(scrubbed(data, self._secrets), indent=1, ensure_ascii=False).encode())

    def add_text(self, name: str, text: str) -> None:
        """Text; of a long one the end is kept, as the newest lines of a log stand there."""
        self._write(name, scrubbed_text(text, self._secrets).encode(errors="replace"))

    def _write(self, name: str, content: bytes) -> None:
        room = min(FILE_BYTES_MAX, max(0, TOTAL_BYTES_MAX - self._total))
        kept = content[len(content) - room :] if len(content) > room else content
        member: dict[str, Any] = {"file": name, "bytes": len(kept)}
        if len(kept) < len(content):
            member["left_out"] = len(content) - len(kept)
        self.members.append(member)
        self._total += len(kept)
        info = tarfile.TarInfo(f"{self._folder}/{name}")
        info.size, info.mtime, info.mode = len(kept), int(self._made), 0o600
        self._tar.addfile(info, io.BytesIO(kept))
