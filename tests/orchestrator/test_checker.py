"""The checker: planted defects are found and named, what is right passes, and its bounds are told."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.cli.playbook_files import playbooks_in
from orchestrator.errors import SimulationInvalid
from orchestrator.playbooks.checker.judging import Kind
from orchestrator.playbooks.checker.search import Report, check, lines
from orchestrator.playbooks.checker.starts import Wanted, starts
from orchestrator.playbooks.loading import load_text
from orchestrator.playbooks.models import Playbook
from orchestrator.playbooks.simulation.plant import SimulatedPlant

DEFECTIVE = sorted((Path(__file__).parent / "defective_playbooks").glob("*.yaml"))


def playbook(text: str) -> Playbook:
    return load_text(text, file="p.yaml").playbook


def plant(document: Any) -> SimulatedPlant:
    return SimulatedPlant.of({"components": document})


def kinds(report: Report) -> list[str]:
    return [str(defect.kind) for defect in report.defects]


def planted(file: Path) -> dict[str, str]:
    """`kind`, `says` and perhaps `plant`, from the comments at its head."""
    return dict(re.findall(r"^# (kind|says|plant): (.*)$", file.read_text(), re.MULTILINE))


def test_there_are_enough_and_of_every_kind() -> None:
    assert len(DEFECTIVE) >= 20
    assert {planted(file)["kind"] for file in DEFECTIVE} == {str(kind) for kind in Kind}


@pytest.mark.parametrize("file", DEFECTIVE, ids=lambda file: file.stem)
def test_a_planted_defect_is_found_and_nothing_else(file: Path) -> None:
    known = planted(file)
    [asked], called = playbooks_in([file])
    where = SimulatedPlant.of(yaml.safe_load(known["plant"])) if "plant" in known else None
    report = check(asked, called, Wanted(where))
    said = "\n".join(lines(report))
    assert set(kinds(report)) == {known["kind"]}, said
    assert re.search(known["says"], said), said
    assert all(defect.run for defect in report.defects)


ORDER = """
name: p
invariants:
  - name: io is not stopped under the supervisor
    never: components.io.state == 'STOPPED' and components.supervisor.state == 'STARTED'
actions:
  - {type: send_command, component: %s, command: CMD_GRACEFUL_STOP, wait: true}
  - {type: send_command, component: %s, command: CMD_GRACEFUL_STOP, wait: true}
"""
LINE = {"io": {"state": "STARTED"}, "supervisor": {"state": "STARTED"}}


def test_the_run_that_is_shown_is_a_shortest_one() -> None:
    [defect] = check(playbook(ORDER % ("io", "supervisor")), (), Wanted(plant(LINE))).defects
    assert [each.what for each in defect.run[1:]] == ["io takes up CMD_GRACEFUL_STOP", "io has done CMD_GRACEFUL_STOP"]
    assert defect.run[-1].components == {"io": "STOPPED", "supervisor": "STARTED"}
    assert check(playbook(ORDER % ("supervisor", "io")), (), Wanted(plant(LINE))).ok


GROUP = "name: p\nactions: [{type: set_group_state, target: '@all', target_state: STARTED}]\n"


def test_more_faults_and_takeovers_mean_more_states() -> None:
    where = plant({"a": {}, "b": {"depends_on": ["a"]}})
    sizes = [
        check(playbook(GROUP), (), Wanted(where, faults=faults, takeovers=takeovers)).states
        for faults, takeovers in ((0, 0), (0, 1), (1, 1))
    ]
    assert sizes == sorted(set(sizes))


def test_what_the_bounds_cut_off_is_said() -> None:
    where = plant({"a": {}, "b": {}, "c": {}})
    report = check(playbook(GROUP), (), Wanted(where), bound=50)
    assert (report.ok, report.complete) == (True, False)
    assert "more than 50 states" in report.cut
    assert any("not complete" in line for line in lines(report))
    assert "more than 3 moves" in check(playbook(GROUP), (), Wanted(where), depth=3).cut
    assert check(playbook(GROUP), (), Wanted(plant({"a": {}}))).complete


def test_a_component_that_was_harmed_is_not_the_playbooks_fault() -> None:
    # It falls silent on its way up, and nobody could do anything about that.
    text = "name: p\nactions: [{type: set_group_state, component: io, target_state: STARTED, timeout: 10s}]\n"
    report = check(playbook(text), (), Wanted(plant({"io": {}}), faults=1, takeovers=0))
    assert report.ok


def test_a_declared_end_says_that_a_state_is_meant() -> None:
    text = "name: p\n%sactions: [{type: send_command, component: io, command: CMD_INITIALIZE}]\n"
    where = Wanted(plant({"io": {}}))
    assert kinds(check(playbook(text % ""), (), where)) == ["left_in_middle"]
    meant = """invariants:
  - name: it is on its way
    always: execution.status == 'RUNNING' or components.io.state in ['INITIALIZING', 'INIT_COMPLETE', 'FAULT', 'READY']
"""
    assert check(playbook(text % meant), (), where).ok


def test_invariants_that_no_beginning_satisfies_are_refused() -> None:
    text = "name: p\ninvariants: [{name: never, always: 1 > 2}]\nactions: [{type: log_event, message: hi}]\n"
    with pytest.raises(SimulationInvalid, match="invariants are broken before"):
        check(playbook(text))


def test_a_playbook_may_need_one_beginning_among_several() -> None:
    # It works from STARTED, and is refused from READY and STOPPED.
    text = "name: p\nactions: [{type: send_command, component: io, command: CMD_STOP, wait: true}]\n"
    report = check(playbook(text))
    assert (report.starts, report.ok) == (3, True)
    assert kinds(check(playbook(text), (), Wanted(plant({"io": {}})))) == ["fails_unprovoked"]


def test_approvals_and_signals_are_answered_both_ways() -> None:
    text = """
name: p
invariants: [{name: no start without approval, never: "execution.status == 'SUCCEEDED' and not vars.yes"}]
variables: {yes: false}
actions:
  - {type: approve, message: go?%s}
  - {type: wait_for_signal, signal: ready}
  - {type: set_variable, name: yes, value: true, when: "steps.asked.status == 'SUCCEEDED'"}
"""
    assert check(playbook(text % ", id: asked")).ok
    report = check(playbook(text % ", id: asked, after_failure: continue"))
    assert kinds(report) == ["end_state"]
    assert any("rejects" in each.what or "nobody" in each.what for each in report.defects[0].run)


def test_a_request_whose_answer_is_lost_is_tried_too() -> None:
    text = """
name: p
invariants: [{name: it is asked again, never: "execution.status == 'FAILED' and 'no whole answer' in steps.sent.error"}]
actions: [{type: http_request, id: sent, method: POST, url: "http://127.0.0.1/x"%s}]
"""
    assert check(playbook(text % "")).ok
    report = check(playbook(text % ", safe: false"))
    assert kinds(report) == ["end_state"]
    assert "answer is lost" in report.defects[0].run[-1].what


def test_each_trigger_is_a_beginning_of_its_own() -> None:
    text = """
name: p
trigger:
  - {type: event_received, event: line.*}
  - {type: component_state, group: line, state: [FAULT, UNRESPONSIVE]}
  - {type: group_state, group: line, state: STARTED}
  - {type: metric, metric: temperature, above: 80}
  - {type: schedule, every: 1h}
  - {type: playbook_ended, playbook: q, status: [FAILED, TIMED_OUT]}
  - {type: manual}
inputs: {which: {type: string, default: line-1}}
actions:
  - type: log_event
    message: >-
      {{ trigger.source if trigger.type in ['line.any', 'component_state', 'metric'] else trigger.due
      if trigger.type == 'schedule' else trigger.error if trigger.type == 'playbook_ended' else '' }}
"""
    found = starts(playbook(text), (), Wanted(SimulatedPlant.of({"components": {"line-1": {"groups": ["line"]}}})))
    said = [start.what.partition(";")[0] for start in found]
    assert said == [
        "started by the event line.any from line-1",
        "started as line-1 is FAULT",
        "started as line-1 is UNRESPONSIVE",
        "started as group line is STARTED",
        "started by the metric temperature",
        "started by its schedule",
        "started as q ended FAILED",
        "started as q ended TIMED_OUT",
        "started by hand",
    ]
    states = [start.situation.states()["line-1"] for start in found]
    assert states[1:4] == ["FAULT", "READY(silent)", "STARTED"]
    report = check(playbook(text))
    assert report.ok, "\n".join(lines(report))
