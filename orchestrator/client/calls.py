"""A call as a value: what is sent, and what its answer is read as. Pure."""

import json
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Literal, TypedDict, TypeVar, cast

import msgspec

from orchestrator.client.errors import SettingsInvalid, UnexpectedAnswer
from orchestrator.client.exchanging import (
    ANSWER_BYTES_MAX,
    READ_PATIENCE_S,
    SAFE_METHODS,
    WRITE_PATIENCE_S,
    Answer,
    Request,
)

T = TypeVar("T")
Values = Mapping[str, Any]
JSON_TYPE = "application/json"
_KEY_CHARS = frozenset(map(chr, range(33, 127)))


class ReadOptions(TypedDict, total=False):
    """`stale`: answered by the node that is asked, at most `max_stale` seconds old."""

    consistency: Literal["leader", "linearizable", "stale"]
    max_stale: float


class Call(Generic[T]):
    """One request, and what its answer is read as.

    Args:
        shape: type of the answer's JSON; None for an answer without a body.
        path: values of the template's names.
        query: parameters; None leaves one out, a sequence repeats it.
        body: JSON data, or structs. `content`: bytes instead, of `content_type`.
        headers: beside those that every request has.
        key: Idempotency-Key of a write; one is made where none is given.
        patience_s: how long a node may say nothing before the next one is asked.
        read: makes the answer's value, instead of `shape`.
        own_query: parameters that are encoded already.
    """

    def __init__(
        self,
        shape: type[T] | None = None,
        path: Mapping[str, str] | None = None,
        *,
        query: Values | None = None,
        body: Any = None,
        content: bytes | None = None,
        content_type: str = JSON_TYPE,
        headers: Mapping[str, str] | None = None,
        key: str | None = None,
        patience_s: float | None = None,
        answer_bytes_max: int = ANSWER_BYTES_MAX,
        read: Callable[[Answer], T] | None = None,
        own_query: str = "",
    ) -> None:
        self._shape = shape
        self._path = dict(path or {})
        self._query = query or {}
        self._own_query = own_query
        self._body = content if content is not None else None if body is None else msgspec.json.encode(body)
        self._content_type = content_type
        self._headers = dict(headers or {})
        self._patience_s = patience_s
        self._answer_bytes_max = answer_bytes_max
        self._read = read
        self.key = key
        self.method, self.template = "", ""

    def bound(self, method: str, template: str) -> "Call[T]":
        """Itself, at this place of the API."""
        self.method, self.template = method, template
        return self

    def request(self, key: str) -> Request:
        """What is sent; `key` for a write that was given none. Raises SettingsInvalid."""
        writes = self.method not in SAFE_METHODS
        headers = dict(self._headers)
        for name, value in headers.items():
            if not value.isascii() or not value.isprintable():
                raise SettingsInvalid(f"the header {name} is not one line of ASCII text")
        if self._body is not None:
            headers["Content-Type"] = self._content_type
        sent = checked_key(self.key if self.key is not None else key) if writes else ""
        if writes:
            headers["Idempotency-Key"] = sent
        return Request(
            method=self.method,
            target=self._target(),
            headers=headers,
            body=self._body,
            key=sent,
            patience_s=self._patience_s or (WRITE_PATIENCE_S if writes else READ_PATIENCE_S),
            answer_bytes_max=self._answer_bytes_max,
            any_node=self._query.get("consistency") == "stale" or "consistency=stale" in self._own_query,
        )

    def _target(self) -> str:
        query = query_of(self._query)
        if self._own_query:
            query = f"?{self._own_query}" + ("&" + query[1:] if query else "")
        return filled(self.template, self._path) + query

    def value(self, answer: Answer) -> T:
        """The answer as a value. Raises UnexpectedAnswer."""
        if self._read is not None:
            return self._read(answer)
        if self._shape is None:
            return cast(T, None)
        return decoded(answer, self._shape)


def decoded(answer: Answer, shape: type[T]) -> T:
    """The JSON of an answer as `shape`; members that it does not name are passed over. Raises UnexpectedAnswer."""
    try:
        return msgspec.json.decode(answer.body, type=shape)
    except msgspec.ValidationError as error:
        raise UnexpectedAnswer(f"{answer.url} answered something else than was asked for: {error}") from None
    except (msgspec.DecodeError, RecursionError):
        raise UnexpectedAnswer(f"{answer.url} does not speak JSON; is it a node of Triarch?") from None


def document_of(answer: Answer) -> Any:
    """The JSON of an answer as plain data, None for an empty one. Raises UnexpectedAnswer."""
    if not answer.body:
        return None
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        raise UnexpectedAnswer(f"{answer.url} does not speak JSON; is it a node of Triarch?") from None


def nothing(path: Mapping[str, str] | None = None, **options: Any) -> Call[None]:
    """A call whose answer has no body, or none that matters."""
    return Call(None, path, **options)


def checked_key(key: str) -> str:
    """A key as nodes take it. Raises SettingsInvalid."""
    if not 1 <= len(key) <= 200 or not _KEY_CHARS.issuperset(key):
        raise SettingsInvalid("a key is 1 to 200 visible ASCII characters")
    return key


def filled(template: str, values: Mapping[str, str]) -> str:
    """The path; a value never adds a segment, nor goes up. Raises SettingsInvalid."""
    for name, value in values.items():
        if value in ("", ".", ".."):
            raise SettingsInvalid(f"{name}: {value!r} cannot stand in a path")
    try:
        return template.format_map({name: urllib.parse.quote(value, safe="") for name, value in values.items()})
    except UnicodeEncodeError:
        raise SettingsInvalid("what stands in the path is no text") from None


def query_of(values: Values) -> str:
    """`?…`, or nothing. A list is repeated, a bool is true or false."""
    pairs: list[tuple[str, str]] = []
    for name, value in values.items():
        several = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        pairs += [(name, _text(one)) for one in several if one is not None]
    return "?" + urllib.parse.urlencode(pairs, quote_via=urllib.parse.quote) if pairs else ""


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def if_match(revision: int | None) -> dict[str, str]:
    """The condition of a change: at this revision; 0: while it does not exist; None: at any."""
    if revision is None:
        return {}
    return {"If-Match": f'"{revision}"'} if revision else {"If-None-Match": "*"}


def if_match_or_zero(revision: int | None) -> dict[str, str]:
    """The same for what is always there: its revision is 0 while nobody has set it."""
    return {} if revision is None else {"If-Match": f'"{revision}"'}
