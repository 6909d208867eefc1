"""YAML as plain data that remembers where each member stands, without what only an attacker has a use for.

    read("name: a\\n", "a.yaml")  ->  Tree(value={"name": "a"}, positions, problems)

The scalars are those of YAML 1.2's core schema: `yes`, `on` and `12:30` are texts, `true` is a truth, `010` is ten.
Anchors, aliases, tags, merge keys and second documents are refused, as are names that are no text or given twice.
"""

import re
from dataclasses import dataclass
from typing import Any

import yaml

from orchestrator.playbooks.positions import PROBLEMS_MAX, Enough, Loc, Place, PlaybookProblem, Positions, dotted

BYTES_MAX = 64 * 1024
NESTING_MAX = 80
NODES_MAX = 20_000

_INTEGER = re.compile(r"[-+]?[0-9]+")
_OTHER_INTEGER = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_QUOTE = 'text with {{ }} needs quotes in YAML: "{{ … }}"'


@dataclass(slots=True)
class Tree:
    """`value` lacks what is in `problems`. `whole`: read to its end; else nothing can be said of what is not there."""

    value: Any
    positions: Positions
    problems: list[PlaybookProblem]
    whole: bool


def read(text: str, file: str) -> Tree:
    """Never raises: what is wrong is in `problems`."""
    reader, whole = _Reader(file), False
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        reader.complain((1, 1), (), "not YAML: half of a surrogate pair is no character")
        size = 0
    if size > BYTES_MAX:
        reader.complain((1, 1), (), f"a playbook has at most {BYTES_MAX} bytes, this one has more", "split it up")
    if not reader.problems:
        try:
            for event in yaml.parse(text, Loader=_LOADER):
                reader.take(event)
            whole = True
        except Enough:
            pass
        except yaml.MarkedYAMLError as error:
            reader.broken(error)
        except (yaml.YAMLError, UnicodeError) as error:
            reader.unreadable(error, text)
    return Tree(reader.value, reader.positions, reader.problems, whole)


@dataclass(slots=True)
class _Open:
    """A mapping or list that is being read. `skipped`: its content belongs nowhere."""

    value: Any
    loc: Loc
    skipped: bool = False
    name: str | None = None
    awaits_name: bool = True


class _Reader:
    """Builds the tree from PyYAML's events: they come one after the other, so that no depth of input costs stack."""

    def __init__(self, file: str) -> None:
        self.value: Any = None
        self.positions = Positions(file)
        self.problems: list[PlaybookProblem] = []
        self._open: list[_Open] = []
        self._documents = 0
        self._count = 0

    def complain(self, place: Place, loc: Loc, message: str, hint: str = "") -> None:
        self.problems.append(PlaybookProblem(self.positions.file, *place, dotted(loc), message, hint))
        if len(self.problems) >= PROBLEMS_MAX:
            raise Enough

    def take(self, event: yaml.Event) -> None:
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    self.complain(_place(event), (), "a second document begins here", "one playbook a file")
                    raise Enough
            case yaml.AliasEvent():
                self._node(event)
                self._put(None, _place(event), ())
            case yaml.ScalarEvent():
                self._node(event)
                self._scalar(event)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._node(event)
                self._begin(event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._open.pop()

    def _node(self, event: yaml.Event) -> None:
        self._count += 1
        loc, place = self._loc(), _place(event)
        if self._count > NODES_MAX:
            self.complain(place, loc, f"a playbook has at most {NODES_MAX} values", "split it up")
            raise Enough
        if isinstance(event, yaml.AliasEvent):
            self.complain(place, loc, "aliases (*name) are not read", "write it out")
            return
        if getattr(event, "anchor", None):
            self.complain(place, loc, "anchors (&name) are not read", "write it out where it is needed")
        tag = getattr(event, "tag", None)
        if tag and tag != "!":
            self.complain(place, loc, f"tags ({str(tag)[:60]}) are not read", "write the value alone")

    def _loc(self) -> Loc:
        if not self._open:
            return ()
        top = self._open[-1]
        if isinstance(top.value, list):
            return (*top.loc, len(top.value))
        return (*top.loc, top.name) if top.name is not None else top.loc

    # One value

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        place, text = _place(event), str(event.value)
        top = self._open[-1] if self._open else None
        named = top is not None and isinstance(top.value, dict) and top.awaits_name
        plain = event.style in (None, "") and not event.tag
        problem, hint, value = _resolved(text) if plain else ("", "", text)
        if named:
            assert top is not None  # noqa: S101 - for the type checker
            self._name(top, text, value, place)
            return
        if problem:
            self.complain(place, self._loc(), problem, hint)
        self._put(value, place, self._loc())

    def _name(self, top: _Open, text: str, value: Any, place: Place) -> None:
        top.awaits_name, top.name = False, None
        if top.skipped:
            return
        if text == "<<":
            self.complain(place, (*top.loc, text), "merge keys (<<) are not read", "write it out")
        elif not isinstance(value, str):
            self.complain(
                place, (*top.loc, text), f"the name of a member is text, not {text[:60] or 'nothing'}", "quote it"
            )
        elif value in top.value:
            line, column = self.positions.names[(*top.loc, value)]
            self.complain(place, (*top.loc, value), f"is given twice, first at {line}:{column}", "keep one of the two")
        else:
            top.name = value
            top.value[value] = None  # so that a second one is found also where the first is wrong
            self.positions.names[(*top.loc, value)] = place

    def _begin(self, event: yaml.Event) -> None:
        place, loc = _place(event), self._loc()
        if len(self._open) >= NESTING_MAX:
            self.complain(place, loc, f"nested more than {NESTING_MAX} deep")
            raise Enough
        value: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        top = self._open[-1] if self._open else None
        if top is not None and isinstance(top.value, dict) and top.awaits_name and not top.skipped:
            self.complain(place, top.loc, "the name of a member is text, not a mapping or a list", _QUOTE)
        skipped = not self._put(value, place, loc)
        self._open.append(_Open(value, loc, skipped))

    def _put(self, value: Any, place: Place, loc: Loc) -> bool:
        """Whether it has a place in the tree."""
        if not self._open:
            if self._documents == 1:
                self.value = value
                self.positions.values[()] = place
            return True
        top = self._open[-1]
        if isinstance(top.value, list):
            top.value.append(value)
        elif top.awaits_name:
            top.awaits_name, top.name = False, None
            return False
        else:
            top.awaits_name = True
            name, top.name = top.name, None
            if name is None:
                return False
            top.value[name] = value
        if top.skipped:
            return False
        self.positions.values[loc] = place
        return True

    # What PyYAML refuses

    def broken(self, error: yaml.MarkedYAMLError) -> None:
        mark = error.problem_mark or error.context_mark
        place = (1, 1) if mark is None else (mark.line + 1, mark.column + 1)
        said = " ".join(str(part) for part in (error.context, error.problem) if part)
        self.complain(place, self._loc(), f"not YAML: {said}", _hint_for(said))

    def unreadable(self, error: Exception, text: str) -> None:
        at = getattr(error, "position", 0)
        before = text[: at if isinstance(at, int) else 0]
        place = (before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
        self.complain(place, (), f"not YAML: {getattr(error, 'reason', None) or 'it cannot be read as text'}")


def _place(event: yaml.Event) -> Place:
    mark = event.start_mark
    return (1, 1) if mark is None else (mark.line + 1, mark.column + 1)


def _resolved(text: str) -> tuple[str, str, Any]:
    """(problem, hint, value) of a scalar without quotes."""
    if text in _WORDS:
        return "", "", _WORDS[text]
    if _INTEGER.fullmatch(text) or _OTHER_INTEGER.fullmatch(text):
        if len(text) > 20:
            return "the number does not fit into 64 bits", "digits that are a name belong in quotes", None
        value = int(text, 0) if text.startswith(("0o", "0x")) else int(text)
        if not -(2**63) <= value < 2**63:
            return "the number does not fit into 64 bits", "digits that are a name belong in quotes", None
        return "", "", value
    if _FLOAT.fullmatch(text):
        number = float(text)
        if number in (float("inf"), float("-inf")):
            return "the number is too large", "", None
        return "", "", number
    if _NOT_FINITE.fullmatch(text):
        return "a number that is infinite or none is not possible", "as text it belongs in quotes", None
    return "", "", text


def _hint_for(said: str) -> str:
    hints = (
        ("cannot start any token", "indent with blanks, not tabs; text that begins with @, ` or % belongs in quotes"),
        ("mapping values are not allowed", "text with a colon and a blank in it belongs in quotes"),
        ("block", "look at the indentation, and for a quote that is missing"),
        ("flow", "a bracket or a quote is missing; " + _QUOTE),
        ("quoted scalar", "a quote is missing"),
    )
    return next((hint for words, hint in hints if words in said), "")
