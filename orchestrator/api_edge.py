"""What stands between a node and its network: its certificate, whom it trusts, what bounds its server."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from framebuffer.trust import trusting
from orchestrator.api_connection import Bounds, ConnectionFigures
from orchestrator.api_server import ApiServer
from orchestrator.config import NodeConfig
from orchestrator.config_api import OidcSettings, TlsSettings
from orchestrator.config_checks import warnings
from orchestrator.trust_watch import Trust, TrustWatch

if TYPE_CHECKING:
    from orchestrator.certificate_watch import CertificateWatch
    from orchestrator.identity_provider import IdentityProvider

log = logging.getLogger(__name__)


class Edge:
    """Made once a node. Raises CertificateUnusable, TrustUnusable.

    Args:
        others: those of the node's other clients, which trust `api.ca_file` too.
    """

    def __init__(self, config: NodeConfig, registry: CollectorRegistry, *others: Trust) -> None:
        self._config = config
        self._figures = ConnectionFigures(registry)
        api, tls = config.api, config.api.tls
        shown = None if tls is None or tls.client_ca_file is None else tls
        self.peers = _of_peers(api.ca_file, shown, others)
        """For asking the other nodes: what they must show, and what is shown to them."""
        self._certificate = None if tls is None else _watched(tls, registry, self.peers if shown is not None else None)
        self._trust = None if api.ca_file is None else TrustWatch(api.ca_file, (self.peers, *others))
        self._provider = None if api.oidc is None else _provider(api.oidc, registry)

    def server(self, app: FastAPI) -> ApiServer:
        """The server of this node's API."""
        api = self._config.api
        if self._provider is not None:
            app.state.gate.foreign = self._provider.authenticate_foreign
        bounds = Bounds(api.connections_max, api.head_timeout_s, api.body_timeout_s)
        return ApiServer(app, bounds, self._figures, None if self._certificate is None else self._certificate.context)

    def reload(self) -> None:
        """Have the certificate read again, and the authorities of the others."""
        if self._certificate is None and self._trust is None:
            log.info("nothing to read again: the API has no certificate")
        if self._certificate is not None:
            self._certificate.ask()
        if self._trust is not None:
            self._trust.ask()

    async def run(self) -> None:
        """Say what should be known at the start; then keep certificate and keys up to date until cancelled."""
        for text in warnings(self._config):
            log.warning("%s", text)
        async with asyncio.TaskGroup() as kept:
            kept.create_task(self._keep_certificate(), name="certificate")
            if self._trust is not None:
                kept.create_task(self._trust.run(), name="trust")
            if self._provider is not None:
                kept.create_task(self._provider.run(), name="identity-provider")

    async def _keep_certificate(self) -> None:
        if self._certificate is None:
            await asyncio.Event().wait()
            return
        member = self._config.member()
        host = urlsplit(member.api).hostname or ""
        if not self._certificate.identity.covers(host):
            names = ", ".join(self._certificate.identity.names) or "nothing"
            log.warning("the API's certificate is for %s, not for %s, where clients ask this node", names, host)
        await self._certificate.run()


# What these load is left out of a node's start where it is not asked for: a node that is restarted is down meanwhile.


def _watched(tls: TlsSettings, registry: CollectorRegistry, client: Trust | None) -> "CertificateWatch":
    from orchestrator.certificate_watch import CertificateWatch

    return CertificateWatch(tls, registry, client)


def _provider(oidc: OidcSettings, registry: CollectorRegistry) -> "IdentityProvider":
    from orchestrator.identity_provider import IdentityProvider

    return IdentityProvider(oidc, registry)


def _of_peers(ca_file: Path | None, shown: TlsSettings | None, others: Sequence[Trust]) -> Trust:
    if ca_file is None and shown is None and others:
        return others[0]  # it trusts the public authorities as well, and to read those takes tens of milliseconds
    return Trust(
        lambda: trusting(
            ca_file,
            cert_file=None if shown is None else shown.cert_file,
            key_file=None if shown is None else shown.key_file,
        )
    )
