"""The product on the lab's hosts, put there by the playbooks that a user runs, and what one asks such a deployment."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.lab.hosts import Lab
from tests.support import eventually_sync

ROOT = Path(__file__).resolve().parents[2]
ANSIBLE = ROOT / "deploy/ansible"
TOOLS = ROOT / ".venv-deploy/bin"
API_PORT = 8101
PLAY_LIMIT_S = 1200.0

_RECAP = re.compile(r"^(\S+)\s+: ((?:\w+=\d+\s*)+)$", re.MULTILINE)
# Byte code, caches of packages and the age of a directory are nobody's; the rest of a root file system is.
_LISTING = (
    "find / -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /var/tmp "
    "-o -path /var/log -o -path /var/lib/systemd "
    "-o -path /var/cache/apt -o -path /root/.ansible -o -name __pycache__ \\) -prune "
    "-o -type d -printf '%p d %m %U %G\\n' -o -printf '%p %y %m %U %G %s %T@ %l\\n'; "
    "ls -A /var/lib/triarch; systemctl list-unit-files --no-legend; "
    "for unit in node redis sentinel; do systemctl show -p MainPID -p ActiveState triarch-$unit; done; "
    "nft --stateless list ruleset"
)


figures: dict[str, float] = {}
"""Seconds that each step took in this run of the tests: told at its end, and kept where TRIARCH_LAB_REPORT says."""


@dataclass(frozen=True)
class PlayRun:
    """One run of a playbook. `recap`: host → ok, changed, unreachable, failed, skipped … → how many tasks."""

    playbook: str
    status: int
    seconds: float
    recap: Mapping[str, Mapping[str, int]]
    out: str

    def count(self, what: str) -> int:
        """How many tasks of all hosts ended so: "changed", "failed", "unreachable"."""
        return sum(host.get(what, 0) for host in self.recap.values())

    def changed_tasks(self) -> list[str]:
        """Names of the tasks that changed something, or would with `--check`."""
        found, task = [], ""
        for line in self.out.splitlines():
            if line.startswith(("TASK [", "RUNNING HANDLER [")):
                task = line.partition("[")[2].rpartition("]")[0]
            elif line.startswith("changed:") and task not in found:
                found.append(task)
        return found

    def end(self, lines: int = 60) -> str:
        """The last lines of its output: where a failure stands."""
        return "\n".join(self.out.splitlines()[-lines:])


class Deployment:
    """The product on all hosts of a lab. `play` runs a playbook, `ready` waits for the cluster."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.wheelhouse = lab.place / "wheelhouse"
        self.first: PlayRun | None = None
        """The run of site.yml that put it on empty hosts; None when a lab that was kept had it already."""
        self._runs = 0

    def prepare(self) -> None:
        """Ansible in an environment of its own, and the wheelhouse of what git has as HEAD. Takes half a minute."""
        if (self.wheelhouse / "wheelhouse.json").exists():
            return
        started = time.monotonic()
        self._tool("tools/setup-deploy.sh")
        self._tool("tools/wheelhouse.sh", str(self.wheelhouse))
        figures["ansible and wheelhouse"] = round(time.monotonic() - started, 1)

    def play(
        self,
        playbook: str,
        *options: str,
        check: bool = True,
        wheelhouse: bool = True,
        limit_s: float = PLAY_LIMIT_S,
        break_off: Callable[[], bool] | None = None,
    ) -> PlayRun:
        """Run a playbook of deploy/ansible; with `check`, AssertionError when it fails, with the end of its output.

        `wheelhouse`: whether all hosts are told where it is, by the command line; else the options say it.
        `break_off`: asked all the time; once it says True the controller dies (SIGKILL), wherever the playbook stands.
        """
        self._runs += 1
        log = self.lab.place / f"play-{self._runs:02d}-{Path(playbook).stem}.log"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")} | {
            "PATH": f"{TOOLS}:{os.environ['PATH']}",
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_CONFIG": str(ANSIBLE / "ansible.cfg"),
            "ANSIBLE_HOME": str(self.lab.place / "ansible"),
            "ANSIBLE_NOCOLOR": "1",
        }
        argv = [
            *(str(TOOLS / "ansible-playbook"), "--inventory", self.lab.told().inventory),
            *(("--extra-vars", f"triarch_wheelhouse={self.wheelhouse}") if wheelhouse else ()),
            *(*options, playbook),
        ]
        started = time.monotonic()
        with (
            log.open("w") as file,
            subprocess.Popen(
                argv,
                cwd=ANSIBLE,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            ) as playing,
        ):
            try:
                if break_off is not None:
                    eventually_sync(lambda: playing.poll() is not None or break_off(), deadline_s=limit_s)
                else:
                    playing.wait(limit_s)
            finally:
                if playing.poll() is None:
                    os.killpg(playing.pid, signal.SIGKILL)
        out = log.read_text(errors="replace")
        run = PlayRun(
            playbook,
            playing.returncode,
            round(time.monotonic() - started, 1),
            {host: _counts(counts) for host, counts in _RECAP.findall(out)},
            out,
        )
        if check:
            assert run.status == 0, f"{' '.join(argv)} (all of it: {log})\n{run.end()}"
        return run

    def ready(self, deadline_s: float = 120.0) -> None:
        """Wait until every node is ready, all agree on the leader, and the primary has two replicas in step."""

        def whole() -> bool:
            missing = self.unready()
            assert not missing, missing
            return True

        eventually_sync(whole, deadline_s=deadline_s, every_s=0.5, message="the deployment is ready")

    def unready(self) -> str:
        """What is missing for `ready`, as one line; empty when nothing is."""
        leaders = set()
        for host in self.lab.hosts():
            said = host.ask(
                f"curl -s --max-time 3 http://{host.address}:{API_PORT}/readyz; echo; {_REPLICATION}", limit_s=30
            )
            answer, _, replication = said.out.partition("\n")
            try:
                told = json.loads(answer)
            except ValueError:
                return f"{host.name} does not answer: {said.err.strip() or answer}"
            if told.get("status") != "ready":
                return f"{host.name}: {answer}"
            leaders.add(told["leader"])
            if (
                "role:master" in replication
                and len(re.findall(r"state=online", replication)) != len(self.lab.hosts()) - 1
            ):
                return f"{host.name}, the primary, lacks replicas: {replication.split()}"
            if "role:slave" in replication and "master_link_status:up" not in replication:
                return f"{host.name}: its Redis has no link to the primary"
        return "" if len(leaders) == 1 else f"not one leader: {sorted(leaders)}"

    def state(self) -> dict[str, set[str]]:
        """Host → what a deployment could change there: files with mode, owner, size, age; units, rules, processes."""
        return {host.name: set(host.ssh(_LISTING).splitlines()) for host in self.lab.hosts()}

    def keep_empty(self) -> None:
        """Remember the state as that of hosts on which nothing was deployed yet, as long as the lab stands."""
        kept = {name: sorted(lines) for name, lines in self.state().items()}
        (self.lab.place / "empty.json").write_text(json.dumps(kept))

    def empty(self) -> dict[str, set[str]]:
        """`state` as it was before the first deployment."""
        kept = json.loads((self.lab.place / "empty.json").read_text())
        return {name: set(lines) for name, lines in kept.items()}

    def confirmed(self) -> tuple[str, str]:
        """What remove.yml has to be told to go on."""
        tree = yaml.safe_load(Path(self.lab.told().inventory).read_text())
        return "--extra-vars", f"triarch_remove_confirmed={tree['all']['vars']['triarch_cluster_name']}"

    def _tool(self, *argv: str) -> None:
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=PLAY_LIMIT_S, check=False)
        assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr[-3000:]}"


_REPLICATION = (
    "REDISCLI_AUTH=$(cat /etc/triarch/secrets/redis.password) timeout 3 redis-cli info replication 2>/dev/null || true"
)


def _counts(told: str) -> dict[str, int]:
    return {name: int(count) for name, _, count in (pair.partition("=") for pair in told.split())}
