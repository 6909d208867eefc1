"""What a run shows while it runs: a table that renews itself on a terminal, plain lines elsewhere.

It goes to standard error, as every message does; standard output is for the report. `NO_COLOR` is respected by rich.
"""

import sys
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

EVENTS_SHOWN = 8
LINE_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The plant at one moment. Rates are frames a second over the last look; queues are (waiting, in work)."""

    elapsed_s: float = 0.0
    seconds: float = 0.0
    published: int = 0
    settled: int = 0
    dead: int = 0
    fps_in: float = 0.0
    fps_out: float = 0.0
    undispatched: int = 0
    queues: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    leader: str = ""
    epoch: str = ""
    detections: Mapping[str, int] = field(default_factory=dict)
    latest: str = ""


class Rate:
    """A counter's growth a second between two looks at it. Pure: the caller brings the time."""

    def __init__(self) -> None:
        self._value = 0
        self._at: float | None = None
        self._rate = 0.0

    def update(self, value: int, now: float) -> float:
        """Note that the counter stands at `value`; a counter that fell starts anew."""
        if self._at is not None and now > self._at:
            self._rate = max(0, value - self._value) / (now - self._at)
        if self._at is None or now > self._at:
            self._value, self._at = value, now
        return self._rate


class Display(Protocol):
    """Where progress goes."""

    def event(self, text: str) -> None:
        """Something happened."""
        ...

    def show(self, snapshot: Snapshot) -> None:
        """This is how things stand."""
        ...

    def close(self) -> None:
        """The run is over."""
        ...


def clock(snapshot: Snapshot) -> str:
    """How long the cameras have been at it, and of how long; a run without an end has the first part only."""
    if not snapshot.seconds:
        return f"{snapshot.elapsed_s:.1f} s"
    return f"{min(snapshot.elapsed_s, snapshot.seconds):.1f}/{snapshot.seconds:g} s"


def line(snapshot: Snapshot) -> str:
    """One line of text about a snapshot."""
    queues = " ".join(f"{name}={waiting}+{working}" for name, (waiting, working) in sorted(snapshot.queues.items()))
    seen = " ".join(f"{kind}={count}" for kind, count in sorted(snapshot.detections.items())) or "nothing yet"
    leader = f"{snapshot.leader} ({snapshot.epoch})" if snapshot.leader else "none"
    dead = f"dead {snapshot.dead}  " if snapshot.dead else ""
    return (
        f"{clock(snapshot)}  "
        f"in {snapshot.fps_in:5.1f} fps  out {snapshot.fps_out:5.1f} fps  "
        f"published {snapshot.published}  settled {snapshot.settled}  {dead}undispatched {snapshot.undispatched}  "
        f"queues {queues or '-'}  leader {leader}  seen {seen}"
    )


class Lines:
    """Plain lines: each event at once, the state once a second."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._started = time.monotonic()
        self._shown = 0.0

    def event(self, text: str) -> None:
        """Write it."""
        self._write(f"[{time.monotonic() - self._started:6.1f}] {text}")

    def show(self, snapshot: Snapshot) -> None:
        """Write it unless the last one is less than a second old."""
        now = time.monotonic()
        if now - self._shown >= LINE_EVERY_S:
            self._shown = now
            self._write(f"[{now - self._started:6.1f}] {line(snapshot)}")

    def close(self) -> None:
        """Nothing is left to do."""

    def _write(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()


class Table:
    """A table on a terminal, renewed in place, with the last events below it."""

    def __init__(self, console: "Console") -> None:
        from rich.live import Live

        self._started = time.monotonic()
        self._events: deque[tuple[str, str]] = deque(maxlen=EVENTS_SHOWN)
        self._snapshot = Snapshot()
        self._live = Live(self.render(), console=console, refresh_per_second=4, transient=False)
        self._live.start()

    def event(self, text: str) -> None:
        """Add it to the timeline."""
        self._events.append((f"{time.monotonic() - self._started:6.1f} s", text))
        self._live.update(self.render())

    def show(self, snapshot: Snapshot) -> None:
        """Renew the table."""
        self._snapshot = snapshot
        self._live.update(self.render())

    def close(self) -> None:
        """Leave the last state on the screen and give the terminal back."""
        self._live.stop()

    def render(self) -> "RenderableType":
        """Return what is to be seen now."""
        from rich.console import Group
        from rich.panel import Panel
        from rich.table import Table as Grid
        from rich.text import Text

        now = self._snapshot
        grid = Grid.grid(padding=(0, 2))
        grid.add_column(style="bold")
        grid.add_column()
        grid.add_row("time", clock(now))
        grid.add_row("frames", f"in {now.fps_in:.1f} fps · out {now.fps_out:.1f} fps")
        counts = Text(f"{now.published} published · {now.settled} settled · {now.undispatched} not dispatched")
        if now.dead:
            counts.append(f" · {now.dead} dead", "bold red")
        grid.add_row("", counts)
        leader = Text(f"{now.leader} (epoch {now.epoch})", "green") if now.leader else Text("none", "bold red")
        grid.add_row("leader", leader)
        for name, (waiting, working) in sorted(now.queues.items()):
            seen = now.detections.get(name.partition("-")[0], 0)
            grid.add_row(name, f"{waiting:4} waiting · {working:3} in work · {seen:6} detected")
        grid.add_row("last seen", now.latest or "nothing yet")
        events = Grid.grid(padding=(0, 2))  # a column of its own for the text: a long one goes on below its beginning
        events.add_column(style="dim", no_wrap=True)
        events.add_column(style="dim", overflow="fold")
        for at, text in self._events:
            events.add_row(at, Text(text))
        return Group(Panel(grid, title="triarch", title_align="left"), events)


def open_display(stream: TextIO | None = None) -> Display:
    """Return a table where `stream` (default: standard error) is a terminal, plain lines elsewhere."""
    from rich.console import Console

    stream = sys.stderr if stream is None else stream
    console = Console(file=stream)
    return Table(console) if console.is_terminal and not console.is_dumb_terminal else Lines(stream)
