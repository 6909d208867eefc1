"""Who is behind a request: what was shown, judged by what this node knows now.

    the cluster's token (api.token)  ─▶ CLUSTER, admin
    tri_<id>_<secret>                ─▶ the replicated row: known, not revoked, not expired, its secret or one in grace
    anything else                    ─▶ an identity provider's, where there is one
    nothing asked for (loopback, no api.token, no admin's token yet) ─▶ OPEN, admin

Replicated tokens are taken on the word of this node's own state, so that a request costs one digest and one look into a
dict. A node that does not know what the others agree on must not go by an old list: where its state was not as new as
the leader's for `api.tokens_stale_s`, it refuses them all with 503 `no_leader`. So a token that was revoked is refused
everywhere that much later, on a node that is cut off or comes back too; on the others as soon as it is applied. The
cluster's token needs no state and is taken always.

Whether a token has expired is said by this node's clock, without a tolerance: clocks that differ by a second end it a
second apart.
"""

import asyncio
import hashlib
import hmac
import math
import re
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection

from orchestrator.access.credential import PREFIX, Credential, parsed
from orchestrator.access.principal import CLUSTER, OPEN, Principal
from orchestrator.api.problems import Problem

if TYPE_CHECKING:
    from orchestrator.access.tokens import TokenRow
    from orchestrator.api.view import NodeView

SCHEME = "bearer"
TOKEN_CHARS_MAX = 8 * 1024
"""Those of identity providers have one or two thousand."""
NEWS_S = 0.25
"""How long a follower waits for a token that it does not know: the leader may have made it a moment ago."""
POLL_S = 0.01
WAITING_MAX = 200
"""So many wait at once; others are refused without."""
_VISIBLE = re.compile(r"[\x21-\x7e]+")

Foreign = Callable[[str], Principal | None]
"""Who shows a token that is none of ours; None where it is nobody's. May raise a `Problem` that says more."""


class Gate:
    """Of one node. `foreign` may be set once the application is built; `clock` is unix seconds."""

    def __init__(
        self, node: "NodeView", *, foreign: Foreign | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._node = node
        self.foreign = foreign
        self._clock = clock
        token = node.config.api_token()
        self._cluster = None if token is None else _digest(token)
        self._waiting = 0

    @classmethod
    def of(cls, connection: HTTPConnection) -> "Gate":
        """The one that a request, or a WebSocket, has come through."""
        found: Gate = connection.app.state.gate
        return found

    @property
    def is_open(self) -> bool:
        """Nothing is asked for. The configuration allows that on loopback only."""
        return self._cluster is None and self.foreign is None and not self._node.tokens_asked_for()

    def authenticate(self, sent: Sequence[str]) -> Principal:
        """Who sends these `Authorization` headers. Raises `Problem`: 401 with a `reason`, 503 `no_leader`."""
        if not sent:
            if self.is_open:
                return OPEN
            raise refusal("missing", "send a token as Authorization: Bearer TOKEN")
        if len(sent) > 1:
            raise refusal("malformed", "one Authorization header is wanted, there are several")
        scheme, _, rest = sent[0].partition(" ")
        return self._shown(scheme, rest.strip())

    async def admit(self, sent: Sequence[str]) -> Principal:
        """As `authenticate`, and a follower waits a moment for a token that looks like one of ours and is not known."""
        ends = time.monotonic() + NEWS_S
        waits = False
        try:
            while True:
                try:
                    return self.authenticate(sent)
                except Problem as problem:
                    if problem.members.get("reason") != "unknown" or time.monotonic() >= ends:
                        raise
                    if not waits and (self._waiting >= WAITING_MAX or not self._may_be_new(sent[0])):
                        raise
                if not waits:
                    waits = True
                    self._waiting += 1
                await asyncio.sleep(POLL_S)
        finally:
            self._waiting -= waits

    def _may_be_new(self, sent: str) -> bool:
        return not self._node.is_leader() and parsed(sent.partition(" ")[2].strip()) is not None

    def still_valid(self, principal: Principal) -> bool:
        """Whether a request that came through would still, as far as this node knows. For streams without an end."""
        return self.valid_for(principal) > 0

    def valid_for(self, principal: Principal) -> float:
        """Seconds that what was shown holds at most, unless it is revoked before; 0: it does not any more."""
        if principal.kind == "cluster":
            return math.inf
        if principal.kind == "open":
            return math.inf if self.is_open else 0.0
        until = principal.until
        if principal.kind == "token":
            row = self._node.state.access.get(principal.id)
            if row is None or row.revoked is not None:
                return 0.0
            until = _until(row, principal.generation)
        return math.inf if until is None else max(0.0, until - self._clock())

    def _shown(self, scheme: str, token: str) -> Principal:
        if scheme.lower() == SCHEME and _VISIBLE.fullmatch(token) and len(token) <= TOKEN_CHARS_MAX:
            # Digests have one length, so the comparison tells nothing of the token's own.
            if self._cluster is not None and hmac.compare_digest(_digest(token), self._cluster):
                return CLUSTER
            credential = parsed(token)
            if credential is not None and (found := self._replicated(credential)) is not None:
                return found
            if self.foreign is not None and not token.startswith(PREFIX):
                stranger = self.foreign(token)
                if stranger is not None:
                    return stranger
            if not self.is_open:
                raise refusal("unknown", "the token is not valid")
        elif not self.is_open:
            raise refusal("malformed", "Authorization: Bearer TOKEN is wanted, TOKEN being visible ASCII characters")
        return OPEN  # whoever sends one where none is asked for

    def _replicated(self, credential: Credential) -> Principal | None:
        """Whose it is; None where it is nobody's."""
        if not self.is_open:
            self._check_fresh()
        row = self._node.state.access.get(credential.id)
        if row is None or (generation := _generation(row, credential.digest)) is None:
            return None
        if row.revoked is not None:
            raise refusal("revoked", f"token {row.id} was revoked")
        until = _until(row, generation)
        if until is not None and until <= self._clock():
            what = "has expired" if until == row.expires else "was replaced by a rotation, and its grace is over"
            raise refusal("expired", f"token {row.id} {what}")
        return Principal("token", row.id, row.role, row.name, row.subject, until, generation)

    def _check_fresh(self) -> None:
        age = self._node.cluster.fresh_s()
        if age is None or age > self._node.config.api.tokens_stale_s:
            since = "since it started" if age is None else f"for {age:.1f} s"
            detail = f"this node is not in touch with a leader {since}: it cannot know whether the token still holds"
            raise Problem("no_leader", detail)


def refusal(reason: str, detail: str) -> Problem:
    """401; `reason`: missing, malformed, unknown, expired or revoked. It never repeats what was sent."""
    error = "" if reason == "missing" else ', error="invalid_token"'
    return Problem(
        "unauthorised", detail, headers={"WWW-Authenticate": f'Bearer realm="triarch"{error}'}, reason=reason
    )


def _generation(row: "TokenRow", digest: bytes) -> int | None:
    """Which of the token's secrets has this digest; None: none of them."""
    if hmac.compare_digest(digest, row.digest):
        return row.generation
    return next((old.generation for old in row.rotated if hmac.compare_digest(digest, old.digest)), None)


def _until(row: "TokenRow", generation: int) -> float | None:
    """When this secret of the token ends; None: never."""
    if generation == row.generation:
        return row.expires
    grace = next((old.until for old in row.rotated if old.generation == generation), 0.0)
    return grace if row.expires is None else min(grace, row.expires)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("latin-1", "replace")).digest()
