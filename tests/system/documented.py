"""The command lines in the documents: `triarch …`, `curl …`, `ansible-playbook …`, a host's; in blocks and spans."""

import json
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import click

from orchestrator.cli.main import main
from tests.command_line import REPO

PAGES = ("README.md", "docs/*.md", "docs/runbooks/*.md", "playbooks/README.md", "examples/*/README.md")
_SPAN = re.compile(r"`(?:\.venv/bin/)?(triarch [^`]+)`")
_LINE = re.compile(r"^\s*(?:\$ )?(?:[A-Z_]+=\S+ )*(?:ssh \S+ )?(?:\.venv/bin/)?(triarch .+)$")
_CURL_SPAN = re.compile(r"`(curl [^`]+)`")
_PLAY_PAGES = (*PAGES, "deploy/ansible/*.md", "deploy/ansible/*.yml")
_PLAY_SPAN = re.compile(r"`(ansible-playbook \S+\.yml[^`]*)`")
_PLAY_LINE = re.compile(r"^\s*(?:# +)?(ansible-playbook \S+\.yml.*)$")
_HOST_SPAN = re.compile(r"`([^`]+)`")
_SHELL = re.compile(r"\$\([^)]*\)")
_ENDS = re.compile(r"\s(?:#|\||&&|;|>|<)\s?|\s{3,}")


class Documented(NamedTuple):
    page: str
    words: tuple[str, ...]
    """Behind `triarch`."""

    def __str__(self) -> str:
        return f"{self.page}: triarch {' '.join(self.words)}"


def documented() -> Iterator[Documented]:
    """Each once a page, in order."""
    for pattern in PAGES:
        for path in sorted(REPO.glob(pattern)):
            page = str(path.relative_to(REPO))
            found = dict.fromkeys(_commands(path))
            yield from (Documented(page, words) for words in found)


class Asked(NamedTuple):
    """A request that a page shows; `words`: of the whole command line."""

    page: str
    words: tuple[str, ...]

    @property
    def method(self) -> str:
        return self.words[self.words.index("-X") + 1] if "-X" in self.words else "GET"

    @property
    def url(self) -> str:
        """With whatever stands in it for a host, a name, a number."""
        (found,) = (word for word in self.words if word.startswith("http"))
        return found


def asked() -> Iterator[Asked]:
    """Every `curl …`, each once a page."""
    for pattern in PAGES:
        for path in sorted(REPO.glob(pattern)):
            page = str(path.relative_to(REPO))
            yield from dict.fromkeys(Asked(page, words) for words in _requests(path))


class Played(NamedTuple):
    """A run of a playbook that a page shows, or the head of the playbook itself; in `deploy/ansible`."""

    page: str
    words: tuple[str, ...]
    """Behind `ansible-playbook`."""

    @property
    def playbook(self) -> str:
        return self.words[0]

    @property
    def variables(self) -> dict[str, str]:
        """What `-e` gives, by name: the text of a value that is none."""
        found: dict[str, str] = {}
        for option, value in pairwise(self.words):
            if option in ("-e", "--extra-vars"):
                one = json.loads(value) if value.startswith("{") else dict([value.split("=", 1)])
                found |= {name: given if isinstance(given, str) else json.dumps(given) for name, given in one.items()}
        return found

    def __str__(self) -> str:
        return f"{self.page}: ansible-playbook {' '.join(self.words)}"


def played() -> Iterator[Played]:
    """Every `ansible-playbook …`, each once a page."""
    for pattern in _PLAY_PAGES:
        for path in sorted(REPO.glob(pattern)):
            page = str(path.relative_to(REPO))
            lines = path.read_text(encoding="utf-8").splitlines()
            texts = [text for line in lines for text in [*_PLAY_SPAN.findall(line), *_PLAY_LINE.findall(line)]]
            words = (shlex.split(re.split(r"\s(?:#|\s{2,})", text)[0])[1:] for text in texts)
            yield from dict.fromkeys(Played(page, tuple(each)) for each in words)


class Typed(NamedTuple):
    """What a page says to type on a host; `before`: settings and whatever stands before the program."""

    page: str
    before: str
    words: tuple[str, ...]
    """Behind the program."""

    def __str__(self) -> str:
        return f"{self.page}: {self.before}… {' '.join(self.words)}"


def typed(program: str) -> Iterator[Typed]:
    """Every use of a program of the host with at least one word behind it, each once a page."""
    behind = re.compile(rf"(.*?)(?<![\w-]){re.escape(program)} (.+)")
    for pattern in (*PAGES, "deploy/ansible/*.md"):
        for path in sorted(REPO.glob(pattern)):
            page = str(path.relative_to(REPO))
            found = (match for text in _lines(path) if (match := behind.fullmatch(text.strip())))
            yield from dict.fromkeys(Typed(page, match[1], _words(f"{program} {match[2]}")) for match in found)


def _lines(path: Path) -> Iterator[str]:
    """Of blocks, whole; elsewhere the code spans."""
    block = False
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.lstrip().startswith("```"):
            block = not block
            continue
        yield from [line] if block else _HOST_SPAN.findall(line)


def _requests(path: Path) -> Iterator[tuple[str, ...]]:
    block = False
    for line in path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        if line.lstrip().startswith("```"):
            block = not block
            continue
        text = line.strip().removeprefix("$ ")
        for each in [text] if block and text.startswith("curl ") else _CURL_SPAN.findall(line):
            yield tuple(shlex.split(each, comments=True))


def _commands(path: Path) -> Iterator[tuple[str, ...]]:
    block = False
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.lstrip().startswith("```"):
            block = not block
            continue
        texts = [match[1] for match in [_LINE.match(line)] if match] if block else _SPAN.findall(line)
        for text in texts:
            words = _words(text)
            if words and words[0] not in ("COMMAND", "NOUN"):
                yield words


def _words(text: str) -> tuple[str, ...]:
    text = _ENDS.split(_SHELL.sub("X", text.rstrip(" \\")), maxsplit=1)[0]
    try:
        words = shlex.split(text)
    except ValueError:  # a quotation that goes on in the next line
        words = text.split()
    return tuple(word for word in words[1:] if word not in ("…", "..."))


def resolved(words: tuple[str, ...]) -> tuple[click.Command, list[str], list[str]]:
    """The command that the words name, its path, and what is left. Raises LookupError for one that is not there."""
    command: click.Command = main
    path: list[str] = []
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        following = command.get_command(click.Context(command), rest[0])
        if following is None:
            raise LookupError(f"{' '.join([*path, rest[0]])} is no command")
        command = following
        path.append(rest.pop(0))
    return command, path, rest
