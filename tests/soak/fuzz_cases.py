"""Requests of the fuzz campaign: drawn from the OpenAPI document, sound and unsound, and these with bytes changed.

Nothing that is sent makes a node speak to another host: whatever stands under the name of an address leads to the
campaign's own component (`fuzz_component`), and such requests are not changed byte by byte.
"""

import json
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

import hypothesis
import jsonschema
import requests
import schemathesis
from hypothesis import HealthCheck, Phase
from pydantic import TypeAdapter, ValidationError
from schemathesis import GenerationMode

from orchestrator.api.cluster import Transfer
from orchestrator.api.limits import LimitsRequest
from orchestrator.api.members import NewMember
from orchestrator.api.openapi import operations
from orchestrator.dev.topology import NODE_IDS

ADDRESSES = frozenset({"address", "health_url", "api", "raft", "url"})


def _no(model: Any) -> Callable[[str, bytes], bool]:
    adapter = TypeAdapter[Any](model)

    def refused(_url: str, content: bytes) -> bool:
        try:
            adapter.validate_json(content)
        except ValidationError:
            return bool(content)
        return False

    return refused


TO_BE_REFUSED: Mapping[tuple[str, str], Callable[[str, bytes], bool]] = {
    ("post", "/v1/cluster/transfer"): _no(Transfer | None),
    ("post", "/v1/cluster/members"): _no(NewMember),
    ("delete", "/v1/cluster/members/{member_id}"): lambda url, _: not any(each in unquote(url) for each in NODE_IDS),
    ("post", "/v1/cluster/restore"): lambda _url, _content: True,  # a backup has its own digest: none is drawn
    ("put", "/v1/access/limits"): _no(LimitsRequest),
}
"""They move leadership, or change who is a member or how much may be asked, which is to stay as it is. So they are only
drawn unsound, and sent where the node has to refuse them: by path and content."""
HEAD_BYTES_MAX = 12 * 1024


class Request(NamedTuple):
    """As it goes over a connection. `operation`: method and path of the document; `sound`: drawn to fit it."""

    raw: bytes
    operation: tuple[str, str]
    sound: bool
    mutable: bool

    @property
    def refused(self) -> bool:
        """Whether no answer may say that it was done."""
        return self.operation in TO_BE_REFUSED


class Document:
    """The operations of a document, and what each may answer. `home`: base URL that every address is led to."""

    def __init__(self, document: Mapping[str, Any], home: str) -> None:
        self._home = home
        self._components = document.get("components", {})
        self._responses: dict[tuple[str, str], Mapping[str, Any]] = {
            (method, path): operation["responses"] for method, path, operation in operations(dict(document))
        }
        self.answers: dict[tuple[str, str], frozenset[int]] = {
            operation: frozenset(map(int, responses)) for operation, responses in self._responses.items()
        }
        self._validators: dict[tuple[tuple[str, str], int], jsonschema.Draft202012Validator | None] = {}
        self._schema = schemathesis.openapi.from_dict(dict(document))
        self.operations: list[Any] = [
            found.ok()  # type: ignore[union-attr]
            for found in self._schema.get_all_operations()
        ]

    def amiss(self, operation: tuple[str, str], status: int, body: bytes) -> str:
        """What of the JSON of a documented answer is not as its schema says; empty where it fits, or has none."""
        place = (operation, status)
        if place not in self._validators:
            content = self._responses[operation][str(status)].get("content", {})
            schema = next((each.get("schema") for name, each in content.items() if name.endswith("json")), None)
            whole = {"components": self._components, **schema} if schema else None
            self._validators[place] = jsonschema.Draft202012Validator(whole) if whole else None
        validator = self._validators[place]
        if validator is None:
            return ""
        try:
            found = jsonschema.exceptions.best_match(validator.iter_errors(json.loads(body)))
        except ValueError as error:
            return f"no JSON: {error}"
        return "" if found is None else f"{found.json_path}: {found.message[:200]}"

    def draw(self, operation: Any, mode: GenerationMode, count: int, seed: int, token: str | None) -> list[Request]:
        """`count` requests of one operation, the same for the same seed. Fewer where none can be unsound."""
        name = (operation.method.lower(), operation.path)
        refused = TO_BE_REFUSED.get(name)
        found: list[Request] = []
        if refused is not None and mode is GenerationMode.POSITIVE:
            return found

        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=count,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            verbosity=hypothesis.Verbosity.quiet,
        )
        @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
        def collect(case: Any) -> None:
            touched = [False]
            case.body = _kept_here(case.body, touched, self._home)
            raw = _raw(case.as_transport_kwargs(base_url="http://fuzz"), token)
            if raw is None or (refused is not None and not refused(*_path_and_content(raw))):
                return
            mutable = refused is None and not touched[0]
            found.append(Request(raw, name, mode is GenerationMode.POSITIVE, mutable))

        try:
            collect()
        except (hypothesis.errors.HypothesisException, schemathesis.errors.SchemathesisError):
            return found  # e.g. nothing of it can be unsound
        return found


def _path_and_content(raw: bytes) -> tuple[str, bytes]:
    head, _, content = raw.partition(b"\r\n\r\n")
    return head.split(b" ", 2)[1].decode("latin-1"), content


def _kept_here(body: Any, touched: list[bool], home: str) -> Any:
    """The body with every address in it led home."""
    if isinstance(body, dict):
        kept = {}
        for name, value in body.items():
            if name in ADDRESSES:
                touched[0] = True
                kept[name] = home if isinstance(value, str) else None
            else:
                kept[name] = _kept_here(value, touched, home)
        return kept
    if isinstance(body, list):
        return [_kept_here(one, touched, home) for one in body]
    return body


def _raw(arguments: dict[str, Any], token: str | None) -> bytes | None:
    """As bytes; None for what is no request at all."""
    wanted = {name: arguments.get(name) for name in ("method", "url", "headers", "params", "data", "json", "cookies")}
    try:
        ready = requests.Request(**{name: value for name, value in wanted.items() if value is not None}).prepare()
    except (ValueError, requests.RequestException):
        return None
    body: Any = ready.body or b""
    content = body.encode() if isinstance(body, str) else bytes(body)
    lines = {str(name): str(value) for name, value in ready.headers.items()}
    lines.pop("Content-Length", None)
    lines.pop("Transfer-Encoding", None)
    lines["Host"] = "127.0.0.1"
    if token is not None:
        lines.setdefault("Authorization", f"Bearer {token}")
    if content or ready.method not in ("GET", "HEAD"):
        lines["Content-Length"] = str(len(content))
    head = f"{ready.method} {ready.path_url} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in lines.items())
    encoded = head.encode("utf-8", "surrogateescape") + b"\r\n"
    return encoded + content if len(encoded) <= HEAD_BYTES_MAX else None


SPECIAL = (
    *(b"\x00", b"\r\n", b"\n", b"%00", b"%2e%2e/", b"../", b"//", b"?", b"#", b"\xff\xfe", b"%ff", b" ", b"\t"),
    *(b"Content-Length: 99999999999999999999\r\n", b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n"),
    *(b"Upgrade: websocket\r\nConnection: Upgrade\r\n", b"HTTP/9.9", b"GET", b"[" * 600, b'{"a":' * 300, b"1e999"),
    *(b"-0", b"\xed\xa0\x80", b"'", b'"', b"null", b"9" * 400, b"Host: a\r\n", b"If-Match: *\r\n"),
)


def mutants(request: Request, count: int, dice: random.Random) -> Iterator[bytes]:
    """`count` of a request with some bytes of it changed, dropped, doubled or put in between."""
    for _ in range(count):
        data = bytearray(request.raw)
        for _ in range(dice.choice((1, 1, 1, 2, 4))):
            at = dice.randrange(len(data) + 1)
            match dice.randrange(6):
                case 0 if data:
                    data[at % len(data)] = dice.randrange(256)
                case 1:
                    del data[at : at + dice.choice((1, 2, 8))]
                case 2:
                    data[at:at] = dice.choice(SPECIAL)
                case 3:
                    data[at:at] = data[at : at + dice.choice((1, 16, 64))]
                case 4:
                    data[at:at] = dice.randbytes(dice.choice((1, 3, 20)))
                case _:
                    del data[at:]
        yield bytes(data)


def noise(dice: random.Random) -> bytes:
    """Bytes that are no HTTP, or hardly."""
    starts = (b"", b"GET ", b"POST /event HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00\x01", b"PRI * HTTP/2.0\r\n\r\n")
    start = dice.choice(starts)
    return start + dice.randbytes(dice.choice((1, 10, 100, 2_000)))
