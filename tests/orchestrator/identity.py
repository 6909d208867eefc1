"""An identity provider of tests: keys of its own, a real HTTP server that shows the public halves, tokens it signs."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.support import free_port

ISSUER, AUDIENCE = "https://login.example/realm", "triarch"
_ALGORITHMS: Mapping[str, Any] = {
    "RS256": jwt.algorithms.RSAAlgorithm,
    "ES256": jwt.algorithms.ECAlgorithm,
    "EdDSA": jwt.algorithms.OKPAlgorithm,
}


class Provider:
    """`keys`: (algorithm, private key) by kid. `shown`: the kids that the server has. `asked`: how often it was."""

    def __init__(self) -> None:
        self.port = free_port()
        self.keys: dict[str, tuple[str, Any]] = {
            "rsa": ("RS256", rsa.generate_private_key(65537, 2048)),
            "ec": ("ES256", ec.generate_private_key(ec.SECP256R1())),
            "ed": ("EdDSA", ed25519.Ed25519PrivateKey.generate()),
        }
        self.shown = ["rsa", "ec", "ed"]
        self.more: list[dict[str, Any]] = []
        self.answer: bytes | None = None
        self.asked = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/keys"

    def document(self) -> bytes:
        if self.answer is not None:
            return self.answer
        shown = []
        for kid in self.shown:
            algorithm, key = self.keys[kid]
            shown.append({**_ALGORITHMS[algorithm].to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"})
        return json.dumps({"keys": [*shown, *self.more]}).encode()

    def token(self, kid: str = "rsa", *, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        """Good unless `claims` say otherwise; a claim that is None is left out."""
        now = int(time.time())
        said = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "ada-1",
            "exp": now + 600,
            "iat": now,
            "triarch_role": "operator",
        }
        said = {name: value for name, value in (said | claims).items() if value is not None}
        algorithm, key = self.keys[kid]
        return jwt.encode(said, key, algorithm, headers={"kid": kid, **(headers or {})})

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        body = self.document()
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Answers at `url` meanwhile, also once more after it was away."""
        async with await asyncio.start_server(self._serve, "127.0.0.1", self.port):
            yield
