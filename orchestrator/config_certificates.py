"""What must hold of certificates and the addresses they are for, told as the other settings' faults are."""

import ssl
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from orchestrator.config import NodeConfig
from orchestrator.config_checks import Broken, Complaint, Loc
from orchestrator.errors import CertificateUnusable

__all__ = ["certificate_complaints"]


def certificate_complaints(config: NodeConfig, broken: Broken) -> Iterator[Complaint]:
    """Files that cannot be used, and addresses that contradict them. Reads the files."""
    api = config.api
    now = time.time()
    if not broken("api", "tls"):
        yield from _addresses(config, broken)
        tls = api.tls
        if tls is not None:
            if tls.require_client_certificate and tls.client_ca_file is None:
                yield Complaint(
                    ("api", "tls", "require_client_certificate"),
                    "says nothing without api.tls.client_ca_file",
                    "name the authority whose certificates clients are to show",
                )
            from orchestrator.certificates import checked_identity  # not loaded where there is no certificate

            try:
                checked_identity(tls, now)
            except CertificateUnusable as error:
                yield _of(error, ("api", "tls"))
            if tls.client_ca_file is not None:
                yield from _authorities(("api", "tls", "client_ca_file"), config, now)
    if not broken("api", "ca_file") and api.ca_file is not None:
        yield from _authorities(("api", "ca_file"), config, now)
    if not broken("api", "oidc") and api.oidc is not None:
        oidc = api.oidc
        if (oidc.jwks_url is None) == (oidc.jwks_file is None):
            name = "jwks_url" if oidc.jwks_url is not None else "issuer"
            yield Complaint(
                ("api", "oidc", name), "the keys come from api.oidc.jwks_url or api.oidc.jwks_file: one of the two"
            )
        if oidc.ca_file is not None:
            yield from _authorities(("api", "oidc", "ca_file"), config, now)


def _authorities(loc: Loc, config: NodeConfig, now: float) -> Iterator[Complaint]:
    path = config
    for part in loc:
        path = getattr(path, str(part))
    from orchestrator.certificates import authorities

    try:
        authorities(path, str(loc[-1]), now)  # type: ignore[arg-type]
        ssl.create_default_context(cafile=str(path))
    except CertificateUnusable as error:
        yield _of(error, loc[:-1])
    except (OSError, ssl.SSLError):
        yield Complaint(loc, f"{path} cannot be used")


def _of(error: CertificateUnusable, above: Loc) -> Complaint:
    return Complaint((*above, error.setting), error.message, error.hint)


def _addresses(config: NodeConfig, broken: Broken) -> Iterator[Complaint]:
    if broken("cluster", "members") or broken("node", "id") or broken("api", "bind"):
        return
    for at, member in enumerate(config.cluster.members):
        if member.id != config.node.id:
            continue
        loc: Loc = ("cluster", "members", at, "api")
        scheme = urlsplit(member.api).scheme
        if config.api.tls is not None and scheme == "http":
            yield Complaint(
                loc,
                "begins with http://, and api.tls gives this node a certificate",
                f"https://{urlsplit(member.api).netloc}, on every node",
            )
        if config.api.tls is None and scheme == "https" and config.api.bind is None:
            yield Complaint(
                loc,
                "begins with https://, and this node has no certificate to answer with",
                "give it one (api.tls.cert_file and key_file); or name where it listens behind a proxy that has "
                "one (api.bind)",
            )
