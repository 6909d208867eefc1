"""Every drill on three real hosts, over and over: what was lost, who led, how long frames and publishing paused.

Size: runs of each drill. Needs root. The lab of TRIARCH_LAB_NUMBER (0 where it is not set) is taken as it is where it
is up and deployed, and else made, deployed by `site.yml`, and taken down at the end. After the drills `site.yml` must
have nothing to do. Judged by the budgets that `triarch drill list` shows.
"""

import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from orchestrator.drills.target import DrillError, Fault
from tests.lab.deployment import Deployment
from tests.lab.hosts import Lab
from tests.lab.hosts.running import LabFailed, why_not

SIZE = 5
DRILL_S = 360.0
"""The most that one run of a drill may take, its load and the way back included."""
HEAL_S = 120.0
"""The most that taking its fault back may take one that is interrupted."""
FIGURES = ("takeover_s", "dispatch_gap_s", "publish_gap_s", "recovery_s")
COUNTS = (
    *("lost", "duplicates", "unconfirmed", "dead", "dropped", "in_flight"),
    *("stale_effects", "double_effects", "leadership_changes", "shared_epochs"),
)


async def run(directory: Path, size: float) -> dict[str, Any]:
    """`size` runs of each drill, in the order of `triarch drill list`."""
    return await asyncio.to_thread(_run, directory, int(size))


def _run(directory: Path, times: int) -> dict[str, Any]:
    if reason := why_not():
        raise DrillError(f"there is no lab: {reason}")
    lab = Lab(int(os.environ.get("TRIARCH_LAB_NUMBER", "0")))
    stood = lab.file.exists()
    try:
        lab.up(keep=True)
        deployment = Deployment(lab)
        deployment.prepare()
        if not stood:
            deployment.play("site.yml")
        deployment.ready()
        problems = _drilled(lab, directory, times)
        again = deployment.play("site.yml")
    except LabFailed as error:
        raise DrillError(str(error)) from error
    finally:
        if not stood:
            lab.down()
    reports = [json.loads(file.read_text()) for file in sorted((directory / "reports").glob("*.json"))]
    problems += _broken(reports, times)
    if changed := again.changed_tasks():
        problems.append(f"after the drills site.yml changed something: {', '.join(changed)}")
    return {
        "runs": len(reports),
        "passed": sum(report["ok"] for report in reports),
        **{name: sum(_count(report, name) for report in reports) for name in COUNTS if name != "leadership_changes"},
        "site.yml afterwards": f"changed={again.count('changed')}",
        **by_drill(reports),
        "problems": problems,
    }


def _drilled(lab: Lab, directory: Path, times: int) -> list[str]:
    """Run them, each drill by a command of its own; what went wrong beside the reports."""
    problems = []
    for fault in Fault:
        command = [str(Path(sys.executable).with_name("triarch")), "drill", "run", fault, "--target", "lab"]
        command += ["--lab", str(lab.file), "--repeat", str(times)]
        command += ["--directory", str(directory / fault), "--report", str(directory / "reports")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as drill:
            try:
                said, _ = drill.communicate(timeout=DRILL_S * times)
            except subprocess.TimeoutExpired:  # the reports of the others are worth having
                problems.append(f"{fault} was not done within {DRILL_S * times:g} s")
                drill.send_signal(signal.SIGINT)  # so that it takes its fault back
                try:
                    said, _ = drill.communicate(timeout=HEAL_S)
                except subprocess.TimeoutExpired:
                    drill.kill()
                    problems.append(f"{fault} did not take its fault back within {HEAL_S:g} s")
                    break
        sys.stderr.write(said)
        if drill.returncode not in (0, 1):
            problems.append(f"{fault} could not be run: exit status {drill.returncode}")
    return problems


def _broken(reports: Iterable[Mapping[str, Any]], times: int) -> list[str]:
    seen: dict[str, int] = defaultdict(int)
    problems: list[str] = []
    for report in reports:
        seen[report["drill"]] += 1
        problems += [
            f"{report['drill']} {report['number']}: {verdict['what']} {verdict['found']}, allowed {verdict['budget']}"
            for verdict in report["verdicts"]
            if not verdict["ok"]
        ]
    return problems + [f"{fault}: {seen[fault]} of {times} runs" for fault in Fault if seen[fault] != times]


def by_drill(reports: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """A line a drill: median and maximum of each figure, the leaders that came after the fault at most.

    Hosts that took the primary with them have a line of their own.
    """
    rows: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for report in reports:
        primary = (report["evidence"] or {}).get("takes_primary", False)
        rows[f"{report['drill']}, of the primary's host" if primary else report["drill"]].append(report)
    lines = {}
    for drill, mine in rows.items():
        told = [f"{sum(report['ok'] for report in mine)} of {len(mine)} passed"]
        for name in FIGURES:
            values = [report[name] for report in mine if report.get(name) is not None]
            if values:
                told.append(f"{name} {statistics.median(values):.2f} / {max(values):.2f}")
        told.append(f"new leaders at most {max(_count(report, 'leadership_changes') for report in mine)}")
        lines[drill] = ", ".join(told)
    return lines


def _count(report: Mapping[str, Any], name: str) -> int:
    """A count of a report; one that is judged only stands among the verdicts."""
    value = report.get(name)
    if not isinstance(value, int):
        value = next((row["found"] for row in report["verdicts"] if row["what"] == name), 0)
    return int(value or 0)
