"""The coverage gates of `make test`: percent of lines by file pattern, from [tool.triarch.coverage] in pyproject.toml.

Reads the combined .coverage of the run before it. Prints one line a gate; exits 1 when one is missed. What the settings
call `coverage-elsewhere` is run by campaigns and in the lab, where no lines are counted: it is left out, and told.
"""

import sys
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import coverage

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class FileLines:
    """Executable lines of one file, and which of them no test reached."""

    path: str
    total: int
    missing: tuple[int, ...]


@dataclass(frozen=True)
class Gate:
    """A file pattern and the percent of lines it asks for; `files` are those that match."""

    pattern: str
    wanted: float
    files: tuple[FileLines, ...]

    @property
    def percent(self) -> float:
        total = sum(file.total for file in self.files)
        missing = sum(len(file.missing) for file in self.files)
        return 100.0 if total == 0 else 100.0 * (total - missing) / total

    @property
    def passed(self) -> bool:
        return bool(self.files) and self.percent >= self.wanted

    def lines(self) -> list[str]:
        """What is printed: the verdict, and for a missed gate the files that keep it from passing."""
        verdict = "ok" if self.passed else "missed"
        out = [f"coverage {self.pattern}: {self.percent:.1f} % of lines, {self.wanted:g} % wanted: {verdict}"]
        if not self.files:
            out = [f"coverage {self.pattern}: matches no file: missed"]
        if not self.passed:
            worst = sorted((file for file in self.files if file.missing), key=lambda file: -len(file.missing))
            out += [f"    {file.path}: {_ranges(file.missing)}" for file in worst[:15]]
        return out


def _ranges(lines: tuple[int, ...]) -> str:
    """Line numbers as ranges: (3, 4, 5, 9) → "3-5, 9"."""
    spans: list[list[int]] = []
    for line in lines:
        if spans and line == spans[-1][1] + 1:
            spans[-1][1] = line
        else:
            spans.append([line, line])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)


def gates(wanted: dict[str, float], files: list[FileLines]) -> list[Gate]:
    """One gate a pattern, in the order of the settings."""
    return [
        Gate(pattern, percent, tuple(file for file in files if fnmatch(file.path, pattern)))
        for pattern, percent in wanted.items()
    ]


def counted(files: list[FileLines], elsewhere: list[str]) -> list[FileLines]:
    """Those that `make test` answers for. Raises ValueError for a pattern that matches no file."""
    for pattern in elsewhere:
        if not any(fnmatch(file.path, pattern) for file in files):
            raise ValueError(f"coverage-elsewhere: {pattern} matches no file")
    return [file for file in files if not any(fnmatch(file.path, pattern) for pattern in elsewhere)]


def measured() -> list[FileLines]:
    """Every file of the data file in the working tree."""
    run = coverage.Coverage(data_file=str(ROOT / ".coverage"), config_file=str(ROOT / "pyproject.toml"))
    run.load()
    files = []
    for name in sorted(run.get_data().measured_files()):
        path = Path(name)
        if not path.is_relative_to(ROOT) or not path.exists():
            continue
        _, statements, _, missing, _ = run.analysis2(name)
        files.append(FileLines(path.relative_to(ROOT).as_posix(), len(statements), tuple(missing)))
    return files


def main() -> int:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["triarch"]
    every = measured()
    files = counted(every, settings["coverage-elsewhere"]["files"])
    left = sum(file.total for file in every) - sum(file.total for file in files)
    print(f"coverage: {left} lines are left to campaigns and the lab", file=sys.stderr)
    results = gates(settings["coverage"], files)
    for gate in results:
        print("\n".join(gate.lines()), file=sys.stderr)
    return 0 if all(gate.passed for gate in results) else 1


if __name__ == "__main__":
    sys.exit(main())
