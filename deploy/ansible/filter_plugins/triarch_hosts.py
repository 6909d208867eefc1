"""How the hosts of a cluster are reached, for templates."""

import ipaddress
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

# Ansible itself stands on it.
import yaml


def triarch_address(host: Mapping[str, Any]) -> str:
    """Address of a host as the others and clients reach it: of its variables, the first that is set."""
    return str(host.get("triarch_address") or host.get("ansible_host") or host["inventory_hostname"])


def triarch_place(address: str, port: int) -> str:
    """``host:port``, IPv6 in brackets."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def triarch_proxies(addresses: Iterable[str], given: Iterable[str]) -> list[str]:
    """Whom a node believes about its clients: `given`, which a person set, and the addresses of proxies, each once."""
    return list(dict.fromkeys([*map(str, given), *addresses]))


def triarch_believed(hosts: Iterable[Mapping[str, Any]], before: Collection[str]) -> list[str]:
    """Addresses of the proxies among `hosts` whose word the node may take.

    Not one that could not be brought up to date (`triarch_haproxy_unsafe`), and none without an address that they see.
    One that this run did not look at (no `triarch_haproxy_looked`) is believed if it was `before`.
    """
    safe = [host for host in hosts if not host.get("triarch_haproxy_unsafe")]
    return [
        address
        for host in safe
        if triarch_seen(address := triarch_address(host)) and (host.get("triarch_haproxy_looked") or address in before)
    ]


def triarch_unlooked(hosts: Iterable[Mapping[str, Any]], before: Collection[str]) -> list[str]:
    """Names of the proxies among `hosts` that the node would believe, had this run looked at them."""
    return [
        str(host["inventory_hostname"])
        for host in hosts
        if not host.get("triarch_haproxy_looked")
        and not host.get("triarch_haproxy_unsafe")
        and triarch_seen(triarch_address(host))
        and triarch_address(host) not in before
    ]


def triarch_trusts(node: str) -> list[str]:
    """Whom a node believes, as its file says; nobody where there is none, or none that can be read."""
    try:
        return [str(one) for one in yaml.safe_load(node)["api"]["trusted_proxies"]]
    except (yaml.YAMLError, KeyError, TypeError):
        return []


def triarch_seen(address: str) -> bool:
    """Whether another host may be asked from `address`: an IP address that is not this host's alone."""
    try:
        place = ipaddress.ip_address(address)
    except ValueError:
        return False
    return not (place.is_loopback or place.is_unspecified)


DATA = {
    "triarch_node_data_dir": "/var/lib/triarch/node",
    "node.data_dir of triarch_node_settings": "/var/lib/triarch/node",
    "triarch_redis_data_dir": "/var/lib/triarch/redis",
    "triarch_redis_sentinel_dir": "/var/lib/triarch/sentinel",
}
"""Where data stand, by the setting that may not say otherwise."""


def triarch_moved(given: Mapping[str, Any]) -> list[str]:
    """What a person set to another folder than that of `DATA`, a line each. `given`: by setting, None where unset."""
    return [
        f"{name} is {value}, and data stand in {DATA[name]}"
        for name, value in given.items()
        if value is not None and str(value).rstrip("/") != DATA[name]
    ]


def triarch_lives(
    asked: Iterable[Mapping[str, Any]],
    looked: Iterable[Mapping[str, Any]],
    survivor: str,
    hosts: Mapping[str, Mapping[str, Any]],
) -> list[str]:
    """Which other nodes answered anybody, or listen, a line each.

    Args:
        asked: answers of the others to the survivor, as ``uri`` has them in a loop: `item`, `status`, perhaps `json`.
        looked: of the same hosts, whether the survivor found their port open, as ``wait_for`` says it: `state` then.
        survivor: its name.
        hosts: variables by host: `triarch_recover_itself` is what it answered itself, `triarch_recover_from_here`
            what it answered this machine, each with `_port` behind it whether its port was open; all may be absent, or
            say that it was not reached.
    """
    found = []
    for one, port in zip(asked, looked, strict=True):
        host = str(one["item"])
        own = hosts[host]
        places: list[tuple[str, Any, Any]] = [
            ("itself", own.get("triarch_recover_itself"), own.get("triarch_recover_itself_port")),
            ("this machine", own.get("triarch_recover_from_here"), own.get("triarch_recover_from_here_port")),
            (survivor, one, port),
        ]
        said = [_answer(host, whom, answer, survivor) for whom, answer, _ in places if _answered(answer)]
        said += [
            f"{host} takes connections of {whom} on the port of its API, though nobody understood what it says (is "
            f"triarch_api_scheme what the nodes speak?)"
            for whom, _, open_port in places
            if open_port and "state" in open_port
        ]
        found += said[:1]
    return found


def _answered(answer: Mapping[str, Any] | None) -> bool:
    return answer is not None and answer.get("status", -1) > 0


def _answer(host: str, whom: str, answer: Mapping[str, Any], survivor: str) -> str:
    told = answer.get("json")
    leader = told.get("leader") if isinstance(told, Mapping) else None
    knows = f"and its leader is {leader}" if leader else "though it knows no leader"
    with_it = "" if leader else f" (with {survivor} it is a majority, once they reach each other)"
    return f"{host} answers {whom} ({answer['status']} of /readyz), {knows}{with_it}"


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "triarch_address": triarch_address,
            "triarch_believed": triarch_believed,
            "triarch_place": triarch_place,
            "triarch_proxies": triarch_proxies,
            "triarch_trusts": triarch_trusts,
            "triarch_unlooked": triarch_unlooked,
            "triarch_moved": triarch_moved,
            "triarch_lives": triarch_lives,
        }
