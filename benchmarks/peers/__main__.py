"""`python -m benchmarks.peers`: measure all peers, or draw the page from a report. `run.sh` sets up what it needs.

Exit codes: 0 when every run counted, 1 when one did not (a peer failed, lost an event or handed one out twice).
"""

import argparse
import datetime as dt
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.peers import report
from benchmarks.peers.catalogue import CATALOGUE, PEERS, PEERS_ARQ, PRODUCT
from benchmarks.peers.measure import ROOT, Plan, measure
from framebuffer.errors import FrameBufferError
from orchestrator.dev.directory import check_report, new_run_directory
from orchestrator.dev.interrupt import run_interruptible
from orchestrator.errors import OrchestratorError

PAGE = ROOT / "docs" / "performance.md"


def pythons() -> dict[str, str]:
    """The interpreters of the environments that are there."""
    found = {PRODUCT: sys.executable}
    for name in (PEERS, PEERS_ARQ):
        if (python := ROOT / f".venv-{name}" / "bin" / "python").exists():
            found[name] = str(python)
    return found


def processor() -> str:
    """The name of the processor, as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def facts() -> dict[str, Any]:
    """How to do it again: command, commit, machine."""
    git = shutil.which("git")
    commit = "unknown"
    if git is not None:
        described = subprocess.run(  # noqa: S603  found on the PATH
            [git, "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        commit = described.stdout.strip() or commit
    words = [word for word in sys.argv[1:] if not word.startswith("--nats-server")]
    words = [word for word in words if Path(word).name != "nats-server"]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "when": dt.datetime.now(dt.UTC).strftime("%Y-%m-%d"),
        "command": shlex.join(["benchmarks/peers/run.sh", *words]),
        "commit": commit,
        "machine": {
            "cpu": processor(),
            "cores": os.cpu_count(),
            "memory_gib": round(memory, 1),
            "system": f"{platform.system()} {platform.release()}",
            "python": platform.python_version(),
        },
    }


def wanted(only: str, found: dict[str, str], nats_server: Path | None) -> tuple[tuple[str, ...], dict[str, str]]:
    """The peers to measure, and those left out with the reason."""
    names, left_out = [], {}
    for name in only.split(",") if only else CATALOGUE:
        entry = CATALOGUE[name]
        if entry.environment not in found:
            left_out[name] = f"no .venv-{entry.environment}; benchmarks/peers/run.sh makes it"
        elif entry.nats and nats_server is None:
            left_out[name] = "no nats-server; benchmarks/peers/nats-server.sh builds it"
        else:
            names.append(name)
    return tuple(names), left_out


def main() -> int:
    """Measure or draw."""
    parser = argparse.ArgumentParser(prog="benchmarks/peers/run.sh")
    parser.add_argument("--report", type=Path, default=Path("peers.report.json"), help="where the report goes (JSON)")
    parser.add_argument("--docs", action="store_true", help="write table and picture of docs/performance.md from it")
    parser.add_argument("--render", action="store_true", help="measure nothing: read the report that is there")
    parser.add_argument("--only", default="", help=f"peers, comma-separated, of {','.join(CATALOGUE)}")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each peer")
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the events of each run")
    parser.add_argument("--nats-server", type=Path, help="the server's binary; without it NATS is left out")
    parser.add_argument("--directory", type=Path, help="for logs and data; a new one in /tmp without it")
    arguments = parser.parse_args()
    if unknown := set(filter(None, arguments.only.split(","))) - set(CATALOGUE):
        parser.error(f"--only: no such peer: {', '.join(sorted(unknown))}")
    if arguments.repeats < 1 or arguments.scale <= 0:
        parser.error("--repeats and --scale must be above 0")
    if arguments.render:
        return finish(report.read(arguments.report), arguments.docs)

    async def command() -> int:
        environments = pythons()
        names, left_out = wanted(arguments.only, environments, arguments.nats_server)
        plan = Plan(names, environments, arguments.repeats, arguments.scale, arguments.nats_server)
        directory = (arguments.directory or new_run_directory("bench-peers")).absolute()
        sys.stderr.write(f"peers: logs in {directory}\n")
        told = facts()  # of the commit that is measured, not of one made meanwhile
        server, runs = await measure(plan, directory)
        found = report.report(plan, runs, server=server, facts=told, left_out=left_out)
        arguments.report.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        return finish(found, arguments.docs)

    try:
        check_report(arguments.report)
        return run_interruptible(command)
    except (OrchestratorError, FrameBufferError) as error:
        sys.stderr.write(f"Error [{error.code}]: {error}\n")
        return 1


def finish(found: dict[str, Any], docs: bool) -> int:
    """Show the table, write the page where that is asked for; the exit code."""
    if docs:
        report.write_page(PAGE, found)
    sys.stdout.write(report.table(found) + "\n")
    return 0 if found["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
