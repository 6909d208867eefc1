"""The replicated registry: who may take an id, what each command changes, and that replicas agree."""

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framebuffer import registry as registry_module
from framebuffer.models import ProcessorRegistration, ProcessorUpdate
from framebuffer.registry import (
    KINDS,
    Drain,
    Health,
    ProcessorRegistry,
    Register,
    RegistryCommand,
    RegistryEvent,
    RegistryResult,
    Unregister,
    Update,
    apply,
)


def registration(processor_id: str = "face-1", **changes: Any) -> ProcessorRegistration:
    return ProcessorRegistration(**{"id": processor_id, "capabilities": ("face",), "capacity": 10, **changes})


class Log:
    """A registry with a log in front of it: gives each command its position."""

    def __init__(self) -> None:
        self.registry = ProcessorRegistry()
        self.index = 0
        self.events: list[RegistryEvent] = []

    def __call__(self, command: RegistryCommand) -> RegistryResult:
        self.index += 1
        # Through its encoding, as the cluster does it.
        body = msgspec.msgpack.encode(command)
        result, self.events = apply(
            self.registry, command.kind, body, time=1000.0 + self.index, position=(1, self.index)
        )
        return result

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]


def test_a_registered_processor_is_found_until_it_is_unregistered() -> None:
    log = Log()
    result = log(Register.of(registration(labels={"rack": "7"}), token="t1"))

    assert result.ok
    assert result.value["id"] == "face-1"
    assert "token" not in result.value
    assert log.kinds == ["processor.registered"]
    row = log.registry.get("face-1")
    assert row is not None
    assert row.registration == registration(labels={"rack": "7"})
    assert (row.healthy, row.registered_time, row.position) == (True, 1001.0, (1, 1))
    assert log.registry.for_capability("face") == log.registry.healthy() == (row,)
    assert log.registry.for_capability("people") == ()

    assert log(Unregister(id="face-1")).ok
    assert log.kinds == ["processor.unregistered"]
    assert log.registry.get("face-1") is None
    assert log(Unregister(id="face-1")).code == "processor_unknown"


def test_a_taken_id_is_refused_while_its_owner_is_healthy() -> None:
    log = Log()
    log(Register.of(registration(), token="t1"))
    for token in ("t2", ""):
        result = log(Register.of(registration(capacity=99), token=token))
        assert result.code == "processor_exists"
        assert "face-1" in result.message
        assert log.events == []
    row = log.registry.get("face-1")
    assert row is not None
    assert row.registration.capacity == 10


def test_two_registrations_without_a_token_are_two_clients() -> None:
    log = Log()
    log(Register.of(registration()))
    assert log(Register.of(registration())).code == "processor_exists"


def test_the_same_client_may_register_again() -> None:
    log = Log()
    log(Register.of(registration(), token="t1"))
    again = log(Register.of(registration(), token="t1"))
    assert again.ok
    assert again.value["position"] == [1, 1]
    assert log.events == []  # nothing changed

    assert log(Register.of(registration(capacity=20), token="t1")).value["capacity"] == 20
    assert log.kinds == ["processor.refreshed"]


def test_an_unhealthy_owner_loses_its_id() -> None:
    log = Log()
    log(Register.of(registration(), token="t1"))
    log(Health(id="face-1", healthy=False, reason="no heartbeat for 3.1 s", position=(1, 1)))
    assert log.kinds == ["processor.unhealthy"]
    assert log.registry.healthy() == ()

    assert log(Register.of(registration(), token="t2")).ok
    assert log.kinds == ["processor.taken_over"]
    row = log.registry.get("face-1")
    assert row is not None
    assert (row.healthy, row.token, row.position) == (True, "t2", (1, 3))

    # What the old owner, or a leader that still thinks of it, says now is void.
    assert log(Unregister(id="face-1", token="t1")).code == "processor_changed"
    assert log(Health(id="face-1", healthy=False, position=(1, 1))).code == "processor_changed"
    assert log.registry.get("face-1") == row
    assert log(Unregister(id="face-1", token="t2")).ok


def test_health_changes_once() -> None:
    log = Log()
    log(Register.of(registration()))
    assert log(Health(id="face-1", healthy=True)).ok
    assert log.events == []
    log(Health(id="face-1", healthy=False, reason="gone"))
    log(Health(id="face-1", healthy=True, reason="heartbeat received"))
    assert log.kinds == ["processor.healthy"]
    assert log(Health(id="nobody", healthy=True)).code == "processor_unknown"


def test_a_processor_drains_until_it_is_resumed_or_anothers() -> None:
    log = Log()
    log(Register.of(registration(), token="t1"))
    assert log.registry.snapshot()["version"] == 1
    assert log(Drain(id="face-1", draining=True)).value["draining"] is True
    assert log.kinds == ["processor.draining"]
    assert log(Drain(id="face-1", draining=True)).ok
    assert log.events == []
    row = log.registry.get("face-1")
    assert row is not None
    assert (row.draining, row.healthy) == (True, True)
    assert log.registry.snapshot()["version"] == 2  # a release that knows no draining must not take it

    log(Register.of(registration(capacity=20), token="t1"))  # the owner's refresh
    assert log(Update.of("face-1", ProcessorUpdate(capacity=30))).value["draining"] is True
    assert "draining" not in log(Drain(id="face-1", draining=False)).value  # as the first release shows it
    assert log.kinds == ["processor.resumed"]

    log(Drain(id="face-1", draining=True))
    log(Health(id="face-1", healthy=False))
    assert "draining" not in log(Register.of(registration(), token="t2")).value
    assert log(Drain(id="nobody", draining=True)).code == "processor_unknown"


def test_an_update_changes_only_what_it_names() -> None:
    log = Log()
    log(Register.of(registration(health_url="http://h:1/", labels={"rack": "7"})))
    result = log(Update.of("face-1", ProcessorUpdate(capacity=3, capabilities=("face", "people"))))
    assert log.kinds == ["processor.updated"]
    assert result.value["capacity"] == 3
    assert result.value["health_url"] == "http://h:1/"
    assert len(log.registry.for_capability("people")) == 1

    assert log(Update.of("face-1", ProcessorUpdate(health_url=None, labels={}))).value["health_url"] is None
    assert log(Update.of("face-1", ProcessorUpdate(capacity=3))).ok
    assert log.events == []
    assert log(Update.of("nobody", ProcessorUpdate(capacity=3))).code == "processor_unknown"


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        ("processor.fly", b"", "unknown_command"),
        ("processor.register", b"\xc1 not msgpack", "invalid_command"),
        ("processor.register", msgspec.msgpack.encode({"type": "processor.register", "id": 7}), "invalid_command"),
        ("processor.register", msgspec.msgpack.encode(Unregister(id="a")), "invalid_command"),
        ("processor.register", Unregister(id="a"), "invalid_command"),
    ],
)
def test_a_command_that_makes_no_sense_is_an_answer_not_an_exception(kind: str, body: Any, code: str) -> None:
    registry = ProcessorRegistry()
    result, events = apply(registry, kind, body)
    assert result.code == code
    assert not result.ok
    assert events == []
    assert registry.rows == {}


def test_the_registry_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_module, "PROCESSORS_MAX", 2)
    log = Log()
    assert log(Register.of(registration("a"), token="t")).ok
    assert log(Register.of(registration("b"), token="t")).ok
    assert log(Register.of(registration("c"), token="t")).code == "registry_full"
    assert log(Register.of(registration("a", capacity=11), token="t")).ok


def test_a_reader_keeps_the_rows_it_has() -> None:
    log = Log()
    log(Register.of(registration("a")))
    rows = log.registry.rows
    log(Register.of(registration("b")))
    log(Unregister(id="a"))
    assert set(rows) == {"a"}
    assert set(log.registry.rows) == {"b"}


def test_a_snapshot_of_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="version 3 is not known"):
        ProcessorRegistry().restore({"version": 3, "processors": []})


ids = st.sampled_from(["a", "b", "c"])
tokens = st.sampled_from(["", "t1", "t2"])
commands: st.SearchStrategy[RegistryCommand] = st.one_of(
    st.builds(
        lambda i, token, capacity: Register.of(registration(i, capacity=capacity), token=token),
        ids, tokens, st.integers(1, 3),
    ),
    st.builds(lambda i, capacity: Update.of(i, ProcessorUpdate(capacity=capacity)), ids, st.integers(1, 3)),
    st.builds(lambda i, token: Unregister(id=i, token=token), ids, tokens),
    st.builds(
        lambda i, healthy, at: Health(id=i, healthy=healthy, position=at),
        ids, st.booleans(), st.none() | st.tuples(st.just(1), st.integers(1, 6)),
    ),
    st.builds(lambda i, draining: Drain(id=i, draining=draining), ids, st.booleans()),
)  # fmt: skip


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(history=st.lists(commands, max_size=25), cut=st.integers(0, 25))
def test_a_replica_restored_in_the_middle_agrees(history: list[RegistryCommand], cut: int) -> None:
    log, other = Log(), Log()
    for command in history[:cut]:
        before = log.registry.snapshot()
        result = log(command)
        if not result.ok:
            assert log.registry.snapshot() == before
            assert log.events == []
    snapshot = msgspec.msgpack.encode(log.registry.snapshot(), order="sorted")
    other.registry.restore(msgspec.msgpack.decode(snapshot))
    other.index = log.index
    for command in history[cut:]:
        assert log(command) == other(command)
        assert log.events == other.events
    first, second = (msgspec.msgpack.encode(one.registry.snapshot(), order="sorted") for one in (log, other))
    assert first == second


def test_every_kind_names_its_struct() -> None:
    assert all(struct.kind == kind for kind, struct in KINDS.items())


@pytest.mark.parametrize("depth", [1, 400, 700, 950])
def test_unknown_members_are_refused_however_deep_they_are_nested(depth: int) -> None:
    """Skipping them would recurse: the answer would depend on the depth of the stack."""
    unknown = b"\x91" * depth + b"\xc0"
    body = b"\x82\xa2id\xa2p1\xa1x" + unknown  # {"id": "p1", "x": [[[…nil…]]]}
    result, events = apply(ProcessorRegistry(), Unregister.kind, body)
    assert (result.code, events) == ("invalid_command", [])
