"""What a deployed plant is, from the settings on one of its hosts: members, servers, where the secrets lie. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from framebuffer.addresses import url_of


class DeploymentWrong(ValueError):
    """The hosts do not hold a plant that drills can be run on; says what is to be done."""


@dataclass(frozen=True, slots=True)
class MemberPlace:
    """A node as its peers and its clients reach it. `raft_host`: without the port."""

    id: str
    raft_host: str
    api: str


@dataclass(frozen=True, slots=True)
class Deployed:
    """The plant. Files are absolute paths on the host; None where the settings name none."""

    node_id: str
    members: tuple[MemberPlace, ...]
    redis_mode: str
    redis_url: str
    sentinels: tuple[str, ...]
    service: str
    durability: str
    token_file: str | None
    password_file: str | None
    sentinel_password_file: str | None
    ca_file: str | None

    @property
    def sentinel_hosts(self) -> tuple[str, ...]:
        """The sentinels without their ports."""
        return tuple(place.rpartition(":")[0].strip("[]") for place in self.sentinels)


def deployed(tree: Any, *, host: str, directory: str) -> Deployed:
    """Read the tree of a node's settings.

    Args:
        tree: of `node.yaml`.
        host: for the text of errors.
        directory: that the file lies in; its relative paths start there.

    Errors: DeploymentWrong.
    """
    if not isinstance(tree, Mapping):
        raise DeploymentWrong(f"{host}: the settings of the node are no tree: deploy with site.yml first")
    try:
        node_id = str(tree["node"]["id"])
        rows = [(str(row["id"]), str(row["raft"]), str(row["api"])) for row in tree["cluster"]["members"]]
    except (KeyError, TypeError) as error:
        raise DeploymentWrong(f"{host}: the settings of the node lack {error}: deploy with site.yml first") from None
    members = tuple(MemberPlace(name, raft.rpartition(":")[0].strip("[]"), api.rstrip("/")) for name, raft, api in rows)
    if len(members) < 3:
        raise DeploymentWrong(f"{host}: the cluster has {len(members)} members; a drill needs three")
    redis = _section(tree, "redis")
    api = _section(tree, "api")
    mode = str(redis.get("mode", "embedded"))
    sentinels = tuple(str(one) for one in redis.get("sentinels", ()))
    if mode == "sentinel":
        url = url_of("sentinel", sentinels, service=_service(redis), tls=bool(redis.get("tls", False)))
    elif mode == "url":
        url = str(redis.get("url", "redis://127.0.0.1:6379/0"))
    else:
        raise DeploymentWrong(
            f"{host}: redis.mode is {mode}; drills on hosts know a primary watched by sentinels, or one server's url"
        )

    def path(section: Mapping[str, Any], name: str) -> str | None:
        value = section.get(name)
        return None if value is None else str(value) if str(value).startswith("/") else f"{directory}/{value}"

    return Deployed(
        node_id=node_id,
        members=members,
        redis_mode=mode,
        redis_url=url,
        sentinels=sentinels,
        service=_service(redis),
        durability=str(redis.get("durability", "0")),
        token_file=path(api, "token_file"),
        password_file=path(redis, "password_file"),
        sentinel_password_file=path(redis, "sentinel_password_file"),
        ca_file=path(api, "ca_file"),
    )


def one_plant(found: Mapping[str, Deployed]) -> None:
    """Check that the hosts of an inventory hold one and the same plant, each the node of its own name.

    A fault must hit the host that it is meant for: a wrong address in the inventory is found here. DeploymentWrong.
    """
    names = sorted(found)
    first = found[names[0]]
    for host in names:
        one = found[host]
        if one.node_id != host:
            raise DeploymentWrong(
                f"the inventory's {host} is the node {one.node_id}: the address of {host} is another host's, "
                "or node.id is not the inventory's name"
            )
        if {member.id for member in one.members} != {member.id for member in first.members}:
            raise DeploymentWrong(f"{host} and {names[0]} are of different clusters: their members differ")
    if missing := sorted({member.id for member in first.members} - set(names)):
        raise DeploymentWrong(f"{', '.join(missing)} of the cluster's members are not in the inventory")


def host_of(address: str, members: Sequence[MemberPlace]) -> str | None:
    """The id of the member whose host has this address, as the settings write it."""
    for member in members:
        if address in (member.raft_host, urlsplit(member.api).hostname):
            return member.id
    return None


def _service(redis: Mapping[str, Any]) -> str:
    return str(redis.get("service", "frames"))


def _section(tree: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = tree.get(name)
    return found if isinstance(found, Mapping) else {}
