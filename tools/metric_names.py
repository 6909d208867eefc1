"""Which metrics there are, by docs/metrics.md, and which ones an expression of PromQL names.

A test holds docs/metrics.md against what real nodes show, so that rules and dashboards may be held against the page.
"""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "metrics.md"
PREFIXES = ("triarch_", "frame_buffer_", "process_")
SUFFIXES = {"counter": ("",), "gauge": ("",), "info": ("",), "histogram": ("_bucket", "_sum", "_count")}

_ROW = re.compile(r"^\| (`[^|]*) \| (counter|gauge|histogram|info) \| (.+) \|$")
_NAME = re.compile(r"`([a-z_]+)(?:\{([a-z_,]*)\})?`")
_WORD = re.compile(r"(?<![\w:\"'])([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[^}]*\})?")


def documented(text: str | None = None) -> dict[str, tuple[str, tuple[str, ...]]]:
    """By name of metric: (type, labels), from the tables of the page."""
    found = {}
    for line in (PAGE.read_text() if text is None else text).splitlines():
        row = _ROW.match(line)
        for name, labels in _NAME.findall(row.group(1)) if row else ():
            found[name] = (row.group(2) if row else "", tuple(labels.split(",")) if labels else ())
    return found


def series(metrics: dict[str, tuple[str, tuple[str, ...]]]) -> set[str]:
    """The names of series that these metrics have."""
    return {name + suffix for name, (kind, _) in metrics.items() for suffix in SUFFIXES[kind]}


def named(expression: str) -> Iterator[str]:
    """The metrics of a node that an expression names: words with one of `PREFIXES`."""
    for name, _ in _WORD.findall(re.sub(r'"[^"]*"', '""', expression)):
        if name.startswith(PREFIXES):
            yield name


def recorded(expression: str) -> Iterator[str]:
    """The recorded series that it names: words with a colon."""
    for name, _ in _WORD.findall(re.sub(r'"[^"]*"', '""', expression)):
        if ":" in name.strip(":"):
            yield name
