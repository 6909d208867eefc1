"""The certificate of a node, its key, and the authorities it trusts: read from files and checked, with what is wrong.

CertificateUnusable   `setting` names which of the files; nothing of a key is ever in a message
"""

import ipaddress
import os
import ssl
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import ExtensionOID

from orchestrator.config_api import TlsSettings
from orchestrator.errors import CertificateUnusable

FILE_BYTES_MAX = 1 << 20

_ILL_MADE = (
    *(ValueError, UnsupportedAlgorithm),
    *(x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType),
)
"""What the parser raises, at once or when a part is looked at, of a certificate that was not made by the rules."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate that can be used. `expires`: unix seconds; `names`: DNS names and addresses it is for."""

    expires: float
    names: tuple[str, ...]
    serial: str

    def covers(self, host: str) -> bool:
        """Whether a client that asks `host` (a name or an address) may accept it."""
        wanted = host.strip("[]").lower()
        try:
            wanted = str(ipaddress.ip_address(wanted))
        except ValueError:
            tail = wanted.partition(".")[2]
            return wanted in self.names or (bool(tail) and f"*.{tail}" in self.names)
        return wanted in self.names


def served(settings: TlsSettings, now: float) -> tuple[ssl.SSLContext, Identity]:
    """What a server needs to serve under this certificate. Reads files; raises CertificateUnusable.

    Args:
        now: unix seconds, by this host's clock, as certificates are dated.
    """
    identity = checked_identity(settings, now)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    # A resumed session would go on under a certificate that was exchanged, or a client's that is trusted no more.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    try:
        context.load_cert_chain(settings.cert_file, settings.key_file)
    except (OSError, ssl.SSLError) as error:
        raise CertificateUnusable(
            "cert_file", f"{settings.cert_file} and {settings.key_file} cannot be used: {_said(error)}"
        ) from None
    if settings.client_ca_file is not None:
        authorities(settings.client_ca_file, "client_ca_file", now)
        context.load_verify_locations(settings.client_ca_file)
        context.verify_mode = ssl.CERT_REQUIRED if settings.require_client_certificate else ssl.CERT_OPTIONAL
    return context, identity


def checked_identity(settings: TlsSettings, now: float) -> Identity:
    """The certificate, when it and its key can be used. Raises CertificateUnusable."""
    leaf = _certificates(settings.cert_file, "cert_file")[0]
    with _made_by_the_rules(settings.cert_file, "cert_file"):
        identity = Identity(leaf.not_valid_after_utc.timestamp(), _names(leaf), f"{leaf.serial_number:x}")
        public = leaf.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    _check_closed(settings.key_file)
    if _private_key(settings.key_file) != public:
        raise CertificateUnusable(
            "key_file",
            f"the key in {settings.key_file} does not belong to the certificate in {settings.cert_file}",
            "the two files come from one request; the node's certificate stands first in its file",
        )
    _check_dates(leaf, settings.cert_file, "cert_file", now)
    return identity


def authorities(path: Path, setting: str, now: float) -> None:
    """Check a file of authorities. Raises CertificateUnusable."""
    found = _certificates(path, setting)
    for one in found:
        if len(found) == 1:
            _check_dates(one, path, setting, now)
        with _made_by_the_rules(path, setting):
            name, signs = one.subject.rfc4514_string(), _signs(one)
        if not signs:
            raise CertificateUnusable(
                setting,
                f"{path} holds the certificate of {name}, which is no authority",
                "the file holds the certificate of who signed, not of who is trusted",
            )


def _signs(one: x509.Certificate) -> bool:
    """Whether others may be signed with it; one that does not say so may where it has signed itself."""
    try:
        basic = one.extensions.get_extension_for_oid(ExtensionOID.BASIC_CONSTRAINTS).value
    except x509.ExtensionNotFound:
        return one.issuer == one.subject
    return basic.ca if isinstance(basic, x509.BasicConstraints) else one.issuer == one.subject


@contextmanager
def _made_by_the_rules(path: Path, setting: str) -> Iterator[None]:
    """Around whatever looks at parts of a certificate."""
    try:
        yield
    except _ILL_MADE as error:
        raise CertificateUnusable(
            setting,
            f"{path} holds a certificate that cannot be read: {error}",
            "it was not made by the rules; make it again",
        ) from None


def _read(path: Path, setting: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # opening a pipe would wait
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise CertificateUnusable(setting, f"{path} is not a regular file")
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise CertificateUnusable(setting, f"{path} cannot be read: {error.strerror}") from None
    if not content or len(content) > FILE_BYTES_MAX:
        raise CertificateUnusable(setting, f"{path} is empty or too large")
    return content


def _certificates(path: Path, setting: str) -> Sequence[x509.Certificate]:
    content = _read(path, setting)
    if b"PRIVATE KEY" in content and b"BEGIN CERTIFICATE" not in content:
        raise CertificateUnusable(setting, f"{path} holds a key, no certificate", "are the two files exchanged?")
    with _made_by_the_rules(path, setting):
        try:
            found = x509.load_pem_x509_certificates(content)
        except ValueError:
            raise CertificateUnusable(setting, f"{path} holds no certificate in PEM") from None
    return found


def _check_closed(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise CertificateUnusable("key_file", f"{path} cannot be read: {error.strerror}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise CertificateUnusable(
            "key_file", f"{path} is open to group or others (mode {stat.S_IMODE(mode):04o})", f"chmod 600 {path.name}"
        )


def _private_key(path: Path) -> bytes:
    """The public half of the key, as DER."""
    content = _read(path, "key_file")
    if b"PRIVATE KEY" not in content:
        raise CertificateUnusable("key_file", f"{path} holds no key in PEM")
    try:
        key = load_pem_private_key(content, password=None)
    except TypeError:
        raise CertificateUnusable(
            "key_file",
            f"the key in {path} is encrypted; a node asks nobody for its password",
            "openssl pkey -in KEY -out KEY.open",
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateUnusable("key_file", f"the key in {path} cannot be read") from None
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _check_dates(one: x509.Certificate, path: Path, setting: str, now: float) -> None:
    if now >= one.not_valid_after_utc.timestamp():
        raise CertificateUnusable(
            setting,
            f"the certificate in {path} expired at {one.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}",
            "put a newer one there",
        )
    if now < one.not_valid_before_utc.timestamp():
        raise CertificateUnusable(
            setting,
            f"the certificate in {path} is valid from {one.not_valid_before_utc:%Y-%m-%dT%H:%M:%SZ} on",
            "is the clock of this host right?",
        )


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return (
        *(name.lower() for name in found.get_values_for_type(x509.DNSName)),
        *(str(address) for address in found.get_values_for_type(x509.IPAddress)),
    )


def _said(error: Exception) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
