"""What a dashboard for Grafana is described by: titles, questions to Prometheus, units. tools/grafana.py makes it JSON.

`$cluster` is the one that is chosen above the panels, put in by `of`: a question names its metrics without it.
"""

from dataclasses import dataclass, field

__all__ = ["BAD_ABOVE_ZERO", "GOOD_WHEN_ONE", "Board", "Panel", "Row", "lines", "quantile", "stat"]


@dataclass(frozen=True)
class Panel:
    """`asks`: (PromQL, legend). `kind`: timeseries, stat or table. `unit`: one of Grafana's. `width`: of 24.

    `steps`: (from, colour) in rising order; the first holds from the bottom.
    """

    title: str
    text: str
    asks: tuple[tuple[str, str], ...]
    kind: str = "timeseries"
    unit: str = "short"
    width: int = 8
    steps: tuple[tuple[float | None, str], ...] = ()
    least: float | None = 0
    stacked: bool = False


@dataclass(frozen=True)
class Row:
    """Panels below one heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Board:
    """`name`: of the file and the end of the uid."""

    name: str
    title: str
    text: str
    rows: tuple[Row, ...] = field(default_factory=tuple)


GOOD_WHEN_ONE = ((None, "red"), (1.0, "green"), (2.0, "red"))
BAD_ABOVE_ZERO = ((None, "green"), (1.0, "red"))


def stat(title: str, text: str, ask: str, *, unit: str = "short", steps: tuple[tuple[float | None, str], ...]) -> Panel:
    """One figure, coloured."""
    return Panel(title, text, ((ask, ""),), kind="stat", unit=unit, width=4, steps=steps)


def lines(
    title: str, text: str, *asks: tuple[str, str], unit: str = "short", width: int = 8, stacked: bool = False,
    least: float | None = 0,
) -> Panel:  # fmt: skip
    """Curves over time."""
    return Panel(title, text, asks, unit=unit, width=width, stacked=stacked, least=least)


def quantile(share: float, histogram: str, *, by: str = "") -> str:
    """What `share` of the observations of the last five minutes do not exceed; `by`: labels, each with a comma."""
    return f"histogram_quantile({share}, sum by ({by}le) (rate({histogram}_bucket{{of}}[5m])))"
