"""The timeline of a drill as SVG: who led, what was published and dispatched, and where nothing was. Pure.

Its colours are CSS variables of the page that it stands in.
"""

from collections.abc import Sequence
from html import escape

from orchestrator.drills.report import Bar, Moment, Picture

__all__ = ["draw"]

WIDTH, LEFT, RIGHT = 1000.0, 92.0, 12.0
MARKS, LANE, CHART, SPACE = 66.0, 26.0, 84.0, 30.0
ROWS = 3
"""Numbers of moments that stand close together go into the next row."""
APART = 19.0
PEAK = 3.0
"""A chart ends at so many times the rate that the cameras have: what is caught up after a gap would dwarf the rest."""
STEPS_S = (0.5, 1, 2, 5, 10, 20, 30, 60, 120)


class _Scale:
    """Seconds to the horizontal place."""

    def __init__(self, picture: Picture) -> None:
        self.first, self.last = picture.from_s, max(picture.to_s, picture.from_s + 1.0)

    def __call__(self, at_s: float) -> float:
        inside = min(max(at_s, self.first), self.last)
        return round(LEFT + (inside - self.first) / (self.last - self.first) * (WIDTH - LEFT - RIGHT), 1)


def draw(picture: Picture, moments: Sequence[Moment], rate: float) -> str:
    """The picture. `moments` are numbered from 1, as the page lists them; `rate`: frames a second of all cameras."""
    x = _Scale(picture)
    lanes = len(picture.nodes)
    charts = MARKS + lanes * LANE + SPACE
    bottom = charts + 2 * (CHART + SPACE)
    height = bottom + 26
    parts = [
        (
            f'<svg class="picture" viewBox="0 0 {WIDTH:g} {height:g}" role="img" '
            'aria-label="Timeline: leaders, publish rate and dispatch rate around the fault">'
        ),
        (
            '<defs><pattern id="silent" width="6" height="6" patternUnits="userSpaceOnUse" '
            'patternTransform="rotate(45)">'
            '<line class="hatch" x1="0" y1="0" x2="0" y2="6"/></pattern></defs>'
        ),
        *_phases(picture, x, bottom),
        *_axis(x, bottom),
        *_marks(moments, x, bottom),
    ]
    for number, (node, bars) in enumerate(picture.nodes.items()):
        parts += _lane(node, bars, x, MARKS + number * LANE)
    for number, (name, rates, gap) in enumerate(
        (("published", picture.published, picture.publish_gap), ("dispatched", picture.arrived, picture.dispatch_gap))
    ):
        parts += _chart(name, rates, gap, picture, x, charts + number * (CHART + SPACE), rate)
    return "\n".join([*parts, "</svg>"])


def _phases(picture: Picture, x: _Scale, bottom: float) -> list[str]:
    """The fault, then the way back."""
    settled = picture.to_s if picture.settled_s is None else picture.settled_s
    spans = (("fault", 0.0, picture.healed_s, "fault"), ("healing", picture.healed_s, settled, "way back"))
    found = []
    for kind, start, end, name in spans:
        left, right = x(start), x(end)
        found.append(
            f'<rect class="{kind}" x="{left}" y="{MARKS - 6:g}" width="{max(right - left, 1):.1f}" '
            f'height="{bottom - MARKS + 6:g}"><title>{name}: {end - start:.2f} s</title></rect>'
        )
    return found


def _axis(x: _Scale, bottom: float) -> list[str]:
    span = x.last - x.first
    step = next((one for one in STEPS_S if span / one <= 16), STEPS_S[-1])
    found = [f'<line class="axis" x1="{LEFT:g}" y1="{bottom:g}" x2="{WIDTH - RIGHT:g}" y2="{bottom:g}"/>']
    tick = int(x.first / step) * step
    while tick <= x.last:
        if tick >= x.first:
            place = x(tick)
            found.append(f'<line class="grid" x1="{place}" y1="{MARKS:g}" x2="{place}" y2="{bottom:g}"/>')
            found.append(
                f'<text class="tick" x="{place}" y="{bottom + 16:g}">{tick:g}{" s" if tick == 0 else ""}</text>'
            )
        tick += step
    return found


def _marks(moments: Sequence[Moment], x: _Scale, bottom: float) -> list[str]:
    found = []
    rows = [-APART] * ROWS
    for number, moment in enumerate(moments, start=1):
        place = x(moment.at_s)
        row = next((one for one in range(ROWS) if place - rows[one] >= APART), ROWS - 1)
        rows[row] = place
        middle = 9 + row * 18
        title = f"<title>{moment.at_s:.2f} s: {escape(moment.what)}</title>"
        found.append(f'<line class="mark" x1="{place}" y1="{middle:g}" x2="{place}" y2="{bottom:g}"/>')
        found.append(
            f'<g class="number">{title}<circle cx="{place}" cy="{middle:g}" r="8"/>'
            f'<text x="{place}" y="{middle + 3.5:g}">{number}</text></g>'
        )
    return found


def _lane(node: str, bars: Sequence[Bar], x: _Scale, top: float) -> list[str]:
    found = [f'<text class="name" x="{LEFT - 10:g}" y="{top + 15:g}">{escape(node)}</text>']
    for bar in bars:
        left, right = x(bar.from_s), x(bar.to_s)
        width = max(right - left, 1.0)
        what = f"{bar.state} {bar.epoch}".strip()
        title = f"<title>{escape(node)} {escape(what)}, {bar.from_s:.2f} to {bar.to_s:.2f} s</title>"
        kind = bar.state if bar.state in ("leads", "follows") else "silent"
        place = f'x="{left}" y="{top + 2:g}" width="{width:.1f}" height="{LANE - 6:g}"'
        found.append(f'<rect class="{kind}" {place}>{title}</rect>')
        if kind == "silent":
            found.append(f'<rect class="hatched" {place} fill="url(#silent)"/>')
        label = f"leads {bar.epoch}" if kind == "leads" else "silent"
        if width > 12 + 6.5 * len(label) and kind != "follows":
            found.append(f'<text class="in-{kind}" x="{left + 6:g}" y="{top + 16:g}">{escape(label)}</text>')
    return found


def _chart(
    name: str, rates: Sequence[float], gap: tuple[float, float], picture: Picture, x: _Scale, top: float, rate: float
) -> list[str]:
    most = max(rate * PEAK, 1.0)
    floor = top + CHART

    def y(value: float) -> float:
        return round(floor - min(value, most) / most * CHART, 1)

    places = [x(picture.from_s + number * picture.bin_s) for number in range(len(rates) + 1)]
    line = [f"{LEFT:g},{floor:g}"]
    for number, value in enumerate(rates):
        line += [f"{places[number]},{y(value)}", f"{places[number + 1]},{y(value)}"]
    line.append(f"{places[-1]},{floor:g}")
    left, right = x(gap[0]), x(gap[1])
    length = gap[1] - gap[0]
    anchor = "end" if left > WIDTH - 160 else "start"
    return [
        f'<text class="name" x="{LEFT - 10:g}" y="{top + 12:g}">{name}</text>',
        f'<text class="unit" x="{LEFT - 10:g}" y="{top + 27:g}">frames/s</text>',
        f'<text class="unit" x="{LEFT - 10:g}" y="{y(rate) + 4:g}">{rate:g}</text>',
        f'<polygon class="rate {name}" points="{" ".join(line)}"/>',
        f'<line class="wanted" x1="{LEFT:g}" y1="{y(rate)}" x2="{WIDTH - RIGHT:g}" y2="{y(rate)}"/>',
        (
            f'<rect class="gap" x="{left}" y="{top:g}" width="{max(right - left, 1.5):.1f}" height="{CHART:g}">'
            f"<title>longest gap: {length:.3f} s</title></rect>"
        ),
        (
            f'<text class="gap-label" text-anchor="{anchor}" x="{left if anchor == "start" else right}" '
            f'y="{top - 5:g}">longest gap {length:.3f} s</text>'
        ),
        f'<line class="axis" x1="{LEFT:g}" y1="{floor:g}" x2="{WIDTH - RIGHT:g}" y2="{floor:g}"/>',
    ]
