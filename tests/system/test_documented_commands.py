"""Every command line that a document shows is one: its words, its options, and as many arguments as it takes.

`tests/chaos/test_documented_commands.py` runs them on a plant.
"""

import click
import pytest

from tests.system.documented import Documented, documented, resolved

COMMANDS = list(documented())


def test_the_documents_show_commands() -> None:
    assert len(COMMANDS) > 150
    assert {command.page for command in COMMANDS} >= {"README.md", "docs/cli.md", "docs/frames.md", "docs/access.md"}


@pytest.mark.parametrize("page", sorted({command.page for command in COMMANDS}))
def test_what_a_page_shows_are_commands(page: str) -> None:
    for shown in COMMANDS:
        if shown.page == page:
            check(shown)


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
