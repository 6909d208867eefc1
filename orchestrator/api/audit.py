"""The audit: who changed what. The newest entries from the state, all that this node keeps from its file."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse

from orchestrator.api.asking import Ask, Read, here
from orchestrator.api.documented import READ, Responses, problems
from orchestrator.api.noting import Notes, Passed
from orchestrator.api.paging import page
from orchestrator.api.problems import Problem
from orchestrator.audit import trail
from orchestrator.audit.chain import since
from orchestrator.audit.entry import Entry, text_of
from orchestrator.audit.many import among

router = APIRouter(prefix="/v1/audit", tags=["audit"])

PAGE_MAX = 500
EXPORTS_MAX = 8
"""At once, on one node: each reads files in a thread."""
LINES_AT_ONCE = 500
LINES = "application/jsonl"
ENTRY_EXAMPLE: dict[str, Any] = {
    "number": 42,
    "index": 4712,
    "epoch": "3.17",
    "time": "2026-05-04T06:30:02.500Z",
    "actor": {
        "kind": "token",
        "id": "k3j2h5q7ab",
        "name": "Ada",
        "role": "operator",
        "address": "10.0.0.9",
        "node": "n2",
    },
    "kind": "variable.set",
    "subject": "variables",
    "id": "speed",
    "outcome": "done",
    "before": {"name": "speed", "value": "120", "revision": 4700, "time": 1777876100.0},
    "after": {"name": "speed", "value": "90", "revision": 4712, "time": 1777876202.5},
    "previous": "9f2c…",
    "hash": "41d0…",
}


class AuditEntry(BaseModel):
    """One change. `before` and `after`: what was changed, as it was and as it is; null where nothing is told."""

    model_config = ConfigDict(json_schema_extra={"example": ENTRY_EXAMPLE})

    number: int = Field(description="Counts all entries that ever were, without a gap.")
    index: int = Field(description="Where in the replicated log.")
    epoch: str = Field(description="The leadership under which it was made.")
    time: str = Field(description="RFC 3339, by the clock of the node that took it; for display.")
    actor: dict[str, str] = Field(description="`kind id name role address node`, as far as each is known.")
    kind: str
    subject: str = Field(description="As the watch names it.")
    id: str = Field(description="Of the row; of several, with commas between them.")
    outcome: str = Field(
        description="`done`, the code of a refusal, or around what is done outside the replicated state `intended` "
        "before it and `unknown` after it, where nobody can say."
    )
    before: Any
    after: Any
    previous: str = Field(description="The hash of the entry before.")
    hash: str = Field(description="SHA-256 of this entry without `hash`, see docs/audit.md.")


class AuditPage(BaseModel):
    """The newest first. `cursor` is null on the last page of what the state holds; the export has what is older."""

    model_config = ConfigDict(json_schema_extra={"example": {"entries": [ENTRY_EXAMPLE], "cursor": None}})

    entries: list[AuditEntry]
    cursor: str | None


class AuditHead(BaseModel):
    """Where the chain ends. Kept elsewhere, it proves all that stands before it (`triarch audit verify --head`)."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "number": 42,
                "hash": "41d0…",
                "first": 1,
                "left_out": 0,
                "recording": True,
                "node": "n1",
                "file": {"number": 42, "trouble": ""},
            }
        }
    )

    number: int = Field(description="Of the newest entry; 0: there is none.")
    hash: str
    first: int = Field(description="Of the oldest entry that the list has; older ones are in the export.")
    left_out: int = Field(description="Refusals that were not entered, because there were too many of them.")
    recording: bool = Field(
        description="False: a member is not known to run a release that has an audit, and nothing is entered."
    )
    node: str = Field(description="Whose file the next member tells of.")
    file: dict[str, Any] = Field(
        description="On that node: `number` of the newest entry in its file, `trouble` why it cannot be written."
    )


def _fits(entry: Entry, wanted: dict[str, str | None]) -> bool:
    actor, kind, subject, row = (wanted[name] for name in ("actor", "kind", "subject", "id"))
    begin, end = wanted["since"], wanted["until"]
    return (
        (actor is None or actor in (entry.actor.get("id"), entry.actor.get("name")))
        and (kind is None or entry.kind == kind or (kind.endswith(".*") and entry.kind.startswith(kind[:-1])))
        and (subject is None or entry.subject == subject)
        and (row is None or among(entry, row))
        # RFC 3339 in UTC, always to the millisecond: the order of the texts is that of the times.
        and (begin is None or entry.time >= begin)
        and (end is None or entry.time < end)
    )


def _is_a_time(text: str | None) -> str | None:
    """What no calendar has would be compared as text, and find nothing. Raises ValueError."""
    if text is not None:
        said = text.removesuffix("Z")
        try:
            datetime.fromisoformat(said + "0000-01-01T00:00:00"[len(said) :])  # with the beginning of what is left out
        except ValueError:
            raise ValueError("there is no such time") from None
    return text


Time = Annotated[
    str | None,
    AfterValidator(_is_a_time),
    Query(
        pattern=r"^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?Z?)?$",
        examples=["2026-05-04T06:00:00Z"],
        description="UTC, as RFC 3339; what is left out at its end is the beginning of that day, hour, …",
    ),
]


@router.get("", summary="Changes, the newest first", response_model=AuditPage,
            responses=problems("invalid_cursor", *READ))  # fmt: skip
async def entries(
    read: Read,
    response: Response,
    actor: Annotated[str | None, Query(max_length=200, description="Id or name.")] = None,
    kind: Annotated[
        str | None, Query(max_length=200, description="This kind; `variable.*`: all that begin so.")
    ] = None,
    subject: Annotated[str | None, Query(max_length=200)] = None,
    id: Annotated[str | None, Query(max_length=200, description="Of the row.")] = None,
    since: Time = None,
    until: Time = None,
    cursor: Annotated[str, Query(max_length=400, description="Of the answer before: its next page.")] = "",
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 100,
) -> Response:
    """The last 1,000 entries at most; what is older is in `/v1/audit/export`."""
    wanted = {
        "actor": actor,
        "kind": kind,
        "subject": subject,
        "id": id,
        "since": since and since.removesuffix("Z"),
        "until": until and until.removesuffix("Z"),
    }
    found = await read(lambda state: state.audit.entries)
    fitting = (entry for entry in reversed(found) if _fits(entry, wanted))
    query = ("audit", *(value or "" for value in wanted.values()))
    shown, after = page(fitting, limit, query, cursor, lambda entry: (entry.number, ""))
    answer = Response(msgspec.json.encode({"entries": shown, "cursor": after}), media_type="application/json")
    answer.headers.update(response.headers)
    return answer


@router.get("/head", summary="Where the chain ends", responses=problems(*READ))
async def head(ask: Ask, read: Read) -> AuditHead:
    """`consistency=stale` is answered by the node that is asked."""
    found = await read(lambda state: state.audit.head())
    kept = ask.node.trail
    return AuditHead(
        **msgspec.to_builtins(found),
        recording=ask.node.audited(),
        node=ask.node.config.node.id,
        file={"number": kept.last, "trouble": kept.trouble},
    )


EXPORT: Responses = {200: {"content": {LINES: {"schema": {"type": "string"}}}}}


@router.get(
    "/export",
    summary="All entries that this node keeps",
    response_class=Response,
    responses=problems("too_many_followers", "read_timed_out", also=EXPORT),
)
async def export(
    ask: Ask,
    request: Request,
    after: Annotated[int, Query(ge=0, le=1 << 53, description="Only those behind this number.")] = 0,
    limit: Annotated[
        int | None, Query(ge=1, le=1_000_000, description="So many lines at most; without it all.")
    ] = None,
) -> Response:
    """JSON lines, the oldest first: this node's file, then what the state has beyond it.

    Where a node lacks entries there is a line `{"gap": {"after": N, "next": M}}`; another node may have them.
    """
    slots: asyncio.Semaphore = request.app.state.exports
    if slots.locked():
        raise Problem("too_many_followers", f"{EXPORTS_MAX} exports run already; ask another node, or later")
    await slots.acquire()
    # Before the file is read: what comes behind its end meanwhile is in it, or among these.
    try:
        held = await here(ask.node, lambda state: state.audit.entries)
    except BaseException:
        slots.release()
        raise
    headers = {"Content-Disposition": f'attachment; filename="audit-{ask.node.config.node.id}.jsonl"'}
    stream = _chunks(slots, itertools.islice(_lines(ask.node.trail, after, held), limit))
    return StreamingResponse(stream, media_type=LINES, headers=headers)


def _lines(kept: trail.Trail, after: int, held: tuple[Entry, ...]) -> Iterator[bytes]:
    last = after
    for number, line in kept.read(after):
        last = max(last, number)
        yield line
    fresh = since(held, last)
    if fresh and fresh[0].number != last + 1 and last > after:
        yield trail.gap_line(last, fresh[0].number)
    yield from map(text_of, fresh)


async def _chunks(slots: asyncio.Semaphore, lines: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Some lines at a time, read in a thread."""
    try:
        while some := await asyncio.to_thread(lambda: list(itertools.islice(lines, LINES_AT_ONCE))):
            yield b"\n".join(some) + b"\n"
    finally:
        slots.release()


def exports() -> asyncio.Semaphore:
    """How many exports one node serves at once."""
    return asyncio.Semaphore(EXPORTS_MAX)


NOTE = {"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}}


@router.post(
    "/notes",
    status_code=204,
    summary="Take a note of another node",
    openapi_extra=NOTE,
    responses=problems("key_reused", "no_leader", "outcome_unknown"),
)
async def note(request: Request) -> None:
    """Between nodes: what was done on one that does not lead, for the leader to enter."""
    try:
        passed = msgspec.json.decode(await request.body(), type=Passed)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Problem("invalid_request", f"body: {error}") from None
    notes: Notes = request.app.state.notes
    await notes.enter(passed)
