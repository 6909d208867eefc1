"""From the runs to the report (JSON), from a report to the table and the picture of docs/performance.md."""

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from benchmarks.peers.catalogue import CATALOGUE
from benchmarks.peers.measure import Plan, Run
from benchmarks.peers.peer import PAYLOAD_BYTES, WORKERS

BEGIN, END = "<!-- peers: written by python -m benchmarks.peers --docs -->", "<!-- peers: end -->"
PICTURE = "peers.svg"

_WIDTH, _LEFT, _RIGHT, _ROW, _TOP = 950, 340, 110, 26, 54
_OURS, _THEIRS, _INK, _LINE, _PAPER = "#1f6feb", "#8b949e", "#1f2328", "#d0d7de", "#ffffff"


def peer_report(name: str, plan: Plan, runs: Sequence[Run]) -> dict[str, Any]:
    """One peer's part of the report: what it is, its runs, median, lowest and highest of those whose figure counts."""
    entry = CATALOGUE[name]
    figures = [run.events_per_s for run in runs if run.ok]
    costs = [run.server_us for run in runs if run.ok and run.server_us is not None]
    return {
        "name": name,
        "title": entry.title,
        "ours": entry.ours,
        "versions": plan.found.get(name, {}),
        "way": entry.way,
        "batch": entry.batch,
        "copies": entry.copies,
        "events": plan.events(entry),
        "ok": bool(runs) and all(run.ok for run in runs),
        "median": round(statistics.median(figures), 1) if figures else None,
        "low": min(figures, default=None),
        "high": max(figures, default=None),
        "server_us": round(statistics.median(costs), 1) if costs else None,
        "lost": sum(run.lost for run in runs),
        "duplicates": sum(run.duplicates for run in runs),
        "runs": [asdict(run) for run in runs],
    }


def report(
    plan: Plan, runs: Mapping[str, Sequence[Run]], *, server: str, facts: Mapping[str, Any], left_out: Mapping[str, str]
) -> dict[str, Any]:
    """All of it. `facts`: command, commit, machine, time. `left_out`: peers that could not be measured, and why."""
    peers = [peer_report(name, plan, found) for name, found in runs.items()]
    return {
        "ok": all(peer["ok"] for peer in peers),
        **facts,
        "server": server,
        "durability": "append-only file, synced every second; NATS: file storage, synced every second",
        "payload_bytes": PAYLOAD_BYTES,
        "producers": 1,
        "workers": WORKERS,
        "repeats": plan.repeats,
        "left_out": dict(left_out),
        "peers": sorted(peers, key=lambda peer: -(peer["median"] or 0)),
    }


# -- the table ---------------------------------------------------------------------------------------------------------


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _versions(peer: Mapping[str, Any]) -> str:
    # What they all stand on is in the requirements.
    names = [(name, version) for name, version in peer["versions"].items() if name != "hiredis"]
    main = names[:1] if names and names[0][0] != "redis" else names
    return " ".join(version for _, version in main)


def table(found: Mapping[str, Any]) -> str:
    """The section of the page: a line on the run, the picture, the table. Markdown."""
    machine = found["machine"]
    reference = next((peer["median"] for peer in found["peers"] if peer["name"] == "triarch"), None)
    told = (
        f"{found['when']}, commit `{found['commit']}`",
        f"{machine['cores']} cores ({machine['cpu']})",
        f"Python {machine['python']}",
        f"{found['server']}; `{found['command']}`; median of {found['repeats']}, lowest and highest beside it.",
    )
    lines = [
        f"![Events a second, by system](images/{PICTURE})",
        "",
        ", ".join(told),
        "",
        "| system | version | events/s | lowest to highest | Triarch is | copies | server µs an event | lost, twice |",
        "| --- | --- | ---: | --- | ---: | ---: | ---: | --- |",
    ]
    for peer in found["peers"]:
        times = f"{reference / peer['median']:.1f} ×" if reference and peer["median"] and not peer["ours"] else ""
        title = f"**{peer['title']}**" if peer["ours"] else peer["title"]
        flaw = "" if peer["ok"] else " (not every run counted)"
        lines.append(
            f"| {title}{flaw} | {_versions(peer)} | {_figure(peer['median'])} | {_figure(peer['low'])} to "
            f"{_figure(peer['high'])} | {times} | {peer['copies']} | {_figure(peer['server_us'])} | "
            f"{peer['lost']}, {peer['duplicates']} |"
        )
    if found["left_out"]:
        left = "; ".join(f"{name}: {reason}" for name, reason in found["left_out"].items())
        lines += ["", f"Left out: {left}."]
    return "\n".join(lines)


def write_page(page: Path, found: Mapping[str, Any]) -> None:
    """Put the table between the two marks of the page, and the picture beside it. Raises ValueError without marks."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page}: the marks {BEGIN!r} and {END!r} are not both there")
    picture_file = page.parent / "images" / PICTURE
    picture_file.parent.mkdir(exist_ok=True)
    picture_file.write_text(picture(found), encoding="utf-8")
    page.write_text(f"{before}{BEGIN}\n\n{table(found)}\n\n{END}{after}", encoding="utf-8")


# -- the picture -------------------------------------------------------------------------------------------------------


def picture(found: Mapping[str, Any]) -> str:
    """Bars on a logarithmic scale, the fastest on top, a thin line from lowest to highest. SVG."""
    peers = [peer for peer in found["peers"] if peer["median"]]
    if not peers:
        raise ValueError("the report has no figure to draw")
    lowest = math.floor(math.log10(min(peer["low"] for peer in peers)))
    highest = math.ceil(math.log10(max(peer["high"] for peer in peers)))
    span = max(1, highest - lowest)
    bottom = _TOP + _ROW * len(peers)
    height = bottom + 34

    def x(value: float) -> float:
        return round(_LEFT + (math.log10(value) - lowest) / span * (_WIDTH - _LEFT - _RIGHT), 1)

    heading = f"Events a second: one producer, {found['workers']} workers, {found['payload_bytes']} bytes (logarithmic)"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}"',
        f'  font-family="system-ui, sans-serif" font-size="13" role="img" aria-label="{heading}">',
        f'<rect width="{_WIDTH}" height="{height}" fill="{_PAPER}"/>',
        f'<text x="16" y="26" font-size="15" font-weight="600" fill="{_INK}">{heading}</text>',
    ]
    for power in range(lowest, lowest + span + 1):
        at = x(10.0**power)
        parts.append(f'<line x1="{at}" y1="{_TOP - 10}" x2="{at}" y2="{bottom + 4}" stroke="{_LINE}"/>')
        parts.append(f'<text x="{at}" y="{bottom + 22}" text-anchor="middle" fill="{_INK}">{10**power:,}</text>')
    for number, peer in enumerate(peers):
        top = _TOP + _ROW * number
        middle = top + _ROW / 2 - 2
        colour, weight = (_OURS, ' font-weight="600"') if peer["ours"] else (_THEIRS, "")
        end, low, high = x(peer["median"]), x(peer["low"]), x(peer["high"])
        text = f'y="{middle + 4.5}" fill="{_INK}"{weight}'
        width = max(1.0, round(end - _LEFT, 1))
        parts += [
            f'<text x="{_LEFT - 8}" text-anchor="end" {text}>{escape(peer["title"])}</text>',
            f'<rect x="{_LEFT}" y="{top + 2}" width="{width}" height="{_ROW - 8}" fill="{colour}"/>',
            f'<line x1="{low}" y1="{middle}" x2="{high}" y2="{middle}" stroke="{_INK}" stroke-width="1.5"/>',
            f'<text x="{max(end, high) + 6}" {text}>{peer["median"]:,.0f}</text>',
        ]
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def read(file: Path) -> dict[str, Any]:
    """A report that was written before."""
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found
