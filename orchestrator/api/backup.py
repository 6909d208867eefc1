"""The whole replicated state as one file, and back."""

import hashlib
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from cluster.snapshot_codec import decode_snapshot
from orchestrator.api.asking import Ask, Read
from orchestrator.api.documented import READ, WRITE, Responses, problems
from orchestrator.api.envelope import INDEX_HEADER
from orchestrator.api.problems import Problem, refused

router = APIRouter()

MEDIA_TYPE = "application/octet-stream"
RESTORE_S = 12.0
"""Less than a node waits for the leader's answer."""
FILE: Responses = {200: {"content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}}}
BODY = {"requestBody": {"required": True, "content": FILE[200]["content"]}}


class Restored(BaseModel):
    """What was replaced, and where in the log."""

    index: int = Field(description="Of the log that the snapshot was taken of.", examples=[1234])
    position: tuple[int, int] = Field(description="Term and index at which the state was replaced.")
    digest: str | None = Field(
        description="SHA-256 of the state right after it, without audit and leaderships; null when another restore "
        "came since, or on a repeat of one that was done before this node started.",
        examples=["5f0c…"],
    )


@router.get("/snapshot", summary="Save the state", response_class=Response, responses=problems(*READ, also=FILE))
async def snapshot(ask: Ask, read: Read) -> Response:
    """The leader's state, checksummed; with `consistency=stale` that of the node that is asked."""
    async with ask.noted("cluster.snapshot", "cluster", "") as told:
        await read(lambda _: None)  # whether this node may answer, at that consistency
        data = await ask.node.cluster.snapshot()
        index = decode_snapshot(data).index
        told.members.update(index=index, bytes=len(data))
    headers = {"Content-Disposition": f'attachment; filename="triarch-{index}.snapshot"', INDEX_HEADER: str(index)}
    return Response(data, media_type=MEDIA_TYPE, headers=headers)


@router.post(
    "/restore",
    summary="Replace the state",
    openapi_extra=BODY,
    responses=problems("snapshot_unreadable", "restore_refused", "restore_interrupted", "restore_too_large", *WRITE),
)
async def restore(ask: Ask, request: Request) -> Restored:
    """Replaces the state on every member by that of a snapshot; members and leadership stay. At most 64 MiB.

    What was changed since the snapshot was taken is gone. Repeat it after `outcome_unknown`: it does the same again.
    """
    data = await request.body()
    if not data:
        raise Problem("snapshot_unreadable", "the body is empty; send the snapshot's bytes")
    told: dict[str, Any] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    async with ask.noted("cluster.restore", "cluster", "", **told):
        applied = await ask.node.cluster.restore(data, actor=ask.node.actor(), timeout=RESTORE_S)
        if not applied.outcome.ok:
            raise refused(applied.outcome.code, applied.outcome.message)
    place, replaced = applied.position, ask.node.state.replaced
    digest = replaced.digest if replaced is not None and replaced.index == place.index else None
    return Restored(index=applied.outcome.value, position=(place.term, place.index), digest=digest)
