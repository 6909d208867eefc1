"""The public keys of an identity provider, as its JWKS (RFC 7517) has them, each for the signatures it can make."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt
import msgspec
from jwt.exceptions import PyJWTError

KEYS_MAX = 100
BYTES_MAX = 256 << 10
RSA_BITS_MIN = 2048
_KINDS: Mapping[str, tuple[str, str]] = {
    **{f"{family}{bits}": ("RSA", "") for family in ("RS", "PS") for bits in (256, 384, 512)},
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", ""),
}
"""Algorithm → the type and the curve that a key must have."""


@dataclass(frozen=True, slots=True)
class Key:
    """`loaded`: by algorithm, what pyjwt verifies with."""

    kid: str
    loaded: Mapping[str, Any]


class KeySet:
    """Those of one answer. `left_out`: why keys of it are not taken, for the log."""

    def __init__(self, keys: Sequence[Key] = (), left_out: Sequence[str] = ()) -> None:
        self._by_kid = {key.kid: key for key in keys if key.kid}
        self._keys = tuple(keys)
        self.left_out = tuple(left_out)

    def __len__(self) -> int:
        return len(self._keys)

    def knows(self, kid: str) -> bool:
        """Whether a key of this name is here."""
        return kid in self._by_kid

    def find(self, kid: str | None, algorithm: str) -> Any | None:
        """What verifies this signature; without a `kid`, the only key that can be meant."""
        if kid is not None:
            key = self._by_kid.get(kid)
            return None if key is None else key.loaded.get(algorithm)
        fitting = [key.loaded[algorithm] for key in self._keys if algorithm in key.loaded]
        return fitting[0] if len(fitting) == 1 else None


def keys_in(content: bytes, algorithms: Sequence[str]) -> KeySet:
    """The keys in a JWKS that can make one of these signatures. ValueError when it is none."""
    if len(content) > BYTES_MAX:
        raise ValueError(f"it has more than {BYTES_MAX} bytes")
    try:
        document: Any = msgspec.json.decode(content)
    except (msgspec.MsgspecError, RecursionError):
        raise ValueError("it is not JSON") from None
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError('it has no list "keys"')  # noqa: TRY004 - a document that is wrong
    keys: list[Key] = []
    left_out: list[str] = []
    for at, entry in enumerate(entries[:KEYS_MAX]):
        try:
            keys.append(_key(entry, algorithms))
        except (PyJWTError, ValueError, TypeError, LookupError) as error:
            left_out.append(f"key {at}: {error}")
    if len(entries) > KEYS_MAX:
        left_out.append(f"{len(entries) - KEYS_MAX} keys behind the first {KEYS_MAX}")
    if not keys:
        raise ValueError("it has no key that could be used" + (f" ({left_out[0]})" if left_out else ""))
    return KeySet(keys, left_out)


def _key(entry: Any, algorithms: Sequence[str]) -> Key:
    if not isinstance(entry, dict):
        raise ValueError("no object")  # noqa: TRY004 - what is wrong with a document is a ValueError
    if entry.get("use", "sig") != "sig":
        raise ValueError("not for signatures")
    kind, curve, only = entry.get("kty"), entry.get("crv", ""), entry.get("alg")
    loaded = {}
    for algorithm in algorithms:
        wanted, its_curve = _KINDS[algorithm]
        if kind != wanted or (its_curve and curve != its_curve) or only not in (None, algorithm):
            continue
        if any(name in entry for name in ("d", "k")):  # not loaded either: to check one takes seconds
            raise ValueError("it is a secret key, which was published")
        key = jwt.PyJWK(entry, algorithm).key
        if getattr(key, "key_size", RSA_BITS_MIN) < RSA_BITS_MIN and kind == "RSA":
            raise ValueError(f"RSA with fewer than {RSA_BITS_MIN} bits")
        loaded[algorithm] = key
    if not loaded:
        raise ValueError(f"for none of {', '.join(algorithms)}")
    kid = entry.get("kid", "")
    return Key(kid if isinstance(kid, str) else "", loaded)
