"""What a campaign writes: one JSON object, beside it a short page, both with all that is needed to repeat the run."""

import importlib.metadata
import json
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def commit() -> str:
    """The checkout's commit, with -dirty where files differ from it. Ask before a report is written."""
    return _git("rev-parse", "HEAD") + ("-dirty" if _git("status", "--porcelain") else "")


def origin(arguments: Sequence[str], at_commit: str, *, module: str = "tests.soak") -> dict[str, Any]:
    """Where the figures come from: command, commit, versions, machine. Ask before the run: what else loads the machine
    shows in its load average.
    """
    return {
        "command": shlex.join(["python", "-m", module, *arguments]),
        "commit": at_commit,
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "pysyncobj": importlib.metadata.version("pysyncobj"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores": os.cpu_count(),
        "load_average": [round(value, 2) for value in os.getloadavg()],
    }


def write(path: Path | None, report: Mapping[str, Any], *, told: str = "") -> None:
    """Write FILE and, where it ends in .json, FILE with .md, `told` at its end; without a path print the object."""
    text = json.dumps(report, indent=2) + "\n"
    if path is None:
        sys.stdout.write(text)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    if path.suffix == ".json":
        more = f"\n```text\n{told}\n```\n" if told else ""
        path.with_suffix(".md").write_text(page(report) + more, encoding="utf-8")


def page(report: Mapping[str, Any]) -> str:
    """The same for a reader: what was run, whether it held, the figures."""
    came = report["origin"]
    load = f"load {came['load_average'][0]:g} before"
    lines = [
        f"# Campaign: {report['campaign']}",
        "",
        f"`{came['command']}` at commit `{came['commit']}`, {came['at']}.",
        f"Python {came['python']}, pysyncobj {came['pysyncobj']}, {came['system']}, {came['cores']} cores, {load}.",
        "",
        "Every promise held." if report["ok"] else "**Broken:** " + "; ".join(report["problems"]),
        "",
        "| field | value |",
        "| --- | --- |",
    ]
    skipped = {"campaign", "ok", "problems", "origin"}
    shown = {
        name: value for name, value in report.items() if name not in skipped and not isinstance(value, list | dict)
    }
    lines += [f"| `{name}` | {value} |" for name, value in shown.items()]
    return "\n".join(lines) + "\n"


def _git(*arguments: str) -> str:
    """Empty where this is no checkout."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()
