"""How a node serves its API, as settings: where, for whom, under which certificate."""

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from orchestrator.access.principal import Role
from orchestrator.config_section import Section
from orchestrator.config_values import checked_address, checked_network

__all__ = ["ApiSettings", "OidcSettings", "TlsSettings"]

_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]+")
_RELATIVE = "Relative as `node.data_dir`."


class TlsSettings(Section):
    """The certificate of this node's API. The files are read again when they change, and on SIGHUP."""

    cert_file: Path = Field(
        description="PEM: the certificate, below it those of the authorities in between. " + _RELATIVE
    )
    key_file: Path = Field(description="PEM: its key, not encrypted, closed to group and others. " + _RELATIVE)
    client_ca_file: Path | None = Field(
        default=None,
        description="PEM: whose certificates clients may show. Nodes show theirs to each other. " + _RELATIVE,
    )
    require_client_certificate: bool = Field(
        default=False, description="Whether a client without such a certificate is turned away (mutual TLS)."
    )


Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


class OidcSettings(Section):
    """An identity provider whose tokens are taken beside the cluster's own."""

    issuer: str = Field(min_length=1, max_length=512, description="What `iss` of a token must be, to the letter.")
    audience: str = Field(min_length=1, max_length=512, description="What `aud` of a token must be or contain.")
    jwks_url: str | None = Field(
        default=None,
        description="Where the provider publishes its keys: `https://…`; `http://` on loopback only. Or `jwks_file`.",
    )
    jwks_file: Path | None = Field(default=None, description="The keys as a file, instead of `jwks_url`. " + _RELATIVE)
    ca_file: Path | None = Field(
        default=None,
        description="PEM: the authority that the provider's certificate is of, if no public one. " + _RELATIVE,
    )
    role_claim: str = Field(
        default="triarch_role",
        min_length=1,
        max_length=256,
        description="The claim that says who may do what: a text or a list. Dots go down: `realm_access.roles`.",
    )
    roles: dict[str, Role] = Field(
        default_factory=dict,
        max_length=100,
        description="Role by what stands in the claim, of several the highest. Without it the claim holds role names.",
    )
    name_claim: str = Field(
        default="preferred_username", min_length=1, max_length=256, description="The claim that is shown as the name."
    )
    leeway_s: float = Field(
        default=30.0,
        ge=0,
        le=300,
        description="How far the provider's clock may be off when a token expires or begins.",
    )
    algorithms: tuple[Algorithm, ...] = Field(
        default=("RS256", "ES256", "EdDSA"),
        min_length=1,
        description="Signatures that are taken. None with a shared key.",
    )
    keys_age_max_s: float = Field(
        default=86_400.0,
        ge=60,
        le=30 * 86_400,
        description="How long keys are used after the provider was last reached: it may be away for so long.",
    )

    @field_validator("jwks_url")
    @classmethod
    def _check_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise ValueError("not a URL") from None
        if parts.scheme not in ("http", "https") or not host:
            raise ValueError("begins with neither https:// nor http://, or names no host")
        if "@" in parts.netloc:
            raise ValueError("holds a user name or password; keys are public")
        if parts.scheme == "http" and host not in ("127.0.0.1", "localhost", "::1"):
            raise ValueError("begins with http://: whoever stands in between could give keys of his own")
        return value

    @field_validator("roles")
    @classmethod
    def _check_roles(cls, value: dict[str, Role]) -> dict[str, Role]:
        machines = sorted(name for name, role in value.items() if role in (Role.COMPONENT, Role.PROCESSOR))
        if machines:
            raise ValueError(f"{machines[0]!r}: roles of people are viewer, operator and admin; machines have tokens")
        return value


class ApiSettings(Section):
    """The HTTP API of this node."""

    bind: str | None = Field(
        default=None, description="`host:port` to listen on, where that is not the host and port of its `api` URL."
    )
    token: SecretStr | None = Field(
        default=None,
        description="Bearer token of every request, the same on every node. Beyond loopback at least 32 characters.",
    )
    token_file: Path | None = Field(
        default=None, description="File that holds the token, closed to group and others. Relative as `node.data_dir`."
    )
    tls: TlsSettings | None = Field(default=None, description="The certificate; without it the API is plain HTTP.")
    ca_file: Path | None = Field(
        default=None,
        description="PEM: the authority that the certificates of the other nodes and of components are of, if no "
        "public one. " + _RELATIVE,
    )
    oidc: OidcSettings | None = Field(default=None, description="An identity provider, if there is one.")
    trusted_proxies: tuple[str, ...] = Field(
        default=(),
        max_length=32,
        description="Addresses or networks (`10.0.0.0/8`) of proxies in front of this node: what they say in "
        "`X-Forwarded-For` counts as the client's address. Nobody else is believed.",
    )
    tokens_stale_s: float = Field(
        default=1.0,
        gt=0,
        le=3600,
        description="A node that has heard no leader for so long refuses every token but `api.token`: one may have "
        "been revoked meanwhile.",
    )
    connections_max: int = Field(
        default=4096, ge=16, le=100_000, description="Connections at once; one more is answered 503 and closed."
    )
    head_timeout_s: float = Field(
        default=10.0, gt=0, le=300, description="How long a client may take to send the head of a request."
    )
    body_timeout_s: float = Field(
        default=30.0, gt=0, le=3600, description="How long it may take to send the body; ten times that for a restore."
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _check_proxies(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(checked_network(text) for text in value)

    @field_validator("bind")
    @classmethod
    def _check_bind(cls, value: str | None) -> str | None:
        return None if value is None else checked_address(value)

    @field_validator("token")
    @classmethod
    def _check_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _VISIBLE_ASCII.fullmatch(value.get_secret_value()):
            raise ValueError("a token is made of visible ASCII characters: it travels in an HTTP header")
        return value

    @property
    def bearer_token(self) -> str | None:
        """The token in the clear, whether it was given as a value or as a file."""
        return None if self.token is None else self.token.get_secret_value()
