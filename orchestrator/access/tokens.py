"""The replicated tokens: who may ask, as what, until when. Pure, deterministic, no clock, no I/O.

Of a token's secret only the SHA-256 is kept. A secret is 32 random bytes, so its digest tells nothing of it and needs
no salt. A rotated secret goes on being taken until the end of its grace; each secret has a `generation`, so that who
came with an old one can be told apart from who came with the new one.

Times are unix seconds by the clock of the node that proposed the change, and travel in the command (`at`). Whether a
token has expired is judged where it is used, by the clock of that node: see `orchestrator.api.gate`.

Tokens that are over stand in the list for `KEPT_S`, and are forgotten with the next token that is made then; sooner,
the oldest first, when there is no room otherwise. The first token of an admin makes every node ask for tokens for good:
when the last admin's token runs out nothing is thrown open.

Codes: `token_unknown`, `token_exists`, `token_over`, `too_many_tokens`, `last_admin`, `already_bootstrapped`,
`invalid_command`.
"""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

import msgspec

from orchestrator.access.principal import Role

TOKENS_MAX = 10_000
"""They are kept in memory and in snapshots of every node."""
ROTATED_MAX = 4
"""Old secrets of one token that are still taken; a further rotation ends the oldest one's grace."""
COMPONENTS_MAX = 100_000
"""Ids of components for which a token was ever made."""
KEPT_S = 30 * 86_400.0
"""How long a token that was revoked or has expired stands in the list."""

Position = tuple[int, int]
"""(term, index) in the replicated log."""


class Create(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`digest`: SHA-256 of the secret. `first`: only while no admin's token was ever made (the bootstrap)."""

    kind: ClassVar[str] = "token.create"
    id: str
    name: str
    role: Role
    digest: bytes
    at: float
    subject: str | None = None
    expires: float | None = None
    first: bool = False

    def __repr__(self) -> str:
        return f"Create(id={self.id!r}, name={self.name!r}, role={self.role.value!r}, subject={self.subject!r})"


class Rotate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`grace_until`: until when the secret before is taken. `expires`: a new end; None leaves it."""

    kind: ClassVar[str] = "token.rotate"
    id: str
    digest: bytes
    at: float
    grace_until: float
    expires: float | None = None

    def __repr__(self) -> str:
        return f"Rotate(id={self.id!r}, grace_until={self.grace_until!r})"


class Revoke(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`keep_admin`: not the last admin's token that is valid, as nobody could make another one then."""

    kind: ClassVar[str] = "token.revoke"
    id: str
    at: float
    keep_admin: bool


TokenCommand = Create | Rotate | Revoke
KINDS: Mapping[str, type[TokenCommand]] = {command.kind: command for command in (Create, Rotate, Revoke)}


class Result(msgspec.Struct, frozen=True):
    """`value` is a token as it is shown; `code` is empty when the command was accepted."""

    value: Any = None
    code: str = ""
    message: str = ""


class TokenEvent(NamedTuple):
    """`data` is the token as it is shown, empty for one that is forgotten; no digest."""

    kind: str
    subject: str
    data: dict[str, Any]


class Rotated(msgspec.Struct, frozen=True):
    """A secret that was replaced, and until when it is taken."""

    digest: bytes
    until: float
    generation: int

    def __repr__(self) -> str:
        return f"Rotated(generation={self.generation}, until={self.until!r})"


class TokenRow(msgspec.Struct, frozen=True, kw_only=True):
    """One token as every node knows it."""

    id: str
    name: str
    role: Role
    subject: str | None
    created: float
    expires: float | None
    digest: bytes
    generation: int = 1
    rotated: tuple[Rotated, ...] = ()
    changed: float = 0.0
    """when the secret was last replaced; 0: never"""
    revoked: float | None = None

    def __repr__(self) -> str:
        return f"TokenRow(id={self.id!r}, name={self.name!r}, role={self.role.value!r}, subject={self.subject!r})"

    def over_since(self, at: float) -> float | None:
        """Since when it is not valid any more, judged at `at`; None while it is."""
        if self.revoked is not None:
            return self.revoked
        return self.expires if self.expires is not None and self.expires <= at else None

    def public(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "id": self.id,
            "name": self.name,
            "role": self.role.value,
            "subject": self.subject,
            "created": self.created,
            "expires": self.expires,
            "rotated": self.changed or None,
            "grace_until": max((old.until for old in self.rotated), default=None),
            "revoked": self.revoked,
        }


Applied = tuple[Result, list[TokenEvent]]


class TokenRegistry:
    """Rows by id. `rows` is replaced on change and never altered: any thread may read it without a lock."""

    def __init__(self) -> None:
        self.rows: Mapping[str, TokenRow] = {}
        self.enforced = False
        """an admin's token was made once: without one, only the token of the configuration opens anything"""
        self.components: frozenset[str] = frozenset()
        """for which a token was made once: the nodes show these a token of their own, and never again the shared one"""

    def get(self, token_id: str) -> TokenRow | None:
        return self.rows.get(token_id)

    @property
    def untouched(self) -> bool:
        """Nothing was ever made."""
        return not self.rows and not self.enforced

    def snapshot(self) -> dict[str, Any]:
        """Plain builtins, ordered by id: equal states give equal bytes."""
        rows = [msgspec.to_builtins(row, builtin_types=(bytes,)) for _, row in sorted(self.rows.items())]
        return {"version": 1, "enforced": self.enforced, "components": sorted(self.components), "tokens": rows}

    def restore(self, data: Mapping[str, Any]) -> None:
        """Replaces everything. Raises ValueError when the snapshot is of a version that this code does not know."""
        if data.get("version") != 1:
            raise ValueError(f"tokens: snapshot version {data.get('version')!r} is not known here")
        rows = msgspec.convert(data["tokens"], list[TokenRow])
        self.enforced = msgspec.convert(data["enforced"], bool)
        self.components = msgspec.convert(data["components"], frozenset[str])
        self.rows = {row.id: row for row in rows}

    def adopt(self, other: "TokenRegistry") -> None:
        """Become what `other` is."""
        self.rows, self.enforced, self.components = other.rows, other.enforced, other.components

    def keep(self, held: "TokenRegistry") -> None:
        """These come from a backup, into a cluster that has `held`: what that says of a token holds.

        So a token that was revoked since the backup is not taken again, and one that was made since goes on. Others of
        the backup come back, as far as there is room.
        """
        room = TOKENS_MAX - len(held.rows)
        back = sorted((row for row in self.rows.values() if row.id not in held.rows), key=lambda row: -row.created)
        self.rows = {**{row.id: row for row in back[: max(0, room)]}, **held.rows}
        self.enforced = self.enforced or held.enforced
        self.components = frozenset(sorted(self.components | held.components)[:COMPONENTS_MAX])

    def apply(self, kind: str, body: bytes) -> Applied:
        """Apply one command; `body` is its msgpack. A refusal has a code and changes nothing."""
        try:
            command = msgspec.msgpack.decode(body, type=KINDS[kind])
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return Result(code="invalid_command", message=f"{kind}: {error}"), []
        match command:
            case Create():
                return self._create(command)
            case Rotate():
                return self._rotate(command)
            case Revoke():
                return self._revoke(command)

    def _create(self, command: Create) -> Applied:
        if command.first and self.enforced:
            message = "the first admin's token was made already; an admin, or the cluster's own token, makes others"
            return Result(code="already_bootstrapped", message=message), []
        if command.id in self.rows:
            return Result(code="token_exists", message=f"there is a token {command.id} already"), []
        forgotten = set(self._forgotten(command.at))
        if len(self.rows) - len(forgotten) >= TOKENS_MAX:
            return Result(code="too_many_tokens", message=f"{TOKENS_MAX} tokens are valid; revoke some first"), []
        components = self.components
        if command.role == Role.COMPONENT and command.subject is not None:
            components = components | {command.subject}
            if len(components) > COMPONENTS_MAX:
                message = f"tokens were made for {COMPONENTS_MAX} components already"
                return Result(code="too_many_tokens", message=message), []
        row = TokenRow(
            id=command.id,
            name=command.name,
            role=command.role,
            subject=command.subject,
            created=command.at,
            expires=command.expires,
            digest=command.digest,
        )
        self.rows = {**{key: held for key, held in self.rows.items() if key not in forgotten}, row.id: row}
        self.enforced = self.enforced or row.role == Role.ADMIN
        self.components = components
        gone = [TokenEvent("token.forgotten", token_id, {}) for token_id in sorted(forgotten)]
        return Result(value=row.public()), [*gone, TokenEvent("token.created", row.id, row.public())]

    def _forgotten(self, at: float) -> Iterator[str]:
        """Ids of those that are over for long, and of further ones that are over where there is no room else."""
        over = [(since, key) for key, row in self.rows.items() if (since := row.over_since(at)) is not None]
        room = len(self.rows) - TOKENS_MAX + 1
        for count, (since, token_id) in enumerate(sorted(over)):
            if since <= at - KEPT_S or count < room:
                yield token_id

    def _rotate(self, command: Rotate) -> Applied:
        held = self.rows.get(command.id)
        if held is None:
            return _unknown(command.id)
        if held.over_since(command.at) is not None:
            message = f"token {command.id} was revoked or has expired: make another one"
            return Result(code="token_over", message=message), []
        kept = [old for old in held.rotated if old.until > command.at]
        if command.grace_until > command.at:
            kept.append(Rotated(held.digest, command.grace_until, held.generation))
        row = msgspec.structs.replace(
            held,
            digest=command.digest,
            generation=held.generation + 1,
            rotated=tuple(kept[-ROTATED_MAX:]),
            changed=command.at,
            expires=held.expires if command.expires is None else command.expires,
        )
        return self._stored(row, "token.rotated")

    def _revoke(self, command: Revoke) -> Applied:
        held = self.rows.get(command.id)
        if held is None:
            return _unknown(command.id)
        if held.revoked is not None:
            return Result(value=held.public()), []
        if command.keep_admin and held.role == Role.ADMIN and held.over_since(command.at) is None:
            others = (row for row in self.rows.values() if row.role == Role.ADMIN and row.id != held.id)
            if not any(row.over_since(command.at) is None for row in others):
                message = (
                    f"token {held.id} is the last admin's that is valid, and this cluster has no token of its own "
                    "(api.token): nobody could make another one; make that first"
                )
                return Result(code="last_admin", message=message), []
        return self._stored(msgspec.structs.replace(held, revoked=command.at, rotated=()), "token.revoked")

    def _stored(self, row: TokenRow, event: str) -> Applied:
        self.rows = {**self.rows, row.id: row}
        return Result(value=row.public()), [TokenEvent(event, row.id, row.public())]


def _unknown(token_id: str) -> Applied:
    return Result(code="token_unknown", message=f"there is no token {token_id}"), []
