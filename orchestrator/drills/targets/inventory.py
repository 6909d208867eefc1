"""Reading an inventory of Ansible, with Ansible's own reader, and what ansible.cfg says of ssh."""

import asyncio
import configparser
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.drills.targets.access import GROUP, HostAccess, InventoryWrong, accesses

READ_S = 60.0
READER = "ansible-inventory"


@dataclass(frozen=True, slots=True)
class SshDefaults:
    """What ansible.cfg or the environment says for all hosts."""

    args: str = ""
    common_args: str = ""
    extra_args: str = ""
    user: str = ""
    key: str = ""


async def read_inventory(path: Path, group: str = GROUP) -> list[HostAccess]:
    """The hosts of the group. InventoryWrong: also where there is no Ansible, or it cannot read the file."""
    reader = reader_for(path)
    if reader is None:
        raise InventoryWrong(
            f"{READER} is neither on PATH nor in .venv-deploy: run tools/setup-deploy.sh, or install ansible-core"
        )
    child = await asyncio.create_subprocess_exec(
        reader,
        *("-i", str(path), "--list"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(READ_S):
            output, errors = await child.communicate()
    except TimeoutError:
        child.kill()
        await child.wait()
        raise InventoryWrong(f"{path}: {READER} was not done within {READ_S:g} s") from None
    said = errors.decode(errors="replace").strip()[-500:]
    if child.returncode != 0:
        raise InventoryWrong(f"{path}: {READER} cannot read it: {said}")
    try:
        listing = json.loads(output)
    except ValueError:
        raise InventoryWrong(f"{path}: {READER} did not answer with JSON: {said}") from None
    return accesses(with_defaults(listing, ssh_defaults(os.environ)), group, inventory=absolute(path))


def reader_for(path: Path) -> str | None:
    """`ansible-inventory` on PATH, else of a .venv-deploy here, above here, or above the inventory. InventoryWrong."""
    if not path.exists():
        raise InventoryWrong(f"{path}: there is no such inventory")
    found = shutil.which(READER)
    if found is not None:
        return found
    for start in (Path.cwd(), path.absolute().parent):
        for directory in (start, *start.parents):
            reader = directory / ".venv-deploy" / "bin" / READER
            if os.access(reader, os.X_OK):
                return str(reader)
    return None


def absolute(path: Path) -> str:
    """As `inventory_file` of Ansible."""
    return str(path.absolute())


def ssh_defaults(environment: Mapping[str, str]) -> SshDefaults:
    """Of the first ansible.cfg that Ansible would take; variables of the environment go first. InventoryWrong."""
    parser = configparser.ConfigParser(interpolation=None)
    for path in _configurations(environment):
        if path.is_file():
            try:
                parser.read_string(path.read_text(), source=str(path))
            except (OSError, UnicodeDecodeError, configparser.Error) as error:
                raise InventoryWrong(f"{path}: cannot be read: {error}") from None
            break

    def value(variable: str, section: str, option: str) -> str:
        given = environment.get(variable)
        return parser.get(section, option, fallback="") if given is None else given

    return SshDefaults(
        args=value("ANSIBLE_SSH_ARGS", "ssh_connection", "ssh_args"),
        common_args=value("ANSIBLE_SSH_COMMON_ARGS", "ssh_connection", "ssh_common_args"),
        extra_args=value("ANSIBLE_SSH_EXTRA_ARGS", "ssh_connection", "ssh_extra_args"),
        user=value("ANSIBLE_REMOTE_USER", "defaults", "remote_user"),
        key=value("ANSIBLE_PRIVATE_KEY_FILE", "defaults", "private_key_file"),
    )


def with_defaults(listing: Mapping[str, object], defaults: SshDefaults) -> Mapping[str, object]:
    """The listing with the defaults put in where a host says nothing of its own."""
    given = {
        "ansible_ssh_args": defaults.args,
        "ansible_ssh_common_args": defaults.common_args,
        "ansible_ssh_extra_args": defaults.extra_args,
        "ansible_user": defaults.user,
        "ansible_ssh_private_key_file": defaults.key,
    }
    base = {name: value for name, value in given.items() if value}
    meta = listing.get("_meta")
    found = meta.get("hostvars") if isinstance(meta, Mapping) else None
    variables = found if isinstance(found, Mapping) else {}
    names = {name for group in listing.values() if isinstance(group, Mapping) for name in group.get("hosts", ())}
    hosts = {name: {**base, **variables.get(name, {})} for name in {*names, *variables}}
    return {**listing, "_meta": {"hostvars": hosts}}


def _configurations(environment: Mapping[str, str]) -> Iterator[Path]:
    """In Ansible's order."""
    given = environment.get("ANSIBLE_CONFIG")
    if given:
        path = Path(given).expanduser()
        yield path / "ansible.cfg" if path.is_dir() else path
    yield Path("ansible.cfg")
    yield Path("~/.ansible.cfg").expanduser()
    yield Path("/etc/ansible/ansible.cfg")
