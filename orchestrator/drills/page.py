"""The report of a drill as one HTML page that needs nothing else: no script, no font, no network. Pure."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from orchestrator.drills.judge import AT_LEAST, Verdict
from orchestrator.drills.page_style import STYLE
from orchestrator.drills.picture import draw
from orchestrator.drills.report import Report

__all__ = ["page"]

QUESTIONS: Mapping[str, str] = {
    "proof": "The fault happened",
    "takeover_s": "Another leader under a new epoch after",
    "dispatch_gap_s": "Longest time without a frame at a processor",
    "publish_gap_s": "Longest time without an acknowledged publish",
    "recovery_s": "From healing until all is as before",
    "lost": "Frames lost",
    "duplicates": "Frames with two results",
    "unconfirmed": "Frames stored whose camera was not told",
    "dead": "Frames given up",
    "dropped": "Frames dropped",
    "in_flight": "Frames still in flight at the end",
    "settled": "Frames with a result",
    "ordered_effects": "Effects ordered by runs that succeeded",
    "stale_effects": "Effects of a deposed leader",
    "double_effects": "Effects carried out twice",
    "missing_effects": "Effects of finished runs that are missing",
    "unfinished_runs": "Playbook runs that did not succeed",
    "leadership_changes": "Leadership changes",
    "shared_epochs": "Epochs with two leaders",
    "linearizable": "Register histories are linearizable",
}

BADGES = {"passed": "PASSED", "failed": "FAILED", "unproven": "UNPROVEN"}


def page(report: Report) -> str:
    """The whole document."""
    badge = BADGES.get(report.verdict, report.verdict.upper())
    times = f", {report.number} of {report.of}" if report.of > 1 else ""
    commit = f" ({escape(report.commit[:12])})" if report.commit else ""
    load = f"{report.cameras} cameras of {report.fps:g} frames a second"
    software = f"Triarch {escape(report.version)}{commit}"
    facts = f"Target {escape(report.target)}{times} · {load} · {escape(report.started)} · {software}"
    badged = f'<span class="badge {escape(report.verdict)}">{badge}</span>'
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
            f"<title>Drill {escape(report.drill)}: {badge}</title><style>{STYLE}</style></head><body><main>",
            f"<header><h1>Drill {escape(report.drill)}</h1>{badged}</header>",
            f'<p class="facts">{facts}</p>',
            *_picture(report),
            *_verdicts(report.verdicts),
            '<div class="columns">',
            *_evidence(report),
            *_books(report),
            "</div>",
            *_timeline(report),
            *_leaders(report),
            *_history(report),
            "</main></body></html>",
            "",
        ]
    )


def _picture(report: Report) -> Iterable[str]:
    if report.picture is None:
        return
    yield '<section aria-label="Timeline picture"><h2>What happened, seconds from the fault</h2>'
    yield draw(report.picture, report.timeline, report.cameras * report.fps)
    yield '<p class="legend">'
    for colour, what in (
        ("--accent", "leads"),
        ("--idle", "follows"),
        ("--bad", "silent, or the longest gap"),
        ("--bad-soft", "the fault lasts"),
        ("--warn-soft", "healed, not settled yet"),
    ):
        yield f'<span class="swatch" style="background:var({colour})"></span>{what}'
    yield "</p></section>"


def _verdicts(verdicts: list[Verdict]) -> Iterable[str]:
    headings = "".join(f"<th>{one}</th>" for one in ("Question", "Found", "Budget", ""))
    yield f"<section><h2>Verdicts</h2><table><thead><tr>{headings}</tr></thead><tbody>"
    for one in verdicts:
        unit = " s" if one.what.endswith("_s") else ""
        mark, kind = ("✓ held", "good") if one.ok else ("✗ broken", "wrong")
        if one.budget is None:
            mark, kind = "not judged", "shown"
        yield (
            f"<tr><td>{escape(QUESTIONS.get(one.what, one.what))}</td>"
            f'<td class="n">{_figure(one.found, unit)}</td><td class="n">{_allowed(one, unit)}</td>'
            f'<td class="mark {kind}">{mark}</td></tr>'
        )
    yield "</tbody></table></section>"


def _figure(value: Any, unit: str = "") -> str:
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.3f}{unit}"
        case int():
            return f"{value}{unit}"
        case _:
            return escape(str(value))


def _allowed(one: Verdict, unit: str) -> str:
    if one.budget is None:
        return "–"
    if isinstance(one.budget, bool | str):
        return _figure(one.budget)
    if one.what in AT_LEAST:
        return f"≥ {one.budget:g}"
    return "none" if one.budget == 0 and not unit else f"≤ {one.budget:g}{unit}"


def _evidence(report: Report) -> Iterable[str]:
    yield "<section><h2>Evidence</h2>"
    shown = report.evidence
    if shown is None:
        yield f"<p>{escape(report.unproven or 'The fault was not done.')}</p></section>"
        return
    yield f"<p>{escape(shown.how)}; victim {escape(shown.victim)}</p><table><tbody>"
    for name, value in shown.proof.items():
        named = escape(name.replace("_", " "))
        yield f'<tr><th scope="row">{named}</th><td><code>{escape(str(value))}</code></td></tr>'
    yield "</tbody></table></section>"


def _books(report: Report) -> Iterable[str]:
    books = report.ledger
    if books is None:
        return
    rows = {
        "told to the cameras as stored": books.confirmed,
        "published": books.published,
        "settled": books.settled,
        "dead": books.dead,
        "dropped": books.dropped,
        "in flight at the end": books.in_flight,
        "lost": report.lost,
        "with two results": report.duplicates,
    }
    yield "<section><h2>Ledger of the drill's cameras</h2><table><tbody>"
    for name, value in rows.items():
        yield f'<tr><th scope="row">{name}</th><td class="n">{_figure(value)}</td></tr>'
    yield "</tbody></table>"
    if books.problems:
        yield f"<pre>{escape(chr(10).join(books.problems))}</pre>"
    yield "</section>"


def _timeline(report: Report) -> Iterable[str]:
    yield "<section><h2>Moments</h2><table class='moments'><tbody>"
    for number, moment in enumerate(report.timeline, start=1):
        where = f" ({escape(moment.node)})" if moment.node and moment.node not in moment.what else ""
        when = f'<td class="n">{number}</td><td class="n">{moment.at_s:+.2f} s</td>'
        yield f"<tr>{when}<td>{escape(moment.what)}{where}</td></tr>"
    yield "</tbody></table></section>"


def _leaders(report: Report) -> Iterable[str]:
    if not report.leaderships:
        return
    chain = " → ".join(f"{escape(one['node'])} <code>{escape(one['epoch'])}</code>" for one in report.leaderships)
    yield f"<section><h2>Leaders by epoch</h2><p>{chain}</p>"
    if report.shared_epochs:
        yield f"<pre>two leaders: {escape('; '.join(report.shared_epochs))}</pre>"
    yield "</section>"


def _history(report: Report) -> Iterable[str]:
    if report.picture is None:
        return
    yield (
        f"<section><h2>Effects and histories</h2><p>{report.effects} effects of playbook runs, "
        f"{report.operations} operations on registers by concurrent clients.</p>"
    )
    for text in (*report.unfinished, report.history):
        if text:
            yield f"<pre>{escape(text)}</pre>"
    yield "</section>"
