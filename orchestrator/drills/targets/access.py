"""How each host of an inventory is reached over ssh, from what `ansible-inventory --list` says. Pure.

Only what ssh itself needs is taken; where the API and the servers are, the hosts say themselves.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

GROUP = "triarch"
_TEMPLATE = re.compile(r"\{\{\s*(?P<name>\w+)\s*\}\}")
_CONNECTIONS = ("ssh", "ansible.builtin.ssh", "smart", "paramiko", "paramiko_ssh")
_BECOME = ("sudo", "ansible.builtin.sudo", "community.general.sudo")


class InventoryWrong(ValueError):
    """Says which host, which variable, and what is to be done."""


@dataclass(frozen=True, slots=True)
class HostAccess:
    """One host. `arguments`: of ssh, before the address. `port`, `user`, `key`: None where ssh itself decides."""

    id: str
    address: str
    port: int | None = None
    user: str | None = None
    key: str | None = None
    arguments: tuple[str, ...] = ()

    def ssh(self, options: Sequence[str]) -> list[str]:
        """The command line of ssh up to the address; `options` go first, and so cannot be overridden.

        Host keys are checked whatever the inventory says: a drill breaks hosts, and breaks the right ones only.
        """
        line = ["ssh", "-T", *options, "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", *self.arguments]
        for flag, value in (("-p", self.port), ("-l", self.user), ("-i", self.key)):
            if value is not None:
                line += [flag, str(value)]
        return [*line, "--", self.address]


def accesses(listing: Mapping[str, Any], group: str = GROUP, *, inventory: str) -> list[HostAccess]:
    """The hosts of the group, in the inventory's order.

    Args:
        listing: the answer of `ansible-inventory --list`.
        inventory: absolute path of the file, for `inventory_file` and `inventory_dir` in values.

    Errors: InventoryWrong.
    """
    names = _hosts(listing, group)
    if len(names) < 3:
        found = ", ".join(names) or "none"
        raise InventoryWrong(f"{inventory}: a drill needs three hosts in the group {group!r}, found {found}")
    variables = listing.get("_meta", {}).get("hostvars", {})
    hosts = [_access(name, variables.get(name, {}), inventory) for name in names]
    for at, host in enumerate(hosts):
        for other in hosts[:at]:
            if (host.address, host.port) == (other.address, other.port):
                raise InventoryWrong(
                    f"{inventory}: {other.id} and {host.id} have the same address {host.address}; "
                    "a fault would hit the wrong host: set ansible_host of each"
                )
    return hosts


def _hosts(listing: Mapping[str, Any], group: str) -> list[str]:
    found: list[str] = []
    seen: set[str] = set()
    open_groups = [group]
    while open_groups:
        name = open_groups.pop(0)
        if name in seen:
            continue
        seen.add(name)
        entry = listing.get(name, {})
        found += [host for host in entry.get("hosts", ()) if host not in found]
        open_groups += entry.get("children", ())
    return found


def _access(host: str, variables: Mapping[str, Any], inventory: str) -> HostAccess:
    def text(name: str) -> str | None:
        value = variables.get(name)
        return None if value in (None, "") else _plain(host, name, str(value), variables, inventory)

    connection = text("ansible_connection") or "ssh"
    if connection not in _CONNECTIONS:
        raise InventoryWrong(f"{host}: ansible_connection is {connection}; drills reach hosts by ssh only")
    for name in ("ansible_password", "ansible_ssh_pass", "ansible_become_password", "ansible_become_pass"):
        if name in variables:
            raise InventoryWrong(
                f"{host}: {name} is set; a drill types no passwords: use a key of ssh, and sudo without a password"
            )
    method = text("ansible_become_method") or "sudo"
    if method not in _BECOME:
        raise InventoryWrong(f"{host}: ansible_become_method is {method}; drills know sudo only")
    port = text("ansible_port") or text("ansible_ssh_port")
    if port is not None and not (port.isdigit() and 0 < int(port) < 65536):
        raise InventoryWrong(f"{host}: ansible_port is {port!r}; it must be a number from 1 to 65535")
    arguments: list[str] = []
    for name in ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args"):
        value = text(name) or ""
        try:
            arguments += _without_sharing(shlex.split(value))
        except ValueError as error:
            raise InventoryWrong(f"{host}: {name}: {error}: {value!r}") from None
    return HostAccess(
        id=host,
        address=text("ansible_host") or text("ansible_ssh_host") or host,
        port=None if port is None else int(port),
        user=text("ansible_user") or text("ansible_ssh_user"),
        key=text("ansible_ssh_private_key_file") or text("ansible_private_key_file"),
        arguments=tuple(arguments),
    )


def _without_sharing(arguments: Sequence[str]) -> list[str]:
    """Without the options by which Ansible shares connections: a drill has connections of its own."""
    kept: list[str] = []
    rest = list(arguments)
    while rest:
        one = rest.pop(0)
        option = rest[0] if one == "-o" and rest else one.removeprefix("-o") if one.startswith("-o") else ""
        if option.lower().startswith(("controlmaster", "controlpersist", "controlpath")):
            if one == "-o":
                rest.pop(0)
            continue
        kept.append(one)
    return kept


def _plain(host: str, name: str, value: str, variables: Mapping[str, Any], inventory: str) -> str:
    """The value with the names that an inventory commonly uses put in."""
    known = {
        **{key: str(own) for key, own in variables.items() if isinstance(own, (str, int)) and "{{" not in str(own)},
        "inventory_hostname": host,
        "inventory_file": inventory,
        "inventory_dir": inventory.rpartition("/")[0] or "/",
    }

    def put(found: re.Match[str]) -> str:
        return known.get(found["name"], found[0])

    plain = _TEMPLATE.sub(put, value)
    if "{{" in plain or "{%" in plain:
        raise InventoryWrong(
            f"{host}: {name} is a template that only Ansible can fill in: {value!r}; "
            "write it out, or use only variables of the inventory in it"
        )
    return plain
