"""The file that says that tokens are asked for, before the state is read."""

import stat
from pathlib import Path

import msgspec
import pytest

from cluster import Command, Position
from orchestrator.access.principal import Role
from orchestrator.access.tokens import Create
from orchestrator.access.tokens_note import NAME, TokensNote
from orchestrator.playbooks.clock import PlantClock
from orchestrator.timed_state import TimedState


def applied(state: TimedState, role: Role) -> None:
    command = Create(id=role.value, name="ada", role=role, digest=b"d", at=0.0)
    state.apply(Command(command.kind, msgspec.msgpack.encode(command), id=role.value, time=0.0), Position(1, 1))


def test_the_first_admins_token_is_noted_for_the_next_start(tmp_path: Path) -> None:
    note = TokensNote(tmp_path / "data")
    state = TimedState(PlantClock(), tokens_asked_for=note.write)
    applied(state, Role.VIEWER)
    assert not note.written
    applied(state, Role.ADMIN)
    assert note.written
    assert stat.S_IMODE((tmp_path / "data" / NAME).stat().st_mode) == 0o600
    assert TokensNote(tmp_path / "data").written


def test_a_restored_state_is_noted_too(tmp_path: Path) -> None:
    saved = TimedState(PlantClock())
    applied(saved, Role.ADMIN)
    note = TokensNote(tmp_path)
    TimedState(PlantClock(), tokens_asked_for=note.write).restore(saved.snapshot())
    assert TokensNote(tmp_path).written


def test_a_disk_that_refuses_is_told_and_tokens_are_asked_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    note = TokensNote(tmp_path / "file" / "data")
    note.write()
    assert note.written
    assert "cannot be written" in caplog.text
