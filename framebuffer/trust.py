"""Whose certificates a client of the API accepts, and which one it shows itself.

Everything that asks the API takes these files: the processor and component SDKs, the command line, the nodes among one
another. Without any, the public authorities count and no certificate is shown.
"""

import os
import ssl
from collections.abc import Mapping
from pathlib import Path

import httpx

from framebuffer.errors import TrustUnusable

CA_VARIABLE = "TRIARCH_CA_FILE"
CERT_VARIABLE = "TRIARCH_CERT_FILE"
KEY_VARIABLE = "TRIARCH_KEY_FILE"


def trusting(
    ca_file: str | Path | None = None,
    *,
    cert_file: str | Path | None = None,
    key_file: str | Path | None = None,
    public_too: bool = False,
) -> ssl.SSLContext:
    """A context for clients. Takes tens of milliseconds: make one and keep it. Raises TrustUnusable.

    Args:
        ca_file: PEM; certificates of these authorities are accepted, and no others.
        cert_file: PEM; what is shown to a server that asks for a certificate. With `key_file`.
        public_too: the public authorities count beside `ca_file`.
    """
    if ca_file is None or public_too:
        context = httpx.create_ssl_context(trust_env=False)
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as error:
            raise TrustUnusable(f"{ca_file} holds no authorities that could be trusted: {_said(error)}") from None
    if (cert_file is None) != (key_file is None):
        raise _alone(cert_file or key_file)
    if cert_file is not None:
        try:
            context.load_cert_chain(cert_file, key_file, password=_refuse_to_ask)
        except (OSError, ssl.SSLError, ValueError) as error:
            raise TrustUnusable(
                f"{cert_file} and {key_file} cannot be shown as a certificate: {_said(error)}"
            ) from None
    return context


def trust_of(environment: Mapping[str, str] | None = None, ca_file: str | Path | None = None) -> ssl.SSLContext:
    """`trusting` with the files that the environment names; `ca_file` wins over it. Raises TrustUnusable."""
    authorities, certificate = named(environment, ca_file)
    own, key = certificate or (None, None)
    return trusting(authorities, cert_file=own, key_file=key)


def named(
    environment: Mapping[str, str] | None = None, ca_file: str | Path | None = None
) -> tuple[str | Path | None, tuple[str, str] | None]:
    """The files that the environment names: of authorities, over which `ca_file` wins; a certificate and its key.

    Raises TrustUnusable for one of the two without the other.
    """
    given = os.environ if environment is None else environment
    own, key = given.get(CERT_VARIABLE), given.get(KEY_VARIABLE)
    if bool(own) != bool(key):
        raise _alone(own or key)
    return ca_file or given.get(CA_VARIABLE) or None, (own, key) if own and key else None


def distrust(error: BaseException) -> str:
    """Why a server's certificate was refused, or the own one by the server, in words; "" when that is not the trouble.

    Client libraries wrap what ssl raised, so the causes are gone through.
    """
    seen: BaseException | None = error
    while seen is not None:
        text = str(seen)
        if isinstance(seen, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in text:
            reason = getattr(seen, "verify_message", "") or text.partition("verify failed: ")[2].partition(" (_ssl")[0]
            return f"its certificate is not accepted ({reason or 'not trusted'}); {CA_VARIABLE} names who is trusted"
        if "CERTIFICATE_REQUIRED" in text or "ALERT_UNKNOWN_CA" in text or "ALERT_BAD_CERTIFICATE" in text:
            return f"it wants a client's certificate of its own authority; {CERT_VARIABLE} and {KEY_VARIABLE} name one"
        if "WRONG_VERSION_NUMBER" in text or "RECORD_LAYER_FAILURE" in text:
            return "it does not speak TLS there: http:// instead of https://?"
        seen = seen.__cause__ or seen.__context__
    return ""


def _alone(file: str | Path | None) -> TrustUnusable:
    return TrustUnusable(f"a certificate and its key belong together: {file} is given alone")


def _refuse_to_ask() -> str:
    raise ValueError("the key is encrypted")


def _said(error: Exception) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
