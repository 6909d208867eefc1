"""A YAML file as a plain tree that remembers the line of every setting, and every problem on the way."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from orchestrator.config_checks import Loc
from orchestrator.errors import Problem

__all__ = ["Source", "dotted", "from_text", "read_source"]

BYTES_MAX = 1 << 20


@dataclass(slots=True)
class Source:
    """Settings of one place: the tree, and where each setting of it stands."""

    tree: dict[str, Any] = field(default_factory=dict)
    places: dict[Loc, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def dotted(loc: Loc) -> str:
    """`("cluster", "members", 0, "raft")` → `cluster.members[0].raft`."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def read_source(path: Path) -> Source:
    """The settings in a file. What cannot be read is in `problems`."""
    try:
        with path.open("rb") as file:
            content = file.read(BYTES_MAX + 1)
    except FileNotFoundError:
        return _unusable(str(path), "there is no such file", "name the YAML file with --config")
    except (OSError, ValueError) as error:
        return _unusable(str(path), f"cannot be read: {getattr(error, 'strerror', None) or error}")
    if len(content) > BYTES_MAX:
        return _unusable(str(path), f"is over {BYTES_MAX} bytes: not a file of settings")
    root, problem = _composed(content, str(path))
    if problem is not None:
        return Source(problems=[problem])
    if root is None:
        return _unusable(f"{path}:1", "the file is empty", "node and cluster.members are the least it holds")
    if not isinstance(root, yaml.MappingNode):
        return _unusable(
            f"{path}:{root.start_mark.line + 1}", "sections with settings are expected here", "node:, cluster:, …"
        )
    reader = _Reader(str(path))
    tree = reader.value(root, ())
    return Source(tree, reader.places, reader.problems)


def from_text(text: str, loc: Loc, where: str) -> Source:
    """A list that an environment variable or a flag gives as YAML or JSON; it is under the key `""` of the tree."""
    root, problem = _composed(text.encode(errors="surrogateescape"), where)
    if problem is not None or root is None:
        return Source(problems=[Problem(dotted(loc), "a list in YAML or JSON is expected", where=where)])
    reader = _Reader(where, lines=False)
    return Source({"": reader.value(root, loc)}, reader.places, reader.problems)


def _unusable(where: str, message: str, hint: str = "") -> Source:
    return Source(problems=[Problem("", message, hint, where)])


def _composed(content: bytes, name: str) -> tuple[yaml.Node | None, Problem | None]:
    try:
        return yaml.compose(content, Loader=yaml.SafeLoader), None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = "" if mark is None else f":{mark.line + 1}"
        # The snippet that pyyaml would show may hold a secret.
        return None, Problem("", f"not YAML: {error.problem or error.context}", "", f"{name}{line}")
    except yaml.reader.ReaderError as error:
        at = error.position if isinstance(error.position, int) else 0
        return None, Problem("", f"not YAML: {error.reason}", "", f"{name}:{content[:at].count(10) + 1}")
    except (RecursionError, ValueError):
        return None, Problem("", "not YAML: nested too deeply, or in no encoding of Unicode", "", f"{name}:1")


class _Reader:
    """Builds the tree from pyyaml's nodes, which know their lines."""

    def __init__(self, name: str, *, lines: bool = True) -> None:
        self._name = name
        self._lines = lines
        self._seen: set[int] = set()
        self._constructor = yaml.constructor.SafeConstructor()
        self.places: dict[Loc, str] = {}
        self.problems: list[Problem] = []

    def value(self, node: yaml.Node, loc: Loc) -> Any:
        self.places.setdefault(loc, self._where(node))
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, loc)
        if id(node) in self._seen:
            # An alias may lead back into itself, and a few lines of them may mean gigabytes.
            self._complain(loc, node, "aliases of lists and mappings are not read", "write it out")
            return None
        self._seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*loc, at)) for at, item in enumerate(node.value)]
        assert isinstance(node, yaml.MappingNode)  # noqa: S101 - there is no fourth kind
        return self._mapping(node, loc)

    def _mapping(self, node: yaml.MappingNode, loc: Loc) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._complain(loc, key, "the name of a setting is a word")
                continue
            inner = (*loc, str(key.value))
            if key.value in found:
                self._complain(inner, key, f"is given twice, first at {self.places[inner]}", "keep one")
                continue
            self.places[inner] = self._where(key)
            found[key.value] = self.value(value, inner)
        return found

    def _scalar(self, node: yaml.ScalarNode, loc: Loc) -> Any:
        try:
            return self._constructor.construct_object(node)
        except (yaml.YAMLError, ValueError):
            self._complain(loc, node, "the value is not readable", "text belongs in quotes")
            return None

    def _where(self, node: yaml.Node) -> str:
        return f"{self._name}:{node.start_mark.line + 1}" if self._lines else self._name

    def _complain(self, loc: Loc, node: yaml.Node, message: str, hint: str = "") -> None:
        self.problems.append(Problem(dotted(loc), message, hint, self._where(node)))
