"""The text of a token, `tri_<id>_<secret>`, and what is derived from secrets. Pure: random bytes are passed in."""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from orchestrator.access.tokens import TokenRegistry

ID_PATTERN = r"^[a-z2-7]{10}$"
PREFIX = "tri_"
"""So that a scanner finds a token that was left in a file or a log."""
ID_BYTES = 7
SECRET_BYTES = 32

_TEXT = re.compile(r"tri_([a-z2-7]{10})_([A-Za-z0-9_-]{43})")


class Credential(NamedTuple):
    """What a client shows: which token, and the proof."""

    id: str
    secret: str

    @property
    def text(self) -> str:
        return f"{PREFIX}{self.id}_{self.secret}"

    @property
    def digest(self) -> bytes:
        """What is kept of the secret."""
        return hashlib.sha256(self.secret.encode()).digest()

    def __repr__(self) -> str:
        return f"Credential(id={self.id!r})"


def made(id_bytes: bytes, secret_bytes: bytes) -> Credential:
    """A new one from `ID_BYTES` and `SECRET_BYTES` random bytes. ValueError for other lengths."""
    if (len(id_bytes), len(secret_bytes)) != (ID_BYTES, SECRET_BYTES):
        raise ValueError(f"a token is made from {ID_BYTES} and {SECRET_BYTES} bytes")
    token_id = base64.b32encode(id_bytes).decode().lower()[:10]
    return Credential(token_id, _text(secret_bytes))


def parsed(text: str) -> Credential | None:
    """The credential in `text`; None when it does not look like one."""
    found = _TEXT.fullmatch(text)
    return None if found is None else Credential(found[1], found[2])


def command_token(api_token: str, component_id: str) -> str:
    """What the nodes send to this component alone, and it demands. It opens nothing at a node.

    Derived, so that every node knows it and none has to keep it.
    """
    message = f"triarch/command/{component_id}".encode()
    return _text(hmac.new(api_token.encode(), message, hashlib.sha256).digest())


def commanding(
    api_token: str | None, registry: "TokenRegistry", *, others: bool = False
) -> Callable[[str], str | None]:
    """What a component is shown with a command, by its id: its command token from the first replicated token on.

    Before, it is the one that all share: who can register a component then knows it anyway. `others`: people come from
    elsewhere, by an identity provider.
    """

    def shown(component_id: str) -> str | None:
        # Who may register a component says where it is: whoever is no admin must not have api.token sent there.
        if api_token is None or (registry.untouched and not others):
            return api_token
        return command_token(api_token, component_id)

    return shown


def _text(secret: bytes) -> str:
    return base64.urlsafe_b64encode(secret).decode().rstrip("=")
