"""Every command line that a document shows is one: its words, its options, and as many arguments as it takes.

`tests/chaos/test_documented_commands.py` runs them on a plant.
"""

import json
import re
import shlex
import urllib.parse
from itertools import pairwise

import click
import pytest

from orchestrator.access import rights
from tests.command_line import REPO
from tests.system.documented import Documented, asked, documented, resolved

COMMANDS = list(documented())


def test_the_documents_show_commands() -> None:
    assert len(COMMANDS) > 150
    assert {command.page for command in COMMANDS} >= {"README.md", "docs/cli.md", "docs/frames.md", "docs/access.md"}


@pytest.mark.parametrize("page", sorted({command.page for command in COMMANDS}))
def test_what_a_page_shows_are_commands(page: str) -> None:
    for shown in COMMANDS:
        if shown.page == page:
            check(shown)


def test_what_curl_is_shown_to_ask_are_endpoints() -> None:
    shown = list(asked())
    assert {each.page for each in shown} >= {"docs/api.md", "docs/watch.md", "docs/troubleshooting.md"}
    for each in shown:
        path = urllib.parse.urlsplit(each.url).path
        assert rights.find(each.method, path) is not None, f"{each.page}: {each.method} {path}"


def test_the_playbooks_of_the_deployment_that_are_shown_are_there() -> None:
    """And each variable that a document sets is one that they look at."""
    ansible = REPO / "deploy" / "ansible"
    read = "\n".join(
        path.read_text(encoding="utf-8")
        for path in ansible.rglob("*")
        if path.suffix in (".yml", ".j2") and "inventories" not in path.parts
    )
    lines = [
        (path.name, line.strip().partition("  #")[0])
        for pattern in ("README.md", "docs/*.md", "docs/runbooks/*.md", "deploy/ansible/*.md")
        for path in sorted(REPO.glob(pattern))
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip().startswith("ansible-playbook ")
    ]
    assert len(lines) > 10
    for page, line in lines:
        words = shlex.split(line)
        assert (ansible / words[1]).is_file(), f"{page}: {line}"
        for option, value in pairwise(words):
            if option == "-e":
                names = json.loads(value) if value.startswith("{") else [value.partition("=")[0]]
                assert all(re.search(rf"\b{name}\b", read) for name in names), f"{page}: {line}"


def check(shown: Documented) -> None:
    """AssertionError, LookupError: it is none."""
    command, path, rest = resolved(shown.words)
    options = {name: option for option in command.params if isinstance(option, click.Option) for name in option.opts}
    options |= {
        name: option for option in command.params if isinstance(option, click.Option) for name in option.secondary_opts
    }
    known = {*options, "-h", "--help"}
    given = [word.partition("=")[0] for word in rest if word.startswith("-") and word not in ("-", "--")]
    assert set(given) <= known, f"triarch {' '.join(path)} has no {set(given) - known}"
    arguments, values, skipped = [], iter(rest), False
    for word in values:
        if word.startswith("-") and word not in ("-", "--"):
            option = options.get(word.partition("=")[0])
            skipped = option is not None and not option.is_flag and "=" not in word
            if skipped:
                next(values, None)
        elif word != "--":
            arguments.append(word)
    takes = [parameter for parameter in command.params if isinstance(parameter, click.Argument)]
    if not any(parameter.nargs == -1 for parameter in takes):
        assert len(arguments) <= len(takes), f"triarch {' '.join(path)} takes {len(takes)} arguments"
