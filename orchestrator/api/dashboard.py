"""The dashboard's files: `/` and `/assets/…`, for everyone, as they hold nothing of the plant but where its APIs are.

Files under `/assets/` have a digest in their names and never change; the page itself is asked for again each time. What
the page may load and ask is said by its content security policy: this origin and the other members', nothing else.
"""

import gzip
import hashlib
import mimetypes
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from orchestrator.api.answering import member_origins
from orchestrator.api.view import NodeView

PAGE = "/"
ASSETS = "/assets/"
COMPRESSED_FROM = 512
"""Bytes from which on compression is worth its header."""


@dataclass(frozen=True, slots=True)
class File:
    """One built file: its bytes, the same by gzip (None: no gain), its media type and its entity tag."""

    body: bytes
    packed: bytes | None
    media_type: str
    etag: str


@cache
def built() -> dict[str, File]:
    """By path, what is served; read once a process. Empty where the dashboard was never built."""
    root = files("orchestrator.dashboard") / "static"
    found: dict[str, File] = {}
    page = root / "index.html"
    if page.is_file():
        found[PAGE] = _file("index.html", page.read_bytes())
    assets = root / "assets"
    if assets.is_dir():
        for each in assets.iterdir():
            if each.is_file():
                found[ASSETS + each.name] = _file(each.name, each.read_bytes())
    return found


def _file(name: str, body: bytes) -> File:
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if media_type in ("text/html", "text/css", "text/javascript"):
        media_type += "; charset=utf-8"
    packed = gzip.compress(body, mtime=0) if len(body) >= COMPRESSED_FROM else None
    if packed is not None and len(packed) >= len(body):
        packed = None
    return File(body, packed, media_type, f'"{hashlib.sha256(body).hexdigest()[:20]}"')


def _may_be_built(path: str) -> bool:
    # Whoever asks for something else does not wait for the files, which a node reads and compresses once.
    return path == PAGE or path.startswith(ASSETS)


def policy(origins: Iterable[str]) -> str:
    """The content security policy of the page. `origins`: of the members' APIs, which it may ask, too."""
    asked = ["'self'"]
    for origin in sorted(origins):
        scheme, _, place = origin.partition("://")
        asked += [origin, f"{'wss' if scheme == 'https' else 'ws'}://{place}"]
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' blob: data:",
            "font-src 'self'",
            "connect-src " + " ".join(asked),
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "form-action 'none'",
        )
    )


class Dashboard:
    """Answers for the dashboard's files, and lets everything else pass."""

    def __init__(self, app: ASGIApp, node: NodeView) -> None:
        self._app = app
        self._node = node

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        file = None
        if scope["type"] == "http" and scope["method"] == "GET" and _may_be_built(scope["path"]):
            file = built().get(scope["path"])
        if file is None:
            await self._app(scope, receive, send)
            return
        await self._answer(scope["path"], file, Headers(scope=scope))(scope, receive, send)

    def _answer(self, path: str, file: File, asked: Headers) -> Response:
        headers = {
            "ETag": file.etag,
            "Vary": "Accept-Encoding",
            "Cache-Control": "no-cache",
        }
        if path == PAGE:
            headers["Content-Security-Policy"] = policy(member_origins(self._node))
        else:
            headers["Cache-Control"] = "public, max-age=31536000, immutable"
        if file.etag in asked.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        body = file.body
        if file.packed is not None and "gzip" in asked.get("accept-encoding", ""):
            body = file.packed
            headers["Content-Encoding"] = "gzip"
        return Response(body, headers=headers, media_type=file.media_type)
