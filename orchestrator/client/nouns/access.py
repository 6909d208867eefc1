"""`client.tokens`, `client.access`: who may ask for what."""

from collections.abc import Mapping
from typing import Any, Literal, Unpack

from orchestrator.client.calls import Call, ReadOptions, if_match_or_zero, nothing
from orchestrator.client.endpoints import M, Noun, endpoint
from orchestrator.client.programs import given
from orchestrator.client.shapes.access import LimitsShown, RightShown, Token, TokenMade, Whoami

Role = Literal["viewer", "operator", "admin", "component", "processor"]


class Tokens(Noun[M]):
    @endpoint("POST", "/v1/tokens")
    def create(
        self,
        name: str,
        role: Role,
        *,
        subject: str | None = None,
        expires_in_s: float | None = None,
        key: str | None = None,
    ) -> Call[TokenMade]:
        """Make a token; its text is in this answer alone. `subject`: the component or processor that it is for."""
        return Call(TokenMade, body=given(name=name, role=role, subject=subject, expires_in_s=expires_in_s), key=key)

    @endpoint("GET", "/v1/tokens/{token_id}")
    def get(self, token_id: str, **read: Unpack[ReadOptions]) -> Call[Token]:
        return Call(Token, {"token_id": token_id}, query=read)

    @endpoint("POST", "/v1/tokens/{token_id}/rotate")
    def rotate(self, token_id: str, *, grace_s: float = 0.0, key: str | None = None) -> Call[TokenMade]:
        """Give it another secret; the one before is taken for `grace_s` seconds more."""
        return Call(TokenMade, {"token_id": token_id}, body={"grace_s": grace_s}, key=key)

    @endpoint("DELETE", "/v1/tokens/{token_id}")
    def revoke(self, token_id: str, *, key: str | None = None) -> Call[None]:
        return nothing({"token_id": token_id}, key=key)

    @endpoint("GET", "/v1/tokens")
    def list(self, **read: Unpack[ReadOptions]) -> Call[list[Token]]:
        return Call(list[Token], query=read)


class Access(Noun[M]):
    @endpoint("GET", "/v1/whoami")
    def whoami(self) -> Call[Whoami]:
        """Who the token of this client is."""
        return Call(Whoami)

    @endpoint("GET", "/v1/rights")
    def rights(self) -> Call[list[RightShown]]:
        """Which role may do what."""
        return Call(list[RightShown])

    @endpoint("GET", "/v1/access/limits")
    def limits(self, **read: Unpack[ReadOptions]) -> Call[LimitsShown]:
        """How much each token and each address may ask."""
        return Call(LimitsShown, query=read)

    @endpoint("PUT", "/v1/access/limits")
    def set_limits(
        self, limits: Mapping[str, Any], *, if_revision: int | None = None, key: str | None = None
    ) -> Call[LimitsShown]:
        """`limits`: `token_per_second`, `token_burst` and so on; what is left out has its default again."""
        return Call(LimitsShown, body=limits, headers=if_match_or_zero(if_revision), key=key)

    @endpoint("POST", "/v1/access/bootstrap")
    def bootstrap(self, name: str, *, expires_in_s: float | None = None, key: str | None = None) -> Call[TokenMade]:
        """The first token of an administrator, once, with the cluster's own token."""
        return Call(TokenMade, body=given(name=name, expires_in_s=expires_in_s), key=key)
