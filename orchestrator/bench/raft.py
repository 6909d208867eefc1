"""`triarch bench raft`: commits a second and their latency, three nodes and the client on this machine.

The client sits in the leader's process. Sequential: one proposal after the other. Throughput: 1,000 outstanding. The
ceiling beside it is the stock library of the Raft package in the same arrangement, with its journal on, once with its
own batching (its default) and once without. It never syncs its journal to the disk and loses acknowledged commands.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

from orchestrator.bench.figures import say
from orchestrator.bench.options import BenchOptions
from orchestrator.bench.running import first_result, run_bench
from orchestrator.dev.ports import free_ports
from orchestrator.dev.processes import Processes, Program

START_S = 10.0
OUTSTANDING = 1_000
SHARES = {"cluster": 0.18, "stock-batched": 0.08, "stock-unbatched": 0.08}
"""Of the time given, for each of the two phases; what is left is for starting and stopping."""


def run(options: BenchOptions) -> int:
    """Measure, write the report, return the exit code."""
    return run_bench("raft", options, measure)


async def measure(options: BenchOptions, directory: Path) -> dict[str, Any]:
    """Run the three arrangements one after the other."""
    report: dict[str, Any] = {"ok": False, "outstanding": OUTSTANDING}
    for kind, share in SHARES.items():
        say(f"bench raft: {kind}")
        found = await _arrangement(kind, directory / kind, phase_s=max(1.0, options.seconds * share))
        prefix = "" if kind == "cluster" else kind.replace("-", "_") + "_"
        report |= {prefix + name: value for name, value in found.items()}
    stock = max(report["stock_batched_commits_per_s"], report["stock_unbatched_commits_per_s"])
    report["ratio_to_stock"] = round(report["commits_per_s"] / stock, 3) if stock else None
    report["ok"] = report["commits_per_s"] > 0
    return report


async def _arrangement(kind: str, directory: Path, *, phase_s: float) -> dict[str, Any]:
    addresses = [f"127.0.0.1:{port}" for port in free_ports(3)]
    module = "orchestrator.bench.raft_peer" if kind == "cluster" else "orchestrator.bench.raft_stock"
    programs = []
    for number in range(len(addresses)):
        argv = [sys.executable, "-m", module, "--number", str(number), "--phase", str(phase_s)]
        argv += ["--outstanding", str(OUTSTANDING), "--directory", str(directory / f"n{number + 1}")]
        argv += ["--batched"] if kind == "stock-batched" else []
        programs.append(Program(f"n{number + 1}", (*argv, *addresses)))
        await asyncio.to_thread((directory / f"n{number + 1}").mkdir, parents=True)
    async with Processes(directory / "logs", grace=2.0) as processes:
        peers = await processes.start(*programs)
        return await first_result(peers, START_S + 4 * phase_s)
