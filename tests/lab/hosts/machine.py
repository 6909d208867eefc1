"""One host of the lab: its disks, its identity, and the script that turns it on.

Its root is an overlay over the image, its data disk a small ext4 in a file; it is booted by systemd-nspawn in control
groups of its own, with a network cable into the lab's bridge and in a time namespace of its own, so that code which
compares monotonic clocks of two hosts fails here as it would on real ones.
"""

import shlex
import uuid
from dataclasses import dataclass
from pathlib import Path

from orchestrator.drills.lab_file import LabHost
from tests.lab.hosts.image import Image
from tests.lab.hosts.running import hierarchies, run

DATA_MIB = 256
"""Size of the data disk: enough for Redis, logs and snapshots, and soon full."""
CLOCK_STEP_S = 100_000
"""How far the monotonic clocks of two neighbouring hosts are apart."""
REBOOTS = 133
"""Exit status of systemd-nspawn when the host inside asked for a reboot."""

# Hosts may ask who keeps their clock, as real ones may; without CAP_SYS_TIME nobody in there sets it.
_BOOT = """\
#!/bin/sh
# Turns on host {name} of lab {number} and returns at once. A second argument-less call does nothing while it is on.
if [ "${{1-}}" != keep ]; then
  grep -qs 'populated 1' {unified}/{cgroup}/cgroup.events && exit 0
  # The groups come first, so that the host is seen to be on when this returns.
  for group in {groups}; do
    mkdir -p "$group" && echo $$ >"$group/cgroup.procs" || exit 1
  done
  exec setsid --fork {script} keep </dev/null >>{console} 2>&1
fi
while :; do
  # After a power cut the kernel may keep the old cable for a moment.
  ip link del {veth} 2>/dev/null
  rm -rf /run/systemd/nspawn/propagate/{machine}
  unshare --time --monotonic {offset} --boottime {offset} --fork --kill-child -- \\
    systemd-nspawn --quiet --directory={root} --boot --machine={machine} --hostname={name} \\
    --network-bridge={bridge} --register=no --keep-unit --link-journal=no --resolv-conf=off --timezone=off \\
    --console=read-only --system-call-filter='adjtimex clock_adjtime' --bind={data}:/var/lib/triarch
  [ $? = {reboots} ] || break
done
"""


@dataclass(frozen=True)
class Machine:
    """Where the parts of one host are. `place` holds its disks and its console; `index` counts from 1."""

    name: str
    index: int
    number: int
    network_prefix: str
    place: Path

    @property
    def machine(self) -> str:
        return f"tr{self.number}-{self.name}"

    def describe(self) -> LabHost:
        """What the lab's file says of this host."""
        return LabHost(
            address=f"{self.network_prefix}.{10 + self.index}",
            veth=f"vb-{self.machine}",
            cgroup=f"trilab{self.number}-{self.name}",
            machine=self.machine,
            root=str(self.place / "root"),
            data=str(self.place / "data"),
            boot=(str(self.place / "boot.sh"),),
            console=str(self.place / "console.log"),
        )

    def mount(self, image: Image) -> None:
        """Mount its root and its data disk; they are made if they are not there yet."""
        for name in ("upper", "work", "root", "data"):
            (self.place / name).mkdir(parents=True, exist_ok=True)
        if not (self.place / "root").is_mount():
            options = f"lowerdir={image.rootfs},upperdir={self.place}/upper,workdir={self.place}/work"
            run("mount", "-t", "overlay", "overlay", "-o", options, self.place / "root")
        disk = self.place / "data.img"
        if not disk.exists():
            run("truncate", "--size", f"{DATA_MIB}M", disk)
            run("mkfs.ext4", "-q", "-m", "0", disk)  # no part reserved for root: full is full for everyone
        if not (self.place / "data").is_mount():
            run("mount", "-o", "loop", disk, self.place / "data")

    def prepare(self, bridge: str, unified: Path, public_key: str) -> str:
        """Give the host its identity and its boot script; its public ssh host key."""
        told = self.describe()
        root = Path(told.root)
        host_key = root / "etc/ssh/ssh_host_ed25519_key"
        if not host_key.exists():
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.name, "-f", host_key)
            (root / "etc/hostname").write_text(f"{self.name}\n")
            (root / "etc/hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {self.name}\n")
            (root / "etc/machine-id").write_text(f"{uuid.uuid4().hex}\n")
            (root / "etc/systemd/network/10-host0.network").write_text(
                f"[Match]\nName=host0\n[Network]\nAddress={told.address}/24\nLinkLocalAddressing=no\nLLDP=no\n"
            )
            allowed = root / "root/.ssh/authorized_keys"
            allowed.parent.mkdir(mode=0o700, exist_ok=True)
            allowed.write_text(public_key)
            allowed.chmod(0o600)
        self._write_boot_script(told, bridge, unified)
        return " ".join(host_key.with_suffix(".pub").read_text().split()[:2])

    def _write_boot_script(self, told: LabHost, bridge: str, unified: Path) -> None:
        script = Path(told.boot[0])
        script.write_text(
            _BOOT.format(
                name=self.name,
                number=self.number,
                unified=unified,
                cgroup=told.cgroup,
                groups=" ".join(shlex.quote(str(root / told.cgroup)) for root in hierarchies()),
                script=shlex.quote(str(script)),
                console=shlex.quote(told.console),
                veth=told.veth,
                machine=told.machine,
                offset=self.index * CLOCK_STEP_S,
                root=shlex.quote(told.root),
                bridge=bridge,
                data=shlex.quote(told.data),
                reboots=REBOOTS,
            )
        )
        script.chmod(0o700)
