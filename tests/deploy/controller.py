"""A machine that deploys: `deploy/ansible` with an inventory made from the example, and hosts that nobody reaches.

What a playbook refuses without asking a host it refuses here. One that goes on to its hosts ends there: whatever ssh is
asked for it says that there is no host (status 255), so that nothing of it is done anywhere.
"""

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools import wheelhouse

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / ".venv-deploy/bin"
SRV = "/srv/triarch"
"""What the documents call the place for wheelhouses and backups."""
RUN_S = 120
SETUP_S = 500


def installed() -> None:
    """Ansible is there: fetched, where it is not yet. Skips where that cannot be done, and fails with CI."""
    with (ROOT / "tools/setup-deploy.sh").open() as script:
        fcntl.flock(script, fcntl.LOCK_EX)  # tests side by side
        made = subprocess.run(
            ["tools/setup-deploy.sh"], cwd=ROOT, capture_output=True, text=True, timeout=SETUP_S, check=False
        )
    if made.returncode != 0 and not os.environ.get("CI"):
        pytest.skip(made.stderr)
    assert made.returncode == 0, made.stderr


@dataclass(frozen=True)
class Said:
    """What a playbook said. `first`: of its failures, the line that Ansible has for it; "" for none."""

    status: int
    out: str

    @property
    def first(self) -> str:
        return next((line for line in self.out.splitlines() if line.startswith(("fatal: ", "failed: "))), "")

    @property
    def asked_hosts(self) -> bool:
        """Whether it came to its hosts with nothing against it, or to its end."""
        return "UNREACHABLE!" in self.first if self.first else self.status == 0

    @property
    def words(self) -> str:
        """All of it in one line."""
        return " ".join(self.out.split())


class Controller:
    """In `place`, which is empty. `inventory`: its folder, copied from the example as docs/deployment.md says."""

    def __init__(self, place: Path) -> None:
        self.srv = place / "srv"
        self.ansible = place / "deploy/ansible"
        ours = shutil.ignore_patterns("production", ".ansible", "__pycache__")
        shutil.copytree(ROOT / "deploy", place / "deploy", ignore=ours)
        self.inventory = self.ansible / "inventories/production"
        shutil.copytree(self.ansible / "inventories/example", self.inventory)
        variables = self.inventory / "group_vars/triarch.yml"
        variables.write_text(variables.read_text().replace(SRV, str(self.srv)))
        self._ssh = place / "ssh"
        self._ssh.write_text("#!/bin/sh\nexit 255\n")
        self._ssh.chmod(0o755)
        self._home = place

    def lost(self, names: list[str]) -> None:
        """These hosts are out of the inventory, and others under new names in."""
        file = self.inventory / "hosts.yml"
        tree: dict[str, Any] = yaml.safe_load(file.read_text())
        hosts = tree["triarch"]["hosts"]
        for at, name in enumerate(names):
            hosts[f"n{4 + at}"] = hosts.pop(name)
        file.write_text(yaml.safe_dump(tree))

    def has_wheelhouse(self, name: str, version: str) -> Path:
        """As tools/wheelhouse.sh leaves it below `SRV`, with one wheel that holds nothing."""
        folder = self.srv / name
        folder.mkdir(parents=True)
        (folder / f"triarch-{version}-py3-none-any.whl").write_bytes(version.encode())
        wheelhouse.describe(folder, "c" * 40, "x86_64")
        return folder

    def play(self, *words: str, **variables: str) -> Said:
        """`ansible-playbook` with these words, in deploy/ansible."""
        given = [*words, *(word for name, value in variables.items() for word in ("-e", f"{name}={value}"))]
        environment: Mapping[str, str] = {
            "PATH": f"{TOOLS}:/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "HOME": str(self._home),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_SSH_EXECUTABLE": str(self._ssh),
        }
        done = subprocess.run(
            [str(TOOLS / "ansible-playbook"), *(word.replace(SRV, str(self.srv)) for word in given)],
            cwd=self.ansible,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_S,
            check=False,
        )
        return Said(done.returncode, re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr))
