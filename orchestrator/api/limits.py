"""The limits of requests, as policy of the whole cluster."""

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from orchestrator.access.limits import BURST_MAX, FAILURES_MAX, RATE_MAX, Limits, Put
from orchestrator.api.asking import Ask, Read
from orchestrator.api.conditions import ETAGGED, IfMatchOrZero, etag, revision_of
from orchestrator.api.documented import READ, WRITE, problems

router = APIRouter(prefix="/v1/access/limits", tags=["access"])

_DEFAULTS = Limits()
_PerSecond = Annotated[float, Field(ge=0.1, le=RATE_MAX, allow_inf_nan=False)]
_Burst = Annotated[int, Field(ge=1, le=BURST_MAX)]


class LimitsRequest(BaseModel):
    """What is left out has its default. The nodes' own token is never counted."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _DEFAULTS.public()})

    enabled: bool = _DEFAULTS.enabled
    token_per_second: _PerSecond = Field(_DEFAULTS.token_per_second, description="In the long run, by one token.")
    token_burst: _Burst = Field(_DEFAULTS.token_burst, description="At once, by one token.")
    address_per_second: _PerSecond = Field(
        _DEFAULTS.address_per_second, description="In the long run, from one address, or from one /64 of IPv6."
    )
    address_burst: _Burst = Field(_DEFAULTS.address_burst, description="At once, from one address.")
    failures_per_minute: Annotated[int, Field(ge=1, le=FAILURES_MAX)] = Field(
        _DEFAULTS.failures_per_minute, description="Refused tokens from one address, before it is not listened to."
    )


class LimitsShown(LimitsRequest):
    """`revision` is the ETag; 0: the defaults."""

    model_config = ConfigDict(json_schema_extra={"example": {**_DEFAULTS.public(), "revision": 42}})

    revision: int


@router.get("", summary="The limits of requests", responses=problems(*READ, also={200: ETAGGED}))
async def limits(read: Read, response: Response) -> LimitsShown:
    """Of the whole cluster; each node counts what reaches it first."""
    found: tuple[Limits, int] = await read(lambda state: (state.limits.limits, state.limits.revision))
    return _shown(response, *found)


@router.put(
    "",
    summary="Change the limits of requests",
    responses=problems("precondition_failed", *WRITE, also={200: ETAGGED}),
)
async def put_limits(ask: Ask, body: LimitsRequest, response: Response, if_match: IfMatchOrZero = None) -> LimitsShown:
    """In force on every node when it is applied there."""
    wanted = Limits(**body.model_dump())
    applied = await ask.propose(Put.kind, Put(limits=wanted, if_revision=revision_of(if_match)))
    value: dict[str, Any] = applied.outcome.value
    return _shown(response, wanted, value["revision"])


def _shown(response: Response, limits: Limits, revision: int) -> LimitsShown:
    response.headers["ETag"] = etag(revision)
    return LimitsShown(**limits.public(), revision=revision)
