"""The replicated alerts. Pure."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.monitoring import alerts as registry
from orchestrator.monitoring.alert_commands import (
    KINDS,
    MEMBERS_MAX,
    Acknowledge,
    AlertRow,
    DeleteRule,
    Member,
    Notified,
    Record,
    Report,
    Result,
    SetRule,
    Silence,
    SilenceRow,
    Unsilence,
    matches,
)
from orchestrator.monitoring.alert_rules import ConditionSpec, RuleSpec, default_rules
from orchestrator.monitoring.alerts import AlertRegistry
from orchestrator.monitoring.notices import AGE_MAX_S, due
from orchestrator.monitoring.silencing import active, silenced_by

RULE = RuleSpec(condition=ConditionSpec(kind="metric", name="temperature", above=250.0)).rule("oven-too-hot")


class Log:
    """Applies commands one after the other, as the cluster does."""

    def __init__(self) -> None:
        self.state = AlertRegistry()
        self.index = 0

    def apply(self, body: Any, time: float = 0.0) -> Result:
        self.index += 1
        return self.state.apply(
            body.kind, msgspec.msgpack.encode(body), time=time or float(self.index), position=(1, self.index)
        )[0]

    def only(self) -> AlertRow:
        (row,) = self.state.firing.values()
        return row


def report(*subjects: str, rule: str = "component-fault", group: str = "", total: int | None = None) -> Report:
    members = tuple(Member(subject=subject, reason="FAULT: torn") for subject in subjects)
    return Report(
        rule=rule,
        group=group,
        severity="error",
        summary="torn",
        members=members,
        total=len(subjects) if total is None else total,
    )


def record(*reports: Report) -> Record:
    return Record(reports=reports)


def silence(rule: str = "*", subject: str = "*", severity: str = "", until: float = 100.0) -> Silence:
    return Silence(rule=rule, subject=subject, severity=severity, until=until, by="Ada", reason="belt change")


def test_an_alert_from_its_first_member_to_its_last() -> None:
    log = Log()
    assert log.apply(record(report("press"))).value == {"recorded": 1, "refused": 0}
    fired = log.only()
    assert (fired.id, fired.fired_time, fired.members[0].since, fired.firing) == ("a1", 1.0, 1.0, True)
    log.apply(record(report("oven", "press")))
    row = log.only()
    assert (row.id, row.fired_time, row.changed_time) == ("a1", 1.0, 2.0)
    assert [(member.subject, member.since) for member in row.members] == [("oven", 2.0), ("press", 1.0)]
    log.apply(record(report()))
    assert not log.state.firing
    (over,) = log.state.resolved
    assert (over.id, over.resolved_time, [member.subject for member in over.members]) == ("a1", 3.0, ["oven", "press"])
    log.apply(record(report("press")))
    assert log.only().id == "a4", "it is another one"
    assert log.state.get("a1") == over
    assert log.apply(record(report(group="nobody"))).value == {"recorded": 0, "refused": 0}


def test_an_acknowledgement_ends_with_the_alert() -> None:
    log = Log()
    log.apply(record(report("press")))
    assert log.apply(Acknowledge(id="a9", by="Ada")).code == "alert_unknown"
    told = log.apply(Acknowledge(id="a1", by="Ada", note="belt is ordered"))
    assert told.value["acknowledged"] == {"by": "Ada", "note": "belt is ordered", "time": 3.0}
    log.apply(record(report("oven", "press")))
    assert (said := log.only().acknowledged) is not None
    assert said.by == "Ada", "a further member changes nothing of it"
    log.apply(record(report()))
    assert log.apply(Acknowledge(id="a1", by="Bob")).code == "alert_resolved"
    log.apply(record(report("press")))
    assert log.only().acknowledged is None


def test_everything_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"FIRING_MAX": 2, "RESOLVED_MAX": 3, "SILENCES_MAX": 2, "RULES_MAX": 1}.items():
        monkeypatch.setattr(registry, name, value)
    log = Log()
    many = tuple(f"c{number:04}" for number in range(MEMBERS_MAX + 20))
    log.apply(record(report(*many)))
    assert (len(log.only().members), log.only().members_total) == (MEMBERS_MAX, len(many))
    told = log.apply(record(*(report("press", rule=f"r{number}") for number in range(3))))
    assert told.value == {"recorded": 1, "refused": 2}
    log.apply(record(report()))
    assert len(log.state.resolved[0].members) == registry.RESOLVED_MEMBERS
    for _ in range(5):
        log.apply(record(report("press")))
        log.apply(record(report()))
    assert len(log.state.resolved) == 3
    for code in ("", "", "too_many_silences"):
        assert log.apply(silence(until=1e9)).code == code
    assert log.apply(SetRule(rule=RULE)).code == ""
    assert log.apply(SetRule(rule=msgspec.structs.replace(RULE, name="other"))).code == "too_many_alert_rules"
    assert log.apply(SetRule(rule=RULE)).code == ""


def test_silences_end_by_themselves_and_are_removed_later() -> None:
    log = Log()
    log.apply(silence(until=100.0), time=50.0)
    (row,) = log.state.silences.values()
    assert (row.id, row.created_time) == ("s1", 50.0)
    assert active(log.state.silences, 99.9) == [row]
    assert active(log.state.silences, 100.0) == []
    log.apply(silence(until=9e9), time=100.0 + registry.SILENCE_KEPT_S - 1)
    assert len(log.state.silences) == 2
    log.apply(silence(until=9e9), time=100.0 + registry.SILENCE_KEPT_S)
    assert "s1" not in log.state.silences
    assert log.apply(Unsilence(id="s1")).code == "silence_unknown"
    assert log.apply(Unsilence(id="s2")).code == ""
    assert set(log.state.silences) == {"s3"}


@pytest.mark.parametrize(
    ("rule", "subject", "severity", "silenced"),
    [
        ("*", "*", "", True),
        ("component-*", "*", "error", True),
        ("component-fault", "press-*", "", False),  # the oven is not silenced
        ("*", "*e*", "", True),
        ("*", "*", "warning", False),
        ("memory-*", "*", "", False),
    ],
)
def test_a_silence_holds_for_alerts_all_of_whose_members_match(
    rule: str, subject: str, severity: str, silenced: bool
) -> None:
    log = Log()
    log.apply(record(report("oven", "press-1")))
    log.apply(silence(rule, subject, severity))
    assert silenced_by(log.only(), log.state.silences, 10.0) == (("s2",) if silenced else ())
    log.apply(record(report()))
    assert silenced_by(log.state.resolved[0], log.state.silences, 10.0) == ()


@given(st.text("ab*", max_size=8), st.text("ab", max_size=8))
def test_patterns_mean_what_they_mean_elsewhere(pattern: str, text: str) -> None:
    import fnmatch

    assert matches(pattern, text) == fnmatch.fnmatchcase(text, pattern)


def test_rules_are_set_by_their_revision() -> None:
    log = Log()
    assert log.state.effective() == default_rules()
    assert log.apply(SetRule(rule=RULE, if_revision=7)).code == "precondition_failed"
    made = log.apply(SetRule(rule=RULE, if_revision=0))
    assert made.value == {"revision": 2, "time": 2.0, "created": True}
    assert log.apply(SetRule(rule=RULE, if_revision=0)).value == {"revision": 2}
    changed = msgspec.structs.replace(RULE, enabled=False)
    assert log.apply(SetRule(rule=changed, if_revision=2)).code == ""
    assert log.state.effective()["oven-too-hot"] == changed
    assert log.apply(DeleteRule(name="oven-too-hot", if_revision=2)).code == "precondition_failed"
    assert log.apply(DeleteRule(name="oven-too-hot", if_revision=4)).code == ""
    assert log.apply(DeleteRule(name="oven-too-hot")).code == "alert_rule_unknown"
    shipped = default_rules()["component-fault"]
    log.apply(SetRule(rule=msgspec.structs.replace(shipped, enabled=False)))
    assert not log.state.effective()["component-fault"].enabled
    log.apply(DeleteRule(name="component-fault"))
    assert log.state.effective() == default_rules()


def test_who_was_told_is_kept_once() -> None:
    log = Log()
    log.apply(record(report("press")))
    assert log.apply(Notified(id="a7", phase="fired")).code == "alert_unknown"
    for _ in range(2):
        log.apply(Notified(id="a1", phase="fired"))
    assert log.only().told == ("fired",)
    log.apply(record(report()))
    log.apply(Notified(id="a1", phase="resolved"))
    log.apply(Notified(id="a1", phase="nonsense"))
    assert log.state.resolved[0].told == ("fired", "resolved")


def test_a_snapshot_holds_everything() -> None:
    log = Log()
    assert log.state.untouched
    log.apply(record(report("press"), report("oven", rule="other")))
    log.apply(record(report()))
    log.apply(Acknowledge(id="a2", by="Ada"))
    log.apply(silence())
    log.apply(SetRule(rule=RULE))
    assert not log.state.untouched
    taken = msgspec.msgpack.decode(msgspec.msgpack.encode(log.state.snapshot()))
    other = AlertRegistry()
    other.restore(taken)
    assert other.snapshot() == log.state.snapshot()
    with pytest.raises(ValueError, match="version 9"):
        other.restore({**taken, "version": 9})
    for body in (report("press"), report("oven", rule="other"), report(rule="other")):
        for state in (log.state, other):
            state.apply(Record.kind, msgspec.msgpack.encode(record(body)), time=99.0, position=(2, 9))
    assert other.snapshot() == log.state.snapshot()


NAMES = st.sampled_from(["a", "b"])
BODIES = st.one_of(
    st.builds(
        lambda members, rule, total: record(report(*members, rule=rule, total=total)),
        st.lists(NAMES, unique=True, max_size=2),
        NAMES,
        st.integers(-3, 300),
    ),
    st.builds(Acknowledge, id=st.sampled_from(["a1", "a2", "a3"]), by=NAMES),
    st.builds(Notified, id=st.sampled_from(["a1", "a2"]), phase=st.sampled_from(["fired", "resolved", "x"])),
    st.builds(silence, until=st.floats(0, 1e5)),
    st.builds(Unsilence, id=st.sampled_from(["s1", "s2"])),
    st.builds(SetRule, rule=st.just(RULE), if_revision=st.none() | st.integers(0, 5)),
    st.builds(DeleteRule, name=st.just(RULE.name), if_revision=st.none() | st.integers(0, 5)),
).map(lambda body: (body.kind, msgspec.msgpack.encode(body)))
NOISE = st.tuples(st.sampled_from(sorted(KINDS)), st.binary(max_size=30))


@given(st.lists(BODIES | NOISE, max_size=25))
def test_two_nodes_agree_and_nothing_raises(commands: list[tuple[str, bytes]]) -> None:
    one, other = AlertRegistry(), AlertRegistry()
    for index, (kind, body) in enumerate(commands, 1):
        before, taken = one.snapshot(), AlertRegistry()
        found = one.apply(kind, body, time=float(index), position=(1, index))
        assert found == other.apply(kind, body, time=float(index), position=(1, index))
        if found[0].code:
            assert one.snapshot() == before
        taken.restore(one.snapshot())
        assert taken.snapshot() == one.snapshot()
        ids = [row.id for row in (*one.firing.values(), *one.resolved)]
        assert len(ids) == len(set(ids))
        assert all(row.members and row.firing for row in one.firing.values())


def told(log: Log, now: float, least: str = "info") -> list[str]:
    return [notice.key for notice in due(log.state, now, least=least)]


def test_people_are_told_once_of_the_beginning_and_of_the_end() -> None:
    log = Log()
    log.apply(record(report("press")))
    (notice,) = due(log.state, 2.0, least="error")
    assert (notice.key, notice.message) == ("alert/a1/fired", "FIRING component-fault: torn")
    assert (notice.data["state"], "told" in notice.data) == ("FIRING", False)
    assert told(log, 2.0, least="critical") == []
    log.apply(Notified(id="a1", phase="fired"))
    assert told(log, 2.0) == []
    log.apply(record(report("oven", "press")))
    assert told(log, 3.0) == [], "a further member is no news"
    log.apply(record(report()))
    assert told(log, 5.0) == ["alert/a1/resolved"]
    log.apply(Notified(id="a1", phase="resolved"))
    assert told(log, 6.0) == []


def test_of_what_is_over_before_it_was_told_only_the_end_is_told_and_old_stories_are_not() -> None:
    log = Log()
    log.apply(record(report("press")))
    log.apply(record(report()))
    assert told(log, 3.0) == ["alert/a1/resolved"]
    assert told(log, 3.0 + AGE_MAX_S) == []


def test_nobody_is_told_of_what_is_silenced() -> None:
    log = Log()
    log.apply(silence(until=100.0))
    log.apply(record(report("press")))
    assert told(log, 50.0) == []
    assert told(log, 100.0) == ["alert/a2/fired"], "the silence is over"
    log.apply(record(report()), time=60.0)
    assert told(log, 100.0) == [], "it was over within the silence"


def test_a_silence_row_is_what_its_command_said() -> None:
    log = Log()
    told = log.apply(silence("component-*", "press", "error", 77.0))
    assert SilenceRow(**told.value) == log.state.silences["s1"]
