"""`triarch top`: the plant as it is now, asked anew every second; it goes to another node when one is gone."""

import json
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.http import Api, addresses, api_options
from orchestrator.cli.output import Failure, printable

if TYPE_CHECKING:
    from rich.console import RenderableType

PATHS = {
    "cluster": "/v1/cluster",
    "health": "/health",
    "control": "/control/status",
    "frames": "/v1/frames/stats",
    "lag": "/v1/frames/lag",
    "processors": "/v1/processors",
    "components": "/v1/components",
    "alerts": "/v1/alerts",
    "executions": "/v1/executions?status=RUNNING&status=PAUSED&limit=100",
    "queued": "/v1/executions?status=QUEUED&limit=100",  # by themselves: a long queue must not hide what runs
}
ROWS_MAX = 12
"""Of each part; the rest is counted."""
TICK_S = 0.05
ASKERS = 4
LEAVE = b"qQ"


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at a monotonic time `at`, in s. `said`: what was answered, by the names of `PATHS`; empty: nothing."""

    at: float
    base: str
    said: Mapping[str, Any]
    why: str = ""
    rates: Mapping[str, float] = field(default_factory=dict)
    """Frames a second since the look before, by what became of them."""


@click.command(epilog="\b\nExamples:\n  triarch top\n  triarch top --every 5\n  triarch top --once -o json | jq .rates")
@click.option("--every", "every_s", type=click.FloatRange(0.2, 60), default=1.0, show_default=True, metavar="SECONDS")
@click.option("--once", is_flag=True, help="Look once, print, end.")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True,
              help="json: a document a look, on one line.")  # fmt: skip
@api_options
def top(every_s: float, once: bool, output: str, urls: str, timeout_s: float) -> None:
    """Show nodes, frames, processors, components, alerts and executions, live, until q or Ctrl-C.

    It says which node answered and how old that is. Without a terminal it prints a look after the other.
    """
    looker = _Looker(addresses(urls), min(timeout_s, 5.0))
    live = sys.stdout.isatty() and output == "table" and not once
    try:
        if live:
            _live(looker, every_s)
            return
        while True:
            seen = looker.look()
            _print(seen, output)
            if once:
                if not seen.said:
                    raise Failure("no_node", seen.why)
                return
            time.sleep(every_s)
    except (KeyboardInterrupt, EOFError):
        pass


def _live(looker: "_Looker", every_s: float) -> None:
    from rich.live import Live

    from orchestrator.cli.keyboard import Keyboard

    # The looks are another thread's: keys are read, and the age of what is shown grows, while a node does not answer.
    with Keyboard() as keyboard, Live(screen=True, auto_refresh=False) as on:
        seen: Seen | None = None
        looking: Future[Seen] | None = None
        due = drawn = 0.0
        while not any(key in LEAVE for key in keyboard.pressed(TICK_S)):
            now = time.monotonic()
            if looking is None and now >= due:
                looking, due = _aside(looker.look), now + every_s
            if looking is not None and looking.done():
                fresh, looking, drawn = looking.result(), None, 0.0
                # Nobody answered: what was seen last stays, and says how old it is.
                last = seen or fresh
                seen = fresh if fresh.said else Seen(last.at, last.base, last.said, fresh.why, last.rates)
            late = looking is not None or (seen is not None and seen.why)
            if seen is not None and (not drawn or (late and now - drawn >= 1.0)):
                on.update(screen(seen, now), refresh=True)
                drawn = now


def _aside(look: Callable[[], Seen]) -> "Future[Seen]":
    """In a thread that nobody waits for at the end: a node that hangs must not keep whoever leaves."""
    future: Future[Seen] = Future()

    def run() -> None:
        try:
            future.set_result(look())
        except Exception as error:  # noqa: BLE001 - raised where the result is asked for
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def _print(seen: Seen, output: str) -> None:
    if output == "json":
        click.echo(json.dumps({"answered_by": seen.base, "why": seen.why, "rates": seen.rates, **seen.said}))
        return
    from rich.console import Console

    Console(highlight=False).print(screen(seen, time.monotonic()))


class _Looker:
    """Asks one node for everything, so that what is shown together belongs together; the next one when it is gone."""

    def __init__(self, urls: Sequence[str], timeout_s: float) -> None:
        self._urls = list(urls)
        self._timeout_s = timeout_s
        self._before: tuple[float, Mapping[str, int]] | None = None

    def look(self) -> Seen:
        whys = []
        for base in list(self._urls):
            try:
                said = self._ask(base)
            except Failure as error:
                whys.append(f"{base}: {error.message}")
                self._urls.append(self._urls.pop(self._urls.index(base)))  # asked last from now on
                continue
            now = time.monotonic()
            return Seen(now, base, said, rates=self._rates(now, said.get("frames")))
        return Seen(time.monotonic(), "", {}, "; ".join(whys))

    def _ask(self, base: str) -> dict[str, Any]:
        with Api.of(base, self._timeout_s) as api:
            cluster = api.get(PATHS["cluster"])

            found: dict[str, Any] = {}
            names = deque(name for name in PATHS if name != "cluster")

            def rest() -> None:
                while names:
                    try:
                        name = names.popleft()
                    except IndexError:
                        return  # another thread has taken the last one
                    try:
                        found[name] = api.get(PATHS[name])
                    except Failure as error:
                        found[name] = {"problem": f"{error.code}: {error.message}"}

            asking = [threading.Thread(target=rest, daemon=True) for _ in range(ASKERS)]
            for thread in asking:
                thread.start()
            for thread in asking:
                thread.join()
        return {"cluster": cluster, **{name: found[name] for name in PATHS if name in found}}

    def _rates(self, now: float, frames: Any) -> dict[str, float]:
        if not isinstance(frames, dict) or "cameras" not in frames:
            return {}
        kinds = ("published", "settled", "dead", "dropped")
        counts = {kind: sum(camera[kind] for camera in frames["cameras"].values()) for kind in kinds}
        before, self._before = self._before, (now, counts)
        if before is None or now <= before[0]:
            return {}
        return {kind: max(0.0, (counts[kind] - before[1].get(kind, 0)) / (now - before[0])) for kind in kinds}


def screen(seen: Seen, now: float) -> "RenderableType":
    """What is shown of a look, `now` being the monotonic time at which it is."""
    from rich.console import Group
    from rich.text import Text

    if not seen.said:
        return Text(printable(f"no node answers: {seen.why}"), style="bold red")
    parts: list[RenderableType] = [_heading(seen, now), _nodes(seen.said["cluster"])]
    parts += [_frames(seen), _processors(seen), _components(seen), _alerts(seen), _executions(seen)]
    return Group(*parts)


def _heading(seen: Seen, now: float) -> "RenderableType":
    from rich.text import Text

    cluster = seen.said["cluster"]
    health = seen.said.get("health") or {}
    age = now - seen.at
    leader = cluster.get("leader")
    text = Text()
    text.append(f"leader {leader or 'NONE'}", style="bold" if leader else "bold red")
    text.append(f"  epoch {cluster.get('epoch') or '-'}  index {cluster.get('applied_index')}  ")
    text.append(
        printable(f"{health.get('status', 'unknown')}"),
        style="green" if health.get("status") == "healthy" else "yellow",
    )
    text.append(f"  answered by {cluster['node']}")
    contact = cluster.get("last_contact_s")
    if contact is not None:
        text.append(f", {contact:.1f} s behind the leader's word")
    if seen.why or age > 3:
        text.append(f"  NOT LIVE, {age:.0f} s old: {printable(seen.why)}", style="bold red")
    for reason in health.get("reasons", ()):
        text.append(f"\n  {printable(str(reason))}", style="yellow")
    return text


def _table(title: str, headings: Sequence[str], rows: Sequence[Sequence[Any]], empty: str = "none") -> "RenderableType":
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in headings:
        table.add_column(heading, overflow="ellipsis", no_wrap=True)
    for row in rows[:ROWS_MAX]:
        table.add_row(*(Text(printable(str(cell))) for cell in row))
    if len(rows) > ROWS_MAX:
        table.add_row(Text(f"and {len(rows) - ROWS_MAX} more"))
    if not rows:
        table.add_row(Text(empty, style="dim"))
    return Group(Text(""), Text(title, style="bold", no_wrap=True, overflow="ellipsis"), table)


def _nodes(cluster: Mapping[str, Any]) -> "RenderableType":
    rows = [
        (
            row["id"],
            row.get("role") or "-",
            "yes" if row.get("reachable") else "NO",
            _dash(row.get("lag")),
            row.get("api"),
        )
        for row in cluster.get("members", ())
    ]
    return _table("nodes", ("NODE", "ROLE", "REACHABLE", "LAG", "API"), rows)


def _frames(seen: Seen) -> "RenderableType":
    frames, control = seen.said.get("frames") or {}, seen.said.get("control") or {}
    if "problem" in frames:
        return _table("frames", ("",), [(frames["problem"],)])
    pressure = control.get("backpressure") or {}
    rates = "  ".join(f"{kind} {rate:.0f}/s" for kind, rate in seen.rates.items()) or "rates with the next look"
    title = f"frames   {rates}   backpressure {pressure.get('name', '-')}   cameras {len(frames.get('cameras', {}))}"
    rows = [(row["place"], row["length"], _age(row.get("oldest_s"))) for row in _listed(seen.said.get("lag"))]
    return _table(title, ("WHERE", "FRAMES", "OLDEST"), [row for row in rows if row[1]], "nothing waits")


def _processors(seen: Seen) -> "RenderableType":
    ready = (seen.said.get("frames") or {}).get("ready", {})
    rows = [
        (
            row["id"],
            "healthy" if row.get("healthy") else "NOT HEALTHY",
            "draining" if row.get("draining") else "",
            ready.get(row["id"], {}).get("length", "-"),
            ",".join(row.get("capabilities", ())),
        )
        for row in _listed(seen.said.get("processors"))
    ]
    return _table("processors", ("PROCESSOR", "HEALTH", "", "QUEUE", "CAPABILITIES"), rows)


def _components(seen: Seen) -> "RenderableType":
    found = _listed(seen.said.get("components"))
    trouble = [row for row in found if row.get("health") not in ("OK", None) or row.get("state") == "FAULT"]
    states: dict[str, int] = {}
    for row in found:
        states[row["state"]] = states.get(row["state"], 0) + 1
    title = "components   " + "  ".join(f"{state} {count}" for state, count in sorted(states.items()))
    rows = [
        (row["id"], row["state"], row.get("health", ""), _age(row.get("last_seen_s")), row.get("reason", ""))
        for row in trouble
    ]
    return _table(title, ("COMPONENT", "STATE", "HEALTH", "SEEN", "REASON"), rows, "all well")


def _alerts(seen: Seen) -> "RenderableType":
    rows = [
        (row.get("severity", ""), row.get("state", ""), row.get("rule", ""), row.get("summary", ""))
        for row in _listed(seen.said.get("alerts"))
        if row.get("state") != "RESOLVED"
    ]
    return _table("alerts", ("SEVERITY", "STATE", "RULE", "WHAT"), rows)


def _executions(seen: Seen) -> "RenderableType":
    pages = [seen.said.get(name) or {} for name in ("executions", "queued")]
    running, queued = (_listed(page) for page in pages)
    counts = [
        f"{name} {len(found)}{' or more' if page.get('cursor') else ''}"
        for name, found, page in zip(("running", "queued"), (running, queued), pages, strict=True)
    ]
    # Few are shown: those that are in trouble before the others.
    found = [*sorted(running, key=lambda row: not row.get("retrying")), *queued]
    rows = [(row["id"], row.get("playbook", ""), _status(row), row.get("error", "")) for row in found]
    title = f"executions under way   {'  '.join(counts)}"
    return _table(title, ("EXECUTION", "PLAYBOOK", "STATUS", "ERROR"), rows)


def _status(row: Mapping[str, Any]) -> str:
    retrying = row.get("retrying")
    return f"{row.get('status', '')}, {retrying} retrying" if retrying else str(row.get("status", ""))


def _listed(document: Any) -> list[Mapping[str, Any]]:
    """The rows of a list, or of the one list in an object that has pages; none where there was no answer."""
    if isinstance(document, dict):
        document = next((value for value in document.values() if isinstance(value, list)), [])
    return list(document or [])


def _age(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.1f} s"


def _dash(value: Any) -> Any:
    return "-" if value is None else value
