"""The replicated topology: groups, policies, what is desired. Pure."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

from cluster import Command, Outcome, Position
from orchestrator.components import COMPONENTS_MAX, Observe, Presence, Register
from orchestrator.errors import ComponentUnknown, GroupUnknown, SelectorEmpty, TopologyInvalid
from orchestrator.lifecycle import State
from orchestrator.plant_figures import PlantFigures
from orchestrator.playbooks.clock import PlantClock
from orchestrator.state import LEVELS, PlantState
from orchestrator.timed_state import TimedState
from orchestrator.topology import registry, resolving
from orchestrator.topology.models import GroupModel, PolicyModel, RestartModel, Strategy
from orchestrator.topology.ordering import cycle
from orchestrator.topology.rows import (
    KINDS,
    Acknowledge,
    Begin,
    DeleteGroup,
    DeletePolicy,
    Desire,
    End,
    GiveUp,
    Maintain,
    PutGroup,
    Restart,
    SetPolicy,
)


class Log:
    """A plant's state and the log that makes it."""

    def __init__(self) -> None:
        self.state = PlantState()
        self.index = 0
        self.events: list[tuple[str, str]] = []

    def apply(self, body: Any, *, time: float | None = None) -> Outcome:
        self.index += 1
        encoded = msgspec.msgpack.encode(body)
        at = float(self.index) if time is None else time
        before = self.state.snapshot()
        outcome, events = self.state.apply(
            Command(body.kind, encoded, id=str(self.index), time=at), Position(1, self.index)
        )
        self.events = [(event.kind, event.subject) for event in events]
        msgspec.msgpack.encode((outcome, list(events)))
        if not outcome.ok:
            assert self.state.snapshot() == before, "a refusal changes nothing"
            assert not self.events
            assert outcome.message
        return outcome

    def register(self, *ids: str, groups: tuple[str, ...] = (), state: State = State.READY) -> None:
        for each in ids:
            address = f"http://127.0.0.1/{each}"
            assert self.apply(
                Register(id=each, address=address, groups=groups, state=state, incarnation="i", sequence=0)
            ).ok

    def control(self, component_id: str) -> Any:
        return self.state.topology.control(component_id)


# ── Groups ────────────────────────────────


def test_groups_hold_components_and_groups() -> None:
    log = Log()
    log.register("io", "press", groups=("line",))
    assert log.apply(PutGroup.of("inner", GroupModel(components=("kds", "io")))).value["created"]
    assert log.events == [("group.put", "inner")]
    assert log.apply(PutGroup.of("line", GroupModel(components=("camera",), groups=("inner",)))).ok
    assert resolving.members(log.state, "line") == ("camera", "io", "press", "kds")
    assert resolving.members(log.state, "inner") == ("kds", "io"), "as listed, also those not registered yet"
    assert resolving.members(log.state, "@all") == ("io", "press")
    assert resolving.groups(log.state) == {"inner": ("kds", "io"), "line": ("camera", "io", "press", "kds")}
    changed = log.apply(PutGroup.of("inner", GroupModel(title="Inner", strategy=Strategy.ALL_FOR_ONE)))
    assert (changed.value["created"], log.state.topology.groups["inner"].title) == (False, "Inner")


def test_a_group_that_only_registrations_name_exists() -> None:
    log = Log()
    log.register("io", groups=("line",))
    assert resolving.members(log.state, "line") == ("io",)
    assert resolving.groups(log.state) == {"line": ("io",)}
    with pytest.raises(GroupUnknown, match="'hall'"):
        resolving.members(log.state, "hall")


def test_groups_that_would_hold_one_another_are_refused_by_name() -> None:
    log = Log()
    log.apply(PutGroup.of("c", GroupModel()))
    log.apply(PutGroup.of("b", GroupModel(groups=("c",))))
    log.apply(PutGroup.of("a", GroupModel(groups=("b",))))
    refused = log.apply(PutGroup.of("c", GroupModel(groups=("a",))))
    assert (refused.code, refused.value) == ("group_cycle", {"cycle": ["c", "a", "b", "c"]})
    assert "c → a → b → c" in refused.message
    assert log.apply(PutGroup.of("self", GroupModel(groups=("self",)))).value == {"cycle": ["self", "self"]}
    refused = log.apply(PutGroup.of("d", GroupModel(groups=("nowhere",))))
    assert (refused.code, "put nowhere first" in refused.message) == ("group_unknown", True)


def test_a_group_is_changed_and_deleted_at_its_revision() -> None:
    log = Log()
    log.apply(PutGroup.of("inner", GroupModel()))
    log.apply(PutGroup.of("outer", GroupModel(groups=("inner",)), if_revision=0))
    refused = log.apply(PutGroup.of("outer", GroupModel(), if_revision=1))
    assert (refused.code, refused.value) == ("precondition_failed", {"revision": 2})
    refused = log.apply(DeleteGroup(name="inner"))
    assert (refused.code, "member of outer" in refused.message) == ("group_in_use", True)
    assert log.apply(DeleteGroup(name="outer", if_revision=7)).code == "precondition_failed"
    assert log.apply(DeleteGroup(name="outer", if_revision=2)).ok
    assert log.apply(DeleteGroup(name="outer")).code == "group_unknown"


def test_the_number_of_groups_and_of_policies_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log()
    monkeypatch.setattr(registry, "GROUPS_MAX", 1)
    log.apply(PutGroup.of("a", GroupModel()))
    assert log.apply(PutGroup.of("b", GroupModel())).code == "too_many_groups"
    assert log.apply(PutGroup.of("a", GroupModel(title="again"))).ok
    ids = tuple(f"c{number}" for number in range(COMPONENTS_MAX))
    assert log.apply(Desire(ids=ids, state="STARTED")).ok
    assert log.apply(SetPolicy.of("one-more", PolicyModel())).code == "registry_full"


@pytest.mark.parametrize(
    ("model", "fields", "reason"),
    [
        (GroupModel, {"components": ("io", "io")}, "io stands there twice"),
        (GroupModel, {"groups": ("@all",)}, "match pattern"),
        (GroupModel, {"strategy": "none_for_all"}, "one_for_one"),
        (GroupModel, {"colour": "red"}, "not permitted"),
        (PolicyModel, {"depends_on": ("-",)}, "match pattern"),
        (PolicyModel, {"depends_on": tuple(f"c{n}" for n in range(101))}, "at most 100"),
        (RestartModel, {"limit": 0}, "for no restart at all say `when: never`"),
        (RestartModel, {"limit": 101}, "less than or equal to 100"),
        (RestartModel, {"backoff_initial_s": -1}, "greater than or equal to 0"),
        (RestartModel, {"backoff_factor": 0.5}, "greater than or equal to 1"),
        (RestartModel, {"backoff_initial_s": 10, "backoff_max_s": 5}, "must not be less than backoff_initial_s"),
        (RestartModel, {"window_s": 0}, "greater than 0"),
        (RestartModel, {"window_s": float("nan")}, "finite"),
        (RestartModel, {"when": "sometimes"}, "'never', 'on_failure' or 'always'"),
    ],
)
def test_what_cannot_be_is_refused_before_it_is_proposed(model: Any, fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        model(**fields)


# ── Dependencies ────────────────────────────────


def test_dependencies_that_close_a_circle_are_refused_by_name() -> None:
    log = Log()
    log.apply(SetPolicy.of("supervisor", PolicyModel(depends_on=("io",))))
    log.apply(SetPolicy.of("kds", PolicyModel(depends_on=("supervisor",))))
    assert resolving.dependencies(log.state) == {"supervisor": ("io",), "kds": ("supervisor",)}
    refused = log.apply(SetPolicy.of("io", PolicyModel(depends_on=("kds",))))
    assert (refused.code, refused.value) == ("dependency_cycle", {"cycle": ["io", "kds", "supervisor", "io"]})
    assert "io → kds → supervisor → io" in refused.message
    assert log.apply(SetPolicy.of("io", PolicyModel(depends_on=("io",)))).code == "dependency_cycle"


# ── What people say of a component ────────────────────────────────


def test_policy_desire_and_maintenance_share_a_revision() -> None:
    log = Log()
    log.register("io")
    assert log.apply(SetPolicy.of("io", PolicyModel(restart=RestartModel(when="on_failure")), if_revision=0)).ok
    assert log.apply(Desire(ids=("io",), state="STARTED", by="ada", if_revision=2)).value == {"revision": 3}
    assert log.apply(Maintain(ids=("io",), on=True, reason="new valve", by="ada", if_revision=3)).ok
    assert log.events == [("maintenance.begun", "io")]
    refused = log.apply(SetPolicy.of("io", PolicyModel(), if_revision=2))
    assert (refused.code, refused.value) == ("precondition_failed", {"revision": 4})
    row = log.control("io")
    assert (row.desired, row.desired_by, row.restart.when) == ("STARTED", "ada", "on_failure")
    assert (row.maintenance.reason, row.maintenance.since) == ("new valve", 4.0)
    assert resolving.maintained(log.state) == {"io"}
    assert log.apply(Maintain(ids=("io",), on=False)).ok
    assert log.control("io").maintenance is None
    assert log.apply(DeletePolicy(id="io")).ok
    assert log.control("io").desired == ""
    assert log.apply(DeletePolicy(id="io")).code == "policy_unknown"


def test_a_whole_group_is_desired_at_once() -> None:
    log = Log()
    log.apply(Desire(ids=("io", "kds"), state="STOPPED"))
    assert {each: row.desired for each, row in log.state.topology.controls.items()} == dict.fromkeys(
        ("io", "kds"), "STOPPED"
    )
    assert log.apply(Desire(ids=("io", "kds"), state="", if_revision=1)).code == "invalid_command"


def test_a_fault_is_acknowledged_and_only_a_fault() -> None:
    log = Log()
    assert log.apply(Acknowledge(id="io")).code == "component_unknown"
    log.register("io")
    refused = log.apply(Acknowledge(id="io"))
    assert (refused.code, "is READY" in refused.message) == ("nothing_to_acknowledge", True)
    log.apply(Observe(id="io", state=State.FAULT, reason="torn", incarnation="i", sequence=5))
    assert log.apply(Acknowledge(id="io", by="ada", note="belt ordered")).ok
    seen = log.control("io").acknowledged
    assert (seen.by, seen.note, seen.sequence, seen.reason) == ("ada", "belt ordered", 5, "torn")


def begin(number: int = 0, purpose: str = "restart", at: float = 0.0) -> Begin:
    return Begin(
        id="io",
        replaces=number,
        purpose=purpose,
        goal=State.STARTED,
        reason="r",
        position=(1, 1),
        sequence=1,
        not_before=at,
        at=at,
    )


def test_a_run_begins_once_whoever_proposes_it() -> None:
    log = Log()
    number = log.apply(begin()).value["number"]
    assert log.apply(begin()).code == "supervision_changed"
    assert log.apply(End(id="io", number=number + 1, outcome="reached", at=1.0)).code == "supervision_changed"
    assert log.apply(End(id="io", number=number, outcome="reached", at=1.0)).ok
    assert log.apply(End(id="io", number=number, outcome="reached", at=1.0)).code == "supervision_changed"
    again = log.apply(begin(number)).value["number"]
    assert again > number, "no number is given twice, so no key of a command is either"
    assert len(log.control("io").restarts) == 2


def test_restarts_are_forgotten_after_the_window_and_when_people_speak() -> None:
    log = Log()
    log.apply(SetPolicy.of("io", PolicyModel(restart=RestartModel(when="on_failure", window_s=10))))
    number = log.apply(begin(at=100.0)).value["number"]
    number = log.apply(begin(number, at=105.0)).value["number"]
    assert log.control("io").restarts == (100.0, 105.0)
    number = log.apply(begin(number, at=111.0)).value["number"]
    assert log.control("io").restarts == (105.0, 111.0)
    assert log.apply(GiveUp(id="io", replaces=number, reason="too often", at=1.0)).ok
    row = log.control("io")
    assert (row.exhausted, row.run.outcome) == ("too often", "abandoned")
    log.register("io")
    assert log.apply(Acknowledge(id="io")).ok
    assert log.control("io").exhausted == "too often", "who has seen it does not yet want it to move"
    assert log.apply(Acknowledge(id="io", retry=True)).ok
    row = log.control("io")
    assert (row.exhausted, row.restarts) == ("", ())
    log.apply(GiveUp(id="io", replaces=number, reason="too often", at=1.0))
    log.apply(Desire(ids=("io",), state="STARTED"))
    assert log.control("io").exhausted == ""


def test_the_plant_clock_of_each_node_goes_on_from_what_the_leader_committed() -> None:
    monotonic = 50.0
    clock = PlantClock(lambda: monotonic)
    state = TimedState(clock)
    body = begin(at=1000.0)
    state.apply(Command(body.kind, msgspec.msgpack.encode(body), id="1", time=0.0), Position(1, 1))
    monotonic += 7
    assert clock.now() == 1007
    restored = PlantClock(lambda: monotonic)
    TimedState(restored).restore(state.snapshot())
    assert restored.now() == 1000


def test_nothing_begins_in_maintenance() -> None:
    log = Log()
    log.apply(Maintain(ids=("io",), on=True, reason="new valve"))
    assert log.apply(begin()).code == "component_in_maintenance"


# ── Selectors ────────────────────────────────


def test_a_selector_names_components_and_groups() -> None:
    log = Log()
    with pytest.raises(SelectorEmpty, match="@all matches no component"):
        resolving.select(log.state, groups=["@all"])
    log.register("io", "kds", groups=("line",))
    log.apply(PutGroup.of("empty", GroupModel()))
    assert resolving.select(log.state, components=["kds"], groups=["line"]) == ("kds", "io")
    assert resolving.select(log.state, components=["@all"]) == ("io", "kds")
    with pytest.raises(TopologyInvalid, match="names a component, a group or @all"):
        resolving.select(log.state)
    with pytest.raises(SelectorEmpty, match="empty matches no component"):
        resolving.select(log.state, groups=["empty"])
    with pytest.raises(ComponentUnknown):
        resolving.select(log.state, components=["ghost"])
    with pytest.raises(GroupUnknown):
        resolving.select(log.state, groups=["@everything"])


# ── Figures ────────────────────────────────


def test_figures_are_there_from_the_start_and_count() -> None:
    log = Log()
    figures = CollectorRegistry()
    figures.register(PlantFigures(log.state))

    def shown() -> dict[str, float]:
        found = {}
        for metric in figures.collect():
            for sample in metric.samples:
                label = "".join(f" {value}" for value in sample.labels.values())
                found[sample.name.removeprefix("triarch_") + label] = sample.value
        return found

    names = set(shown())
    assert set(shown().values()) == {0.0}
    log.register("io", "kds", "plc")
    log.apply(Observe(id="io", state=State.FAULT, reason="torn", incarnation="i", sequence=5))
    log.apply(Presence(id="kds", online=False))
    log.apply(Maintain(ids=("plc",), on=True, reason="new valve"))
    number = log.apply(begin()).value["number"]
    now = shown()
    assert set(now) == names
    assert {name for name, value in now.items() if value} == {
        *("components READY", "components FAULT", "components_offline", "components_in_maintenance"),
        *("components_restarts_in_window", "supervision_runs restart"),
    }
    assert now["components READY"] == 2
    log.apply(GiveUp(id="io", replaces=number, reason="too often", at=1.0))
    assert (shown()["components_given_up"], shown()["supervision_runs restart"]) == (1, 0)


# ── Snapshots ────────────────────────────────


def filled() -> Log:
    log = Log()
    log.register("io", groups=("line",))
    log.apply(PutGroup.of("line", GroupModel(components=("kds",))))
    log.apply(SetPolicy.of("io", PolicyModel(depends_on=("plc",), restart=RestartModel(when="always", limit=3))))
    log.apply(Observe(id="io", state=State.FAULT, reason="torn", incarnation="i", sequence=5))
    log.apply(Acknowledge(id="io", by="ada"))
    log.apply(Maintain(ids=("kds",), on=True, reason="new valve"))
    log.apply(begin())
    return log


def test_the_topology_is_in_the_snapshot_once_anybody_spoke() -> None:
    log = Log()
    log.register("io")
    assert msgspec.msgpack.decode(log.state.snapshot())["format"] == 1
    log = filled()
    tree = msgspec.msgpack.decode(log.state.snapshot())
    assert (tree["format"], "topology" in tree) == (3, True)
    topology = log.state.topology
    restored = PlantState()
    held = restored.topology
    restored.restore(log.state.snapshot())
    assert restored.topology is held
    assert (held.groups, held.controls) == (topology.groups, topology.controls)
    assert (held.revision, held.at) == (topology.revision, topology.at)
    assert restored.snapshot() == log.state.snapshot()
    restored.restore(PlantState().snapshot())
    assert restored.topology.untouched


def test_what_the_supervision_gave_up_first_of_all_is_in_the_snapshot() -> None:
    log, came = Log(), PlantState()
    assert log.apply(GiveUp(id="io", replaces=0, reason="too often", at=1.0)).ok
    came.restore(log.state.snapshot())
    assert came.topology.control("io").exhausted == "too often"


def test_its_kinds_are_of_this_release() -> None:
    assert {LEVELS[kind, 1] for kind in KINDS} == {3}
    assert PlantState.level >= 3


IDS = st.sampled_from(["io", "kds", "ghost"])
NUMBERS = st.integers(0, 12)
COMMANDS = st.one_of(
    st.builds(Register, id=IDS, address=st.just("http://127.0.0.1:1"), groups=st.sampled_from([(), ("a",)])),
    st.builds(Observe, id=IDS, state=st.sampled_from(State)),
    st.builds(Presence, id=IDS, online=st.booleans()),
    st.builds(
        PutGroup,
        name=st.sampled_from("ab"),
        components=st.sampled_from([(), ("io",)]),
        groups=st.sampled_from([(), ("a",), ("b",)]),
        if_revision=st.none() | NUMBERS,
    ),
    st.builds(DeleteGroup, name=st.sampled_from("ab")),
    st.builds(SetPolicy, id=IDS, depends_on=st.lists(IDS, max_size=2).map(tuple), restart=st.just(Restart(limit=0))),
    st.builds(DeletePolicy, id=IDS, if_revision=st.none() | NUMBERS),
    st.builds(Desire, ids=st.lists(IDS, max_size=2).map(tuple), state=st.sampled_from(["STARTED", "", "odd"])),
    st.builds(Maintain, ids=st.lists(IDS, max_size=2).map(tuple), on=st.booleans()),
    st.builds(Acknowledge, id=IDS, retry=st.booleans()),
    st.builds(
        Begin,
        id=IDS,
        replaces=NUMBERS,
        purpose=st.sampled_from(["start", "restart"]),
        goal=st.sampled_from(State),
        reason=st.just(""),
        position=st.just((1, 1)),
        sequence=st.none(),
        not_before=st.floats(allow_nan=False),
        at=st.floats(0, 1e9),
    ),
    st.builds(End, id=IDS, number=NUMBERS, outcome=st.just("reached"), at=st.floats(0, 1e9)),
    st.builds(GiveUp, id=IDS, replaces=NUMBERS, reason=st.just("r"), at=st.floats(0, 1e9)),
)


@given(st.lists(COMMANDS, max_size=20))
def test_equal_logs_make_equal_states_and_groups_never_circle(commands: list[Any]) -> None:
    one, other = Log(), Log()
    for command in commands:
        assert one.apply(command) == other.apply(command)
        for group in resolving.groups(one.state):
            resolving.members(one.state, group)
    assert one.state.snapshot() == other.state.snapshot()
    restored = PlantState()
    restored.restore(one.state.snapshot())
    assert restored.snapshot() == one.state.snapshot()
    assert not cycle({name: row.groups for name, row in one.state.topology.groups.items()})
