"""The file that describes a lab, three hosts on one machine. `tests/lab/hosts` writes it, the drills read it."""

from pathlib import Path
from typing import ClassVar

import msgspec

from orchestrator.drills.target import DrillError


class LabFileInvalid(DrillError):
    """The file that describes a lab is absent, or no such file; nothing was done."""

    code: ClassVar[str] = "lab_file_invalid"


class LabHost(msgspec.Struct, frozen=True, kw_only=True):
    """One host. Paths are those of the machine that carries the lab, not of the host."""

    address: str
    """IPv4 address on the lab's bridge."""
    veth: str
    """The end of its cable that hangs in the bridge: what is cut, and what is pulled."""
    cgroup: str
    """Name of its control group, directly below the root of each hierarchy: all its processes and nothing else."""
    machine: str
    root: str
    """Its root file system."""
    data: str
    """Its data disk, a small file system of its own; /var/lib/triarch on the host."""
    boot: tuple[str, ...]
    """A command that turns the host on and returns at once. It does nothing to a host that is on."""
    console: str
    """What the host's console said, boot by boot."""


class LabFile(msgspec.Struct, frozen=True, kw_only=True):
    """A lab. `unified` is where cgroup v2 is mounted; `image` the directory that the hosts' roots stand on."""

    number: int
    bridge: str
    network: str
    controller: str
    """Address of this machine on the bridge."""
    ssh_config: str
    key: str
    inventory: str
    image: str
    unified: str
    hosts: dict[str, LabHost]

    @property
    def table(self) -> str:
        """Name of the nftables table (family bridge) that the faults of this lab stand in."""
        return self.bridge


def read_lab(path: Path) -> LabFile:
    """The lab that a file describes. Raises LabFileInvalid, which says how a lab is made."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=LabFile)
    except FileNotFoundError:
        raise LabFileInvalid(
            f"{path}: no such file, so there is no lab; make one as root from a checkout: python -m tests.lab.hosts up"
        ) from None
    except OSError as error:
        raise LabFileInvalid(f"{path}: cannot be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise LabFileInvalid(
            f"{path}: does not describe a lab: {error}; make it anew: python -m tests.lab.hosts up"
        ) from error


def write_lab(path: Path, lab: LabFile) -> None:
    """Write the file in one step: who reads it sees all of it or none."""
    beside = path.with_name(path.name + ".new")
    beside.write_bytes(msgspec.json.format(msgspec.json.encode(lab), indent=2) + b"\n")
    beside.rename(path)
