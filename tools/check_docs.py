"""Checks that the documentation still tells the truth where a program can know it.

- every relative link, and every #heading it names, exists;
- every `make X` is a target of the Makefile, every `triarch X Y --flag` a command and an option of the command line;
- no tracked file holds a path of somebody's machine or the address of a package index.

Prints `file:line: what` for each finding and exits 1 when there is one.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$")
FENCE = re.compile(r"^\s*(```|~~~)(\w*)")
INLINE = re.compile(r"`([^`\n]+)`")
# A command ends where the shell would end it.
COMMAND = re.compile(r"(?:^|[|;&(]|\s)(?:\.venv/bin/)?(make|triarch)((?: +[^\s|;&)#]+)*)")
SHELLS = {"", "sh", "bash", "console", "shell"}
FORBIDDEN = {
    re.escape(str(ROOT)) + r"(?:/|\b)": "the path of this checkout",
    r"(?<![\w.}])/(?:home|root|Users)/\w": "a path in somebody's home directory",
    r"://[^\s\"']+/simple(?:/|\b)": "the address of a package index",
    r"--(?:extra-)?index-url": "the address of a package index",
}
TEXT = {
    ".md",
    ".py",
    ".toml",
    ".yml",
    ".yaml",
    ".sh",
    ".lua",
    ".lock",
    ".json",
    ".txt",
    ".cfg",
    ".html",
    ".css",
    ".js",
    "",
}


@dataclass(frozen=True)
class Finding:
    """One untruth: where it stands and what it is."""

    path: Path
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT).as_posix()}:{self.line}: {self.what}"


def tracked_files() -> list[Path]:
    """Files git knows or would add, that exist."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [path for name in sorted(set(listing.stdout.split("\0"))) if name and (path := ROOT / name).is_file()]


def prose_and_code(text: str) -> Iterator[tuple[int, str, str | None]]:
    """Each line as (number, line, language): language is None outside a fenced block."""
    language: str | None = None
    for number, line in enumerate(text.splitlines(), 1):
        fence = FENCE.match(line)
        if fence:
            language = fence.group(2).lower() if language is None else None
            continue
        yield number, line, language


def anchors(path: Path) -> set[str]:
    """The anchors a Markdown page's headings get."""
    found: set[str] = set()
    for _, line, language in prose_and_code(path.read_text()):
        heading = HEADING.match(line) if language is None else None
        if heading:
            words = re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", heading.group(1)).lower())
            found.add(words.strip().replace(" ", "-"))
    return found


def check_links(path: Path) -> Iterator[Finding]:
    """Relative links whose file or heading does not exist."""
    for number, line, language in prose_and_code(path.read_text()):
        if language is not None:
            continue
        for match in LINK.finditer(INLINE.sub("", line)):
            target = match.group(1) or match.group(2)
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            page = (path.parent / name).resolve() if name else path
            if not page.exists():
                yield Finding(path, number, f"link to {target}, which does not exist")
            elif anchor and page.suffix == ".md" and anchor not in anchors(page):
                yield Finding(path, number, f"link to {target}: no such heading")


def make_targets() -> set[str]:
    """Targets of the Makefile."""
    return set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))


def commands_in(path: Path) -> Iterator[tuple[int, str, list[str]]]:
    """Each `make …` and `triarch …` in shell blocks and inline code: (line, program, words)."""
    for number, line, language in prose_and_code(path.read_text()):
        pieces = INLINE.findall(line) if language is None else [line.removeprefix("$ ")] if language in SHELLS else []
        for piece in pieces:
            if language is None and not re.match(r"(\$ )?(\w+=\S+ )*(\.venv/bin/)?(make|triarch)\b", piece):
                continue
            code = piece.split(" #")[0]
            if language is not None and not re.match(r"\s*(\w+=\S+ )*(\.venv/bin/)?(make|triarch) ", code):
                continue
            for match in COMMAND.finditer(code):
                yield number, match.group(1), match.group(2).split()


def check_make(words: list[str], targets: set[str]) -> str | None:
    """What is wrong with `make WORDS`, or None."""
    for word in words:
        if "=" in word:  # the rest may be the quoted value of ARGS
            return None
        for name in word.split("|"):
            if re.fullmatch(r"[a-z][\w-]*", name) and name not in targets:
                return f"`make {name}`: no such target"
    return None


def check_triarch(words: list[str], root: click.Command) -> str | None:
    """What is wrong with `triarch WORDS`, or None."""
    context = click.Context(root, info_name="triarch")
    command: click.Command = root
    trail = ["triarch"]
    for word in words:
        if word.startswith("-"):
            flag = word.split("=")[0].rstrip("]")
            known = {
                name
                for each in _lineage(context)
                for option in each.params
                for name in (*option.opts, *option.secondary_opts)
            }
            if flag not in known | {"--help"} and re.fullmatch(r"--?[a-z][\w-]*", flag):
                return f"`{' '.join(trail)} {flag}`: no such option"
            continue
        if not isinstance(command, click.Group) or not re.fullmatch(r"[a-z][\w-]*(\|[a-z][\w-]*)*", word):
            continue
        chosen: click.Command = command
        for name in word.split("|"):
            following = command.get_command(context, name)
            if following is None:
                return f"`{' '.join([*trail, name])}`: no such command"
            chosen = following
        command = chosen
        trail.append(word)
        context = click.Context(command, info_name=word, parent=context)
    return None


def _lineage(context: click.Context | None) -> Iterator[click.Command]:
    while context is not None:
        yield context.command
        context = context.parent


def check_commands(path: Path, targets: set[str], root: click.Command) -> Iterator[Finding]:
    """Commands a page names that do not exist."""
    for number, program, words in commands_in(path):
        wrong = check_make(words, targets) if program == "make" else check_triarch(words, root)
        if wrong:
            yield Finding(path, number, wrong)


def check_forbidden(path: Path) -> Iterator[Finding]:
    """Machine paths and index addresses; a document and a lock alike must not carry them."""
    if path == Path(__file__).resolve():
        return
    try:
        text = path.read_text()
    except UnicodeDecodeError:
        return
    for number, line in enumerate(text.splitlines(), 1):
        for pattern, what in FORBIDDEN.items():
            if re.search(pattern, line):
                yield Finding(path, number, f"holds {what}")


def main() -> int:
    from orchestrator.cli.main import main as root

    files = tracked_files()
    targets = make_targets()
    findings: list[Finding] = []
    for path in files:
        if path.suffix == ".md":
            findings += check_links(path)
            findings += check_commands(path, targets, root)
        if path.suffix in TEXT:
            findings += check_forbidden(path)
    for finding in findings:
        print(finding, file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
