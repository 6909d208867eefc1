"""The replicated tokens: made, rotated, revoked, forgotten; the same on every node."""

import hashlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster import Command, Outcome, Position
from orchestrator.access import tokens
from orchestrator.access.credential import Credential, command_token, commanding, made, parsed
from orchestrator.access.principal import Role
from orchestrator.access.tokens import KEPT_S, KINDS, ROTATED_MAX, Create, Revoke, Rotate, TokenCommand, TokenRegistry
from orchestrator.state import LEVELS, PlantState

DAY = 86_400.0


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def create(token_id: str, role: Role = Role.OPERATOR, at: float = 0.0, **extra: Any) -> Create:
    return Create(id=token_id, name=token_id, role=role, digest=digest(token_id), at=at, **extra)


def revoke(token_id: str, at: float = 1.0, *, keep_admin: bool = False) -> Revoke:
    return Revoke(id=token_id, at=at, keep_admin=keep_admin)


def apply(registry: TokenRegistry, command: TokenCommand) -> tuple[str, list[str]]:
    result, events = registry.apply(command.kind, msgspec.msgpack.encode(command))
    return result.code, [event.kind for event in events]


def test_a_life() -> None:
    registry = TokenRegistry()
    assert registry.untouched
    assert apply(registry, create("a")) == ("", ["token.created"])
    assert apply(registry, create("a")) == ("token_exists", [])
    assert apply(registry, Rotate(id="a", digest=digest("b"), at=10.0, grace_until=20.0)) == ("", ["token.rotated"])
    row = registry.rows["a"]
    assert (row.generation, row.changed, [(old.generation, old.until) for old in row.rotated]) == (2, 10.0, [(1, 20.0)])
    assert apply(registry, revoke("a", at=30.0)) == ("", ["token.revoked"])
    assert apply(registry, revoke("a", at=40.0)) == ("", [])
    assert registry.rows["a"].revoked == 30.0
    assert apply(registry, Rotate(id="a", digest=b"", at=50.0, grace_until=50.0)) == ("token_over", [])
    for command in (revoke("nobody"), Rotate(id="nobody", digest=b"", at=0.0, grace_until=0.0)):
        assert apply(registry, command) == ("token_unknown", [])


def test_the_first_admins_token_is_made_once_and_closes_for_good() -> None:
    registry = TokenRegistry()
    apply(registry, create("v", Role.VIEWER))
    assert not registry.enforced
    assert apply(registry, create("a", Role.ADMIN, first=True))[0] == ""
    assert registry.enforced
    assert apply(registry, create("b", Role.ADMIN, first=True))[0] == "already_bootstrapped"
    assert apply(registry, revoke("a", keep_admin=True))[0] == "last_admin"
    assert apply(registry, revoke("a", keep_admin=False))[0] == ""
    assert registry.enforced


def test_an_admin_that_has_expired_is_no_other_admin() -> None:
    registry = TokenRegistry()
    apply(registry, create("a", Role.ADMIN))
    apply(registry, create("b", Role.ADMIN, expires=100.0))
    assert apply(registry, revoke("a", at=100.0, keep_admin=True))[0] == "last_admin"
    assert apply(registry, revoke("b", at=100.0, keep_admin=True))[0] == ""
    apply(registry, create("c", Role.ADMIN, at=101.0))
    assert apply(registry, revoke("a", at=102.0, keep_admin=True))[0] == ""


def test_old_secrets_are_few_and_end() -> None:
    registry = TokenRegistry()
    apply(registry, create("a"))
    for turn in range(10):
        apply(registry, Rotate(id="a", digest=digest(str(turn)), at=float(turn), grace_until=1000.0))
    assert [old.generation for old in registry.rows["a"].rotated] == list(range(11 - ROTATED_MAX, 11))
    apply(registry, Rotate(id="a", digest=digest("last"), at=2000.0, grace_until=2000.0, expires=3000.0))
    assert (registry.rows["a"].rotated, registry.rows["a"].expires) == ((), 3000.0)


def test_what_is_over_for_long_is_forgotten() -> None:
    registry = TokenRegistry()
    apply(registry, create("revoked"))
    apply(registry, create("expired", expires=5 * DAY))
    apply(registry, create("valid"))
    apply(registry, revoke("revoked", at=DAY))
    apply(registry, create("x", at=KEPT_S + DAY - 1))
    assert set(registry.rows) == {"revoked", "expired", "valid", "x"}
    assert apply(registry, create("y", at=KEPT_S + DAY)) == ("", ["token.forgotten", "token.created"])
    apply(registry, create("z", at=KEPT_S + 5 * DAY))
    assert set(registry.rows) == {"valid", "x", "y", "z"}


def test_there_is_room_for_so_many_that_are_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "TOKENS_MAX", 3)
    registry = TokenRegistry()
    for name in "abc":
        apply(registry, create(name))
    assert apply(registry, create("d"))[0] == "too_many_tokens"
    apply(registry, revoke("b", at=2.0))
    apply(registry, revoke("a", at=3.0))
    assert apply(registry, create("d", at=4.0))[0] == ""
    assert set(registry.rows) == {"a", "c", "d"}  # that which is over for longest has made room


def test_a_backup_brings_no_revoked_token_back(monkeypatch: pytest.MonkeyPatch) -> None:
    now, backup = TokenRegistry(), TokenRegistry()
    for registry in (now, backup):
        apply(registry, create("stolen"))
        apply(registry, create("press", Role.COMPONENT, subject="press-1"))
    apply(backup, create("old", at=2.0))
    apply(backup, create("older", at=1.0))
    apply(now, revoke("stolen"))
    apply(now, create("since", Role.ADMIN))
    back = TokenRegistry()
    back.restore(backup.snapshot())
    monkeypatch.setattr(tokens, "TOKENS_MAX", 4)
    back.keep(now)
    assert back.rows["stolen"].revoked == 1.0
    assert set(back.rows) == {"stolen", "press", "since", "old"}
    assert (back.enforced, set(back.components)) == (True, {"press-1"})
    empty = TokenRegistry()
    back.keep(empty)
    assert len(back.rows) == 4


def test_nothing_shown_or_told_holds_a_digest() -> None:
    registry = TokenRegistry()
    first = create("a", subject=None)
    result, events = registry.apply(first.kind, msgspec.msgpack.encode(first))
    rotation = Rotate(id="a", digest=digest("b"), at=1.0, grace_until=9.0)
    again, more = registry.apply(rotation.kind, msgspec.msgpack.encode(rotation))
    texts = [repr(each) for each in (first, rotation, result, events, again, more, registry.rows)]
    for secret in (digest("a"), digest("b")):
        assert not any(repr(secret) in text or secret.hex() in text for text in texts)


times = st.floats(min_value=0, max_value=100 * DAY, allow_nan=False)
ids = st.sampled_from("abcdef")
commands = st.lists(
    st.one_of(
        st.builds(
            create, ids, st.sampled_from(list(Role)), times, expires=st.none() | times, first=st.booleans()
        ),
        st.builds(lambda i, at, end: Rotate(id=i, digest=digest(str(at)), at=at, grace_until=end), ids, times, times),
        st.builds(lambda i, at, keep: revoke(i, at, keep_admin=keep), ids, times, st.booleans()),
    ),
    max_size=30,
)  # fmt: skip


@given(commands)
def test_a_restored_state_goes_on_as_the_one_that_was_saved(story: list[TokenCommand]) -> None:
    whole, half = PlantState(), PlantState()
    before = whole.snapshot()
    for index, command in enumerate(story, start=1):
        told = plant_apply(whole, command, index)
        if index % 3 == 0:
            half = PlantState()
            half.restore(before)
        assert plant_apply(half, command, index) == told
        before = whole.snapshot()
        assert half.snapshot() == before
        assert all(len(row.rotated) <= ROTATED_MAX for row in whole.access.rows.values())


def plant_apply(state: PlantState, command: TokenCommand, index: int) -> tuple[Outcome, Any]:
    body = msgspec.msgpack.encode(command)
    return state.apply(Command(command.kind, body, id=str(index), time=0.0), Position(1, index))


def test_bodies_that_are_none_change_nothing() -> None:
    state = PlantState()
    for kind in KINDS:
        for body in (b"", b"\xff", msgspec.msgpack.encode({"id": "a"}), msgspec.msgpack.encode({"other": 1})):
            outcome, events = state.apply(Command(kind, body, id="1", time=0.0), Position(1, 1))
            assert (outcome.code, list(events)) == ("invalid_command", [])
    assert state.access.untouched
    assert b"access" not in state.snapshot()
    assert {LEVELS[kind, 1] for kind in KINDS} == {3}


@given(st.binary(min_size=7, max_size=7), st.binary(min_size=32, max_size=32))
def test_a_text_is_read_as_it_was_made(id_bytes: bytes, secret: bytes) -> None:
    credential = made(id_bytes, secret)
    assert len(credential.text) == 58
    assert parsed(credential.text) == credential
    assert credential.secret not in repr(credential)


@given(st.text(max_size=80))
def test_any_text_is_a_token_or_none(text: str) -> None:
    found = parsed(text)
    assert found is None or found.text == text


@pytest.mark.parametrize(
    "change",
    [lambda t: t + "\n", lambda t: " " + t, lambda t: t[:-1], lambda t: t.upper(), lambda t: t.replace("_", "-", 1)],
)
def test_what_is_almost_a_token_is_none(change: Any) -> None:
    assert parsed(change(made(b"1234567", b"s" * 32).text)) is None


def test_bytes_of_another_length_make_none() -> None:
    with pytest.raises(ValueError, match="7 and 32 bytes"):
        made(b"1", b"2")


def test_a_command_token_is_one_components() -> None:
    tokens_of = {command_token(secret, component) for secret in ("s", "t") for component in ("press-1", "press-2")}
    assert len(tokens_of) == 4
    assert {len(each) for each in tokens_of} == {43}
    assert Credential("a", "b").digest == digest("b")


def test_who_may_register_a_component_is_not_shown_the_clusters_token() -> None:
    """From the first token on, not only those who know `api.token` register components, and say where they are."""
    registry = TokenRegistry()
    assert commanding("cluster", registry)("press-1") == "cluster"
    assert commanding("cluster", registry, others=True)("press-1") == command_token("cluster", "press-1")
    apply(registry, create("operator"))
    assert commanding("cluster", registry)("press-1") == command_token("cluster", "press-1")
    assert commanding(None, registry)("press-1") is None
