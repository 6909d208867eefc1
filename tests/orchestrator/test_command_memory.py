"""What a component remembers of its commands, on a real disk."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.command_memory import KEYS_MAX, LINES_PER_KEY, CommandMemory
from orchestrator.errors import MemoryFailed, MemoryUnreadable

pytestmark = pytest.mark.anyio


def opened(path: Path) -> CommandMemory:
    memory = CommandMemory(path)
    memory.open()
    return memory


def told(memory: CommandMemory) -> dict[str, Any]:
    """By key: the answer, None for one that was begun only."""
    return {key: memory.get(key).answer for key in memory._entries}  # type: ignore[union-attr]


async def test_what_was_done_and_what_was_begun_is_known_to_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "a" / "press.memory"
    memory = opened(path)
    await memory.note_epoch((3, 17))
    await memory.begin("a", "CMD_START", "")
    await memory.finish("a", {"state": "STARTED"})
    await memory.begin("b", "RECALIBRATE", "d")
    assert memory.interrupted == {}, "it is this process that works on it"
    memory.close()
    after = opened(path)
    assert after.epoch == (3, 17)
    assert told(after) == {"a": {"state": "STARTED"}, "b": None}
    assert set(after.interrupted) == {"b"}
    assert (after.interrupted["b"].command, after.interrupted["b"].digest) == ("RECALIBRATE", "d")
    await after.finish("b", {"code": "command_interrupted"})
    after.close()
    last = opened(path)
    assert (set(last.interrupted), len(last)) == (set(), 2)
    last.close()
    last.close()


async def test_one_process_at_a_time_has_the_file(tmp_path: Path) -> None:
    memory = opened(tmp_path / "m")
    with pytest.raises(MemoryUnreadable, match="another process"):
        opened(tmp_path / "m")
    memory.close()
    opened(tmp_path / "m").close()


async def test_a_crash_in_the_middle_of_a_line_loses_that_line_only(tmp_path: Path) -> None:
    """Cut after every byte: what is known then is what was told by the lines that are whole."""
    path = tmp_path / "whole"
    memory = opened(path)
    await memory.note_epoch((1, 2))
    await memory.begin("a", "CMD_START", "")
    await memory.finish("a", {"ok": True})
    await memory.begin("b", "CMD_RESET", "")
    memory.close()
    data = path.read_bytes()
    ends = [at + 1 for at, byte in enumerate(data) if byte == 10]
    expected: list[dict[str, Any]] = [{}, {}, {"a": None}, {"a": {"ok": True}}, {"a": {"ok": True}, "b": None}]
    for length in range(len(data) + 1):
        cut = tmp_path / "cut"
        cut.write_bytes(data[:length])
        after = opened(cut)
        assert told(after) == expected[sum(end <= length for end in ends)]
        await after.begin("c", "CMD_START", "")
        after.close()
        again = opened(cut)
        assert told(again) == {**expected[sum(end <= length for end in ends)], "c": None}
        again.close()


@pytest.mark.parametrize("content", [b"not json\n", b'{"key": 5}\n', b"[]\n", b"\xff\n", b'{"epoch": [1]}\n'])
async def test_a_file_that_is_none_is_refused_with_its_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m"
    path.write_bytes(b'{"epoch": [1, 2]}\n' + content)
    with pytest.raises(MemoryUnreadable, match="line 2"):
        opened(path)
    assert path.read_bytes() == b'{"epoch": [1, 2]}\n' + content, "it is left as it was"


async def test_the_file_is_bounded_and_rewritten_without_a_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.command_memory.KEYS_MAX", 3)
    path = tmp_path / "m"
    memory = opened(path)
    await memory.note_epoch((7, 7))
    for number in range(40):
        await memory.begin(f"k{number}", "CMD_START", "")
        assert memory.get(f"k{number}") is not None
        await memory.finish(f"k{number}", {"n": number})
        assert path.read_bytes().count(b"\n") <= LINES_PER_KEY * 3 + 1
    await memory.begin("last", "CMD_RESET", "")
    expected = {"k38": {"n": 38}, "k39": {"n": 39}, "last": None}
    assert told(memory) == expected
    with pytest.raises(MemoryUnreadable, match="another process"):
        opened(path)
    memory.close()
    after = opened(path)
    assert (told(after), after.epoch) == (expected, (7, 7))
    after.close()
    assert KEYS_MAX == 1_000
    assert os.listdir(tmp_path) == ["m"]


async def test_many_at_once_are_all_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rewrites of the file come in between: nothing that was begun is lost in one."""
    monkeypatch.setattr("orchestrator.command_memory.LINES_PER_KEY", 0.02)
    memory = opened(tmp_path / "m")

    async def one(number: int) -> None:
        await memory.begin(f"k{number}", "CMD_START", "")
        if number % 2:
            await memory.finish(f"k{number}", {"n": number})

    await asyncio.gather(*(one(number) for number in range(60)))
    memory.close()
    after = opened(tmp_path / "m")
    assert told(after) == {f"k{n}": {"n": n} if n % 2 else None for n in range(60)}
    after.close()


async def test_what_cannot_be_written_must_not_be_begun(tmp_path: Path) -> None:
    path = tmp_path / "m"
    memory = opened(path)
    await memory.begin("a", "CMD_START", "")
    memory.close()  # as good as a disk that is gone
    with pytest.raises(MemoryFailed, match="cannot be written"):
        await memory.begin("b", "CMD_START", "")
    with pytest.raises(MemoryFailed):
        await memory.note_epoch((9, 9))
    assert (memory.get("b"), memory.epoch) == (None, (0, 0))
    with pytest.raises(MemoryFailed):
        await memory.finish("a", {"x": 1})


async def test_a_writer_that_is_cancelled_leaves_a_whole_line(tmp_path: Path) -> None:
    memory = opened(tmp_path / "m")
    for number in range(30):
        task = asyncio.create_task(memory.begin(f"k{number}", "CMD_START", ""))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await memory.begin("last", "CMD_START", "")
    memory.close()
    after = opened(tmp_path / "m")
    assert "last" in told(after)
    after.close()


STEPS = st.lists(
    st.tuples(st.sampled_from(["begin", "finish", "epoch", "crash"]), st.sampled_from("abcd"), st.integers(0, 5)),
    max_size=25,
)


@given(STEPS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_process_after_a_crash_knows_what_the_one_before_it_knew(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, int]]
) -> None:
    path = tmp_path_factory.mktemp("m") / "m"

    async def run() -> None:
        memory = opened(path)
        try:
            for step, key, number in steps:
                if step == "begin":
                    await memory.begin(key, "CMD_START", "")
                elif step == "finish":
                    await memory.finish(key, {"n": number})
                elif step == "epoch":
                    await memory.note_epoch((1, number))
                else:
                    known, epoch = told(memory), memory.epoch
                    memory.close()
                    memory = opened(path)
                    assert (told(memory), memory.epoch) == (known, epoch)
                    assert set(memory.interrupted) == {key for key, answer in known.items() if answer is None}
        finally:
            memory.close()

    asyncio.run(run())
