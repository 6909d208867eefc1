"""The proof that a node passed a request on, and for whom. Pure.

A follower sends the caller's own credential on; beside it, it says who it is and from which address the caller came.
Anybody could write such headers, so they carry a proof that only a node can make: HMAC-SHA256, with a key derived from
the token that the nodes share (`api.token`), over node id, method, target and client address.

A proof says nothing of time: whoever can see one on the wire sees the caller's credential beside it too.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

BY_HEADER = "X-Triarch-Forwarded-By"
PROOF_HEADER = "X-Triarch-Forwarded-Proof"
CLIENT_HEADER = "X-Triarch-Client"
PROVEN_HEADERS = frozenset({PROOF_HEADER.lower(), CLIENT_HEADER.lower()})
"""Nothing behind `verify` reads these. `BY_HEADER` stays without a proof too: there it only forbids another hop."""

_PURPOSE = b"triarch forwarded request v1"
_CLIENT_CHARS_MAX = 64


@dataclass(frozen=True, slots=True)
class Forwarded:
    """A request that a node proved to have passed on. `client`: the caller's address, "" where it stands for many."""

    node: str
    client: str


def key_of(token: str | None) -> bytes:
    """The key of all nodes that share `token`.

    Without a token, which is for loopback only, everybody is admin anyway: the proof is made in the same way then, so
    that there is one way.
    """
    return hmac.digest((token or "").encode(), _PURPOSE, hashlib.sha256)


def sign(key: bytes, *, node: str, method: str, target: bytes, client: str) -> dict[str, str]:
    """The three headers for a request that `node` passes on.

    Args:
        target: path and query as they go over the wire.
        client: address of the caller, without a port; "" for many callers' requests in one.
    """
    proof = _proof(key, node, method, target, client)
    return {BY_HEADER: node, CLIENT_HEADER: client, PROOF_HEADER: proof}


def verify(key: bytes, headers: Mapping[str, str], *, method: str, target: bytes) -> Forwarded | None:
    """What the headers prove of this request; None when they prove nothing.

    Args:
        headers: by name, found in either case (`starlette.datastructures.Headers`).
        target: path and query as they came over the wire.
    """
    node, proof, client = headers.get(BY_HEADER), headers.get(PROOF_HEADER), headers.get(CLIENT_HEADER)
    if node is None or proof is None or client is None or len(client) > _CLIENT_CHARS_MAX:
        return None
    expected = _proof(key, node, method, target, client)
    if not hmac.compare_digest(expected.encode(), proof.encode("utf-8", "replace")):
        return None
    return Forwarded(node, client)


def _proof(key: bytes, node: str, method: str, target: bytes, client: str) -> str:
    parts = (
        node.encode("utf-8", "surrogateescape"),
        method.encode(),
        target,
        client.encode("utf-8", "surrogateescape"),
    )
    # With their lengths: no two requests may read as the same text.
    return hmac.new(key, b"".join(len(part).to_bytes(4, "big") + part for part in parts), hashlib.sha256).hexdigest()
