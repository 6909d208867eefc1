"""`triarch playbook simulate` and `check`: what they print, and with which exit code they end."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from orchestrator.cli.main import main

SHIPPED = Path(__file__).parents[2] / "playbooks"
LINE = """
name: line
inputs: {who: {type: string, required: true}}
trigger: {type: event_received, event: line.wanted, condition: trigger.payload.speed > 1}
actions:
  - {type: set_group_state, target: "@all", target_state: STARTED, timeout: 1m}
  - {type: log_event, message: "{{ inputs.who }} has a line"}
"""
PLANT = {"components": {"io": {}, "press": {"depends_on": ["io"], "takes": {"CMD_START": "4s"}}}}


@pytest.fixture
def line(tmp_path: Path) -> Path:
    file = tmp_path / "line.yaml"
    file.write_text(LINE)
    return file


@pytest.fixture
def plant(tmp_path: Path) -> Path:
    file = tmp_path / "plant.yaml"
    file.write_text(yaml.safe_dump(PLANT))
    return file


def playbook(*arguments: Any) -> Result:
    return CliRunner().invoke(main, ["playbook", *map(str, arguments)])


def test_the_timeline_has_time_step_what_and_states(line: Path, plant: Path) -> None:
    result = playbook("simulate", line, "--plant", plant, "--input", "who=Ada")
    assert result.exit_code == 0, result.output
    rows = result.stdout.splitlines()
    assert rows[0].split() == ["TIME", "EXECUTION", "STEP", "WHAT", "COMPONENTS"]
    done = next(row for row in rows if "press has done CMD_START" in row)
    assert done.split()[0] == "7.035"
    assert done.endswith("io=STARTED press=STARTED")
    assert "line: SUCCEEDED after 7.04 s" in result.stderr
    assert any("Ada has a line" in row for row in rows)


@pytest.mark.parametrize(
    ("options", "code", "status"),
    [
        (["--fail", "io:LOSE_ANSWER@1s", "--fail", "leader:TAKEOVER@2s"], 0, "SUCCEEDED"),
        (["--fail", "press:FAIL:CMD_START"], 1, "FAILED"),
        (["--seed", "7"], 0, "SUCCEEDED"),
    ],
)
def test_the_exit_code_is_that_of_the_end(line: Path, plant: Path, options: list[str], code: int, status: str) -> None:
    result = playbook("simulate", line, "--plant", plant, "--input", "who=Ada", "-o", "json", *options)
    assert result.exit_code == code, result.output
    document = json.loads(result.stdout)
    assert document["status"] == status
    assert document["timeline"][0]["components"] == {"io": "READY", "press": "READY"}


def test_one_that_runs_out_of_time_ends_with_7(tmp_path: Path) -> None:
    file = tmp_path / "late.yaml"
    file.write_text("name: late\ntimeout: 5s\nactions: [{type: delay, duration: 1m}]\n")
    assert playbook("simulate", file).exit_code == 7


def test_an_event_starts_it_or_not() -> None:
    file = SHIPPED / "backpressure_critical.yaml"
    event = 'frames.backpressure:orchestrator:{"level": %d}'
    result = playbook("simulate", file, "--event", event % 3)
    assert result.exit_code == 0, result.output
    assert "backpressure is critical" in result.stdout
    result = playbook("simulate", file, "--event", event % 2)
    assert result.exit_code == 1
    assert "nothing started backpressure_critical" in result.stderr


def test_a_failure_starts_what_waits_for_it() -> None:
    file = SHIPPED / "component_fault_recovery.yaml"
    result = playbook("simulate", file, "--await-trigger", "--fail", "press-7:FAULT@3s")
    assert result.exit_code == 0, result.output
    assert "press-7 is READY again" not in result.stdout
    assert "press-7 is STARTED again" in result.stdout
    assert playbook("simulate", file, "--await-trigger").exit_code == 1


def test_what_it_calls_is_read_from_beside_it() -> None:
    result = playbook("simulate", SHIPPED / "startup.yaml", "--fail", "machine:FAIL:CMD_START", "-o", "json")
    assert result.exit_code == 1
    assert any("graceful_shutdown: SUCCEEDED" in row["what"] for row in json.loads(result.stdout)["timeline"])


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--input", "who"], 2, "'who' is not NAME=VALUE"),
        (["--input", "whom=Ada"], 4, "input whom"),
        ([], 4, "input who"),
        (["--input", "who=Ada", "--fail", "io"], 4, "'io' is no failure"),
        (["--event", "line.wanted"], 2, "is not TYPE:SOURCE"),
        (["--event", "line.wanted:io:[1]"], 2, "is not TYPE:SOURCE"),
        (["--event", "line.wanted:io:{"], 2, "the payload is no JSON"),
        (["--input", "who=Ada", "--signal", "go"], 2, "is not NAME[=JSON]@WHEN"),
        (["--input", "who=Ada", "--signal", "go@soon"], 2, "is not a duration"),
    ],
)
def test_what_is_asked_wrongly_is_named(line: Path, plant: Path, arguments: list[str], code: int, says: str) -> None:
    result = playbook("simulate", line, "--plant", plant, *arguments)
    assert result.exit_code == code, result.output
    assert says in " ".join(result.stderr.split())
    assert result.exception is None or isinstance(result.exception, SystemExit)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("components: {io: {state: ASLEEP}}", "plant.yaml: components.io.state"),
        ("components: [", "plant.yaml"),
        ("\x00", "plant.yaml"),
        ("components: {io: {depends_on: [io]}}", "io → io is a cycle"),
    ],
)
def test_a_plant_file_that_is_wrong_says_where(line: Path, plant: Path, text: str, says: str) -> None:
    plant.write_text(text)
    for command in ("simulate", "check"):
        result = playbook(command, line, "--plant", plant, "--input", "who=Ada")
        assert result.exit_code in (2, 4), result.output
        assert says in result.stderr


def test_a_playbook_that_is_wrong_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text("name: wrong\nactions:\n  - {type: log_evnt, message: hi}\n")
    for command in ("simulate", "check"):
        result = playbook(command, file)
        assert result.exit_code == 4
        assert "wrong.yaml:3" in result.stderr
        assert playbook(command, tmp_path / "none.yaml").exit_code == 2


def test_check_prints_the_shortest_run_and_exits_with_1(tmp_path: Path) -> None:
    file = tmp_path / "half.yaml"
    file.write_text("name: half\nactions: [{type: send_command, component: io, command: CMD_INITIALIZE}]\n")
    result = playbook("check", file)
    assert result.exit_code == 1
    assert "left_in_middle: io is left in INITIALIZING" in result.stdout
    assert "io takes up CMD_INITIALIZE" in result.stdout
    assert "1 of 1 playbooks have defects" in result.stderr
    [report] = json.loads(playbook("check", file, "-o", "json").stdout)
    assert (report["ok"], report["complete"]) == (False, True)
    assert [defect["kind"] for defect in report["defects"]] == ["left_in_middle"]
    assert [line["what"] for line in report["defects"][0]["run"]][1:] == ["io takes up CMD_INITIALIZE"]


def test_check_passes_what_is_right_and_says_how_far_it_looked(line: Path, plant: Path) -> None:
    result = playbook("check", line, "--plant", plant, "--input", "who=Ada", "--faults", "0", "--takeovers", "0")
    assert result.exit_code == 0, result.output
    assert "line: no defect found (" in result.stdout
    cut = playbook("check", line, "--plant", plant, "--input", "who=Ada", "--bound", "10")
    assert cut.exit_code == 0
    assert "not complete: more than 10 states" in cut.stdout
    assert playbook("check", line, line).exit_code == 2
