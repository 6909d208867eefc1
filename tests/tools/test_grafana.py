"""The dashboards are what their descriptions say, name only what there is, and the check finds where that is not so."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tools import grafana
from tools.grafana_panels import Board, Row, lines

PANELS = (lines("P", "", ("triarch_raft_term{of}", "x"), width=16), lines("Q", "", ("triarch_watchers{of}", "")))
BOARD = Board("b", "B", "", (Row("R", PANELS),))


def test_the_files_are_right() -> None:
    assert list(grafana.faults(grafana.BOARDS, grafana.FOLDER)) == []


def test_what_is_wrong_is_found(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text(grafana.text_of(BOARD))
    (tmp_path / "old.json").write_text("{}")
    wrong = lines("P", "", ("triarch_raft_trem{of}", "x"), ("triarch_raft_term", "x"))
    bad = Board("bad", "", "", (Row("R", (wrong,)),))
    found = "\n".join(grafana.faults([BOARD, bad], tmp_path))
    assert "bad: docs/metrics.md knows no triarch_raft_trem" in found
    assert "bad: triarch_raft_term is not of the chosen cluster" in found
    assert "bad.json is not what its description says" in found
    assert "old.json belongs to no dashboard" in found
    assert "triarch_audit_broken is on no dashboard" in found
    assert "b.json is not" not in found


@pytest.mark.parametrize("board", grafana.BOARDS, ids=lambda board: board.name)
def test_panels_stand_beside_each_other_and_ask_the_chosen_source(board: Board) -> None:
    panels = json.loads(grafana.text_of(board))["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken
        assert at["x"] + at["w"] <= grafana.WIDTH
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)
    asking = [panel for panel in panels if panel["type"] != "row"]
    assert all(target["datasource"]["uid"] == "${datasource}" for panel in asking for target in panel["targets"])


def test_prometheus_understands_every_question(tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        assert not os.environ.get("CI"), "promtool is missing (Debian: apt install prometheus)"
        pytest.skip("promtool is missing (Debian: apt install prometheus)")
    asked = [one.replace("$cluster", "plant") for board in grafana.BOARDS for one in grafana.expressions(board)]
    rules = {"groups": [{"name": "g", "rules": [{"record": f"q:{at}", "expr": one} for at, one in enumerate(asked)]}]}
    path = tmp_path / "rules.json"  # JSON is YAML
    path.write_text(json.dumps(rules))
    done = subprocess.run(["promtool", "check", "rules", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(asked)} rules found" in done.stdout
