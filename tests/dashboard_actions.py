"""What the sources of the dashboard say that its actions ask: read from their elements, without a browser."""

import re
from pathlib import Path
from typing import NamedTuple

SOURCES = Path(__file__).resolve().parent.parent / "dashboard" / "src"
_ELEMENT = re.compile(r"<tri-action\b((?:(?!<tri-action\b).)*?)\.run=", re.DOTALL)
_METHOD = re.compile(r'\bmethod="(\w+)"')
_PATH = re.compile(r'\bpath=(?:"([^"]*)"|\$\{(.*?)\}(?= ))')
_CONSTANT = re.compile(r'\bconst (\w+) = "(/v1[^"]*)"')
_FUNCTION = re.compile(r"\bconst (\w+) = \((\w+): string\) => `(/v1[^`]*)`")
_CALL = re.compile(r'(\w+)\("(\w+)"\)')


class Action(NamedTuple):
    """What an element asks; `path` with its parameters unnamed, as the table of rights is asked for it."""

    method: str
    path: str


def unnamed(path: str) -> str:
    """The names of parameters do not matter."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def actions() -> dict[Action, list[str]]:
    """By what is asked, the files whose elements ask it. AssertionError: an element is not understood."""
    texts = {path.relative_to(SOURCES).as_posix(): path.read_text("utf-8") for path in SOURCES.rglob("*.ts")}
    shared = {name: value for text in texts.values() for name, value in _CONSTANT.findall(text) if name.isupper()}
    found: dict[Action, list[str]] = {}
    for file, text in sorted(texts.items()):
        constants = {**shared, **dict(_CONSTANT.findall(text))}
        functions = {name: (argument, body) for name, argument, body in _FUNCTION.findall(text)}
        for attributes in _ELEMENT.findall(text):
            method = _METHOD.search(attributes)
            path = _PATH.search(attributes)
            assert path is not None, f"{file}: an action without a path: {attributes}"
            asked = _resolved(path[1], constants) if path[1] is not None else _expression(path[2], constants, functions)
            assert asked.startswith("/v1/"), f"{file}: {attributes}"
            found.setdefault(Action(method[1] if method else "POST", unnamed(asked)), []).append(file)
    return found


def _resolved(text: str, constants: dict[str, str]) -> str:
    return re.sub(r"\$\{(\w+)\}", lambda each: constants[each[1]], text)


def _expression(text: str, constants: dict[str, str], functions: dict[str, tuple[str, str]]) -> str:
    call = _CALL.fullmatch(text)
    if call is None:
        return constants[text.rpartition(".")[2]]
    argument, body = functions[call[1]]
    return body.replace(f"${{{argument}}}", call[2])
