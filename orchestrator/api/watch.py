"""Watching the plant: all of it at one index of the log, and what changes from there on, at any node."""

import asyncio
import gzip
import time
from typing import Annotated

import msgspec
from fastapi import APIRouter, Header, Query, Request, Response, WebSocket

from orchestrator.access.principal import Principal
from orchestrator.access.rights import may_watch
from orchestrator.api.asking import STALENESS_HEADER, Ask
from orchestrator.api.documented import problems
from orchestrator.api.envelope import facts
from orchestrator.api.executions import LastEventId
from orchestrator.api.figures_shown import PlantFigures, Snapshot
from orchestrator.api.problems import Problem
from orchestrator.api.security import shown_by
from orchestrator.api.watch_figures import Figures
from orchestrator.api.watch_hub import Hub
from orchestrator.api.watch_stream import MEDIA_TYPE, PROTOCOL, EventStream, speak
from orchestrator.watching.subjects import FIGURES, SUBJECTS, USUAL

router = APIRouter(prefix="/v1", tags=["watch"])

ROWS_AT_ONCE = 50
"""Of a snapshot: then others have their turn."""
GZIP_BYTES_MIN = 4_096
INDEX_DIGITS_MAX = 18
REFUSALS = ("invalid_cursor", "compacted", "too_many_followers", "no_leader", "node_stopped", "forbidden")

Subjects = Annotated[
    str | None,
    Query(
        max_length=400,
        description=f"Comma-separated, of: {', '.join(SUBJECTS)}. Without it: all but tokens and audit.",
        examples=["components,alerts"],
    ),
]
After = Annotated[
    str | None,
    Query(max_length=20, description="The index up to which all is known; `Last-Event-ID` counts before it."),
]


@router.get(
    "/snapshot",
    summary="All rows at one index",
    response_class=Response,
    responses=problems(
        *("forbidden", "read_timed_out", "node_stopped"),
        also={200: {"model": Snapshot}},
    ),
)
async def snapshot(
    ask: Ask,
    request: Request,
    subjects: Subjects = None,
    accept_encoding: Annotated[str, Header(include_in_schema=False)] = "",
) -> Response:
    """Answered by the node that is asked, in every mode, from its own state; `X-Triarch-Staleness` is its age.

    `GET /v1/watch?after=<index>`, at any node, tells what changes from there on. `figures` are no part of it.
    """
    wanted = [each for each in chosen(subjects, principal_of(request)) if each != FIGURES]
    hub: Hub = request.app.state.watching
    state, index = await ask.node.cluster.read(lambda plant: (plant.whole(), hub.place(plant)), consistency="stale")
    parts: list[bytes] = []
    now = time.time()
    for subject in wanted:
        parts.append(b"%s%s:{" % (b"," if parts else b"", msgspec.json.encode(subject)))
        first = True
        for at, (name, row) in enumerate(hub.rows.all(state, subject, now), 1):
            parts.append(b"%s%s:%s" % (b"" if first else b",", msgspec.json.encode(name), row))
            first = False
            if at % ROWS_AT_ONCE == 0:
                await asyncio.sleep(0)
        parts.append(b"}")
    body = b'{"index":%d,"subjects":{%s}}' % (index, b"".join(parts))
    headers = {"Cache-Control": "no-store", "Vary": "Accept-Encoding"}
    if len(body) >= GZIP_BYTES_MIN and _takes_gzip(accept_encoding):
        # Off the event loop: it releases the interpreter while it works. The fastest level is small enough.
        body = await asyncio.to_thread(gzip.compress, body, 1)
        headers["Content-Encoding"] = "gzip"
    if not ask.node.is_leader():
        age = ask.node.cluster.status().last_contact_s
        headers[STALENESS_HEADER] = "unknown" if age is None else f"{age:.3f}"
    return Response(body, media_type="application/json", headers=headers)


@router.get(
    "/watch",
    summary="Every change, as it is applied",
    response_class=Response,
    responses=problems(*REFUSALS, also={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}}),
)
async def watch(
    request: Request, subjects: Subjects = None, after: After = None, last_event_id: LastEventId = None
) -> Response:
    """Server-sent events, answered by the node that is asked, in every mode: `ready` first, then `change` for each
    change of the log, `figures` about once a second, and `lost` where the client has to begin anew. The id of an event
    is an index of the log, the same on every node: whoever goes on with `Last-Event-ID`, at whichever node, misses
    nothing and sees nothing twice. The same path speaks WebSocket (`triarch.watch`).
    """
    principal = principal_of(request)
    wanted = chosen(subjects, principal)
    if facts(request.scope).get("method") == "HEAD":
        return Response(media_type=MEDIA_TYPE)  # what has no body cannot go on either
    _lend(request)
    hub: Hub = request.app.state.watching
    watcher = await hub.join(wanted, _index(after, last_event_id), principal, request.scope.get("client"))
    return EventStream(hub, watcher)


@router.get(
    "/figures",
    summary="The live figures",
    response_class=Response,
    responses=problems("no_leader", "forbidden", also={200: {"model": PlantFigures}}),
)
async def figures(
    request: Request,
    own: Annotated[
        bool, Query(description="Only what this node works out as the leader; 503 where it does not lead.")
    ] = False,
) -> Response:
    """What a watch tells as `figures`, once. Answered by the node that is asked, in every mode; the leader works them
    out at most once a second. `own=true` is how the other nodes ask the leader.
    """
    chosen(FIGURES, principal_of(request))
    found: Figures = request.app.state.figures
    if not own:
        _lend(request)
    body = msgspec.json.encode(await found.own()) if own else await found.shown()
    return Response(body, media_type="application/json", headers={"Cache-Control": "no-store"})


@router.websocket("/watch")
async def watch_by_websocket(websocket: WebSocket, subjects: str | None = None, after: str | None = None) -> None:
    """As `GET /v1/watch`. What is wrong is a problem document in place of the handshake's answer."""
    principal = principal_of(websocket)
    wanted = chosen(subjects, principal)
    _lend(websocket)
    hub: Hub = websocket.app.state.watching
    watcher = await hub.join(wanted, _index(after, None), principal, websocket.scope.get("client"))
    try:
        offered = websocket.scope.get("subprotocols", [])
        await websocket.accept(PROTOCOL if PROTOCOL in offered else None)
    except BaseException:
        hub.leave(watcher)
        raise
    await speak(websocket, hub, watcher)


def principal_of(connection: Request | WebSocket) -> Principal:
    """Who asks, as the access check found out."""
    found: Principal = facts(connection.scope)["principal"]
    return found


def _lend(connection: Request | WebSocket) -> None:
    """Whoever watches may see figures, and this node may have nothing of its own to ask the leader with."""
    found: Figures = connection.app.state.figures
    found.lend(shown_by(connection.scope))


def chosen(asked: str | None, principal: Principal) -> frozenset[str]:
    """The subjects that a request means. Raises `invalid_request`, `forbidden`."""
    if asked is None:
        return frozenset(USUAL)
    wanted = [each.strip() for each in asked.split(",") if each.strip()]
    unknown = sorted(set(wanted) - set(SUBJECTS))
    if unknown or not wanted:
        named = f"{unknown[0][:40]!r} is none" if unknown else "names none"
        reason = f"{named} of the subjects: {', '.join(SUBJECTS)}"
        fault = {"location": "query.subjects", "message": reason, "type": "subjects"}
        raise Problem("invalid_request", f"query.subjects: {reason}", errors=[fault])
    for each in wanted:
        if not may_watch(principal, each):
            detail = f"the subject {each} needs admin; this token's role is {principal.role.value}"
            raise Problem("forbidden", detail, role=principal.role.value, needs=["admin"])
    return frozenset(wanted)


def _index(after: str | None, last_event_id: str | None) -> int | None:
    for text, name in ((last_event_id, "Last-Event-ID"), (after, "after")):
        if text is not None:
            if not (text.isascii() and text.isdecimal() and len(text) <= INDEX_DIGITS_MAX):
                raise Problem("invalid_cursor", f"{name} is no number: it is an index in the replicated log")
            return int(text)
    return None


def _takes_gzip(accept: str) -> bool:
    for each in accept.lower().split(","):
        coding, _, weight = each.partition(";")
        if coding.strip() == "gzip":
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
