"""`python -m tests.soak [NAME] [--report FILE] [...]`: one campaign, or all of them one after the other.

Exit code 0 only where every promise of every campaign held. With NAME left out, --report is a directory.
"""

import argparse
import asyncio
import importlib
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from framebuffer.errors import FrameBufferError
from orchestrator.bench.asking import Declined, Unanswered
from orchestrator.errors import OrchestratorError
from tests.chaos.faults import FaultMissing
from tests.soak import report

CAMPAIGNS = (
    *("torture", "rejoin", "calm", "bounded", "isolated", "frame-kills", "primary-kills", "million", "overload"),
    "cluster-kills",
    "playbook-crashes",
    "heartbeats",
    "fuzz",
    "frozen-nodes",
    "connections",
    "dashboard",
    "drills",
)
AS_ROOT = ("drills",)
"""On hosts of a lab: left out of all where this is not root."""


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("campaign", nargs="?", choices=CAMPAIGNS, help="all, where none is named")
    parser.add_argument("--report", type=Path, help="JSON goes here, and a page beside it; a directory for all")
    parser.add_argument("--directory", type=Path, help="data and logs, kept [default: a temporary one]")
    parser.add_argument("--size", type=float, help="kills, rejoins, seconds, commands, runs, frames [default: its own]")
    return parser.parse_args(argv)


async def campaign(name: str, size: float | None, directory: Path) -> dict[str, Any]:
    """Run one; the report has `ok` and `problems`."""
    module = importlib.import_module(f"tests.soak.{name.replace('-', '_')}")
    try:
        found: dict[str, Any] = await module.run(directory, module.SIZE if size is None else size)
    except (OrchestratorError, FrameBufferError, FaultMissing, Declined, Unanswered) as error:
        found = {"problems": [f"broken off: {error}"]}
    return {"campaign": name, "ok": not found["problems"], **found}


def mine() -> list[str]:
    """All that whoever runs this can run."""
    return [name for name in CAMPAIGNS if name not in AS_ROOT or os.geteuid() == 0]


def main(argv: Sequence[str]) -> int:
    """Run what is asked for and return the exit code."""
    arguments = parse(argv)
    ok = True
    commit = report.commit()
    for name in [arguments.campaign] if arguments.campaign else mine():
        directory = arguments.directory or Path(tempfile.mkdtemp(prefix="triarch-soak-"))
        print(f"soak {name}: data and logs in {directory / name}", file=sys.stderr, flush=True)
        origin = report.origin(argv, commit)
        found = asyncio.run(campaign(name, arguments.size, directory / name))
        ok = ok and found["ok"]
        file = arguments.report
        if file is not None and arguments.campaign is None:
            file = file / f"soak-{name}.json"
        report.write(file, {**found, "origin": origin})
        said = "every promise held" if found["ok"] else "broken: " + "; ".join(found["problems"])
        print(f"soak {name}: {said}", file=sys.stderr, flush=True)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
