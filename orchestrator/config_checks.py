"""What settings must be together. Pure: the loader has read the files, and says where each setting was written."""

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import urlsplit

from pydantic import ValidationError

from cluster.settings import SECRET_CHARS_MIN, ClusterSettings, Member, is_loopback, split_address
from orchestrator.config import NodeConfig, RedisSettings
from orchestrator.config_values import host_and_port

__all__ = ["Broken", "Complaint", "Loc", "complaints", "is_every_interface", "warnings"]

Loc = tuple[str | int, ...]
"""Path of a setting in the tree, as pydantic gives it: `("cluster", "members", 0, "raft")`."""

Broken = Callable[[str, str], bool]
"""Whether a setting, or anything in it, has been found wrong already: then nothing is concluded from it."""

_TIMINGS = ("heartbeat_s", "election_min_s", "election_max_s", "step_down_s", "takeover_budget_s")


@dataclass(frozen=True, slots=True)
class Complaint:
    """Something that does not go together. `insecure`: it would work, and must not."""

    loc: Loc
    message: str
    hint: str = ""
    insecure: bool = False


def complaints(config: NodeConfig, broken: Broken) -> Iterator[Complaint]:
    """Everything wrong between the settings that are not `broken`."""
    for check in (
        _members,
        _own_place,
        _listening,
        _timing,
        _pressure,
        _redis,
        _frames,
        _notify,
        _secret_length,
        _beyond_loopback,
    ):
        yield from check(config, broken)


def _members(config: NodeConfig, broken: Broken) -> Iterator[Complaint]:
    if broken("cluster", "members"):
        return
    members = config.cluster.members
    count = len(members)
    if count == 0:
        yield Complaint(("cluster", "members"), "is empty", "one node is a cluster of one; it lists itself")
    elif config.cluster.join and not broken("cluster", "join"):
        # Whoever joins lists one more than there were, and perhaps some that have gone since.
        if count == 1:
            yield Complaint(
                ("cluster", "join"),
                "there is nobody to join: this node is the only one of cluster.members",
                "list the nodes of the cluster that runs, and this one; or leave join out to begin a cluster of one",
            )
    elif count % 2 == 0:
        reason = (
            "two nodes survive no failure: each needs the other for a majority"
            if count == 2
            else f"{count} nodes survive no more failures than {count - 1}"
        )
        yield Complaint(
            ("cluster", "members"),
            f"{count} members are an even number: {reason}",
            "list the nodes that the cluster began with: one, three or five; whoever was added or removed since need "
            "not stand here, and a node that is being added sets join: true",
        )
    ids = Counter(member.id for member in members)
    seen: dict[str, Loc] = {}
    for at, member in enumerate(members):
        if ids[member.id] > 1 and any(other.id == member.id for other in members[:at]):
            yield Complaint(("cluster", "members", at, "id"), f"{member.id!r} is the id of another member already")
        for name, address in (("raft", member.raft), ("api", host_and_port(member.api))):
            loc: Loc = ("cluster", "members", at, name)
            if is_every_interface(address):
                bind = "cluster.raft_bind" if name == "raft" else "api.bind"
                yield Complaint(
                    loc,
                    f"{address} is no address that other nodes could reach",
                    f"give the address they use here, and {bind}: {address}",
                )
            first = seen.setdefault(_endpoint(address), loc)
            if first != loc:
                yield Complaint(loc, f"{address} is an address of members[{first[2]}] already ({first[3]})")


def _ip(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(split_address(address)[0])
    except ValueError:
        return None


def is_every_interface(address: str) -> bool:
    """Whether `host:port` is where a node may listen, and not where anybody could reach it."""
    ip = _ip(address)
    return ip is not None and ip.is_unspecified


def _endpoint(address: str) -> str:
    """Equal for two ways to write one address."""
    host, port = split_address(address)
    return f"{_ip(address) or host.lower()} {port}"


def _notify(config: NodeConfig, broken: Broken) -> Iterator[Complaint]:
    if broken("monitoring", "notify") or broken("notifications", "channels"):
        return
    known = config.notifications.channels
    for at, name in enumerate(config.monitoring.notify):
        if name not in known:
            hint = f"known: {', '.join(sorted(known))}"
            yield Complaint(("monitoring", "notify", at), f"{name!r} is none of notifications.channels", hint)


def _own_place(config: NodeConfig, broken: Broken) -> Iterator[Complaint]:
    if broken("cluster", "members") or broken("node", "id"):
        return
    ids = [member.id for member in config.cluster.members]
    if ids and config.node.id not in ids:
        yield Complaint(
            ("node", "id"),
            f"{config.node.id!r} is not among cluster.members",
            f"members are {', '.join(ids)}; a node lists itself too, also when it is added to a cluster that runs "
            "(join: true)",
        )


def _listening(config: NodeConfig, broken: Broken) -> Iterator[Complaint]:
    if _unplaced(config, broken) or broken("cluster", "raft_bind") or broken("api", "bind"):
        return
    # Two addresses of members that are equal are told about there.
    if (config.api.bind or config.cluster.raft_bind) and _endpoint(config.api_bind()) == _endpoint(config.raft_bind()):
        loc: Loc = ("api", "bind") if config.api.bind else ("cluster", "raft_bind")
        yield Complaint(loc, f"Raft and API of this node would both listen on {config.api_bind()}")


def _unplaced(config: NodeConfig, broken: Broken) -> bool:
    return (
        broken("cluster", "members")
        or broken("node", "id")
        or config.node.id not in {member.id for member in config.cluster.members}
    )


def _timing(config: NodeConfig, broken: Broken) -> Iterator[Complaint]:
    if any(broken("cluster", name) for name in _TIMINGS):
        return
    # The cluster's own rules, asked on a cluster of one, so that nothing but the durations can be wrong.
    try:
        ClusterSettings(
            node_id="n1",
            members=(Member(id="n1", address="127.0.0.1:1"),),
            data_dir=config.node.data_dir,
            **config.cluster.timings(),
        )
    except ValidationError as error:
        for found in error.errors(include_input=False, include_url=False):
            message = found["msg"].removeprefix("Value error, ")
            # Of the settings that it names, the one that was written: the others have their defaults.
            named = [name for name in _TIMINGS if name.removesuffix("_s") in message] or list(_TIMINGS[:1])
            written = [name for name in named if name in config.cluster.model_fields_set]
            yield Complaint(("cluster", (written or named)[0]), message)


def _pressure(config: NodeConfig, broken: Broken) -> Iterator[Complaint]:
    names = ("pressure_low", "pressure_high", "pressure_critical")
    if any(broken("frames", name) for name in names):
        return
    for below, above in pairwise(names):
        low, high = getattr(config.frames, below), getattr(config.frames, above)
        if low >= high:
            written = [name for name in (above, below) if name in config.frames.model_fields_set]
            yield Complaint(
                ("frames", written[0]),
                f"{below} must be less than {above}: they are {low} and {high}",
                "the levels of backpressure ascend",
            )


_OF_MODE = {
    "embedded": ("port",),
    "url": ("url",),
    "sentinel": ("sentinels", "service", "sentinel_password", "sentinel_password_file", "tls"),
    "cluster": ("nodes", "shards", "tls"),
}
"""Settings of `redis` that mean something in one mode only; of those in `_NEEDED` it wants at least one address."""

_NEEDED = {"sentinel": "sentinels", "cluster": "nodes"}


def _redis(config: NodeConfig, broken: Broken) -> Iterator[Complaint]:
    redis = config.redis
    if broken("redis", "mode"):
        return
    of_others = {name: mode for mode, names in _OF_MODE.items() for name in names if name not in _OF_MODE[redis.mode]}
    for name, mode in of_others.items():
        if name not in redis.model_fields_set or (name == "sentinel_password" and redis.sentinel_password_file):
            continue
        if name == "url" and redis.mode == "embedded":
            yield Complaint(
                ("redis", "url"),
                "contradicts redis.mode: embedded",
                "redis.mode: url takes that server; without redis.url this node starts its own",
            )
        elif name == "port" and redis.mode == "url":
            yield Complaint(
                ("redis", "port"), "is the embedded server's, and redis.mode is url", "the port stands in redis.url"
            )
        else:
            yield Complaint(("redis", name), f"is for redis.mode: {mode}, and the mode is {redis.mode}", "take one out")
    needed = _NEEDED.get(redis.mode)
    if needed is not None and not broken("redis", needed):
        yield from _places(redis, needed)
    if redis.mode == "embedded":
        yield from _embedded(config, broken)


def _places(redis: RedisSettings, name: str) -> Iterator[Complaint]:
    places: tuple[str, ...] = getattr(redis, name)
    if not places:
        yield Complaint(("redis", name), f"is required by redis.mode: {redis.mode}", "at least one host:port")
    seen: dict[str, int] = {}
    for at, place in enumerate(places):
        first = seen.setdefault(_endpoint(place), at)
        if first != at:
            yield Complaint(("redis", name, at), f"{place} stands there already, as {name}[{first}]")
    if name == "sentinels" and len(places) == 2:
        yield Complaint(
            ("redis", "sentinels"),
            "two sentinels elect nobody once one of them is gone",
            "list three, or all there are",
        )


def _embedded(config: NodeConfig, broken: Broken) -> Iterator[Complaint]:
    if not broken("cluster", "members") and len(config.cluster.members) > 1:
        yield Complaint(
            ("redis", "mode"),
            "embedded is for a cluster of one: other nodes do not reach the server, and it ends with this node",
            "redis.mode: url with redis.url, sentinel with redis.sentinels, or cluster with redis.nodes",
        )
    if config.redis.durability != "0" and not broken("redis", "durability"):
        yield Complaint(
            ("redis", "durability"),
            "the embedded server has no replica: nothing would ever count as published",
            "leave it out, or take another redis.mode",
        )


def _frames(config: NodeConfig, broken: Broken) -> Iterator[Complaint]:
    if broken("frames", "health_interval_s") or broken("frames", "health_timeout_s"):
        return
    frames = config.frames
    if frames.health_timeout_s * 2 > frames.health_interval_s:
        written = [name for name in ("health_timeout_s", "health_interval_s") if name in frames.model_fields_set] or [
            "health_timeout_s"
        ]
        yield Complaint(
            ("frames", written[0]),
            f"frames.health_timeout_s ({frames.health_timeout_s:g}) must be at most half of frames.health_interval_s "
            f"({frames.health_interval_s:g})",
            "a processor that no longer answers is to be noticed within two intervals",
        )


def _secret_length(config: NodeConfig, broken: Broken) -> Iterator[Complaint]:
    secret = config.cluster.secret
    if broken("cluster", "secret") or secret is None or _exposed(config, broken):
        return
    if len(secret.get_secret_value()) < SECRET_CHARS_MIN:
        yield Complaint(("cluster", "secret"), f"at least {SECRET_CHARS_MIN} characters are required", _MAKE_ONE)


_MAKE_ONE = "openssl rand -hex 32 makes one"


def _exposed(config: NodeConfig, broken: Broken) -> str:
    """The first setting by which this cluster is reached from other hosts; empty when there is none."""
    places = [] if broken("cluster", "raft_bind") else [("cluster.raft_bind", config.cluster.raft_bind)]
    places += [] if broken("api", "bind") else [("api.bind", config.api.bind)]
    if not broken("cluster", "members"):
        for member in config.cluster.members:
            places += [(f"{member.id}'s raft", member.raft), (f"{member.id}'s api", host_and_port(member.api))]
    return next((f"{name} ({at})" for name, at in places if at is not None and not is_loopback(at)), "")


def _beyond_loopback(config: NodeConfig, broken: Broken) -> Iterator[Complaint]:
    place = _exposed(config, broken)
    if not place:
        return
    for section, name, value, least, purpose in (
        ("cluster", "secret", config.cluster.secret, SECRET_CHARS_MIN, "whoever reaches Raft could run code here"),
        ("api", "token", config.api.token, SECRET_CHARS_MIN, "whoever reaches the API could command the plant"),
        ("redis", "password", config.redis.password, 1, "whoever reaches the server could take and forge frames"),
    ):
        if broken(section, name) or broken(section, f"{name}_file"):
            continue
        length = 0 if value is None else len(value.get_secret_value())
        if length == 0:
            needed = f"required, because {place} is reachable from other hosts: {purpose}"
        elif length < least:
            needed = f"at least {least} characters are required, because {place} is reachable from other hosts"
        else:
            continue
        yield Complaint((section, name), needed, f"{_MAKE_ONE}; or {section}.{name}_file", insecure=True)


def warnings(config: NodeConfig) -> list[str]:
    """What works and may not be meant so, in words. Shown at the start and in `/v1/cluster`."""
    places = [config.api.bind or host_and_port(config.member().api)]
    exposed = next((place for place in places if not is_loopback(place)), None)
    if config.api.tls is None and exposed is not None and urlsplit(config.member().api).scheme == "http":
        danger = "tokens and frames can be read on the way"
        return [f"the API on {exposed} is plain HTTP: {danger}; api.tls gives it a certificate (docs/tls.md)"]
    return []
