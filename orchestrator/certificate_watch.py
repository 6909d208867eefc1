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

from prometheus_client import CollectorRegistry, Counter, Gauge

from framebuffer.errors import TrustUnusable
from orchestrator.certificates import Identity, served
from orchestrator.config_api import TlsSettings
from orchestrator.errors import CertificateUnusable
from orchestrator.file_watch import FileWatch
from orchestrator.trust_watch import Trust

log = logging.getLogger(__name__)


class CertificateWatch:
    """Made once a node. Raises CertificateUnusable when the files are no use at the start.

    Args:
        client: of this node as a client of the others, which shows the same certificate.
    """

    def __init__(self, settings: TlsSettings, registry: CollectorRegistry, client: Trust | None = None) -> None:
        self._settings = settings
        self._client = client
        paths = (settings.cert_file, settings.key_file, settings.client_ca_file)
        self._files = FileWatch([path for path in paths if path is not None])
        self._serving, self._identity = served(settings, time.time())
        self.context = served(settings, time.time())[0]
        """For the server: what it shows is that of the moment."""
        self.context.sni_callback = self._of_the_moment
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
        self._files.ask()

    async def run(self) -> None:
        """Look at the files until cancelled."""
        while True:
            await self._files.changed()
            await self._reload()

    async def _reload(self) -> None:
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
                await asyncio.to_thread(self._client.renew)
            except (TrustUnusable, OSError, ValueError) as error:
                # It is tried again with the next change, of these files or of api.ca_file.
                log.error("api.tls: the other nodes are shown the certificate from before: %s", error)
        self._failed.set(0)
        self._reloads.labels("done").inc()
        log.info("the API's certificate is %s: serial %s", "exchanged" if changed else "read again", identity.serial)

    def _of_the_moment(
        self, handshake: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _front: ssl.SSLContext
    ) -> None:
        handshake.context = self._serving
