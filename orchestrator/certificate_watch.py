"""The certificate that a node serves under, exchanged while it serves.

files change, or SIGHUP ─▶ read and checked aside ─┬ good ─▶ the next handshake gets it; connections stay
                                                  └ not ──▶ the old one stays; logged, and a metric says so

Handshakes ask for the context of the moment (OpenSSL's callback for the server name, which it calls without a name
too), so certificate, key and authorities of clients change together or not at all.
"""

import asyncio
import logging
import ssl
import time
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge

from orchestrator.certificates import Identity, served
from orchestrator.config_api import TlsSettings
from orchestrator.errors import CertificateUnusable

log = logging.getLogger(__name__)

LOOK_S = 2.0
"""Between two looks at the files: a look is three calls of `stat`."""

Facts = tuple[int, int, int]
"""What tells one version of a file from another."""
_Signature = tuple[Facts, ...]


class CertificateWatch:
    """Made once a node. Raises CertificateUnusable when the files are no use at the start.

    Args:
        client: the context of this node as a client of the others, which shows the same certificate.
    """

    def __init__(
        self, settings: TlsSettings, registry: CollectorRegistry, client: ssl.SSLContext | None = None
    ) -> None:
        self._settings = settings
        self._client = client
        self._seen = self._signature()
        self._serving, self._identity = served(settings, time.time())
        self.context = served(settings, time.time())[0]
        """For the server: what it shows is that of the moment."""
        self.context.sni_callback = self._of_the_moment
        self._asked = asyncio.Event()
        Gauge(
            "triarch_api_certificate_expiry_seconds",
            "Until the certificate that the API serves under expires; negative since it has.",
            registry=registry,
        ).set_function(lambda: self._identity.expires - time.time())
        self._failed = Gauge(
            "triarch_api_certificate_reload_failed",
            "1 while the files hold something that cannot be served, and the certificate from before is.",
            registry=registry,
        )
        self._reloads = Counter(
            "triarch_api_certificate_reloads_total", "Certificates looked at anew.", ["outcome"], registry=registry
        )
        for outcome in ("done", "failed"):
            self._reloads.labels(outcome)

    @property
    def identity(self) -> Identity:
        """Of the certificate that is served."""
        return self._identity

    def ask(self) -> None:
        """Have the files read now, whether they look changed or not."""
        self._asked.set()

    async def run(self) -> None:
        """Look at the files until cancelled."""
        while True:
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._asked.wait()
            except TimeoutError:
                pass
            asked = self._asked.is_set()
            self._asked.clear()
            signature = await asyncio.to_thread(self._signature)
            if asked or signature != self._seen:
                await self._reload(signature)

    async def _reload(self, signature: _Signature) -> None:
        self._seen = signature  # once only: files that are no use are not complained of every few seconds
        try:
            serving, identity = await asyncio.to_thread(served, self._settings, time.time())
        except CertificateUnusable as error:
            self._failed.set(1)
            self._reloads.labels("failed").inc()
            hint = f" ({error.hint})" if error.hint else ""
            log.error("api.tls.%s: %s%s; the certificate from before stays", error.setting, error.message, hint)
            return
        except Exception:  # what nobody has foreseen must not end the node
            self._failed.set(1)
            self._reloads.labels("failed").inc()
            log.exception("api.tls: the files cannot be used; the certificate from before stays")
            return
        changed = identity.serial != self._identity.serial
        self._serving, self._identity = serving, identity
        if self._client is not None:
            try:
                self._client.load_cert_chain(self._settings.cert_file, self._settings.key_file)
            except (OSError, ssl.SSLError):
                self._seen = ()  # they changed in between: they are read once more
        self._failed.set(0)
        self._reloads.labels("done").inc()
        log.info("the API's certificate is %s: serial %s", "exchanged" if changed else "read again", identity.serial)

    def _of_the_moment(
        self, handshake: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _front: ssl.SSLContext
    ) -> None:
        handshake.context = self._serving

    def _signature(self) -> _Signature:
        settings = self._settings
        return tuple(
            facts_of(path) for path in (settings.cert_file, settings.key_file, settings.client_ca_file) if path
        )


def facts_of(path: Path) -> Facts:
    """Changes with the file, also where it is a link that was moved, as Kubernetes does it."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_mtime_ns, found.st_size)
