"""`triarch bench raft`: commits a second and their latency, three nodes and the client on this machine.

The client sits in the leader's process. Sequential: one proposal after the other. Throughput: 1,000 outstanding. Our
members share a secret and sync their log. The ceilings beside it, taken in the same run:

- the stock library of the Raft package in the same arrangement, with its password and its journal on, once with its own
  batching (its default) and once without. It never syncs its journal to the disk and loses acknowledged commands;
- etcd where it is on the PATH, its members at their defaults, which sync their log; see etcd.py.
"""

import asyncio
import secrets
import sys
from pathlib import Path
from typing import Any

from orchestrator.bench import etcd
from orchestrator.bench.figures import say
from orchestrator.bench.options import BenchOptions
from orchestrator.bench.raft_peer import SECRET
from orchestrator.bench.running import first_result, run_bench
from orchestrator.dev.ports import free_ports
from orchestrator.dev.processes import Processes, Program

START_S = 10.0
OUTSTANDING = 1_000
SHARES = {"cluster": 0.14, "stock-batched": 0.07, "stock-unbatched": 0.07, "etcd": 0.12}
"""Of the time given, for each of the two phases; what is left is for starting and stopping."""
FIGURES = ("commits_per_s", "p50_ms", "p99_ms", "loaded_p50_ms", "loaded_p99_ms")


def run(options: BenchOptions) -> int:
    """Measure, write the report, return the exit code."""
    return run_bench("raft", options, measure)


async def measure(options: BenchOptions, directory: Path) -> dict[str, Any]:
    """Run the arrangements one after the other. The fields of an arrangement that is not there are None."""
    report: dict[str, Any] = {"ok": False, "outstanding": OUTSTANDING}
    binary = await etcd.client(directory)
    for kind, share in SHARES.items():
        prefix = "" if kind == "cluster" else kind.replace("-", "_") + "_"
        phase_s = max(1.0, options.seconds * share)
        found: dict[str, Any] = dict.fromkeys(FIGURES)
        if kind != "etcd" or binary is not None:
            say(f"bench raft: {kind}")
        if kind != "etcd":
            found |= await arrangement(kind, directory / kind, phase_s=phase_s)
        elif binary is not None:
            found |= await etcd.measure(directory / kind, binary, phase_s=phase_s, outstanding=OUTSTANDING)
        report |= {prefix + name: value for name, value in found.items()}
    stock = max(report["stock_batched_commits_per_s"], report["stock_unbatched_commits_per_s"])
    for name, ceiling in (("stock", stock), ("etcd", report["etcd_commits_per_s"])):
        report[f"ratio_to_{name}"] = round(report["commits_per_s"] / ceiling, 3) if ceiling else None
    report["ok"] = report["commits_per_s"] > 0
    return report


async def arrangement(kind: str, directory: Path, *, phase_s: float) -> dict[str, Any]:
    """Three members of that kind on this machine: `FIGURES`, after two phases of `phase_s` each."""
    addresses = [f"127.0.0.1:{port}" for port in free_ports(3)]
    module = "orchestrator.bench.raft_peer" if kind == "cluster" else "orchestrator.bench.raft_stock"
    programs = []
    env = {SECRET: secrets.token_urlsafe(32)}
    for number in range(len(addresses)):
        argv = [sys.executable, "-m", module, "--number", str(number), "--phase", str(phase_s)]
        argv += ["--outstanding", str(OUTSTANDING), "--directory", str(directory / f"n{number + 1}")]
        argv += ["--batched"] if kind == "stock-batched" else []
        programs.append(Program(f"n{number + 1}", (*argv, *addresses), env))
        await asyncio.to_thread((directory / f"n{number + 1}").mkdir, parents=True)
    async with Processes(directory / "logs", grace=2.0) as processes:
        peers = await processes.start(*programs)
        return await first_result(peers, START_S + 4 * phase_s)
