"""How the hosts of a cluster are reached, for templates."""

from collections.abc import Callable, Mapping
from typing import Any


def triarch_address(host: Mapping[str, Any]) -> str:
    """Address of a host as the others and clients reach it: of its variables, the first that is set."""
    return str(host.get("triarch_address") or host.get("ansible_host") or host["inventory_hostname"])


def triarch_place(address: str, port: int) -> str:
    """``host:port``, IPv6 in brackets."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"triarch_address": triarch_address, "triarch_place": triarch_place}
