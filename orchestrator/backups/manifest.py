"""What a backup says of itself, and what may be wrong with it. Pure: files are read by `proving.py`.

backup/
  manifest.json     this
  state.snapshot    the replicated state, see orchestrator.backups.snapshot
  frames.rdb        the data of the frames' server: payloads, queues, ledger
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

FORMAT = 1
MANIFEST = "manifest.json"
STATE = "state.snapshot"
FRAMES = "frames.rdb"
FILES = (STATE, FRAMES)
MANIFEST_BYTES_MAX = 1 << 20

TOTALS = ("published", "settled", "dead", "dropped", "in_flight", "lost", "duplicates")
"""Of the ledger, that must be equal after a restore."""
PROBLEMS_MAX = 1000
"""Of a ledger that is not in order, the first ones are written down."""


class ManifestInvalid(ValueError):
    """Not a manifest, or of a newer format."""


class File(msgspec.Struct, frozen=True):
    """`bytes`: its size. `sha256`: in hex."""

    bytes: int
    sha256: str


class State(msgspec.Struct, frozen=True):
    """As `SnapshotFacts`: what the snapshot holds."""

    index: int
    term: int
    level: int
    digest: str
    members: tuple[str, ...]


class Frames(msgspec.Struct, frozen=True):
    """`totals`: of the ledger, as a server said that had loaded this file; `server`: that server, for people.

    `problems`: what was wrong with that ledger in the ledger's own words, the first `PROBLEMS_MAX`; empty when it was
    in order.
    """

    totals: Mapping[str, int]
    server: str
    problems: tuple[str, ...] = ()


class Manifest(msgspec.Struct, frozen=True):
    """`version`: the release that made it. `at`: unix seconds of the host that made it, for people.

    `state_s` and `frames_s`: how long after the beginning each of the two was complete; they are not of one instant.
    """

    cluster: str
    version: str
    at: float
    state_s: float
    frames_s: float
    state: State
    frames: Frames
    files: Mapping[str, File]
    format: int = FORMAT


def encode(manifest: Manifest) -> bytes:
    """Its file: JSON with two spaces, a newline at the end."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def decode(data: bytes) -> Manifest:
    """Errors: ManifestInvalid, which says what is wrong."""
    try:
        found: Any = msgspec.json.decode(data)
        wanted = found.get("format") if isinstance(found, dict) else None
        if wanted != FORMAT:
            raise ManifestInvalid(
                f"its format is {wanted!r}, this release knows {FORMAT}: use the release that made it"
            )
        manifest = msgspec.convert(found, Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ManifestInvalid(f"it cannot be read: {error}") from error
    if set(manifest.files) != set(FILES):
        raise ManifestInvalid(
            f"it names {', '.join(sorted(manifest.files)) or 'no files'} instead of {', '.join(FILES)}"
        )
    if set(manifest.frames.totals) != set(TOTALS):
        raise ManifestInvalid(f"its ledger has other totals than {', '.join(TOTALS)}")
    return manifest


def file_problems(manifest: Manifest, found: Mapping[str, File]) -> list[str]:
    """What is wrong with the files that were found beside it; empty when nothing is."""
    problems = []
    for name, wanted in sorted(manifest.files.items()):
        file = found.get(name)
        if file is None:
            problems.append(f"{name} is missing")
        elif file.bytes != wanted.bytes:
            problems.append(f"{name} has {file.bytes} bytes instead of {wanted.bytes}")
        elif file.sha256 != wanted.sha256:
            problems.append(f"{name} is damaged: its SHA-256 is {file.sha256}, not {wanted.sha256}")
    return problems


def misfits(manifest: Manifest, *, cluster: str | None, adopt: bool, version: tuple[int, ...], level: int) -> list[str]:
    """Why this backup is not for this cluster or this release. `cluster` None: any. `version`: as (0, 2, 0)."""
    problems = []
    if cluster is not None and manifest.cluster != cluster and not adopt:
        problems.append(
            f"it is of the cluster {manifest.cluster!r}, not of {cluster!r}; give --adopt to make it {cluster!r}'s"
        )
    if parts(manifest.version) > version:
        shown = ".".join(map(str, version))
        problems.append(
            f"release {manifest.version} made it, which is newer than this one ({shown}): install that first"
        )
    if manifest.state.level > level:
        problems.append(
            f"its state uses level {manifest.state.level}, this release knows {level}: install a newer release first"
        )
    return problems


def parts(version: str) -> tuple[int, ...]:
    """0.2.0 as (0, 2, 0); what follows the numbers is left out. ManifestInvalid when there are none."""
    try:
        return tuple(int(part) for part in version.split("+", maxsplit=1)[0].split(".")[:3])
    except ValueError:
        raise ManifestInvalid(f"{version!r} is no version") from None


def ledger_problems(manifest: Manifest, found: Mapping[str, Any]) -> list[str]:
    """Where totals of a ledger differ from the backup's; empty when they are equal."""
    return [
        f"{name} is {found.get(name)}, the backup has {wanted}"
        for name, wanted in sorted(manifest.frames.totals.items())
        if found.get(name) != wanted
    ]


def new_problems(manifest: Manifest, problems: Sequence[str]) -> list[str]:
    """Of the `problems` of a ledger, those that the backup does not have: a frame once lost is lost for good."""
    known = set(manifest.frames.problems)
    return [problem for problem in problems[:PROBLEMS_MAX] if problem not in known]
