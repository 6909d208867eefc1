"""The settings of one node, checked against one another before anything starts. Durations are seconds."""

import ipaddress
import re
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

SECRET_CHARS_MIN = 32
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def split_address(address: str) -> tuple[str, int]:
    """`"host:port"` or `"[::1]:port"` → (host, port). ValueError otherwise."""
    host, colon, port = address.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not (colon and host and port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError(f"{address!r} is not host:port with a port of 1 to 65535")
    return host, int(port)


def is_loopback(address: str) -> bool:
    """Whether only processes of this host reach `host:port`."""
    host = split_address(address)[0]
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Member(BaseModel):
    """One member: its id, its Raft address `host:port`, and where its API is asked, for other nodes to know."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    address: str
    api: str = ""

    @field_validator("id")
    @classmethod
    def _check_id(cls, value: str) -> str:
        if not _ID.fullmatch(value):
            raise ValueError("an id is 1 to 64 letters, digits, '.', '_' or '-', and begins with a letter or digit")
        return value

    @field_validator("address")
    @classmethod
    def _check_address(cls, value: str) -> str:
        split_address(value)
        return value


class ClusterSettings(BaseModel):
    """Everything a `Cluster` is told. The same on every node but for `node_id`, `data_dir` and `bind`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    node_id: str
    members: tuple[Member, ...]
    """as the cluster began with them; afterwards the log knows better"""
    data_dir: Path
    join: bool = False
    """this node is added to a cluster that exists: until it is, it only listens"""
    cluster_name: str = Field(default="triarch", min_length=1)
    bind: str | None = None
    """host:port to listen on when it is not the member's address"""
    secret: SecretStr | None = None
    """shared by all members; encrypts and authenticates what they say to each other"""
    heartbeat_s: float = Field(default=0.05, gt=0)
    election_min_s: float = Field(default=0.35, gt=0)
    election_max_s: float = Field(default=0.5, gt=0)
    step_down_s: float = Field(default=0.4, gt=0)
    """a leader that no majority has answered for so long steps down"""
    connection_retry_s: float = Field(default=0.2, gt=0)
    connection_timeout_s: float = Field(default=1.5, gt=0)
    queue_size: int = Field(default=10_000, ge=1)
    """proposals waiting or uncommitted here"""
    command_bytes_max: int = Field(default=1 << 20, ge=1024, le=16 << 20)
    dedup_entries: int = Field(default=10_000, ge=1)
    """ids of applied commands that are remembered; the leader's counts, from its claim on"""
    compaction_entries: int = Field(default=20_000, ge=4)
    """a snapshot is taken, and the log cut, when the log is longer; a quarter of it stays for members that lag"""
    compaction_s: float = Field(default=300.0, gt=0)
    """the same when the latest snapshot is older and anything was applied since"""
    watch_changes: int = Field(default=10_000, ge=1)
    """changes held for watchers"""
    takeover_budget_s: float = Field(default=2.0, gt=0)

    @field_validator("bind")
    @classmethod
    def _check_bind(cls, value: str | None) -> str | None:
        if value is not None:
            split_address(value)
        return value

    @model_validator(mode="after")
    def _cross_check(self) -> Self:
        ids = [member.id for member in self.members]
        addresses = [member.address for member in self.members]
        if len(set(ids)) != len(ids):
            raise ValueError(f"members: ids must be unique, got {', '.join(ids)}")
        if len(set(addresses)) != len(addresses):
            raise ValueError(f"members: addresses must be unique, got {', '.join(addresses)}")
        if self.node_id not in ids:
            raise ValueError(f"node_id: {self.node_id!r} is not among the members ({', '.join(ids) or 'none'})")
        if not self.heartbeat_s * 3 < self.election_min_s:
            raise ValueError(
                f"election_min_s ({self.election_min_s:g}) must exceed three heartbeats ({self.heartbeat_s:g} each)"
            )
        if not self.election_min_s < self.election_max_s:
            raise ValueError(
                f"election_max_s ({self.election_max_s:g}) must be more than election_min_s ({self.election_min_s:g})"
            )
        if not self.step_down_s > self.heartbeat_s:
            raise ValueError(f"step_down_s ({self.step_down_s:g}) must be more than heartbeat_s ({self.heartbeat_s:g})")
        if self.connection_timeout_s < self.election_max_s:
            raise ValueError(
                f"connection_timeout_s ({self.connection_timeout_s:g}) must not be less than election_max_s "
                f"({self.election_max_s:g})"
            )
        if self.election_max_s + self.step_down_s > self.takeover_budget_s:
            raise ValueError(
                f"election_max_s + step_down_s ({self.election_max_s + self.step_down_s:g}) exceed takeover_budget_s "
                f"({self.takeover_budget_s:g})"
            )
        self._check_secret()
        return self

    def _check_secret(self) -> None:
        if self.secret is not None:
            if len(self.secret.get_secret_value()) < SECRET_CHARS_MIN:
                raise ValueError(f"secret: at least {SECRET_CHARS_MIN} characters are required")
            return
        for name, address in (("the member's address", self.address), ("bind", self.listen_address)):
            if not is_loopback(address):
                raise ValueError(
                    f"secret: required because {name} ({address}) is reachable from other hosts; without one, "
                    "whoever reaches the port can take the cluster over"
                )

    @property
    def address(self) -> str:
        """This node's own Raft address."""
        return next(member.address for member in self.members if member.id == self.node_id)

    @property
    def listen_address(self) -> str:
        """Where this node listens: never every interface unless `bind` says so."""
        return self.bind or self.address
