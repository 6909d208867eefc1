"""Any playbook, any answers, any interference: what holds for every execution."""

import json
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.lifecycle import State
from orchestrator.playbooks.engine import Done, Effect, Failed, Result, Unknown
from orchestrator.playbooks.execution import ENDED, OPEN_STEP, StepStatus
from tests.orchestrator.playbook_runs import Run

COMPONENTS = {"io": State.READY, "cam": State.STARTED, "kds": State.FAULT}


def step(**members: Any) -> st.SearchStrategy[dict[str, Any]]:
    common = {
        "timeout": st.sampled_from(["1s", "7s", "1m"]),
        "when": st.sampled_from(["true", "vars.n > 1", "vars.nothing"]),
        "retry": st.just({"attempts": 2, "delay": "1s"}),
        "after_failure": st.just("continue"),
    }
    return st.fixed_dictionaries(members, optional=common)


LEAVES = st.one_of(
    step(type=st.just("log_event"), message=st.sampled_from(["a", "{{ vars.n }}", "{{ item }}"])),
    step(type=st.just("send_command"), component=st.sampled_from(["io", "none"]), command=st.just("TUNE")),
    step(type=st.just("send_command"), target=st.just("@all"), command=st.just("TUNE")),
    step(type=st.just("wait_for_state"), component=st.just("io"), target_state=st.sampled_from(["READY", "STARTED"])),
    step(type=st.just("set_group_state"), target=st.just("@all"), target_state=st.sampled_from(["STARTED", "STOPPED"])),
    step(type=st.just("delay"), duration=st.sampled_from(["1s", "5s"])),
    step(type=st.just("set_variable"), name=st.just("n"), value=st.just("{{ vars.n + 1 }}")),
    step(type=st.just("set_variable"), name=st.just("v"), value=st.just(1), scope=st.just("plant")),
    step(type=st.just("execute_scenario"), name=st.just("other")),
    step(type=st.just("http_request"), url=st.just("http://a"), safe=st.booleans()),
    step(type=st.just("fail"), message=st.just("no reason")),
    step(type=st.just("approve"), message=st.just("well?")),
)


def nested(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    some = st.lists(inner, min_size=1, max_size=3)
    handled = st.fixed_dictionaries({"type": st.just("block"), "actions": some, "on_failure": some})
    return st.one_of(
        step(type=st.just("block"), actions=some),
        handled,
        step(type=st.just("parallel"), branches=st.fixed_dictionaries({"a": some, "b": some}), limit=st.integers(1, 2)),
        step(type=st.just("for_each"), items=st.just([1, 2]), actions=some, parallel=st.integers(1, 2)),
        step(type=st.just("repeat"), until=st.just("vars.n > 2"), limit=st.integers(1, 3), actions=some),
    )


STEPS = st.lists(st.recursive(LEAVES, nested, max_leaves=6), min_size=1, max_size=4)
PLAYBOOKS = st.fixed_dictionaries(
    {"name": st.just("p"), "variables": st.just({"n": 0}), "timeout": st.sampled_from(["20s", "1h"]), "actions": STEPS},
    optional={"on_failure": STEPS, "on_timeout": STEPS, "finally": STEPS},
)
OTHER = """
name: other
timeout: 5s
actions: [{type: delay, duration: 2s}, {type: send_command, component: io, command: T}]
"""
MEDDLING = st.lists(
    st.tuples(
        st.floats(0, 10), st.sampled_from(["pause", "resume", "cancel", "retry", "approve", "reject"]), st.booleans()
    ),
    max_size=8,
)


@settings(max_examples=50, deadline=None)
@given(PLAYBOOKS, st.lists(st.integers(0, 9), max_size=40), MEDDLING)
def test_every_execution_ends_and_every_key_is_done_once(
    playbook: dict[str, Any], answers: list[int], meddling: list[tuple[float, str, bool]]
) -> None:
    run = Run(yaml.safe_dump(playbook), OTHER, components=COMPONENTS, depends_on={"cam": ("io",)})
    luck = iter(answers)
    refused: set[str] = set()
    asked_again: set[str] = set()

    def answer(effect: Effect) -> Result:
        number = next(luck, 9)
        if effect.key in refused:  # as a component does: what it answered the first time
            return Failed("command_failed", "it does not work")
        if number == 0:
            refused.add(effect.key)
            return Failed("command_failed", "it does not work")
        if number <= 2:
            asked_again.add(effect.key)
            run.done.setdefault(effect.key, Done())
            return Unknown("no answer")
        if effect.key in asked_again:
            return Done()
        return run.obey(effect)

    run.answer = answer
    run.start("p")
    crashed = 0

    def crash(_where: str, number: int) -> bool:
        nonlocal crashed
        crashed += 1
        return crashed % 7 == 0 and crashed < 100

    for wait, action, dies in meddling:
        run.go(until=run.now + wait, crash=crash if dies else lambda _where, _number: False)
        run.control(action, comment="so be it")
    run.control("resume")
    run.go()
    for row in run.registry.rows.values():
        assert row.status in ENDED, (row.status, [s for s in row.steps.values() if s.status in OPEN_STEP])
        still = [each.path for each in row.steps.values() if each.status in OPEN_STEP]
        assert not still, still
        assert all(each.ended is not None for each in row.steps.values())
        assert all(each.code for each in row.steps.values() if each.status in (StepStatus.FAILED, StepStatus.TIMED_OUT))
    assert json.loads(json.dumps(run.registry.snapshot()))
