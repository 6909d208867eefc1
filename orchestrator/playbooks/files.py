"""Playbooks in files and directories, all of them checked, alone and together."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.errors import PlaybookInvalid
from orchestrator.playbooks.loading import Loaded, load_text
from orchestrator.playbooks.positions import PlaybookProblem, Positions
from orchestrator.playbooks.reading import BYTES_MAX
from orchestrator.playbooks.together import check_together, missing_playbooks

SUFFIXES = (".yaml", ".yml")
FILES_MAX = 1_000


@dataclass
class Checked:
    """What was found. `loaded`: by name, the playbooks that are right taken alone.

    `absent`: some are called that are neither there nor elsewhere.
    """

    files: int = 0
    loaded: dict[str, Loaded] = field(default_factory=dict)
    problems: list[PlaybookProblem] = field(default_factory=list)
    warnings: list[PlaybookProblem] = field(default_factory=list)
    absent: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON data."""
        return {
            "valid": not self.problems,
            "files": self.files,
            "playbooks": sorted(self.loaded),
            "errors": [problem.document() for problem in self.problems],
            "warnings": [warning.document() for warning in self.warnings],
        }


def check_paths(paths: Iterable[Path], elsewhere: Collection[str] = ()) -> Checked:
    """All playbooks in these files, and in the directories with all below them.

    A directory counts as a whole set: a call of a playbook that is neither there nor one of those `elsewhere` is an
    error. Where only files are given it is a warning.
    """
    found, whole = Checked(), False
    for path in paths:
        whole = whole or path.is_dir()
        files = list(_files(path))
        if not files:
            found.problems.append(PlaybookProblem(str(path), 1, 1, "", "there is no .yaml or .yml file in it"))
        for file in files:
            if found.files >= FILES_MAX:
                found.problems.append(PlaybookProblem(str(file), 1, 1, "", f"more than {FILES_MAX} files"))
                return found
            _one(file, found)
    playbooks = {name: loaded.playbook for name, loaded in found.loaded.items()}
    positions = {name: loaded.positions for name, loaded in found.loaded.items()}
    together = check_together(playbooks, positions, elsewhere)
    absent = set(missing_playbooks(playbooks, positions, elsewhere))
    found.absent = bool(absent)
    found.problems += [problem for problem in together if whole or problem not in absent]
    found.warnings += [problem for problem in together if not whole and problem in absent]
    return found


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES and file.is_file())
    else:
        yield path


def _one(file: Path, found: Checked) -> None:
    found.files += 1
    try:
        with file.open("rb") as stream:
            content = stream.read(BYTES_MAX + 1)
        # Half a character at the bound is not what is wrong with it.
        text = content.decode("utf-8-sig", errors="strict" if len(content) <= BYTES_MAX else "replace")
    except UnicodeDecodeError as error:
        before = error.object[: error.start]
        column = len(before) - (before.rfind(b"\n") + 1) + 1
        said = "this is no UTF-8"
        found.problems.append(PlaybookProblem(str(file), before.count(b"\n") + 1, column, "", said, "save it as UTF-8"))
        return
    except OSError as error:
        found.problems.append(PlaybookProblem(str(file), 1, 1, "", f"cannot be read: {error.strerror or error}"))
        return
    try:
        loaded = load_text(text, file=str(file))
    except PlaybookInvalid as error:
        found.problems += [PlaybookProblem(**problem) for problem in error.details["errors"]]
        return
    name, at = loaded.playbook.name, loaded.positions
    found.warnings += loaded.warnings
    if name in found.loaded:
        other = found.loaded[name].positions.file
        found.problems.append(at.problem(("name",), f"the playbook {name!r} stands in {other} too", "rename one"))
        return
    found.loaded[name] = loaded
    if file.suffix in SUFFIXES and file.stem != name:
        found.warnings.append(_named_otherwise(file, name, at))


def _named_otherwise(file: Path, name: str, at: Positions) -> PlaybookProblem:
    hint = f"others call it {name!r}; call the file {name}.yaml"
    return at.problem(("name",), f"the file's name {file.stem!r} is another one", hint)
