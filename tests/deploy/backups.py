"""Backups without a plant: whole by their checksums, with data that no server has written."""

import hashlib
from pathlib import Path

import msgspec

from orchestrator.backups import manifest
from orchestrator.backups.manifest import MANIFEST


def a_backup(directory: Path, **other: str) -> Path:
    """In a new directory. `other`: what its manifest says of cluster and release."""
    directory.mkdir(parents=True)
    files = {}
    for name in manifest.FILES:
        data = name.encode() * 1000
        (directory / name).write_bytes(data)
        files[name] = manifest.File(len(data), hashlib.sha256(data).hexdigest())
    made = manifest.Manifest(
        cluster="plant-1",
        version="0.2.0",
        at=0.0,
        state_s=0.1,
        frames_s=0.2,
        state=manifest.State(1, 1, 3, "00", ("n1",)),
        frames=manifest.Frames(dict.fromkeys(manifest.TOTALS, 0), "redis 7.0.15"),
        files=files,
    )
    (directory / MANIFEST).write_bytes(manifest.encode(msgspec.structs.replace(made, **other)))
    return directory
