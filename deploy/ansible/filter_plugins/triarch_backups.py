"""Backups on the machine that runs Ansible: which are there, which have had their time, what one says of itself."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"
FILES = ("state.snapshot", "frames.rdb")
"""What a backup has beside its manifest."""
FORMAT = 1
MANIFEST_BYTES_MAX = 1 << 20

_SHA256 = re.compile(r"[0-9a-f]{64}")
_VERSION = re.compile(r"\d+\.\d+\.\d+([.+].*)?")


def triarch_backups(folder: str, cluster: str, keep: int, coming: str = "") -> dict[str, list[str]]:
    """What of a cluster is in a folder of backups, by name, the oldest first.

    `whole`: those that have a manifest, which comes last; `coming` is one that will be there. Only these are counted:
    of them the newest `keep` stay. `unfinished`: those whose run broke off, or is under way. `go`: whatever is older
    than the oldest that stays, once `keep` are there. An unfinished one that is no older may still become one.
    """
    name = re.compile(rf"{re.escape(cluster)}-\d{{8}}T\d{{6}}Z")
    place = Path(folder).expanduser()
    there = sorted(path for path in place.glob("*") if name.fullmatch(path.name) and path.is_dir())
    whole = [path.name for path in there if (path / MANIFEST).is_file()]
    unfinished = [path.name for path in there if path.name not in whole]
    counted = sorted({*whole, coming} - {""})
    go = [path.name for path in there if path.name < counted[-int(keep)]] if len(counted) >= int(keep) else []
    return {"whole": whole, "unfinished": [one for one in unfinished if one not in go], "go": go}


def triarch_backup_found(given: str, starts: Sequence[str]) -> dict[str, Any]:
    """Where a backup is, by the path that was given: `place`, "" for nowhere, and all that was `looked` at.

    A path without a root starts in the first of `starts` that has it.
    """
    looked = list(dict.fromkeys(str(Path(start).expanduser() / Path(given).expanduser()) for start in starts))
    return {"place": next((place for place in looked if (Path(place) / MANIFEST).is_file()), ""), "looked": looked}


def triarch_backup(folder: str) -> dict[str, Any]:
    """`manifest`: of a backup; None where it is not to be used, and `faults` says why. `newer`: it is not damaged."""
    try:
        with (Path(folder) / MANIFEST).open("rb") as file:
            data = file.read(MANIFEST_BYTES_MAX + 1)
        if len(data) > MANIFEST_BYTES_MAX:
            raise ValueError("it is too large")
        manifest = json.loads(data)
    except (OSError, ValueError, RecursionError) as error:
        return {"manifest": None, "faults": [f"it cannot be read: {error}"], "newer": False}
    form = manifest.get("format") if isinstance(manifest, Mapping) else None
    if _is_number(form) and form > FORMAT:
        return {"manifest": None, "faults": [f"its format is {form}, and this release knows {FORMAT}"], "newer": True}
    faults = list(_faults(manifest))
    return {"manifest": None if faults else manifest, "faults": faults, "newer": False}


def _faults(manifest: Any) -> Iterator[str]:
    """Of what the playbook asks of it; the command line looks at all of it, on the host."""
    if not isinstance(manifest, Mapping):
        yield "it holds no members"
        return
    if manifest.get("format") != FORMAT:
        yield f"its format is not {FORMAT}"
    if not isinstance(manifest.get("cluster"), str):
        yield "it does not say of which cluster it is"
    if not isinstance(manifest.get("version"), str) or not _VERSION.fullmatch(manifest["version"]):
        yield "it does not say which release made it"
    state, frames, files = (manifest.get(name) for name in ("state", "frames", "files"))
    if not isinstance(state, Mapping) or not all(_is_number(state.get(name)) for name in ("index", "level")):
        yield "it does not say index and level of the state"
    totals = frames.get("totals") if isinstance(frames, Mapping) else None
    if not isinstance(totals, Mapping) or not _is_number(totals.get("published")):
        yield "it does not say the ledger's totals"
    if not isinstance(files, Mapping) or set(files) != set(FILES):
        named = ", ".join(sorted(map(str, files))) if isinstance(files, Mapping) and files else "no files"
        yield f"it names {named} instead of {' and '.join(FILES)}"
    elif not all(_is_digest(file) for file in files.values()):
        yield "it does not say the SHA-256 of its files"


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_digest(file: Any) -> bool:
    return isinstance(file, Mapping) and isinstance(file.get("sha256"), str) and bool(_SHA256.fullmatch(file["sha256"]))


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "triarch_backup": triarch_backup,
            "triarch_backup_found": triarch_backup_found,
            "triarch_backups": triarch_backups,
        }
