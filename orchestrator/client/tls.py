"""How the client proves who it talks to, and who it is."""

import ssl
from collections.abc import Iterable
from pathlib import Path

from orchestrator.client.errors import SettingsInvalid


def context_of(
    addresses: Iterable[str], ca: str | Path | None, certificate: tuple[str | Path, str | Path] | None
) -> ssl.SSLContext:
    """The context for these addresses. Raises SettingsInvalid for files that cannot be used.

    Without `ca` the system's authorities are trusted. Where no address is https nobody is: none will be asked.
    """
    if ca is None and certificate is None and not any(url.startswith("https://") for url in addresses):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # cheap: reading the system's authorities takes a while
    try:
        context = ssl.create_default_context(cafile=None if ca is None else str(ca))
    except (OSError, ssl.SSLError) as error:
        raise SettingsInvalid(f"the authorities in {ca} cannot be used: {_reason(error)}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate is not None:
        own, key = certificate
        try:
            context.load_cert_chain(str(own), str(key), password=_no_password)
        except (OSError, ssl.SSLError) as error:
            raise SettingsInvalid(
                f"the certificate {own} with the key {key} cannot be used: {_reason(error)}"
            ) from None
    return context


def _no_password() -> str:
    """Otherwise the terminal would be asked."""
    return ""


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
