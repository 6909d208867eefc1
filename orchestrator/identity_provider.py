"""Tokens of an identity provider (OpenID Connect): verified here, with keys that are fetched in the background.

    token ─┬ signature by a known key, issuer, audience, times, role ─▶ Principal(kind="oidc")
           ├ an algorithm that is not taken, a wrong claim, no role ──▶ 401, or 403 where only the role is missing
           └ no key of that name here ──▶ asked for at once, but not more often than every `ASK_AGAIN_S`; 503 meanwhile

No request waits for the provider. While it is away, the keys it gave last are taken for `keys_age_max_s`.
"""

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from typing import Any

import httpx
import jwt
from jwt.exceptions import (
    ExpiredSignatureError,
    ImmatureSignatureError,
    InvalidAudienceError,
    InvalidIssuerError,
    MissingRequiredClaimError,
    PyJWTError,
)
from prometheus_client import CollectorRegistry, Counter, Gauge

from framebuffer.trust import trusting
from orchestrator.access.claims import PEOPLE, principal_of
from orchestrator.access.principal import Principal
from orchestrator.api.gate import refusal
from orchestrator.api.problems import Problem
from orchestrator.config_api import OidcSettings
from orchestrator.identity_keys import BYTES_MAX, KeySet, keys_in

log = logging.getLogger(__name__)

REFRESH_S = 300.0
FILE_S = 5.0
"""Between two looks at `jwks_file`."""
RETRY_FIRST_S = 1.0
RETRY_MAX_S = 60.0
ASK_AGAIN_S = 5.0
"""However many unknown keys are shown: whoever makes tokens up must not have this node flood the provider."""
FETCH_S = 5.0
VERIFIED_MAX = 1024
TOKEN_CHARS_MAX = 8 * 1024
KID_CHARS_MAX = 256


class IdentityProvider:
    """Made once a node; `run` fetches the keys. `ask_again_s`: the least time between two askings for unknown keys."""

    def __init__(
        self, settings: OidcSettings, registry: CollectorRegistry, *, ask_again_s: float = ASK_AGAIN_S
    ) -> None:
        self._settings = settings
        self._ask_again_s = ask_again_s
        self._fetching = False
        self._keys = KeySet()
        self._fetched: float | None = None  # monotonic
        self._asked_at = 0.0
        self._trouble = "they were not fetched yet"
        self._wanted = asyncio.Event()
        self._verified: OrderedDict[bytes, Principal] = OrderedDict()
        self._refreshes = Counter(
            "triarch_oidc_refreshes_total",
            "The identity provider was asked for its keys.",
            ["outcome"],
            registry=registry,
        )
        for outcome in ("done", "failed"):
            self._refreshes.labels(outcome)
        Gauge("triarch_oidc_keys", "Keys of the identity provider that are known.", registry=registry).set_function(
            lambda: len(self._keys)
        )
        Gauge(
            "triarch_oidc_keys_age_seconds",
            "Since the identity provider gave its keys; -1: it never did.",
            registry=registry,
        ).set_function(lambda: -1.0 if self._fetched is None else time.monotonic() - self._fetched)

    # ── Tokens ─────────────────────────────────────────────────────────────────────────────────────────

    def authenticate_foreign(self, token: str) -> Principal | None:
        """Whose token it is; None for what is no JSON web token. Raises `Problem`: 401, 403 without a role, 503."""
        if token.count(".") != 2:
            return None
        if len(token) > TOKEN_CHARS_MAX:
            raise refusal("malformed", f"a token has at most {TOKEN_CHARS_MAX} characters")
        digest = hashlib.sha256(token.encode("latin-1", "replace")).digest()
        known = self._verified.get(digest)
        if known is not None:
            if known.until is not None and known.until > time.time():
                self._check_age()
                return known
            del self._verified[digest]
        principal = self._verify(token)
        self._verified[digest] = principal
        while len(self._verified) > VERIFIED_MAX:
            self._verified.popitem(last=False)
        return principal

    def _verify(self, token: str) -> Principal:
        settings = self._settings
        try:
            header = jwt.get_unverified_header(token)
        except PyJWTError:
            raise refusal("malformed", "the token is neither the cluster's nor a readable JSON web token") from None
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in settings.algorithms:
            taken = ", ".join(settings.algorithms)
            raise refusal("unknown", f"the token is signed in a way that is not taken; taken are {taken}")
        if kid is not None and (not isinstance(kid, str) or len(kid) > KID_CHARS_MAX):
            raise refusal("malformed", "the token names its key by something that is no short text")
        key = self._key(kid, algorithm)
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=settings.audience,
                issuer=settings.issuer,
                leeway=settings.leeway_s,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
            principal = principal_of(
                claims,
                role_claim=settings.role_claim,
                roles=settings.roles,
                name_claim=settings.name_claim,
                leeway_s=settings.leeway_s,
            )
        except (PyJWTError, ValueError, TypeError, RecursionError, OverflowError) as error:
            raise _refusal_of(error) from None
        if principal is None:
            needs = [role.value for role in PEOPLE]
            detail = f"the token is good, but its claim {settings.role_claim} gives no role here"
            raise Problem("forbidden", detail, role="", needs=needs)
        return principal

    def _key(self, kid: str | None, algorithm: str) -> Any:
        self._check_age()
        key = self._keys.find(kid, algorithm)
        if key is not None:
            return key
        if kid is None or self._keys.knows(kid):
            raise refusal("unknown", "the token names no key of the identity provider for its signature")
        if self._ask():
            raise _unavailable("the token is signed with a key that is not known yet; the provider is asked for it")
        raise refusal("unknown", "the token is signed with a key that the identity provider does not have")

    def _check_age(self) -> None:
        if self._fetched is None:
            self._ask()
            raise _unavailable(f"the keys of the identity provider are not known: {self._trouble}")
        age = time.monotonic() - self._fetched
        if age > self._settings.keys_age_max_s:
            self._ask()
            raise _unavailable(f"the identity provider gave its keys {age:.0f} s ago: {self._trouble}")

    def _ask(self) -> bool:
        """Have the provider asked soon, unless it is being asked; False when it was only just."""
        if self._fetching:
            return True
        if time.monotonic() - self._asked_at < self._ask_again_s and not self._wanted.is_set():
            return False
        self._wanted.set()
        return True

    # ── Keys ─────────────────────────────────────────────────────────────────────────────────────────

    async def run(self) -> None:
        """Keep the keys until cancelled."""
        settings = self._settings
        context = await asyncio.to_thread(trusting, settings.ca_file)
        usual_s = REFRESH_S if settings.jwks_file is None else FILE_S
        retry_s = RETRY_FIRST_S
        async with httpx.AsyncClient(verify=context, timeout=FETCH_S, trust_env=False) as http:
            while True:
                self._wanted.clear()
                self._asked_at = time.monotonic()
                self._fetching = True
                done = await self._refresh(http)
                self._fetching = False
                retry_s = RETRY_FIRST_S if done else min(2 * retry_s, RETRY_MAX_S)
                try:
                    async with asyncio.timeout(usual_s if done else min(retry_s, usual_s)):
                        await self._wanted.wait()
                except TimeoutError:
                    pass

    async def _refresh(self, http: httpx.AsyncClient) -> bool:
        try:
            async with asyncio.timeout(FETCH_S):
                content = await self._content(http)
            keys = keys_in(content, self._settings.algorithms)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError, ValueError) as error:
            reason = str(error) or type(error).__name__
            if reason != self._trouble:
                log.warning("the keys of the identity provider cannot be had from %s: %s", self._place, reason)
            self._trouble = reason
            self._refreshes.labels("failed").inc()
            return False
        if self._trouble or keys.left_out:
            log.info("%d keys of the identity provider are known; left out: %s", len(keys), list(keys.left_out))
        self._trouble = ""
        self._keys = keys
        self._fetched = time.monotonic()
        self._verified.clear()  # a key that is gone opens nothing any more
        self._refreshes.labels("done").inc()
        return True

    @property
    def _place(self) -> str:
        return str(self._settings.jwks_url or self._settings.jwks_file)

    async def _content(self, http: httpx.AsyncClient) -> bytes:
        settings = self._settings
        if settings.jwks_file is not None:
            return await asyncio.to_thread(settings.jwks_file.read_bytes)
        content = bytearray()
        async with http.stream("GET", str(settings.jwks_url), headers={"Accept": "application/json"}) as answer:
            if answer.status_code != 200:
                raise ValueError(f"it answers {answer.status_code}")
            async for part in answer.aiter_bytes():
                content += part
                if len(content) > BYTES_MAX:
                    raise ValueError(f"it has more than {BYTES_MAX} bytes")
        return bytes(content)


def _unavailable(detail: str) -> Problem:
    return Problem("identity_provider_unavailable", detail)


def _refusal_of(error: Exception) -> Problem:
    """Without anything of the token itself."""
    match error:
        case ExpiredSignatureError():
            return refusal("expired", "the token has expired")
        case ImmatureSignatureError():
            return refusal("unknown", "the token is not valid yet")
        case InvalidIssuerError():
            return refusal("unknown", "the token is of another issuer than api.oidc.issuer")
        case InvalidAudienceError():
            return refusal("unknown", "the token is for another audience than api.oidc.audience")
        case MissingRequiredClaimError():
            return refusal("unknown", f"the token lacks the claim {error.claim}")
        case jwt.InvalidSignatureError():
            return refusal("unknown", "the signature of the token is not the provider's")
        case PyJWTError() | OverflowError() | RecursionError():
            return refusal("malformed", "the token cannot be read")
    return refusal("malformed", f"the token cannot be taken: {error}")
