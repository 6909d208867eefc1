"""Where the server is that carries the frames, as settings."""

from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from framebuffer.addresses import DEFAULT_SHARDS, SHARDS_MAX, url_of
from orchestrator.config_section import Section
from orchestrator.config_values import checked_address, checked_redis_url

__all__ = ["RedisSettings"]


class RedisSettings(Section):
    """The server that carries the frames."""

    mode: Literal["embedded", "url", "sentinel", "cluster"] = Field(
        default="embedded",
        description="`embedded`: this node starts a server on 127.0.0.1, in a cluster of one. `url`: one server, "
        "elsewhere. `sentinel`: a primary that sentinels watch and replace. `cluster`: the primaries of a Redis or "
        "Valkey Cluster.",
    )
    url: str = Field(
        default="redis://127.0.0.1:6379/0",
        description="`redis://host:port/database`, or `rediss://` for TLS. Without the password. For `mode: url`.",
    )
    password: SecretStr | None = Field(default=None, description="Password of the server.")
    password_file: Path | None = Field(
        default=None,
        description="File that holds the password, closed to group and others. Relative as `node.data_dir`.",
    )
    port: int = Field(default=6390, ge=1, le=65535, description="Port of the embedded server. For `mode: embedded`.")
    sentinels: tuple[str, ...] = Field(
        default=(), description="`host:port` of each sentinel; IPv6 in brackets. For `mode: sentinel`."
    )
    service: str = Field(
        default="frames",
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="Name under which the sentinels watch the primary. For `mode: sentinel`.",
    )
    sentinel_password: SecretStr | None = Field(
        default=None, description="Password of the sentinels, where they ask for one. For `mode: sentinel`."
    )
    sentinel_password_file: Path | None = Field(
        default=None, description="File that holds it, closed to group and others. Relative as `node.data_dir`."
    )
    nodes: tuple[str, ...] = Field(
        default=(),
        description="`host:port` of some nodes of the cluster; the others are learnt from them. For `mode: cluster`.",
    )
    shards: int = Field(
        default=DEFAULT_SHARDS,
        ge=1,
        le=SHARDS_MAX,
        description="Parts that the streams are split into by camera, spread over the primaries: as many as there are, "
        "or a multiple. Fixed once frames flow: another number means other streams. For `mode: cluster`.",
    )
    tls: bool = Field(
        default=False, description="Whether servers and sentinels are reached with TLS. For `sentinel` and `cluster`."
    )
    durability: Literal["0", "1", "2", "majority"] = Field(
        default="0",
        description="Replicas that must have a frame before it counts as published, unless the producer says "
        "otherwise. `majority`: all that the sentinels or the cluster know of, so that no failover loses an "
        "acknowledged frame; a replica that is down then holds publishing up until it is back, or is forgotten.",
    )

    @field_validator("durability", mode="before")
    @classmethod
    def _number_as_text(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("sentinels", "nodes")
    @classmethod
    def _check_places(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(checked_address(one) for one in value)

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        return checked_redis_url(value)

    @property
    def public_url(self) -> str:
        """Where clients find the server, without credentials; `framebuffer.connect` takes each form."""
        match self.mode:
            case "embedded":
                return f"redis://127.0.0.1:{self.port}/0"
            case "sentinel":
                return url_of("sentinel", self.sentinels, service=self.service, tls=self.tls)
            case "cluster":
                return url_of("cluster", self.nodes, shards=self.shards, tls=self.tls)
        parts = urlsplit(self.url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
