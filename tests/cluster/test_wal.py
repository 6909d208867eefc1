"""The write-ahead log: what was synced is read back, a torn end is cut, damage is refused by its place."""

import errno
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.disk import OsDisk
from cluster.errors import DataDirUnreadable, DiskFailed
from cluster.snapshot_codec import Entry
from cluster.wal import WriteAheadLog

LIMIT = 1 << 20


def opened(path: Path) -> WriteAheadLog:
    return WriteAheadLog(OsDisk(path.parent), path.name, record_bytes_max=LIMIT)


def read(path: Path) -> list[Entry]:
    log = opened(path)
    log.close()
    return list(log[:])


def filled(path: Path, count: int = 20) -> list[Entry]:
    """A log with entries, a cut and entries again; what it then holds."""
    log = opened(path)
    for index in range(1, count + 1):
        log.add(b"\x00" + bytes([index]) * (index * 7 % 90), index, 1 + index // 50)
    log.cut_from(count - 5)
    log.add(b"\x00after the cut", count - 4, 9)
    log.sync()
    log.close()
    return list(log[:])


def test_what_was_synced_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    entries = filled(path)
    assert read(path) == entries
    log = opened(path)
    log.add(b"\x00more", entries[-1][1] + 1, 9)
    log.sync()
    log.close()
    assert read(path) == [*entries, (b"\x00more", entries[-1][1] + 1, 9)]


def test_what_was_not_synced_is_not_there_and_one_sync_is_enough_for_all(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    log = opened(path)
    for index in range(1, 1001):
        log.add(b"\x00", index, 1)
    assert log.dirty
    assert read(path) == []
    log.sync()
    log.sync()
    assert (log.syncs, log.dirty) == (1, False)
    assert len(read(path)) == 1000
    assert path.stat().st_size == log.bytes
    log.close()


def test_a_file_that_ends_anywhere_gives_a_prefix(tmp_path: Path) -> None:
    """As a power cut leaves it: never a wrong entry, never a refusal, and what follows is appended where it was cut."""
    path, torn = tmp_path / "journal", tmp_path / "torn"
    filled(path)
    content = path.read_bytes()
    states = set()
    for size in range(8, len(content)):
        torn.unlink(missing_ok=True)
        torn.write_bytes(content[:size])
        entries = read(torn)
        states.add(tuple(entries))
        assert [index for _, index, _ in entries] == list(range(1, len(entries) + 1))
        if size % 5:
            continue
        again = opened(torn)
        again.add(b"\x00next", len(entries) + 1, 9)
        again.sync()
        again.close()
        assert read(torn) == [*entries, (b"\x00next", len(entries) + 1, 9)]
    assert len(states) == 21  # 0 to 20 entries; the cut gives 14 again


@pytest.mark.parametrize("zeros", [1, 511, 512, 5000])
def test_sectors_that_were_never_written_are_cut(tmp_path: Path, zeros: int) -> None:
    path = tmp_path / "journal"
    entries = filled(path, 200)
    content = path.read_bytes()
    for size in range(512, len(content), 512):
        path.write_bytes(content[:size] + bytes(zeros))
        found = read(path)
        assert [index for _, index, _ in found] == list(range(1, len(found) + 1))
        assert len(found) < 200
    path.write_bytes(content + bytes(-len(content) % 512 + zeros))
    assert read(path) == entries


def test_every_flipped_bit_is_refused_with_its_place(tmp_path: Path) -> None:
    path, flipped = tmp_path / "journal", tmp_path / "flipped"
    filled(path, 12)
    content = path.read_bytes()
    for at in range(len(content)):
        for bit in (0, 5, 7):
            damaged = bytearray(content)
            damaged[at] ^= 1 << bit
            flipped.unlink(missing_ok=True)  # some file systems put a file that is written over on disk at once
            flipped.write_bytes(damaged)
            with pytest.raises(DataDirUnreadable, match=r"damaged at byte \d+"):
                opened(flipped)


@pytest.mark.parametrize("lost", range(1, 5))
def test_a_lost_block_in_the_middle_is_refused(tmp_path: Path, lost: int) -> None:
    path = tmp_path / "journal"
    filled(path)
    content = path.read_bytes()
    at = len(content) * lost // 6
    path.write_bytes(content[:at] + bytes(64) + content[at + 64 :])
    with pytest.raises(DataDirUnreadable):
        opened(path)


def test_the_head_is_cut_by_a_new_file_that_replaces_the_old_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    entries = filled(path)
    log = opened(path)
    before = log.bytes
    log.add(b"\x00unsynced", entries[-1][1] + 1, 9)
    log.begin_at(10)
    assert log.bytes < before
    assert read(path) == [*entries[10:], (b"\x00unsynced", entries[-1][1] + 1, 9)]
    log.replace([(b"\x00", 100, 10), (b"\x00", 101, 10)])
    log.add(b"\x00", 102, 10)
    log.sync()
    log.close()
    assert [index for _, index, _ in read(path)] == [100, 101, 102]
    assert [entry.name for entry in tmp_path.iterdir()] == ["journal"]


def test_a_kill_before_the_rename_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    entries = filled(path)
    (tmp_path / "journal.tmp").write_bytes(b"half a fil")
    assert read(path) == entries
    log = opened(path)
    log.begin_at(3)
    log.close()
    assert read(path) == entries[3:]
    assert [entry.name for entry in tmp_path.iterdir()] == ["journal"]


@pytest.fixture
def small_files() -> Iterator[int]:
    """No file may grow beyond so many bytes, as on a disk that is full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    yield 4096
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_is_raised_and_what_was_synced_before_is_there(tmp_path: Path, small_files: int) -> None:
    path = tmp_path / "journal"
    log = opened(path)
    log.add(b"\x00kept", 1, 1)
    log.sync()
    log.add(bytes(small_files), 2, 1)
    with pytest.raises(DiskFailed, match=f"{path}: cannot write: File too large") as failure:
        log.sync()
    assert failure.value.errno == errno.EFBIG
    log.close()
    assert read(path) == [(b"\x00kept", 1, 1)]


_STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "add", "add", "cut", "head", "sync", "reopen"]), st.integers(0, 30)), max_size=60
)


@given(steps=_STEPS)
@settings(max_examples=150, deadline=None)
def test_it_holds_what_a_list_would_hold(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    """Against a model; `synced` is what must be there after a crash at any moment."""
    path = tmp_path_factory.mktemp("wal") / "journal"
    log = opened(path)
    model: list[Entry] = []
    synced: list[Entry] = []
    term = 1
    for step, number in steps:
        match step:
            case "add":
                model.append((bytes(number), model[-1][1] + 1 if model else 1, term))
                log.add(*model[-1])
            case "cut" if number < len(model):
                del model[number:]
                log.cut_from(number)
                term += 1
            case "head" if 0 < number < len(model):
                del model[:number]
                log.begin_at(number)
                synced = list(model)
            case "sync":
                log.sync()
                synced = list(model)
            case "reopen":
                log.close()
                log = opened(path)
                model = list(synced)
        assert log[:] == model
        assert len(log) == len(model)
    log.close()
    assert read(path) == synced


def test_a_record_larger_than_is_allowed_now_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    log = opened(path)
    log.add(b"x" * 2000, 1, 0)
    log.sync()
    log.close()
    with pytest.raises(DataDirUnreadable, match=r"2017 bytes, where at most 1024.*command_bytes_max greater"):
        WriteAheadLog(OsDisk(tmp_path), record_bytes_max=1024)
    assert len(read(path)) == 1
