"""How the page of a drill looks: light and dark by the reader's own setting, and on paper. Pure."""

__all__ = ["STYLE"]

STYLE = """
:root { color-scheme: light dark; --bg: #f4f6f8; --surface: #fff; --line: #d5dce3; --ink: #17212b; --ink-2: #465563;
  --accent: #1f5f9e; --ok: #1b6b3a; --ok-soft: #dff1e5; --warn: #7a5200; --warn-soft: #fbefd2; --bad: #a8241c;
  --bad-soft: #fbe4e1; --idle: #dde3e9; --dispatch: #b05a00; }
@media (prefers-color-scheme: dark) { :root { --bg: #10151a; --surface: #171e25; --line: #2d3945; --ink: #e8edf2;
  --ink-2: #b4c0cb; --accent: #7db5ec; --ok: #7fd3a0; --ok-soft: #17382a; --warn: #e9c46a; --warn-soft: #3a3115;
  --bad: #ff9b91; --bad-soft: #45211f; --idle: #2d3945; --dispatch: #f0a35e; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 1.5rem; background: var(--bg); color: var(--ink);
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif; }
main { max-width: 1080px; margin: 0 auto; }
header { display: flex; flex-wrap: wrap; gap: .4rem 1rem; align-items: baseline; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.05rem; margin: 0 0 .6rem; }
.badge { font-weight: 700; padding: .15rem .7rem; border-radius: 6px; border: 1px solid currentColor; }
.passed { color: var(--ok); background: var(--ok-soft); }
.failed, .unproven { color: var(--bad); background: var(--bad-soft); }
.facts { color: var(--ink-2); margin: .3rem 0 1.2rem; }
section { background: var(--surface); border: 1px solid var(--line); border-radius: 8px; padding: 1rem 1.2rem;
  margin-bottom: 1rem; break-inside: avoid; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .28rem .8rem .28rem 0; border-bottom: 1px solid var(--line); vertical-align: top;
}
tr:last-child > * { border-bottom: 0; } .moments td.n { width: 5rem; }
th { font-weight: 600; color: var(--ink-2); font-size: .85rem; }
td.n { font-variant-numeric: tabular-nums; white-space: nowrap; }
.mark { font-weight: 700; white-space: nowrap; } .good { color: var(--ok); } .wrong { color: var(--bad); }
.shown { color: var(--ink-2); }
code, pre { font: .86rem/1.4 ui-monospace, "DejaVu Sans Mono", monospace; }
pre { white-space: pre-wrap; margin: .4rem 0 0; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); gap: 0 1rem; }
.legend { color: var(--ink-2); font-size: .85rem; margin: .5rem 0 0; }
.swatch { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin: 0 .3em 0 .9em;
vertical-align: -.05em; }
.picture { display: block; width: 100%; height: auto; }
svg text { font: 12px system-ui, "Noto Sans", "DejaVu Sans", sans-serif; fill: var(--ink); }
svg .name { text-anchor: end; font-weight: 600; } svg .unit { text-anchor: end; fill: var(--ink-2); font-size: 11px; }
svg .tick { text-anchor: middle; fill: var(--ink-2); font-size: 11px; }
svg .grid { stroke: var(--line); stroke-width: .6; }
svg .axis { stroke: var(--ink-2); stroke-width: 1; } svg .fault { fill: var(--bad-soft); }
svg .healing { fill: var(--warn-soft); }
svg .mark { stroke: var(--ink-2); stroke-width: .8; stroke-dasharray: 3 3; }
svg .number circle { fill: var(--surface); stroke: var(--ink); }
svg .number text { text-anchor: middle; font-size: 10px; }
svg .leads { fill: var(--accent); } svg .in-leads { fill: var(--surface); font-size: 11px; }
svg .follows { fill: var(--idle); }
svg .silent { fill: var(--surface); stroke: var(--bad); stroke-width: 1; }
svg .hatch { stroke: var(--bad); stroke-width: 1.4; }
svg .in-silent { font-size: 11px; fill: var(--bad); paint-order: stroke; stroke: var(--surface); stroke-width: 4px; }
svg .rate { fill: var(--accent); fill-opacity: .55; } svg .rate.dispatched { fill: var(--dispatch); }
svg .wanted { stroke: var(--ink-2); stroke-width: .8; stroke-dasharray: 2 4; }
svg .gap { fill: var(--bad); fill-opacity: .28; stroke: var(--bad); stroke-width: 1; }
svg .gap-label { fill: var(--bad); font-weight: 600; }
@media print { body { background: #fff; padding: 0; font-size: 11pt; } section { border-color: #999; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""
