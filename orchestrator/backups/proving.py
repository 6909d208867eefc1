"""Making a backup that is known to be good, and finding out whether one still is."""

import hashlib
import importlib.metadata
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

import cluster
from framebuffer.errors import FrameBufferError
from orchestrator.backups import frames_data, manifest
from orchestrator.backups.manifest import FRAMES, MANIFEST, STATE, Manifest, ManifestInvalid
from orchestrator.backups.snapshot import SnapshotFacts, facts_of
from orchestrator.errors import BackupDamaged, BackupRefused, SnapshotUnreadable
from orchestrator.state import PlantState

if TYPE_CHECKING:
    from orchestrator.config import NodeConfig

CHUNK = 1 << 20
SCRATCH = ".proof"


def own_version() -> str:
    """The release that runs."""
    return importlib.metadata.version("triarch")


async def seal(directory: Path, config: "NodeConfig", snapshot: bytes, began: float) -> Manifest:
    """Complete a backup whose state is `snapshot`: the frames' data, then both are loaded and what they hold is written
    down. `began`: of `time.monotonic`, before the snapshot was asked for.

    A ledger that is not in order is backed up too, with what is wrong with it: its frames are lost already, and a
    restore cannot bring them back. Errors: BackupRefused, BackupDamaged.
    """
    state = _state(snapshot)
    _write(directory / STATE, snapshot)
    state_s = time.monotonic() - began
    place = await frames_data.primary_of(config)
    await frames_data.fetch(place, config.redis_password(), directory / FRAMES)
    frames_s = time.monotonic() - began
    loaded = await _loaded(directory)
    found = {name: _file(directory / name) for name in manifest.FILES}
    made = Manifest(
        cluster=config.cluster.name,
        version=own_version(),
        at=time.time(),
        state_s=round(state_s, 3),
        frames_s=round(frames_s, 3),
        state=manifest.State(state.index, state.term, state.level, state.digest, state.members),
        frames=manifest.Frames(
            _totals(loaded.ledger), loaded.server, tuple(loaded.ledger.problems[: manifest.PROBLEMS_MAX])
        ),
        files=found,
    )
    _write(directory / MANIFEST, manifest.encode(made))
    return made


async def prove(directory: Path, *, cluster_name: str | None, adopt: bool, quick: bool) -> Manifest:
    """The manifest of a backup that is whole, and fits. `quick`: its frames' data are not loaded.

    Errors: BackupDamaged; BackupRefused (no backup, of another cluster, of a newer release).
    """
    made = read_manifest(directory)
    if problems := manifest.file_problems(made, _files(directory, made)):
        raise BackupDamaged(f"{directory}: {'; '.join(problems)}. Use another backup")
    if problems := manifest.misfits(
        made, cluster=cluster_name, adopt=adopt, version=manifest.parts(own_version()), level=PlantState.level
    ):
        raise BackupRefused(f"{directory}: {'; '.join(problems)}")
    if (found := _state((directory / STATE).read_bytes())).digest != made.state.digest:
        raise BackupDamaged(f"{directory}: the state's digest is {found.digest}, the manifest says {made.state.digest}")
    if not quick and (problems := manifest.ledger_problems(made, _totals((await _loaded(directory)).ledger))):
        raise BackupDamaged(f"{directory}: the ledger differs from the manifest: {'; '.join(problems)}")
    return made


def read_manifest(directory: Path) -> Manifest:
    """Errors: BackupRefused, where there is none; BackupDamaged."""
    file = directory / MANIFEST
    try:
        if file.stat().st_size > manifest.MANIFEST_BYTES_MAX:
            raise BackupDamaged(f"{file}: more than {manifest.MANIFEST_BYTES_MAX} bytes")
        return manifest.decode(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise BackupRefused(f"{directory} is no backup: it has no {MANIFEST}") from None
    except OSError as error:
        raise BackupRefused(f"{file}: cannot be read: {error.strerror}") from None
    except ManifestInvalid as error:
        raise BackupDamaged(f"{file}: {error}") from None


def _state(data: bytes) -> SnapshotFacts:
    try:
        return facts_of(data)
    except (cluster.SnapshotUnreadable, SnapshotUnreadable) as error:
        raise BackupDamaged(f"{STATE}: {error}") from None


async def _loaded(directory: Path) -> frames_data.Loaded:
    try:
        return await frames_data.load(directory / FRAMES, directory / SCRATCH)
    except FrameBufferError as error:
        raise BackupDamaged(f"{directory / FRAMES} cannot be loaded: {error}") from None


def _totals(ledger: Any) -> Mapping[str, int]:
    return {name: getattr(ledger, name) for name in manifest.TOTALS}


def _files(directory: Path, made: Manifest) -> dict[str, manifest.File]:
    return {name: _file(directory / name) for name in made.files if (directory / name).is_file()}


def _file(path: Path) -> manifest.File:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as data:
        while chunk := data.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return manifest.File(size, digest.hexdigest())


def _write(file: Path, data: bytes) -> None:
    """Readable by its owner alone, and on the disk when this returns."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())


def shown(made: Manifest) -> dict[str, Any]:
    """For people and programs: the manifest as JSON data."""
    found: dict[str, Any] = msgspec.to_builtins(made)
    return found
