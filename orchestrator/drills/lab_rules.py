"""The nftables rules that cut hosts of a lab from one another, as text, and what their counters say. Pure.

One table of family bridge for each lab. Packets between hosts pass its hook `forward`; packets between a host and the
machine that carries the lab, the controller, pass `input` and `output`. A rule drops one direction and counts what it
dropped, ARP too; its comment says which direction. Ssh between the controller and a host always passes: what is
harmed can still be looked at.
"""

from collections.abc import Iterable, Mapping
from typing import Any

CONTROLLER = "controller"
"""Name of the machine that carries the lab, as an end of a cut."""

Direction = tuple[str, str]
"""Names of two hosts, or a host and the controller: what the first sends to the second."""


def table_text(table: str) -> str:
    """Makes the table with no rule that drops; changes nothing when it is there."""
    hook = "type filter hook {0} priority 0; policy accept;"
    return "\n".join(
        [
            f"add table bridge {table}",
            f"add chain bridge {table} forward {{ {hook.format('forward')} }}",
            f"add chain bridge {table} input {{ {hook.format('input')} }}",
            f"add chain bridge {table} output {{ {hook.format('output')} }}",
            "",
        ]
    )


def removal_text(table: str) -> str:
    """Removes the table with all its rules; changes nothing when it is not there."""
    return f"add table bridge {table}\ndelete table bridge {table}\n"


def both_ways(directions: Iterable[Direction]) -> list[Direction]:
    """The directions and their opposites, each once, in order."""
    return list(dict.fromkeys(way for one, other in directions for way in ((one, other), (other, one))))


def drop_text(table: str, veths: Mapping[str, str], directions: Iterable[Direction], percent: int = 100) -> str:
    """Rules that drop `percent` of what goes in these directions. `veths`: host → its link in the bridge.

    Raises ValueError for a name that is no host, a direction from an end to itself, and a percentage out of 1 to 100.
    """
    if not 1 <= percent <= 100:
        raise ValueError(f"{percent} % of packets cannot be dropped: 1 to 100")
    chance = "" if percent == 100 else f"numgen random mod 100 < {percent} "
    lines = []
    for source, target in directions:
        for name in (source, target):
            if name != CONTROLLER and name not in veths:
                raise ValueError(f"{name} is no host of this lab; its hosts are {', '.join(sorted(veths))}")
        if source == target:
            raise ValueError(f"{source} cannot be cut from itself")
        told = f'{chance}counter drop comment "{source}>{target}"'
        lines += [f"add rule bridge {table} {place} {told}\n" for place in _places(source, target, veths)]
    return "".join(lines)


def _places(source: str, target: str, veths: Mapping[str, str]) -> list[str]:
    """Chain and match of one direction. With the controller as an end, all of IPv4 but ssh."""
    if target == CONTROLLER:
        start, ssh = f'input iifname "{veths[source]}" ether type ip', "sport"
    elif source == CONTROLLER:
        start, ssh = f'output oifname "{veths[target]}" ether type ip', "dport"
    else:
        return [f'forward iifname "{veths[source]}" oifname "{veths[target]}"']
    return [f"{start} tcp {ssh} != 22", f"{start} meta l4proto != tcp"]


def dropped_packets(listing: Mapping[str, Any]) -> dict[Direction, int]:
    """How many packets each rule dropped so far, from `nft -j list table`. Raises ValueError for another document."""
    found: dict[Direction, int] = {}
    try:
        for entry in listing["nftables"]:
            rule = entry.get("rule", {})
            source, arrow, target = rule.get("comment", "").partition(">")
            if not arrow:
                continue
            counted = sum(part["counter"]["packets"] for part in rule["expr"] if "counter" in part)
            found[source, target] = found.get((source, target), 0) + int(counted)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"no listing of nftables: {error!r}") from error
    return found
