"""Tokens, and who asks. The text of a token is in the answer that makes it, and nowhere else."""

import os
import time
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from cluster import Applied
from orchestrator.access.credential import (
    ID_BYTES,
    ID_PATTERN,
    SECRET_BYTES,
    Credential,
    command_token,
    made,
)
from orchestrator.access.principal import OPEN, Principal, Role
from orchestrator.access.rights import RIGHTS
from orchestrator.access.tokens import Create, Revoke, Rotate
from orchestrator.api.asking import Ask, Asking, Read
from orchestrator.api.documented import READ, WRITE, problems
from orchestrator.api.envelope import facts
from orchestrator.api.problems import Problem
from orchestrator.events import Id

router = APIRouter(prefix="/v1", tags=["access"])

TokenId = Annotated[str, Path(pattern=ID_PATTERN, examples=["k3vq7x2mzd"])]
EXPIRES_MAX_S = 10 * 366 * 86_400.0
GRACE_MAX_S = 30 * 86_400.0
MACHINES = frozenset({Role.COMPONENT, Role.PROCESSOR})
_EXPIRES = "Seconds until it expires, judged by the clock of the node that is asked; without it, it does not."


class NamedRequest(BaseModel):
    """What a person calls a token."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=100, examples=["ada"])]
    expires_in_s: Annotated[float, Field(ge=1, le=EXPIRES_MAX_S, allow_inf_nan=False, description=_EXPIRES)] | None = (
        None
    )

    @field_validator("name")
    @classmethod
    def _printable(cls, value: str) -> str:
        if not value.isprintable() or value != value.strip():
            raise ValueError("a name has printable characters, and no blanks around it")
        return value


class TokenRequest(NamedRequest):
    """`subject`: the id of the component or processor that it is for; machines' tokens have one, people's have none."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"name": "ada", "role": "operator", "expires_in_s": 2_592_000}}
    )

    role: Role
    subject: Id | None = None

    @model_validator(mode="after")
    def _fits(self) -> "TokenRequest":
        if self.role in MACHINES and self.subject is None:
            raise ValueError(f"subject: a token of role {self.role.value} is for one {self.role.value}: give its id")
        if self.role not in MACHINES and self.subject is not None:
            raise ValueError(f"subject: a token of role {self.role.value} is for a person and takes none")
        return self


class RotateRequest(BaseModel):
    """`grace_s`: how long the secret before is still taken."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"grace_s": 3600}})

    grace_s: Annotated[float, Field(ge=0, le=GRACE_MAX_S, allow_inf_nan=False)] = 0.0
    expires_in_s: (
        Annotated[float, Field(ge=1, le=EXPIRES_MAX_S, allow_inf_nan=False, description="A new end; else it stays.")]
        | None
    ) = None


class Token(BaseModel):
    """A token, without its text. Times are unix seconds by the clock of the node that proposed the change."""

    id: str = Field(examples=["k3vq7x2mzd"])
    name: str
    role: Role
    subject: str | None
    created: float
    expires: float | None
    rotated: float | None = Field(description="When its secret was last replaced.")
    grace_until: float | None = Field(description="Until when a secret before is taken.")
    revoked: float | None


class TokenMade(Token):
    """With its text: this is the only time that it is shown."""

    token: str = Field(examples=["tri_k3vq7x2mzd_…"])
    command_token: str | None = Field(
        None, description="For a component, where the cluster has a token of its own: what the nodes show to it."
    )


class Whoami(BaseModel):
    """Who asks, as this node knows it."""

    kind: str = Field(examples=["token", "oidc", "cluster", "open"])
    id: str
    name: str
    role: Role
    subject: str | None
    expires: float | None


class RightShown(BaseModel):
    """One row of the decision table."""

    method: str
    path: str
    roles: list[Role]
    public: bool = Field(description="No token is needed.")
    own: str = Field(
        description="Where the request names a machine: that has to be the token's subject. `cluster`: only by the "
        "cluster's own token."
    )


def principal_of(request: Request) -> Principal:
    """Who is behind a request to a route that is not public."""
    found: Principal = facts(request.scope).get("principal", OPEN)
    return found


@router.get("/whoami", summary="Who asks", responses=problems())
async def whoami(request: Request) -> Whoami:
    """Whose token came with this request, and what role it has."""
    who = principal_of(request)
    return Whoami(kind=who.kind, id=who.id, name=who.name, role=who.role, subject=who.subject, expires=who.until)


@router.get("/rights", summary="Which role may do what", responses=problems())
async def rights() -> list[RightShown]:
    """The table that decides, in its order."""
    return [
        RightShown(
            method=right.method,
            path=right.path,
            roles=[role for role in Role if role in right.roles],
            public=right.public,
            own=right.own,
        )
        for right in RIGHTS
    ]


@router.post(
    "/access/bootstrap",
    status_code=201,
    summary="Make the first admin's token",
    responses=problems("already_bootstrapped", "token_made", "kind_unsupported", *WRITE),
)
async def bootstrap(ask: Ask, body: NamedRequest, response: Response) -> TokenMade:
    """Once, by whoever has the cluster's own token, or by anybody where none is configured (on loopback).

    From then on every node asks for a token, also one that was open.
    """
    return await _make(ask, TokenRequest(**body.model_dump(), role=Role.ADMIN), response, first=True)


@router.post(
    "/tokens",
    status_code=201,
    summary="Make a token",
    responses=problems("too_many_tokens", "token_made", "kind_unsupported", *WRITE),
)
async def create(ask: Ask, body: TokenRequest, response: Response) -> TokenMade:
    """The answer shows its text, this once. A repeat under the same Idempotency-Key makes no second one: it is answered
    409 `token_made` with the id, as the text is kept nowhere.
    """
    return await _make(ask, body, response, first=False)


@router.get("/tokens", summary="All tokens", responses=problems(*READ))
async def tokens(read: Read) -> list[Token]:
    """The newest first, those that are over included for thirty days. No text and no digest."""
    rows = await read(lambda state: state.access.rows)
    return [Token(**row.public()) for row in sorted(rows.values(), key=lambda row: (-row.created, row.id))]


@router.get("/tokens/{token_id}", summary="One token", responses=problems("token_unknown", *READ))
async def token(read: Read, token_id: TokenId) -> Token:
    """What is known of it; its text is shown only when it is made."""
    row = await read(lambda state: state.access.get(token_id))
    if row is None:
        raise Problem("token_unknown", f"there is no token {token_id}, or it is forgotten")
    return Token(**row.public())


@router.post(
    "/tokens/{token_id}/rotate",
    summary="Replace a token's secret",
    responses=problems("token_unknown", "token_over", "token_made", "kind_unsupported", *WRITE),
)
async def rotate(ask: Ask, token_id: TokenId, body: RotateRequest, response: Response) -> TokenMade:
    """Id, role and subject stay. The secret before is taken for `grace_s` seconds more."""
    now = time.time()
    fresh = Credential(token_id, _credential().secret)
    command = Rotate(
        id=token_id,
        digest=fresh.digest,
        at=now,
        grace_until=now + body.grace_s,
        expires=None if body.expires_in_s is None else now + body.expires_in_s,
    )
    return _shown(ask, await ask.propose(Rotate.kind, command), fresh, response)


@router.delete(
    "/tokens/{token_id}",
    status_code=204,
    summary="Revoke a token",
    responses=problems("token_unknown", "last_admin", "kind_unsupported", *WRITE),
)
async def revoke(ask: Ask, token_id: TokenId) -> None:
    """It is refused on every node as soon as it has heard of it, and streams that were opened with it end.

    409 `last_admin` where nobody could make another one: no admin's token is left, and the cluster has none of its own.
    """
    keep_admin = ask.node.config.api_token() is None
    await ask.propose(Revoke.kind, Revoke(id=token_id, at=time.time(), keep_admin=keep_admin))


async def _make(ask: Asking, body: TokenRequest, response: Response, *, first: bool) -> TokenMade:
    now = time.time()
    fresh = _credential()
    command = Create(
        id=fresh.id,
        name=body.name,
        role=body.role,
        subject=body.subject,
        digest=fresh.digest,
        at=now,
        expires=None if body.expires_in_s is None else now + body.expires_in_s,
        first=first,
    )
    applied = await ask.propose(Create.kind, command)
    response.headers["Location"] = f"/v1/tokens/{applied.outcome.value['id']}"
    return _shown(ask, applied, fresh, response)


def _shown(ask: Asking, applied: Applied, fresh: Credential, response: Response) -> TokenMade:
    row: dict[str, Any] = applied.outcome.value
    if applied.duplicate:
        token_id = row["id"]
        detail = (
            f"this request has made token {token_id} before, and its text cannot be shown again: rotate or revoke it"
        )
        raise Problem("token_made", detail, id=token_id)
    response.headers["Cache-Control"] = "no-store"
    own = ask.node.config.api_token()
    for_commands = row["role"] == Role.COMPONENT and own is not None
    return TokenMade(
        **row, token=fresh.text, command_token=command_token(own, row["subject"]) if for_commands and own else None
    )


def _credential() -> Credential:
    return made(os.urandom(ID_BYTES), os.urandom(SECRET_BYTES))
