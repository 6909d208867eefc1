"""Where the text of a token goes: to the screen, or into a file that nobody else reads."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from orchestrator.cli.output import emit, note

F = TypeVar("F", bound=Callable[..., Any])

file_option: Callable[[F], F] = click.option(
    "--file",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the text of the token to this new file, for its owner alone (0600), and do not show it.",
)


@contextmanager
def reserved(path: Path | None) -> Iterator[int | None]:
    """The new file, open, before the token is made: one whose text could not be kept would be of no use.

    A failure inside takes the file away again. A usage error when it cannot be made, or is there already.
    """
    if path is None:
        yield None
        return
    try:
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise click.BadParameter(f"{path} is there already; name a new file", param_hint="--file") from None
    except OSError as error:
        raise click.BadParameter(f"{path}: {error.strerror}", param_hint="--file") from None
    try:
        yield opened
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(opened)


def hand_out(made: dict[str, Any], opened: int | None, path: Path | None, output: str) -> None:
    """Show what was made, its text in the file where there is one."""
    made = {name: value for name, value in made.items() if name != "command_token" or value is not None}
    if opened is None:
        emit(made, output)
        note("the text of the token is shown this once: keep it")
        return
    os.write(opened, made.pop("token").encode() + b"\n")
    os.fsync(opened)
    emit({**made, "file": str(path)}, output)
