"""Settings from the file, above it the environment, above that flags; every problem at once, each with its place."""

import copy
import difflib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from orchestrator.config import NodeConfig
from orchestrator.config_certificates import certificate_complaints
from orchestrator.config_checks import Loc, complaints
from orchestrator.config_source import Source, dotted, from_text, read_source
from orchestrator.errors import ConfigurationInvalid, Problem, RefusedInsecure

__all__ = ["PREFIX", "load", "variable_of"]

PREFIX = "TRIARCH_"
_SECRETS: tuple[tuple[str, str], ...] = (
    ("cluster", "secret"),
    ("api", "token"),
    ("redis", "password"),
    ("redis", "sentinel_password"),
)
_PATHS: tuple[Loc, ...] = (
    ("node", "data_dir"),
    ("api", "ca_file"),
    ("api", "tls", "cert_file"),
    ("api", "tls", "key_file"),
    ("api", "tls", "client_ca_file"),
    ("api", "oidc", "jwks_file"),
    ("api", "oidc", "ca_file"),
)
"""Beside the files of `_SECRETS`: relative to the folder of the file that is read."""
_SECRET_BYTES_MAX = 64 << 10
# In place of what is wrong, so that the rest can be checked. Nothing is concluded from these.
_SOUND: dict[str, dict[str, Any]] = {
    "node": {"id": "n1", "data_dir": "/"},
    "cluster": {"members": [{"id": "n1", "raft": "127.0.0.1:1", "api": "http://127.0.0.1:2"}]},
}


def _sections() -> dict[str, type[BaseModel]]:
    return {
        name: field.annotation
        for name, field in NodeConfig.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The section that an annotation stands for, perhaps beside None. Not the entries of lists."""
    found = [annotation] if get_origin(annotation) is None else list(get_args(annotation))
    if get_origin(annotation) in (tuple, list, dict):
        return None
    return next((one for one in found if isinstance(one, type) and issubclass(one, BaseModel)), None)


def _fields_of(model: type[BaseModel], above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        yield (*above, name)
        if (inner := _model_in(field.annotation)) is not None:
            yield from _fields_of(inner, (*above, name))


_FIELDS: dict[str, Loc] = {
    ".".join(loc): loc for section, model in _sections().items() for loc in _fields_of(model, (section,))
}


def _annotation(loc: Loc) -> Any:
    """Of a setting in `_FIELDS`."""
    model: type[BaseModel] | None = _sections()[str(loc[0])]
    annotation: Any = None
    for part in loc[1:]:
        if model is None:  # not in `_FIELDS`
            return None
        annotation = model.model_fields[str(part)].annotation
        model = _model_in(annotation)
    return annotation


def variable_of(field: str) -> str:
    """`redis.url` → `TRIARCH_REDIS__URL`."""
    return PREFIX + field.replace(".", "__").upper()


def load(path: Path, overrides: Mapping[str, str], *, environment: Mapping[str, str] | None = None) -> NodeConfig:
    """See `orchestrator.config.load_config`."""
    source = read_source(path)
    if not source.tree and source.problems:
        raise ConfigurationInvalid(source.problems)
    _merge(source, _by_variable(os.environ if environment is None else environment, source.problems))
    _merge(source, _by_flag(overrides, source.problems))
    return _Loading(path, source).finish()


# ── Above the file ───────────────────────────────────────────────────────────────────────────────────────


def _by_variable(environment: Mapping[str, str], problems: list[Problem]) -> Iterator[tuple[Loc, str, str]]:
    """(setting, text, place) of each variable. Those without `__` are the command line's own."""
    known = {variable_of(field): loc for field, loc in _FIELDS.items()}
    for name in sorted(environment):
        if not name.startswith(PREFIX) or "__" not in name:
            continue
        if name in known:
            yield known[name], environment[name], name
        else:
            # Without the prefix, which would make any two of them alike.
            meant = _meant(name.removeprefix(PREFIX).upper(), [one.removeprefix(PREFIX) for one in known], PREFIX)
            problems.append(Problem("", "no setting has this variable", meant, name))


def _by_flag(overrides: Mapping[str, str], problems: list[Problem]) -> Iterator[tuple[Loc, str, str]]:
    for field, text in overrides.items():
        where = f"--set {field}"
        if field in _FIELDS:
            yield _FIELDS[field], text, where
        else:
            problems.append(Problem(field, "is not a setting", _meant(field, _FIELDS), where))


def _merge(source: Source, settings: Iterable[tuple[Loc, str, str]]) -> None:
    for loc, text, where in settings:
        value: Any = text
        for place in [place for place in source.places if place[: len(loc)] == loc]:
            del source.places[place]
        annotation = _annotation(loc)
        if get_origin(annotation) in (tuple, dict) or _model_in(annotation) is not None:
            inner = from_text(text, loc, where)
            source.problems += inner.problems
            source.places |= inner.places
            value = inner.tree.get("")
        source.places[loc] = where
        tree: Any = source.tree
        for part in loc[:-1]:
            if isinstance(tree, dict):
                if tree.get(part) is None:
                    tree[part] = {}
                tree = tree[part]
        if isinstance(tree, dict):
            tree[loc[-1]] = value


def _meant(word: str, known: Iterable[str], prefix: str = "") -> str:
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.7)
    return f"did you mean {prefix}{close[0]}?" if close else ""


# ── Checks ───────────────────────────────────────────────────────────────────────────────────────────────


class _Loading:
    """One load: collects problems until `finish` either returns the tree or raises them all."""

    def __init__(self, path: Path, source: Source) -> None:
        self._path = path
        self._folder = path.absolute().parent
        self._tree = source.tree
        self._places = source.places
        self._problems = source.problems

    def finish(self) -> NodeConfig:
        for name in _sections():
            if self._tree.get(name, {}) is None:  # "api:" with nothing below it
                del self._tree[name]
        self._read_secrets()
        config = self._validated()
        secure: list[Problem] = []
        for complaint in (*complaints(config, self._broken), *certificate_complaints(config, self._broken)):
            problem = Problem(dotted(complaint.loc), complaint.message, complaint.hint, self._where(complaint.loc))
            (secure if complaint.insecure else self._problems).append(problem)
        if self._problems:
            raise ConfigurationInvalid(sorted([*self._problems, *secure], key=_place))
        if secure:
            raise RefusedInsecure(secure)
        return config

    def _broken(self, section: str, name: str) -> bool:
        field = f"{section}.{name}"
        return any(
            problem.field in (section, field) or problem.field.startswith((f"{field}.", f"{field}["))
            for problem in self._problems
        )

    def _where(self, loc: Loc) -> str:
        """Of the setting; where it is not given, of what it belongs into."""
        for end in range(len(loc), 0, -1):
            if loc[:end] in self._places:
                return self._places[loc[:end]]
        return f"{self._path}:1"

    def _complain(self, loc: Loc, message: str, hint: str = "") -> None:
        self._problems.append(Problem(dotted(loc), message, hint, self._where(loc)))

    # Files

    def _read_secrets(self) -> None:
        for section, name in _SECRETS:
            settings = self._tree.get(section)
            if not isinstance(settings, dict):
                continue
            loc, file_loc = (section, name), (section, f"{name}_file")
            file = settings.get(f"{name}_file")
            if file is None:
                continue
            if settings.get(name) is not None:
                self._complain(file_loc, f"{section}.{name} is given too, at {self._where(loc)}", "keep one of the two")
                continue
            path = self._absolute(file, file_loc)
            if path is None:
                continue
            settings[f"{name}_file"] = path
            secret = self._read_secret(path, file_loc)
            if secret is not None:
                settings[name] = secret
                self._places.setdefault(loc, str(path))
        for place in _PATHS:
            tree: Any = self._tree
            for part in place[:-1]:
                tree = tree.get(part) if isinstance(tree, dict) else None
            if isinstance(tree, dict) and tree.get(place[-1]):
                tree[place[-1]] = self._absolute(tree[place[-1]], place) or tree[place[-1]]

    def _absolute(self, value: Any, loc: Loc) -> Path | None:
        """None where it is no path: then pydantic says so, or it has been said."""
        if not isinstance(value, str) or not value.strip() or "\0" in value:
            return None
        try:
            return self._folder / Path(value).expanduser()
        except RuntimeError:
            self._complain(loc, "the home directory that ~ stands for is not known", "write the whole path")
            return None

    def _read_secret(self, path: Path, loc: Loc) -> str | None:
        """The content without its last line end. What is wrong with it is said without showing any of it."""
        try:
            # Not blocking: opening a pipe would wait for somebody to write.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                facts = os.fstat(descriptor)
                if not stat.S_ISREG(facts.st_mode):
                    self._complain(loc, f"{path} is not a regular file")
                    return None
                if facts.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                    mode = stat.S_IMODE(facts.st_mode)
                    self._complain(
                        loc, f"{path} is open to group or others (mode {mode:04o})", f"chmod 600 {path.name}"
                    )
                    return None
                with open(descriptor, "rb", closefd=False) as file:
                    content = file.read(_SECRET_BYTES_MAX + 1)
            finally:
                os.close(descriptor)
        except OSError as error:
            self._complain(loc, f"{path} cannot be read: {error.strerror}")
            return None
        try:
            text = content.decode()
        except UnicodeDecodeError:
            text = ""
        secret = text.removesuffix("\n").removesuffix("\r")
        if not secret or len(content) > _SECRET_BYTES_MAX:
            self._complain(loc, f"{path} is empty, too large or not text")
            return None
        return secret

    # Single values

    def _validated(self) -> NodeConfig:
        """The tree, with sound values in place of wrong ones."""
        tree = copy.deepcopy(self._tree)
        failed: list[ErrorDetails] = []
        try:
            return NodeConfig.model_validate(tree)
        except ValidationError as error:
            failed = error.errors(include_url=False, include_input=False)
        for detail in failed:
            self._translate(detail)
        for detail in failed:
            loc = detail["loc"]
            section, rest = str(loc[0]), loc[1:2]
            if not rest or not isinstance(tree.get(section), dict):
                tree.pop(section, None)
            else:
                tree[section].pop(rest[0], None)
        for section, values in _SOUND.items():
            tree[section] = {**values, **tree.get(section, {})}
        return NodeConfig.model_validate(tree)

    def _translate(self, detail: ErrorDetails) -> None:
        loc, kind, message = detail["loc"], detail["type"], detail["msg"]
        if kind != "extra_forbidden" and any(problem.field == dotted(loc) for problem in self._problems):
            return  # told already, by who read it
        if kind == "extra_forbidden":
            self._complain(loc, "is not a setting", self._meant(loc))
        elif kind == "missing":
            self._complain(loc, "is required", f"also as {variable_of(dotted(loc))}" if dotted(loc) in _FIELDS else "")
        elif kind in ("string_type", "path_type"):
            self._complain(loc, "text is expected", "put it in quotes")
        elif kind in ("model_type", "model_attributes_type", "dict_type"):
            self._complain(loc, "settings by name are expected here")
        elif kind == "tuple_type":
            self._complain(loc, "a list is expected here")
        else:
            text = message.removeprefix("Value error, ")
            self._complain(loc, text.replace("Input should be", "must be").replace("String should", "must"))

    def _meant(self, loc: Loc) -> str:
        """The setting whose name is closest, first among those of the same place."""
        word = str(loc[-1])
        if len(loc) == 1:
            return _meant(word, _sections()) or _meant_elsewhere(word)
        model: Any = _sections()[str(loc[0])]
        for part in loc[1:-1]:
            if isinstance(part, str) and part in model.model_fields:
                if (nested := _model_in(model.model_fields[part].annotation)) is not None:
                    model = nested
                    continue
                inner = get_args(model.model_fields[part].annotation)
                model = inner[1] if get_origin(model.model_fields[part].annotation) is dict else inner[0]
        return _meant(word, model.model_fields) or _meant_elsewhere(word)


def _meant_elsewhere(word: str) -> str:
    found: Sequence[str] = [field for field in _FIELDS if field.partition(".")[2] == word]
    return f"did you mean {found[0]}?" if found else ""


def _place(problem: Problem) -> tuple[str, int]:
    """Sorts by file and line."""
    name, _, line = problem.where.rpartition(":")
    return (name, int(line)) if line.isdecimal() else (problem.where, 0)
