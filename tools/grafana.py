"""The dashboards for Grafana as files. The same descriptions (tools/grafana_cluster.py …) give the same bytes.

python tools/grafana.py --write    writes deploy/grafana/*.json
python tools/grafana.py --check    exits 1 where a file is not what would be written, a metric that a panel names is
                                   not in docs/metrics.md, or a metric of the page is on no dashboard
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools.grafana_api import API  # noqa: E402
from tools.grafana_cluster import CLUSTER  # noqa: E402
from tools.grafana_frames import FRAMES  # noqa: E402
from tools.grafana_panels import Board, Panel  # noqa: E402
from tools.grafana_plant import PLANT  # noqa: E402
from tools.metric_names import documented, named, series  # noqa: E402

BOARDS = (CLUSTER, FRAMES, PLANT, API)
FOLDER = ROOT / "deploy" / "grafana"
SCHEMA = 37
"""Of Grafana 9.1 and newer: later ones bring it up to date themselves."""
OF = 'cluster=~"$cluster"'
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
HEIGHTS = {"stat": 4, "timeseries": 8, "table": 8}
WIDTH = 24
NOT_SHOWN = {
    "frame_buffer_orchestrator_info",
    "frame_buffer_backpressure_alerts_total",
    *(f"triarch_raft_{name}" for name in ("epoch_term", "epoch_index", "last_index", "log_entries", "has_quorum")),
    *(
        f"triarch_raft_{name}"
        for name in ("listening", "is_member", "syncs_total", "sync_seconds_total", "votes_total")
    ),
    *(f"triarch_raft_{name}" for name in ("snapshots_total", "leaderships_total", "step_downs_total")),
    *(f"triarch_api_certificate_{name}" for name in ("reload_failed", "reloads_total")),
    *(f"triarch_clock_{name}" for name in ("uncertainty_seconds", "synchronised")),
    *("triarch_oidc_refreshes_total", "triarch_oidc_keys", "triarch_rate_limit_buckets", "triarch_history_bytes"),
    *("triarch_redis_replica_silence_seconds", "process_start_time_seconds", "process_virtual_memory_bytes"),
}
"""Of no use as a picture; there for questions and rules."""


def asked(expression: str) -> str:
    """With the chosen cluster in each selector."""
    return re.sub(r"\bof(?=\})", OF, expression)


def dashboard(board: Board) -> dict[str, Any]:
    """As Grafana imports it."""
    return {
        "uid": f"triarch-{board.name}",
        "title": board.title,
        "description": board.text,
        "tags": ["triarch"],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": {"from": "now-1h", "to": "now"},
        "refresh": "10s",
        "annotations": {"list": [_takeovers()]},
        "links": [
            {"type": "dashboards", "tags": ["triarch"], "title": "Triarch", "asDropdown": True, "keepTime": True,
             "includeVars": True}
        ],
        "templating": {"list": [_source(), _cluster()]},
        "panels": list(_panels(board)),
    }  # fmt: skip


def _source() -> dict[str, Any]:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "hide": 0}


def _cluster() -> dict[str, Any]:
    return {
        "name": "cluster", "label": "Cluster", "type": "query", "datasource": DATASOURCE, "hide": 0, "refresh": 2,
        "sort": 1, "multi": False, "includeAll": True, "allValue": ".*",
        "query": {"query": "label_values(triarch_raft_term, cluster)", "refId": "cluster"},
    }  # fmt: skip


def _takeovers() -> dict[str, Any]:
    return {
        "name": "Takeovers", "enable": True, "iconColor": "orange", "datasource": DATASOURCE,
        "expr": asked("increase(triarch_raft_leaderships_total{of}[30s]) > 0"), "step": "15s",
        "titleFormat": "{{instance}} leads",
    }  # fmt: skip


def _panels(board: Board) -> Iterator[dict[str, Any]]:
    number, top = 1, 0
    for row in board.rows:
        yield {
            "id": number, "type": "row", "title": row.title, "collapsed": False, "panels": [],
            "gridPos": {"x": 0, "y": top, "w": WIDTH, "h": 1},
        }  # fmt: skip
        number, top, left, tallest = number + 1, top + 1, 0, 0
        for panel in row.panels:
            height = HEIGHTS[panel.kind]
            if left + panel.width > WIDTH:
                top, left, tallest = top + tallest, 0, 0
            yield _panel(panel, number, {"x": left, "y": top, "w": panel.width, "h": height})
            number, left, tallest = number + 1, left + panel.width, max(tallest, height)
        top += tallest


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit}
    if panel.least is not None:
        defaults["min"] = panel.least
    if panel.steps:
        defaults["thresholds"] = {
            "mode": "absolute",
            "steps": [{"value": value, "color": colour} for value, colour in panel.steps],
        }
    options: dict[str, Any]
    if panel.kind == "stat":
        options = {
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "colorMode": "background",
        }
    else:
        defaults["custom"] = {
            "lineWidth": 1, "fillOpacity": 20 if panel.stacked else 5, "showPoints": "never",
            "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
        }  # fmt: skip
        options = {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.text,
        "datasource": DATASOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "targets": [
            {"refId": chr(ord("A") + at), "datasource": DATASOURCE, "expr": asked(expression), "legendFormat": legend}
            for at, (expression, legend) in enumerate(panel.asks)
        ],
    }


def text_of(board: Board) -> str:
    """The file."""
    return json.dumps(dashboard(board), indent=1, ensure_ascii=False) + "\n"


def expressions(board: Board) -> Iterator[str]:
    """What its panels ask Prometheus."""
    for row in board.rows:
        for panel in row.panels:
            for expression, _ in panel.asks:
                yield asked(expression)


def faults(boards: Iterable[Board], folder: Path, page: str | None = None) -> Iterator[str]:
    """What is wrong, a line each. `page`: the text of docs/metrics.md."""
    metrics = documented(page)
    known, shown, files = series(metrics), set[str](), set[str]()
    for board in boards:
        files.add(f"{board.name}.json")
        for expression in expressions(board):
            if "$cluster" not in expression:
                yield f"{board.name}: {expression} is not of the chosen cluster"
            for metric in named(expression):
                shown.add(metric)
                if metric not in known:
                    yield f"{board.name}: docs/metrics.md knows no {metric}"
        path = folder / f"{board.name}.json"
        if not path.is_file() or path.read_text() != text_of(board):
            yield f"{path.name} is not what its description says: make docs"
    for path in sorted(folder.glob("*.json")):
        if path.name not in files:
            yield f"{path.name} belongs to no dashboard"
    for metric in sorted(metrics):
        if metric not in NOT_SHOWN and not series({metric: metrics[metric]}) & shown:
            yield f"{metric} is on no dashboard (or belongs to NOT_SHOWN)"


def main() -> int:
    """Exit code 0 when nothing is wrong."""
    if "--write" in sys.argv[1:]:
        FOLDER.mkdir(parents=True, exist_ok=True)
        for board in BOARDS:
            (FOLDER / f"{board.name}.json").write_text(text_of(board))
        return 0
    found = list(faults(BOARDS, FOLDER))
    for fault in found:
        print(fault, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
