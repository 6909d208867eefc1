"""What applying a command of this package gives. Pure."""

from typing import Any, NamedTuple

import msgspec


class Told(msgspec.Struct, frozen=True):
    """`value` is plain builtins; `code` is empty when the command was accepted."""

    value: Any = None
    code: str = ""
    message: str = ""


class Change(NamedTuple):
    """Something that a command changed, for those who watch."""

    kind: str
    subject: str
    data: dict[str, Any]


Applied = tuple[Told, list[Change]]
