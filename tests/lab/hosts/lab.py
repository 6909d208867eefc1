"""The lab as a whole: three hosts on a bridge, the keys to them and the file that says where everything is."""

import ipaddress
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from orchestrator.drills.lab_file import LabFile, LabHost, read_lab, write_lab
from tests.lab.hosts.image import Image, ready_image
from tests.lab.hosts.machine import Machine
from tests.lab.hosts.remains import Remains, find_remains, stop_hosts, take_away
from tests.lab.hosts.running import LabFailed, attempt, below, run, unified_hierarchy, why_not

HOSTS = ("n1", "n2", "n3")
NUMBERS = range(10)
API_CLIENT = 78
"""Last number of an address that may reach the API, and nothing else."""
BOOT_LIMIT_S = 60.0
SSH_LIMIT_S = 600.0


def state_directory(number: int) -> Path:
    """Where lab `number` keeps its files; its file is `lab.json` in there."""
    return Path(f"/var/tmp/triarch-lab-{number}")  # noqa: S108  disks: not in memory, and known to all who look


@dataclass(frozen=True)
class Said:
    """What a command on a host ended with."""

    status: int
    out: str
    err: str


class Host:
    """One host, reached as its operator would: by ssh."""

    def __init__(self, name: str, told: LabHost, lab: LabFile) -> None:
        self.name = name
        self.told = told
        self._lab = lab

    @property
    def address(self) -> str:
        return self.told.address

    def ssh(self, command: str, *, check: bool = True, given: str | None = None, limit_s: float = SSH_LIMIT_S) -> str:
        """What a command wrote on the host. With `check`, raises LabFailed when it fails."""
        said = self.ask(command, given=given, limit_s=limit_s)
        if check and said.status:
            raise LabFailed(
                f"{self.name}: {command}: exit status {said.status}: {said.err.strip() or said.out.strip()}"
            )
        return said.out

    def ask(self, command: str, *, given: str | None = None, limit_s: float = SSH_LIMIT_S) -> Said:
        """A command on the host that may fail. 255 is ssh's own: the host was not reached."""
        done = attempt("ssh", "-F", self._lab.ssh_config, self.name, command, given=given, limit_s=limit_s)
        return Said(done.returncode, done.stdout, done.stderr)

    def copy(self, source: Path, target: str) -> None:
        """Copy a file or a directory of this machine onto the host."""
        run("scp", "-q", "-r", "-F", self._lab.ssh_config, source, f"{self.name}:{target}", limit_s=SSH_LIMIT_S)

    def fetch(self, source: str, target: Path) -> None:
        """Copy a file or a directory of the host onto this machine."""
        run("scp", "-q", "-r", "-F", self._lab.ssh_config, f"{self.name}:{source}", target, limit_s=SSH_LIMIT_S)

    def reachable(self) -> bool:
        """Whether ssh gets in now."""
        options = ("-o", "ConnectTimeout=1")
        done = attempt("ssh", "-F", self._lab.ssh_config, *options, self.name, "true", limit_s=15)
        return done.returncode == 0


class Lab:
    """Lab `number` of this machine. Labs of different numbers stand side by side."""

    def __init__(self, number: int = 0) -> None:
        if number not in NUMBERS:
            raise LabFailed(f"lab {number}: the number of a lab is one of 0 to {NUMBERS[-1]}")
        self.number = number
        self.place = state_directory(number)
        self.file = self.place / "lab.json"
        self.bridge = f"trilab{number}"
        self.prefix = f"10.9{number}.0"

    # --- up and down

    def up(self, *, keep: bool = False) -> dict[str, float]:
        """Three fresh hosts that answer ssh; what stood of this lab before is taken away first.

        With `keep`, hosts that are there stay as they are, and those that are off are turned on. Returns the seconds of
        each step: image, clone, boot. Raises LabFailed.
        """
        if reason := why_not():
            raise LabFailed(reason)
        with self.alone():
            if not (keep and self.file.exists()):
                take_away(find_remains(self.number, self.place))
            seconds: dict[str, float] = {}
            with _timed(seconds, "image"):
                image = self._image()
            try:
                with _timed(seconds, "clone"):
                    lab = self._make(image)
                with _timed(seconds, "boot"):
                    self._boot(lab)
            except BaseException:
                if not keep:
                    take_away(find_remains(self.number, self.place))
                raise
            return {**seconds, "image_built": image.built_s if image.fresh else 0.0}

    def down(self, *, keep: bool = False) -> float:
        """Turn the hosts off and take everything away; with `keep`, disks and keys stay for the next `up`. Seconds."""
        if reason := why_not():
            raise LabFailed(reason)
        started = time.monotonic()
        with self.alone():
            remains = find_remains(self.number, self.place)
            if keep:
                stop_hosts(remains)
            else:
                take_away(remains)
        return time.monotonic() - started

    def remains(self) -> Remains:
        """What this machine has of the lab now."""
        return find_remains(self.number, self.place)

    # --- looking

    def told(self) -> LabFile:
        """The lab's file. Raises LabFileInvalid when there is no lab."""
        return read_lab(self.file)

    def host(self, name: str) -> Host:
        """One host by its name."""
        lab = self.told()
        if name not in lab.hosts:
            raise LabFailed(f"lab {self.number} has no host {name}; it has {', '.join(lab.hosts)}")
        return Host(name, lab.hosts[name], lab)

    def hosts(self) -> tuple[Host, ...]:
        """All hosts, in the order of their names."""
        lab = self.told()
        return tuple(Host(name, lab.hosts[name], lab) for name in sorted(lab.hosts))

    # --- the parts

    def _image(self) -> Image:
        if self.file.exists():  # kept hosts go on with the image that they stand on
            directory = Path(self.told().image)
            if not (directory / "image.json").exists():
                raise LabFailed(f"lab {self.number} stands on {directory}, which is gone; make it anew without --keep")
            return Image(directory, 0.0, fresh=False)
        return ready_image()

    def _make(self, image: Image) -> LabFile:
        """Everything short of turning the hosts on."""
        unified = unified_hierarchy()
        if unified is None:
            raise LabFailed(why_not())
        (self.place / "ssh").mkdir(parents=True, exist_ok=True)
        self.place.chmod(0o711)
        if self.place not in below(self.place):
            # A host of another lab that is booted meanwhile keeps a copy of every mount of this machine, out of sight.
            # What is unmounted here goes there too only when it is shared.
            run("mount", "--bind", self.place, self.place)
            run("mount", "--make-shared", self.place)
        key = self._key()
        self._make_bridge()
        machines = [
            Machine(name, index, self.number, self.prefix, self.place / name) for index, name in enumerate(HOSTS, 1)
        ]
        known = []
        for machine in machines:
            machine.mount(image)
            public = machine.prepare(self.bridge, unified, key.with_suffix(".pub").read_text())
            known.append(f"{machine.describe().address},{machine.name} {public}\n")
        (self.place / "ssh/known_hosts").write_text("".join(known))
        hosts = {machine.name: machine.describe() for machine in machines}
        lab = LabFile(
            number=self.number,
            bridge=self.bridge,
            network=f"{self.prefix}.0/24",
            controller=f"{self.prefix}.1",
            ssh_config=str(self.place / "ssh/config"),
            key=str(key),
            inventory=str(self.place / "inventory/hosts.yml"),
            image=str(image.directory),
            unified=str(unified),
            hosts=hosts,
        )
        Path(lab.ssh_config).write_text(_ssh_config(lab))
        self._write_inventory(lab)
        write_lab(self.file, lab)
        return lab

    def _key(self) -> Path:
        key = self.place / "ssh/id"
        if not key.exists():
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"lab-{self.number}", "-f", key)
        return key

    def _make_bridge(self) -> None:
        if attempt("ip", "link", "show", self.bridge).returncode == 0:
            return
        network = ipaddress.ip_network(f"{self.prefix}.0/24")
        for link in json.loads(run("ip", "-json", "-4", "address")):
            for address in link.get("addr_info", ()):
                if ipaddress.ip_interface(f"{address['local']}/{address['prefixlen']}").network.overlaps(network):
                    raise LabFailed(
                        f"{network}, the network of lab {self.number}, is in use on {link['ifname']}; "
                        "choose another --number"
                    )
        run("ip", "link", "add", self.bridge, "type", "bridge", "forward_delay", "0", "stp_state", "0")
        run("ip", "address", "add", f"{self.prefix}.1/24", "dev", self.bridge)
        run("ip", "link", "set", self.bridge, "up")

    def _write_inventory(self, lab: LabFile) -> None:
        """The inventory that a user would write for three hosts, and how ssh gets into these ones."""
        path = Path(lab.inventory)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        inventory = {
            "all": {
                "children": {
                    "triarch": {"hosts": {name: {"ansible_host": host.address} for name, host in lab.hosts.items()}}
                },
                "vars": {
                    "ansible_user": "root",
                    "ansible_python_interpreter": "/usr/bin/python3",
                    "ansible_ssh_common_args": f"-F {lab.ssh_config}",
                    # Only the directory: with a path of their own, one host's tasks went to another.
                    "ansible_control_path_dir": str(self.place / "ssh"),
                    "triarch_cluster_name": f"lab-{self.number}",
                    # The second one is a client of the API alone: test_roles takes that address.
                    "triarch_api_clients": [f"{lab.controller}/32", f"{self.prefix}.{API_CLIENT}/32"],
                    "triarch_redis_clients": [f"{lab.controller}/32"],
                    # The data disk of a lab host is small.
                    "triarch_preflight_free_mb_min": 100,
                    # Two cores and one disk carry all three hosts.
                    "triarch_preflight_sync_ms_max": 1000,
                },
            }
        }
        path.write_text(yaml.safe_dump(inventory, sort_keys=False))

    def _boot(self, lab: LabFile) -> None:
        for name in sorted(lab.hosts):
            run(*lab.hosts[name].boot)
        with ThreadPoolExecutor(len(lab.hosts)) as pool:
            list(pool.map(self.wait_reachable, sorted(lab.hosts)))
        first, *others = self.hosts()
        for other in others:
            if first.ask(f"ping -c 1 -W 2 {other.address}", limit_s=15).status:
                raise LabFailed(
                    f"{first.name} does not reach {other.name} over {self.bridge}: does a firewall of this machine "
                    "drop what is forwarded (Docker's does, with net.bridge.bridge-nf-call-iptables=1)?"
                )

    def wait_reachable(self, name: str) -> None:
        """Until ssh gets into the host. Raises LabFailed with the end of its console after a minute."""
        host = self.host(name)
        deadline = time.monotonic() + BOOT_LIMIT_S
        while not host.reachable():
            if time.monotonic() > deadline:
                console = Path(host.told.console)
                last = console.read_text(errors="replace").splitlines()[-20:] if console.exists() else []
                raise LabFailed("\n".join([f"{name}: no ssh within {BOOT_LIMIT_S:g} s; its console ends:", *last]))
            time.sleep(0.1)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One command at a time for a lab. The kernel forgets the lock with its holder, and it leaves no file."""
        with socket.socket(socket.AF_UNIX) as lock:
            try:
                lock.bind(f"\0triarch-lab-{self.number}")
            except OSError:
                raise LabFailed(f"lab {self.number}: another command works on it now; wait for it to end") from None
            yield


def _ssh_config(lab: LabFile) -> str:
    """Reaches a host by its name and by its address; nothing of the user's own configuration is read."""
    lines = []
    for name, host in lab.hosts.items():
        lines += [f"Host {name} {host.address}", f"  HostName {host.address}"]
    lines += [
        "Host *",
        "  User root",
        f"  IdentityFile {lab.key}",
        "  IdentitiesOnly yes",
        f"  UserKnownHostsFile {Path(lab.ssh_config).parent}/known_hosts",
        "  StrictHostKeyChecking yes",
        "  BatchMode yes",
        "  ConnectTimeout 5",
        # A host that lost its power says no goodbye.
        "  ServerAliveInterval 5",
        "  ServerAliveCountMax 3",
    ]
    return "\n".join(lines) + "\n"


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    seconds[step] = round(time.monotonic() - started, 2)
