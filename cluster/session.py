"""One authenticated, encrypted connection between two members: bytes in, payloads out. Pure but for the entropy it is
given; the sockets are elsewhere.

    listener ▶ dialler   challenge   magic (4) · nonce (32)
    dialler ▶ listener   hello       length (2) · [cluster, from, to, X25519 public key] · HMAC (32)
    listener ▶ dialler   welcome     X25519 public key (32) · HMAC (32)
    either way           record      length (4) · AES-256-GCM of the payload; nonce: how many went before

The HMACs are keyed by the shared secret and cover everything before them, so each side proves that it knows the secret,
now; nothing recorded earlier fits another nonce. The listener reveals nothing, and computes no more than one HMAC,
before the dialler has proved itself. The records' keys come from an ephemeral Diffie-Hellman: a secret that is lost
later opens no recorded session. A record that is changed, repeated, left out or moved ends the session.

Why this and not TLS or pysyncobj's Fernet, with what they cost: docs/adr/0009.
"""

import hashlib
import hmac
import struct
from collections.abc import Callable

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC = b"TRI2"
_LENGTH = struct.Struct("<I")
_HELLO_LENGTH = struct.Struct("<H")
_NONCE = struct.Struct("<IQ")
NONCE_BYTES = KEY_BYTES = MAC_BYTES = 32
TAG_BYTES = 16
HELLO_BYTES_MAX = 512


class SessionRefused(Exception):
    """The other side broke the protocol or does not know the secret; the message says which. Drop the connection."""


class _Hello(msgspec.Struct, frozen=True, array_like=True):
    cluster: str
    sender: str
    wanted: str
    public: bytes


def session_key(secret: str, cluster: str) -> bytes:
    """What the members of `cluster` prove to know. Not for weak secrets, which the settings refuse."""
    return hmac.digest(secret.encode(), b"triarch raft 2/" + cluster.encode(), "sha256")


class Session:
    """One connection's state. `feed` what was received; send what `feed`, `start` and `seal` return.

    `peer`: whom the dialler wants to reach; the listener learns it from the hello. `payload_bytes_max` bounds what is
    buffered of a record.
    """

    def __init__(
        self,
        key: bytes,
        *,
        cluster: str,
        own: str,
        peer: str | None,
        payload_bytes_max: int,
        entropy: Callable[[int], bytes],
    ) -> None:
        self._key = key
        self._cluster = cluster
        self._own = own
        self._dials = peer is not None
        self.peer = peer or ""
        self.established = False
        self._record_bytes_max = payload_bytes_max + TAG_BYTES
        self._entropy = entropy
        self._buffer = bytearray()
        self._transcript = b""
        self._private: X25519PrivateKey | None = None
        self._seal: AESGCM | None = None
        self._open: AESGCM | None = None
        self._sealed = self._opened = 0

    def start(self) -> bytes:
        """What to send as soon as the connection stands."""
        if self._dials:
            return b""
        self._transcript = MAGIC + self._entropy(NONCE_BYTES)
        return self._transcript

    def feed(self, data: bytes) -> tuple[list[bytes], bytes]:
        """(payloads that are complete now, bytes to send in answer). SessionRefused."""
        self._buffer += data
        answer = b""
        if not self.established:
            answer = self._shake()
            if not self.established:
                return [], answer
        return self._records(), answer

    def seal(self, payload: bytes) -> bytes:
        """The record that holds `payload`."""
        assert self._seal is not None, "the session is not established"  # noqa: S101
        length = _LENGTH.pack(len(payload) + TAG_BYTES)
        nonce = _NONCE.pack(0, self._sealed)
        self._sealed += 1
        return length + self._seal.encrypt(nonce, payload, length)

    # ── Records ────────────────────────────────

    def _records(self) -> list[bytes]:
        payloads = []
        buffer, at = self._buffer, 0
        assert self._open is not None  # noqa: S101 - established
        while len(buffer) - at >= _LENGTH.size:
            (size,) = _LENGTH.unpack_from(buffer, at)
            if not TAG_BYTES <= size <= self._record_bytes_max:
                raise SessionRefused(f"a record of {size} bytes; at most {self._record_bytes_max} are taken")
            end = at + _LENGTH.size + size
            if end > len(buffer):
                break
            nonce = _NONCE.pack(0, self._opened)
            try:
                payloads.append(
                    self._open.decrypt(nonce, bytes(buffer[at + _LENGTH.size : end]), bytes(buffer[at : at + 4]))
                )
            except InvalidTag:
                raise SessionRefused("a record was changed, repeated or left out on its way") from None
            self._opened += 1
            at = end
        del buffer[:at]
        return payloads

    # ── The handshake ────────────────────────────────

    def _shake(self) -> bytes:
        if not self._dials:
            return self._on_hello()
        if self._private is None:
            return self._on_challenge()
        return self._on_welcome()

    def _on_challenge(self) -> bytes:
        if not MAGIC.startswith(bytes(self._buffer[: len(MAGIC)])):
            raise SessionRefused("what answers there is no member of this release")
        if len(self._buffer) < len(MAGIC) + NONCE_BYTES:
            return b""
        self._transcript = self._take(len(MAGIC) + NONCE_BYTES)
        if self._buffer:
            raise SessionRefused("it goes on before it was answered")
        self._private = X25519PrivateKey.from_private_bytes(self._entropy(KEY_BYTES))
        body = msgspec.msgpack.encode(
            _Hello(self._cluster, self._own, self.peer, self._private.public_key().public_bytes_raw())
        )
        framed = _HELLO_LENGTH.pack(len(body)) + body
        proof = self._proof(b"hello", framed)
        self._transcript += framed
        return framed + proof

    def _on_hello(self) -> bytes:
        buffer = self._buffer
        if len(buffer) < _HELLO_LENGTH.size:
            return b""
        (length,) = _HELLO_LENGTH.unpack_from(buffer)
        if length > HELLO_BYTES_MAX:
            raise SessionRefused("what dials here is no member: its first bytes are no hello")
        if len(buffer) < _HELLO_LENGTH.size + length + MAC_BYTES:
            return b""
        framed = self._take(_HELLO_LENGTH.size + length)
        if not hmac.compare_digest(self._take(MAC_BYTES), self._proof(b"hello", framed)):
            raise SessionRefused(
                "it does not know the secret of this cluster (cluster.secret_file; the name counts, too)"
            )
        if buffer:
            raise SessionRefused("it goes on before it was answered")
        try:
            hello = msgspec.msgpack.decode(framed[_HELLO_LENGTH.size :], type=_Hello)
        except msgspec.MsgspecError:
            raise SessionRefused("its hello cannot be read; is it of another release?") from None
        if hello.wanted != self._own:
            raise SessionRefused(f"{hello.sender} looks for {hello.wanted}, this is {self._own}: check its members")
        if hello.sender == self._own:
            raise SessionRefused(f"it calls itself {self._own} too: two nodes run under one id")
        self.peer = hello.sender
        self._transcript += framed
        self._private = X25519PrivateKey.from_private_bytes(self._entropy(KEY_BYTES))
        public = self._private.public_key().public_bytes_raw()
        proof = self._proof(b"welcome", public)
        self._agree(hello.public, public)
        return public + proof

    def _on_welcome(self) -> bytes:
        if len(self._buffer) < KEY_BYTES + MAC_BYTES:
            return b""
        public = self._take(KEY_BYTES)
        if not hmac.compare_digest(self._take(MAC_BYTES), self._proof(b"welcome", public)):
            raise SessionRefused("what answers there does not know the secret of this cluster")
        self._agree(public, public)
        return b""

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _proof(self, step: bytes, what: bytes) -> bytes:
        return hmac.digest(self._key, step + self._transcript + what, "sha256")

    def _agree(self, theirs: bytes, listeners: bytes) -> None:
        assert self._private is not None  # noqa: S101 - made one step before
        try:
            shared = self._private.exchange(X25519PublicKey.from_public_bytes(theirs))
        except ValueError:
            raise SessionRefused("its public key is none") from None
        root = hmac.digest(self._key, shared + hashlib.sha256(self._transcript + listeners).digest(), "sha256")
        to_listener, to_dialler = (AESGCM(hmac.digest(root, way, "sha256")) for way in (b"to listener", b"to dialler"))
        self._seal, self._open = (to_listener, to_dialler) if self._dials else (to_dialler, to_listener)
        self._private = None
        self.established = True
