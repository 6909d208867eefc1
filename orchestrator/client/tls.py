"""How the client proves who it talks to, and who it is."""

import ssl
from collections.abc import Iterable
from pathlib import Path

from framebuffer.errors import TrustUnusable
from framebuffer.trust import trusting
from orchestrator.client.errors import SettingsInvalid


def context_of(
    addresses: Iterable[str], ca: str | Path | None, certificate: tuple[str | Path, str | Path] | None
) -> ssl.SSLContext:
    """The context for these addresses. Raises SettingsInvalid for files that cannot be used.

    Without `ca` the public authorities are trusted. Where no address is https nobody is: none will be asked.
    """
    if ca is None and certificate is None and not any(url.startswith("https://") for url in addresses):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # cheap: reading the public authorities takes a while
    own, key = certificate or (None, None)
    try:
        return trusting(ca, cert_file=own, key_file=key)
    except TrustUnusable as error:
        raise SettingsInvalid(str(error)) from None
