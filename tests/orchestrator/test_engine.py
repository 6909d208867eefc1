"""What the engine makes of an execution, in virtual time."""

import json
from collections import Counter

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.lifecycle import State
from orchestrator.playbooks.engine import Done, Effect, Failed, Result, Unknown
from orchestrator.playbooks.execution import Limits, Status, StepStatus
from orchestrator.playbooks.models import Playbook
from tests.orchestrator.playbook_runs import Run

PLANT = {"io": State.READY, "supervisor": State.READY, "kds": State.FAULT}
CHAIN = {"supervisor": ("io",), "kds": ("supervisor",)}

RICH = """
name: rich
variables: {n: 0}
actions:
- {type: log_event, message: "begin"}
- {type: set_group_state, target: "@all", target_state: STARTED}
- type: parallel
  branches:
    left: [{type: delay, duration: 5s}, {type: http_request, url: "http://a", method: POST}]
    right: [{type: set_variable, name: n, value: "{{ vars.n + 1 }}"}, {type: send_notification, message: m}]
- type: for_each
  items: "{{ ['io', 'kds'] }}"
  actions: [{type: send_command, component: "{{ item }}", command: TUNE}]
- {type: execute_scenario, name: other.yaml}
- {type: set_variable, scope: plant, name: v, value: "{{ vars.n }}"}
- {type: send_command, groups: [pair], command: CALIBRATE, retry: {attempts: 3, delay: 1s}}
- {type: wait_for_state, target: "@all", target_state: STARTED, timeout: 10s}
- {type: repeat, until: "vars.n > 3", limit: 9, actions: [{type: set_variable, name: n, value: "{{ vars.n + 1 }}"}]}
finally:
- {type: send_command, component: io, command: REPORT}
"""
OTHER = "{name: other, actions: [{type: delay, duration: 2s}, {type: send_command, component: io, command: OTHER}]}"


def rich(answer: object = None) -> Run:
    run = Run(RICH, OTHER, components=PLANT, depends_on=CHAIN, groups={"pair": ("io", "supervisor")})
    run.start("rich")
    return run


def one(actions: str, **members: object) -> Run:
    run = Run(f"{{name: p, actions: [{actions}]}}", components=PLANT, **members)  # type: ignore[arg-type]
    run.start("p")
    return run


def messages(run: Run) -> list[str]:
    return [line.entry.message for line in run.registry.journal.lines if line.entry.type == "playbook.log"]


# ── The whole ────────────────────────────────


def test_a_rich_playbook_runs_to_its_end() -> None:
    run = rich()
    run.go()
    assert (run.row().status, run.row().error) == (Status.SUCCEEDED, "")
    assert set(run.components.values()) == {State.STARTED}
    assert run.row().variables["n"] == "4"
    assert run.variables.rows["v"].value == "1"
    started = [effect.data["component"] for effect in run.sent if effect.data.get("command") == "CMD_START"]
    assert started == ["io", "supervisor", "kds"]


def effects(run: Run) -> Counter[str]:
    """What the plant did, by what it was: each key once."""
    return Counter(key for key in run.done)


def points_of(run: Run) -> int:
    counted = 0

    def count(_where: str, number: int) -> bool:
        nonlocal counted
        counted = number
        return False

    run.go(crash=count)
    return counted


def test_a_leader_that_dies_at_any_point_changes_nothing() -> None:
    """At each commit and each effect, on both sides of it: the same end, and each effect once."""
    whole = rich()
    points = points_of(whole)
    assert points > 30
    for where in ("before commit", "after commit", "before effect", "after effect"):
        for point in range(1, points + 1):
            run = rich()
            died: list[int] = []

            def crash(here: str, number: int, at: str = where, nth: int = point, died: list[int] = died) -> bool:
                if here == at and number >= nth and not died:
                    died.append(number)
                    return True
                return False

            run.go(crash=crash)
            assert run.row().status == Status.SUCCEEDED, (where, point)
            assert effects(run) == effects(whole), (where, point)
            assert run.row().variables == whole.row().variables, (where, point)
            assert messages(run) == messages(whole), (where, point)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=30), st.lists(st.booleans(), min_size=1, max_size=40))
def test_lost_answers_and_many_takeovers_change_nothing(gaps: list[int], lost: list[bool]) -> None:
    run = rich()
    answers = iter(lost)

    def answer(effect: Effect) -> Result:
        done = run.obey(effect)
        return Unknown("no answer") if next(answers, False) else done

    run.answer = answer
    dying = {sum(gaps[: number + 1]) for number in range(len(gaps))}
    died: set[int] = set()

    def crash(_where: str, number: int) -> bool:
        if number in dying and number not in died:
            died.add(number)
            return True
        return False

    run.go(crash=crash)
    whole = rich()
    whole.go()
    assert run.row().status == Status.SUCCEEDED
    assert effects(run) == effects(whole)
    assert messages(run) == messages(whole)


# ── Failing ────────────────────────────────


def test_a_failed_step_runs_its_handler_and_ends_its_list() -> None:
    run = one(
        "{type: fail, message: nope, on_failure: [{type: log_event, message: '{{ error.code }} {{ error.message }}'}]},"
        "{type: log_event, message: never}"
    )
    run.go()
    assert (run.row().status, run.row().code) == (Status.FAILED, "failed")
    assert messages(run) == ["failed nope"]


def test_after_failure_continue_goes_on() -> None:
    run = one("{type: fail, message: nope, after_failure: continue}, {type: log_event, message: goes on}")
    run.go()
    assert run.row().status == Status.SUCCEEDED
    assert messages(run) == ["goes on"]


def test_on_timeout_comes_before_on_failure() -> None:
    run = one(
        "{type: wait_for_state, component: io, target_state: STARTED, timeout: 5s,"
        " on_timeout: [{type: log_event, message: late}], on_failure: [{type: log_event, message: failed}]}"
    )
    run.go()
    assert messages(run) == ["late"]
    assert run.step("actions/0").status == StepStatus.TIMED_OUT
    assert run.now == 105.0
    assert "io is READY" in run.step("actions/0").error


def test_a_component_in_fault_ends_the_wait_at_once() -> None:
    run = one("{type: wait_for_state, component: kds, target_state: STARTED, timeout: 1h}")
    run.go()
    assert (run.row().status, run.step("actions/0").code, run.now) == (Status.FAILED, "state_failed", 100.0)


def test_an_attempt_that_failed_is_made_again_under_a_new_key() -> None:
    run = one("{type: send_command, component: io, command: X, retry: {attempts: 3, delay: 2s, factor: 3}}")
    answers: list[Result] = [Failed("command_failed", "one"), Failed("command_failed", "two"), Done()]
    run.answer = lambda _effect: answers.pop(0)
    run.go(until=100.0)
    step = run.step("actions/0")
    assert (step.status, step.next, step.error) == (StepStatus.RETRYING, 102.0, "one")
    run.go()
    assert [effect.key for effect in run.sent] == [f"x/actions/0/{key}" for key in (1, 2, 3)]
    assert run.row().status == Status.SUCCEEDED
    assert run.now == 108.0


def test_an_unknown_outcome_is_asked_for_again_under_the_same_key_until_the_time_is_up() -> None:
    run = one("{type: send_command, component: io, command: X, timeout: 3s}")
    run.answer = lambda _effect: Unknown("no answer")
    run.go()
    step = run.step("actions/0")
    assert (step.status, step.code, step.again) == (StepStatus.TIMED_OUT, "outcome_unknown", True)
    assert len(run.sent) > 3
    assert {effect.key for effect in run.sent} == {"x/actions/0/1"}
    # A person retries: what may have happened is asked for under its own key.
    run.answer = run.obey
    assert not run.control("retry").code
    run.go()
    assert run.row().status == Status.SUCCEEDED
    assert run.sent[-1].key == "x/actions/0/1"


def test_another_attempt_after_an_unknown_outcome_keeps_the_key() -> None:
    run = one("{type: send_command, component: io, command: X, timeout: 1s, retry: {attempts: 2, delay: 1s}}")
    run.answer = lambda _effect: None
    run.go()
    assert [effect.key for effect in run.sent][-1] == "x/actions/0/1"
    assert run.step("actions/0").attempt == 2


def test_a_request_to_a_receiver_without_keys_is_never_sent_twice() -> None:
    run = one("{type: http_request, url: 'http://a', safe: false, timeout: 5s, retry: {attempts: 5}}")
    run.answer = lambda _effect: Failed("outcome_unknown", "no answer")
    run.go()
    assert len(run.sent) == 1
    assert run.row().code == "outcome_unknown"


def test_a_template_that_cannot_be_read_fails_the_step() -> None:
    run = one("{type: log_event, message: '{{ trigger.nothing.there }}'}")
    run.go()
    assert run.row().code == "template_failed"
    assert "trigger.nothing" in run.row().error


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ("{type: send_command, group: none, command: X}", "group_unknown"),
        ("{type: send_command, group: empty, command: X}", "selector_empty"),
        ("{type: send_command, component: '{{ 3 }}', command: X}", "selector_invalid"),
        ("{type: wait_for_state, component: io, target_state: '{{ \"ON\" }}'}", "state_unknown"),
        ("{type: set_group_state, component: none, target_state: STARTED}", "component_unknown"),
        ("{type: execute_scenario, name: none}", "playbook_unknown"),
        ("{type: for_each, items: '{{ 3 }}', actions: [{type: fail, message: x}]}", "items_invalid"),
        ("{type: repeat, until: 'false', limit: 3, actions: [{type: log_event, message: x}]}", "limit_reached"),
        ("{type: http_request, url: 'ftp://a'}", "url_invalid"),
        ("{type: set_variable, scope: plant, name: v, value: 1, if_revision: 7}", "precondition_failed"),
        ("{type: set_variable, scope: plant, name: v, value: 1, if_revision: '{{ \"x\" }}'}", "value_invalid"),
    ],
)
def test_what_cannot_be_done_fails_with_a_code(step: str, code: str) -> None:
    run = one(step + ", {type: log_event, message: never}", groups={"empty": ()})
    run.go()
    assert (run.row().status, run.row().code) == (Status.FAILED, code)
    assert messages(run) in ([], ["x"] * 3)


def test_an_empty_selector_may_be_skipped() -> None:
    run = one("{type: send_command, group: empty, command: X, on_empty: skip}", groups={"empty": ()})
    run.go()
    assert run.row().status == Status.SUCCEEDED


# ── The whole execution's end ────────────────────────────────


def test_an_execution_out_of_time_runs_on_timeout_and_finally() -> None:
    run = Run(
        "{name: p, timeout: 10s, actions: [{type: delay, duration: 1h}],"
        " on_timeout: [{type: log_event, message: late}], on_failure: [{type: log_event, message: failed}],"
        " finally: [{type: log_event, message: last}]}"
    )
    run.start("p")
    run.go()
    assert (run.row().status, run.now) == (Status.TIMED_OUT, 110.0)
    assert messages(run) == ["late", "last"]
    assert run.step("actions/0").status == StepStatus.CANCELLED


def test_a_cancelled_execution_runs_finally_only() -> None:
    run = Run(
        "{name: p, actions: [{type: block, actions: [{type: delay, duration: 1h}]}],"
        " on_failure: [{type: log_event, message: failed}], finally: [{type: log_event, message: last}]}"
    )
    run.start("p")
    run.go(until=120.0)
    assert not run.control("cancel", comment="enough").code
    run.go()
    assert (run.row().status, run.row().error) == (Status.CANCELLED, "enough")
    assert messages(run) == ["last"]
    assert run.control("cancel").code == "execution_ended"


def test_the_execution_that_a_step_waits_for_is_cancelled_with_it() -> None:
    run = Run(
        "{name: p, actions: [{type: execute_scenario, name: q}]}", "{name: q, actions: [{type: delay, duration: 1h}]}"
    )
    run.start("p")
    run.go(until=120.0)
    run.control("cancel")
    run.go()
    assert {row.status for row in run.registry.rows.values()} == {Status.CANCELLED}


def test_a_failed_scenario_fails_the_step_and_names_its_cause() -> None:
    run = Run(
        "{name: p, actions: [{type: execute_scenario, name: q}]}", "{name: q, actions: [{type: fail, message: why}]}"
    )
    run.start("p")
    run.go()
    assert run.row().code == "scenario_failed"
    assert "why" in run.row().error


def test_what_is_refused_when_it_is_recorded_is_tried_again_too() -> None:
    retry = "retry: {attempts: 4, delay: 1s, factor: 1}"
    callee = "{name: q, actions: [{type: delay, duration: 2.5s}], concurrency: {limit: 1, policy: skip}}"
    run = Run(f"{{name: p, actions: [{{type: execute_scenario, name: q, {retry}}}]}}", callee)
    limits = Limits(limit=1, policy="skip")
    run.start("q", "other", limits=limits)
    run.start("p")
    run.go()
    assert (run.row().status, run.step("actions/0").attempt) == (Status.SUCCEEDED, 4)
    row = run.step("actions/0")
    assert (row.code, row.error, row.ended is not None) == ("", "", True)

    scenario = Run(f"{{name: p, actions: [{{type: execute_scenario, name: q, {retry.replace('4', '2')}}}]}}", callee)
    scenario.start("q", "other", limits=limits)
    scenario.start("p")
    scenario.go()
    assert (scenario.row().code, scenario.step("actions/0").attempt) == ("execution_skipped", 2)

    swap = "{type: set_variable, scope: plant, name: v, value: 1, if_revision: 7, after_failure: continue, RETRY}"
    variable = one(swap.replace("RETRY", retry))
    variable.go()
    assert (variable.row().status, variable.step("actions/0").attempt) == (Status.SUCCEEDED, 4)


def test_a_refused_step_is_not_tried_again_once_the_end_has_begun() -> None:
    """A release that did not try such a step again may have left it so: `finally` has begun, and attempts are left."""
    text = """{{name: p, finally: [{{type: delay, duration: 5s}}],
        actions: [{{type: set_variable, scope: plant, name: v, value: 1, if_revision: 7{retry}}}]}}"""
    run = Run(text.format(retry=""))
    run.start("p")
    run.go(until=102.0)
    assert run.step("finally/0").status == StepStatus.RUNNING
    newer = yaml.safe_load(text.format(retry=", retry: {attempts: 4, delay: 1s}"))
    run.playbooks["p"] = Playbook.model_validate(newer)
    run.go()
    assert (run.row().status, run.step("actions/0").attempt) == (Status.FAILED, 1)
    assert run.step("finally/0").status == StepStatus.SUCCEEDED


def test_finally_that_fails_fails_the_execution() -> None:
    run = Run("{name: p, actions: [{type: log_event, message: a}], finally: [{type: fail, message: nope}]}")
    run.start("p")
    run.go()
    assert (run.row().status, run.row().code) == (Status.FAILED, "failed")


# ── Controls ────────────────────────────────


def test_a_pause_stops_time_and_what_was_under_way_is_still_recorded() -> None:
    run = one("{type: delay, duration: 10s}, {type: send_command, component: io, command: X, timeout: 10s}")
    run.go(until=104.0)
    assert not run.control("pause").code
    run.go(until=200.0)
    assert run.control("pause").code == "execution_not_running"
    assert run.step("actions/0").status == StepStatus.RUNNING
    assert not run.control("resume").code
    run.go(until=205.0)
    assert not run.sent
    run.go()
    assert (run.now, run.row().status) == (206.0, Status.SUCCEEDED)


def test_a_retry_goes_on_from_the_step_that_failed() -> None:
    run = Run(
        "{name: p, actions: [{type: send_command, component: io, command: A},"
        " {type: block, actions: [{type: send_command, component: io, command: B},"
        " {type: send_command, component: io, command: C}]}, {type: send_command, component: io, command: D}],"
        " on_failure: [{type: log_event, message: failed}], finally: [{type: log_event, message: last}]}",
        components=PLANT,
    )
    run.start("p")
    broken = True
    run.answer = lambda e: Failed("command_failed", "no") if broken and e.data["command"] == "C" else run.obey(e)
    run.go()
    assert run.row().status == Status.FAILED
    assert "finally/0" in run.row().steps
    broken = False
    assert not run.control("retry").code
    assert "finally/0" not in run.row().steps
    run.go()
    assert run.row().status == Status.SUCCEEDED
    assert [effect.data["command"] for effect in run.sent] == ["A", "B", "C", "C", "D"]
    assert run.sent[3].key == "x/actions/1/1/2"
    assert run.control("retry").code == "execution_succeeded"


def test_a_retry_from_a_step_does_what_came_after_it_again_under_new_keys() -> None:
    run = one(", ".join(f"{{type: send_command, component: io, command: {name}}}" for name in "ABC"))
    run.answer = lambda e: Failed("command_failed", "no") if e.data["command"] == "C" else run.obey(e)
    run.go()
    assert run.control("retry", path="actions/9").code == "step_unknown"
    assert not run.control("retry", path="actions/1").code
    run.answer = run.obey
    run.go()
    assert [effect.data["command"] for effect in run.sent] == ["A", "B", "C", "B", "C"]
    assert [effect.key for effect in run.sent][3:] == ["x/actions/1/2", "x/actions/2/2"]


def test_an_approval_lets_it_go_on_and_a_rejection_fails_it() -> None:
    for action, status in (("approve", Status.SUCCEEDED), ("reject", Status.FAILED)):
        run = one("{type: approve, message: 'go?', id: gate}, {type: log_event, message: '{{ steps.gate.value.who }}'}")
        assert run.control(action).code == "step_not_waiting"
        run.go(until=101.0)
        assert run.decide("x", {}).waiting == {"actions/0": "approval: go?"}
        assert run.control(action, path="actions/7").code == "step_unknown"
        assert not run.control(action, who="ann").code
        assert run.control(action).code == "step_not_waiting"
        run.go()
        assert run.row().status == status
        assert messages(run) == (["ann"] if action == "approve" else [])


def test_a_signal_is_waited_for_and_used_once() -> None:
    run = one("{type: wait_for_signal, signal: go, id: s}, {type: wait_for_signal, signal: go, timeout: 5s}")
    assert not run.control("signal", name="go", value="7").code
    run.go()
    assert run.step("actions/0").value == "7"
    assert run.step("actions/1").status == StepStatus.TIMED_OUT


# ── Group state ────────────────────────────────


def test_a_plant_is_stopped_in_reverse_order_and_what_rests_is_left() -> None:
    run = Run(
        "{name: p, actions: [{type: set_group_state, target: '@all', target_state: STOPPED}]}",
        components={"io": State.STARTED, "supervisor": State.STARTED, "kds": State.FAULT, "cam": State.STARTED},
        depends_on=CHAIN,
        maintenance=("cam",),
    )
    run.start("p")
    run.go()
    assert [effect.data["component"] for effect in run.sent] == ["supervisor", "io"]
    assert run.components == {
        "io": State.STOPPED, "supervisor": State.STOPPED, "kds": State.FAULT, "cam": State.STARTED,
    }  # fmt: skip
    assert run.step("actions/0/@cam").status == StepStatus.SKIPPED


def test_what_depends_on_a_component_that_failed_is_not_moved() -> None:
    run = Run(
        "{name: p, actions: [{type: set_group_state, target: '@all', target_state: STARTED}]}",
        components=PLANT,
        depends_on=CHAIN,
    )
    run.start("p")
    run.answer = lambda e: Failed("command_failed", "no") if e.data["component"] == "supervisor" else run.obey(e)
    run.go()
    assert run.components["io"] == State.STARTED
    assert run.components["kds"] == State.FAULT
    assert run.step("actions/0/@kds").code == "dependency_failed"
    assert run.row().status == Status.FAILED


LED = "{type: set_group_state, component: io, target_state: STARTED, timeout: 5s, retry: {attempts: 2, delay: 1s}}"


def test_a_component_that_answers_too_late_is_led_again_and_not_said_to_be_there() -> None:
    def begun(comes_round: float) -> Run:
        """It is busy for two seconds, so its start has a later end than the step; then it is silent until a time."""
        run = one(LED)

        def answer(effect: Effect) -> Result | None:
            if effect.data["command"] == "CMD_INITIALIZE":
                return Unknown("busy") if run.now < 102 else run.obey(effect)
            return None if run.now < comes_round else run.obey(effect)

        run.answer = answer
        run.go()
        return run

    run = begun(105.5)
    assert (run.row().status, run.components["io"], run.step("actions/0").attempt) == ("SUCCEEDED", State.STARTED, 2)
    late = begun(200.0)
    assert (late.row().status, late.row().code, late.components["io"]) == (
        "FAILED",
        "outcome_unknown",
        State.INIT_COMPLETE,
    )
    assert late.step("actions/0").attempt == 2


@pytest.mark.parametrize(
    ("says", "handled"),
    [
        (None, "late"),  # it answers nothing
        (Failed("command_failed", "jammed"), "failed"),
    ],
)
def test_a_component_that_is_not_there_in_time_is_a_matter_of_time(says: Result | None, handled: str) -> None:
    """Also where others were not moved for its sake."""
    run = Run(
        "{name: p, actions: [{type: set_group_state, target: '@all', target_state: STARTED, timeout: 5s,"
        "on_timeout: [{type: log_event, message: late}], on_failure: [{type: log_event, message: failed}]}]}",
        components={"io": State.READY, "kds": State.READY},
        depends_on={"kds": ("io",)},
    )
    run.answer = lambda _effect: says
    run.start("p")
    run.go()
    assert messages(run) == [handled]
    assert run.step("actions/0/@kds").code == "dependency_failed"
    assert {effect.data["component"] for effect in run.sent} == {"io"}


def test_a_component_that_fails_on_its_way_is_led_again_from_where_it_is() -> None:
    run = one(LED)

    def answer(effect: Effect) -> Result:
        if effect.data["command"] == "CMD_START" and "~" not in effect.key:
            run.components["io"] = State.FAULT
            return run.done.setdefault(effect.key, Failed("command_failed", "jammed"))
        return run.obey(effect)

    run.answer = answer
    run.go()
    assert (run.row().status, run.components["io"]) == (Status.SUCCEEDED, State.STARTED)
    commands = [effect.data["command"].removeprefix("CMD_") for effect in run.sent]
    assert commands == ["INITIALIZE", "START", "RESET", "INITIALIZE", "START"]
    assert len({effect.key for effect in run.sent}) == len(commands)


def test_dependencies_in_a_circle_are_named() -> None:
    run = Run(
        "{name: p, actions: [{type: set_group_state, target: '@all', target_state: STARTED}]}",
        components=PLANT,
        depends_on={"io": ("kds",), "kds": ("supervisor",), "supervisor": ("io",)},
    )
    run.start("p")
    run.go()
    assert run.row().code == "dependency_cycle"
    assert "io → kds → supervisor → io" in run.row().error


# ── Limits ────────────────────────────────


def test_the_limit_queues_skips_or_replaces() -> None:
    text = "{name: p, actions: [{type: delay, duration: 10s}]}"
    run = Run(text)
    queue = Limits(limit=1, policy="queue", queued_max=2)
    told = [run.start("p", str(n), limits=queue, priority=n).value for n in range(3)]
    assert [each["status"] for each in told] == ["RUNNING", "QUEUED", "QUEUED"]
    assert run.start("p", "3", limits=queue).code == "execution_skipped"
    run.go()
    assert [run.row(each).started for each in "021"] == [100.0, 110.0, 120.0]  # the greater priority first
    run = Run(text)
    skip = Limits(limit=1, policy="skip")
    assert [run.start("p", str(n), limits=skip).code for n in range(2)] == ["", "execution_skipped"]
    run = Run(text)
    replace = Limits(limit=1, policy="replace")
    for n in range(3):
        assert not run.start("p", str(n), limits=replace).code
    run.go()
    assert [run.row(str(n)).status for n in range(3)] == [Status.CANCELLED, Status.CANCELLED, Status.SUCCEEDED]


def test_triggers_are_throttled_cooled_down_and_de_duplicated_and_people_are_not() -> None:
    text = "{name: p, actions: [{type: log_event, message: a}]}"
    for limits, wait in (
        (Limits(cooldown=10), 10.0),
        (Limits(throttle_count=1, throttle_per=5), 5.0),
        (Limits(dedup_key="k", dedup_window=7), 7.0),
    ):
        run = Run(text)
        assert not run.start("p", "0", limits=limits, manual=False).code
        refused = run.start("p", "1", limits=limits, manual=False)
        assert refused.code == "execution_skipped", limits
        assert not run.start("p", "2", limits=limits, manual=True).code
        run.now += wait
        assert not run.start("p", "3", limits=limits, manual=False).code


def test_the_same_id_again_starts_nothing() -> None:
    run = rich()
    assert run.start("rich").value == {"id": "x", "status": "RUNNING"}
    assert run.start("other").code == "execution_exists"
    assert len(run.registry.rows) == 1


def test_a_snapshot_restores_all_of_it() -> None:
    run = rich()
    run.go(until=103.0)
    copy = type(run.registry)(run.variables)
    copy.restore(json.loads(json.dumps(run.registry.snapshot())))
    assert copy.snapshot() == run.registry.snapshot()
    assert copy.rows == run.registry.rows
    run.registry.adopt(copy)
    run.go()
    assert run.row().status == Status.SUCCEEDED


def test_a_cancel_while_the_end_is_handled_closes_the_handler_too() -> None:
    run = Run(
        "{name: p, timeout: 10s, actions: [{type: delay, duration: 1h}],"
        " on_timeout: [{type: delay, duration: 1h}], finally: [{type: log_event, message: last}]}"
    )
    run.start("p")
    run.go(until=120.0)
    assert run.step("on_timeout/0").status == StepStatus.RUNNING
    assert not run.control("cancel").code
    run.go()
    assert run.row().status == Status.TIMED_OUT
    assert run.step("on_timeout/0").status == StepStatus.CANCELLED
    assert messages(run) == ["last"]
