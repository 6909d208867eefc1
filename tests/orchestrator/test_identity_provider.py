"""Tokens of an identity provider: its keys come from a real server over HTTP."""

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from orchestrator.access.claims import claimed, role_of
from orchestrator.access.principal import Role
from orchestrator.api.problems import Problem
from orchestrator.config_api import OidcSettings
from orchestrator.identity_keys import BYTES_MAX, keys_in
from orchestrator.identity_provider import IdentityProvider
from tests.orchestrator.identity import AUDIENCE, ISSUER, Provider
from tests.support import eventually

pytestmark = pytest.mark.anyio


@contextlib.asynccontextmanager
async def identity(provider: Provider, **settings: Any) -> AsyncIterator[IdentityProvider]:
    found = OidcSettings(issuer=ISSUER, audience=AUDIENCE, jwks_url=provider.url, **settings)
    made = IdentityProvider(found, CollectorRegistry(), ask_again_s=0.1)
    running = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def fetched(made: IdentityProvider) -> bool:
    return made._fetched is not None


@pytest.fixture(scope="module")
async def provider() -> AsyncIterator[Provider]:
    provider = Provider()
    async with provider.serving():
        yield provider


@pytest.fixture(scope="module")
async def made(provider: Provider) -> AsyncIterator[IdentityProvider]:
    async with identity(provider) as made:
        await eventually(lambda: fetched(made), deadline_s=10)
        yield made


def refused(made: IdentityProvider, token: str) -> tuple[int, str, str]:
    """Status, reason (or code) and detail."""
    with pytest.raises(Problem) as caught:
        made.authenticate_foreign(token)
    problem = caught.value
    assert token not in problem.detail
    return problem.status, problem.members.get("reason", problem.code), problem.detail


@pytest.mark.parametrize("kid", ["rsa", "ec", "ed"])
async def test_each_kind_of_key_opens(provider: Provider, made: IdentityProvider, kid: str) -> None:
    token = provider.token(kid, preferred_username="Ada")
    principal = made.authenticate_foreign(token)
    assert principal is not None
    assert (principal.kind, principal.id, principal.role, principal.name) == ("oidc", "ada-1", Role.OPERATOR, "Ada")
    assert principal.until is not None
    assert 600 < principal.until - time.time() < 640
    assert made.authenticate_foreign(token) is principal  # not verified a second time


async def test_what_is_no_web_token_is_left_to_others(made: IdentityProvider) -> None:
    for text in ("", "tri_abc_def", "a.b", "a.b.c.d"):
        assert made.authenticate_foreign(text) is None
    assert refused(made, "a.b.c")[:2] == (401, "malformed")


@pytest.mark.parametrize(
    ("claims", "reason", "said"),
    [
        ({"exp": int(time.time()) - 60}, "expired", "has expired"),
        ({"nbf": int(time.time()) + 600}, "unknown", "not valid yet"),
        ({"iat": int(time.time()) + 600}, "unknown", "not valid yet"),
        ({"iss": ISSUER + "/"}, "unknown", "another issuer"),
        ({"aud": "others"}, "unknown", "another audience"),
        ({"aud": None}, "unknown", "lacks the claim aud"),
        ({"exp": None}, "unknown", "lacks the claim exp"),
        ({"sub": None}, "unknown", "lacks the claim sub"),
        ({"sub": "a\nb"}, "malformed", "sub: a text"),
        ({"exp": "soon"}, "malformed", "cannot be read"),
        ({"exp": 1e400}, "malformed", "cannot be read"),
    ],
)  # fmt: skip
async def test_claims_that_are_not_as_they_should_be(
    provider: Provider, made: IdentityProvider, claims: dict[str, Any], reason: str, said: str
) -> None:
    status, told, detail = refused(made, provider.token(**claims))
    assert (status, told) == (401, reason)
    assert said in detail


async def test_clocks_may_differ_by_the_leeway(provider: Provider, made: IdentityProvider) -> None:
    assert made.authenticate_foreign(provider.token(exp=int(time.time()) - 10)) is not None
    assert made.authenticate_foreign(provider.token(aud=["others", AUDIENCE], nbf=int(time.time()) + 10)) is not None


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


async def test_neither_none_nor_a_shared_secret_is_taken(provider: Provider, made: IdentityProvider) -> None:
    good = provider.token()
    _, body, signature = good.split(".")
    for algorithm in ("none", "None", "HS256", "HS512", "RS384", "", None, 5, ["RS256"]):
        forged = f"{_part({'alg': algorithm, 'kid': 'rsa', 'typ': 'JWT'})}.{body}.{signature}"
        assert refused(made, forged)[0] == 401
    assert refused(made, f"{_part({'alg': 'none', 'kid': 'rsa'})}.{body}.")[0] == 401
    public = provider.keys["rsa"][1].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    import hashlib
    import hmac

    head = _part({"alg": "HS256", "kid": "rsa"})
    mac = hmac.digest(public, f"{head}.{body}".encode(), hashlib.sha256)
    confused = f"{head}.{body}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
    status, reason, detail = refused(made, confused)
    assert (status, reason) == (401, "unknown")
    assert "taken are RS256, ES256, EdDSA" in detail


async def test_signatures_that_are_not_the_providers(provider: Provider, made: IdentityProvider) -> None:
    head, body, signature = provider.token().split(".")
    other = rsa.generate_private_key(65537, 2048)
    stolen = jwt.encode({"sub": "x"}, other, "RS256", headers={"kid": "rsa"})
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "eve", "exp": 9e9, "triarch_role": "admin"}
    changed = f"{head}.{_part(claims)}.{signature}"
    for forged in (stolen, changed, f"{head}.{body}.", f"{head}.{body}.{signature[:-4]}AAAA"):
        assert refused(made, forged)[0] == 401
    # A key of another kind than the signature is never tried.
    mixed = f"{_part({'alg': 'ES256', 'kid': 'rsa'})}.{body}.{signature}"
    assert refused(made, mixed)[1] == "unknown"


async def test_a_token_without_a_role_is_known_and_may_nothing(provider: Provider, made: IdentityProvider) -> None:
    for value in (None, "nobody", [], ["component"], 5, {"operator": True}):
        status, code, detail = refused(made, provider.token(triarch_role=value))
        assert (status, code) == (403, "forbidden")
        assert "triarch_role gives no role" in detail


async def test_a_huge_token_is_not_looked_at(provider: Provider, made: IdentityProvider) -> None:
    assert refused(made, provider.token(padding="x" * 9000))[:2] == (401, "malformed")


async def test_keys_are_exchanged_and_unknown_ones_asked_for(provider: Provider, made: IdentityProvider) -> None:
    newer = Provider().keys["rsa"]
    provider.keys["rsa-2"] = newer
    old, token = provider.token(), provider.token("rsa-2")
    assert made.authenticate_foreign(old) is not None

    async def told() -> int:
        return refused(made, token)[0]

    before = provider.asked
    assert await told() in (401, 503)  # asked for, and not there yet
    await eventually(lambda: _async(provider.asked > before), deadline_s=10)
    provider.shown = ["rsa-2"]

    async def opens() -> bool:
        try:
            return made.authenticate_foreign(token) is not None
        except Problem as problem:
            if problem.status not in (401, 503):
                raise
            return False

    await eventually(opens, deadline_s=10)
    assert refused(made, old)[0] in (401, 503)  # its key is gone, although it was verified before
    provider.shown = ["rsa", "ec", "ed"]


async def _async(value: bool) -> bool:
    return value


async def test_made_up_keys_do_not_flood_the_provider(provider: Provider) -> None:
    async with identity(provider) as made:
        made._ask_again_s = 60.0
        await eventually(lambda: fetched(made), deadline_s=10)
        before = provider.asked
        for number in range(200):
            assert refused(made, provider.token("ec", headers={"kid": f"made-up-{number}"}))[:2] == (401, "unknown")
        assert provider.asked == before
        assert len(made._verified) == 0


async def test_the_provider_may_be_away(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = Provider()
    token = provider.token("ec")
    async with identity(provider) as made:
        status, code, _ = refused(made, token)
        assert (status, code) == (503, "identity_provider_unavailable")
        async with provider.serving():
            await eventually(lambda: fetched(made), deadline_s=10)
        fetched_at = made._fetched
        assert fetched_at is not None
        assert made.authenticate_foreign(token) is not None
        made._wanted.set()
        await eventually(lambda: _async(made._trouble != ""), deadline_s=10)
        assert made.authenticate_foreign(token) is not None  # by the keys it gave last
        made._fetched = fetched_at - 86_401
        assert refused(made, token)[:2] == (503, "identity_provider_unavailable")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not JSON"),
        (b"[]", 'no list "keys"'),
        (b'{"keys": []}', "no key that could be used"),
        (b'{"keys": [5]}', "no object"),
        (b'{"keys": [{"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}]}', "for none of"),
        (b'{"keys": [{"kty": "RSA", "n": "AQ", "e": "AQAB"}]}', "key 0"),
        (b"[" * 100_000, "not JSON"),
        (b" " * (BYTES_MAX + 1), "more than"),
    ],
)
def test_answers_that_hold_no_keys(content: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        keys_in(content, ("RS256", "ES256", "EdDSA"))


def test_weak_foreign_and_secret_keys_are_left_out(provider: Provider) -> None:
    weak = rsa.generate_private_key(65537, 1024).public_key()  # noqa: S505 - what is refused
    found = json.loads(provider.document())["keys"]
    found += [
        {**jwt.algorithms.RSAAlgorithm.to_jwk(weak, as_dict=True), "kid": "weak"},
        {**jwt.algorithms.RSAAlgorithm.to_jwk(provider.keys["rsa"][1], as_dict=True), "kid": "secret"},
        {**found[0], "kid": "encrypts", "use": "enc"},
    ]
    keys = keys_in(json.dumps({"keys": found}).encode(), ("RS256", "ES256", "EdDSA"))
    assert len(keys) == 3
    assert len(keys.left_out) == 3
    assert keys.find(None, "ES256") is not None  # the only one it can be
    assert keys.find("rsa", "ES256") is None


def test_roles_by_claim() -> None:
    claims = {"realm": {"roles": ["b", "a"]}, "https://x.example/roles": "a", "scope": "other a"}
    mapping = {"a": Role.ADMIN, "b": Role.VIEWER, "two words": Role.OPERATOR}
    assert role_of(claimed(claims, "realm.roles"), mapping) is Role.ADMIN
    assert role_of(claimed(claims, "https://x.example/roles"), mapping) is Role.ADMIN
    assert role_of(claimed(claims, "scope"), mapping) is Role.ADMIN
    assert role_of("two words", mapping) is Role.OPERATOR
    assert role_of(["b"], mapping) is Role.VIEWER
    assert role_of(["processor", "admin"], {}) is Role.ADMIN
    assert role_of(["processor"], {}) is None
    assert claimed(claims, "realm.none.at.all") is None


@given(token=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=80))
def test_no_text_gets_through(token: str) -> None:
    settings = OidcSettings(issuer=ISSUER, audience=AUDIENCE, jwks_url="https://x.example/keys")
    made = IdentityProvider(settings, CollectorRegistry())
    for text in (token, f"{token}.{token}.{token}"):
        try:
            assert made.authenticate_foreign(text) is None
        except Problem as problem:
            if problem.status not in (401, 503):
                raise
