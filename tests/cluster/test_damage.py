"""Data directories that a node refuses to start from, by what is wrong with each; and disks that fail while it runs."""

import asyncio
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cluster import (
    Cluster,
    DataDirExposed,
    DataDirForeign,
    DataDirInUse,
    DataDirUnreadable,
    DiskFailed,
    OutcomeUnknown,
    StartFailed,
)
from cluster.snapshot_codec import Snapshot, decode_snapshot, encode_snapshot
from tests.cluster.machines import Nodes, Register, command, nodes, one

pytestmark = pytest.mark.anyio


async def filled(directory: Path) -> Nodes:
    """A stopped one-node cluster with a snapshot and a log behind it."""
    group = one(directory, compaction_entries=20)
    await group.start()
    leader = await group.leader()
    for number in range(60):
        await leader.propose(command(key=str(number), value=number))
    await group.stop()
    return group


async def test_one_in_use(tmp_path: Path) -> None:
    async with nodes(tmp_path, 1) as group:
        with pytest.raises(DataDirInUse, match=f"in use by process {os.getpid()}"):
            await Cluster(group.settings("n1"), Register()).start()
        with pytest.raises(StartFailed, match="starts once"):
            await group.running["n1"].start()


async def test_one_of_another_cluster(tmp_path: Path) -> None:
    await filled(tmp_path)
    with pytest.raises(DataDirForeign, match="of cluster 'triarch', this is node 'n1' of cluster 'another'"):
        await one(tmp_path, cluster_name="another").start()


async def test_one_of_another_node(tmp_path: Path) -> None:
    group = Nodes(tmp_path, 2)
    await group.start("n1")
    await group.stop()
    (tmp_path / "n1").rename(tmp_path / "n2")
    with pytest.raises(DataDirForeign, match="belongs to node 'n1' of cluster 'triarch', this is node 'n2'"):
        await group.start("n2")


async def test_one_of_a_newer_format(tmp_path: Path) -> None:
    group = await filled(tmp_path)
    identity = tmp_path / "n1" / "node.json"
    identity.write_bytes(identity.read_bytes().replace(b'"format":2', b'"format":3'))
    with pytest.raises(DataDirUnreadable, match="has format 3, this release knows 2"):
        await group.start()


async def test_one_that_others_may_read(tmp_path: Path) -> None:
    group = await filled(tmp_path)
    (tmp_path / "n1").chmod(0o755)
    with pytest.raises(DataDirExposed, match=f"mode 0755.*chmod 700 {tmp_path / 'n1'}"):
        await group.start()
    (tmp_path / "n1").chmod(0o700)
    await group.start()
    await group.stop()


def _other_index(content: bytes) -> bytes:
    changed = bytearray(content)
    changed[21:29] = (999).to_bytes(8, "little")  # magic, frame, kind; then the first entry's index
    return bytes(changed)


def _middle(content: bytes) -> bytes:
    at = len(content) // 2
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def _other_machine(content: bytes) -> bytes:
    own = decode_snapshot(content)
    return encode_snapshot(Snapshot(own.last, own.previous, own.state, b"\xc1", own.membership))


def _other_membership(content: bytes) -> bytes:
    own = decode_snapshot(content)
    return encode_snapshot(Snapshot(own.last, own.previous, own.state, own.machine, b"\xc1"))


def _nothing(_: bytes) -> bytes:
    return b""


def _gone(_: bytes) -> None:
    return None


@pytest.mark.parametrize(
    ("file", "damage", "message"),
    [
        pytest.param("journal", lambda _: b"?" * 4096, "journal: the log is damaged at byte 0", id="log: header"),
        pytest.param("journal", _other_index, r"journal: the log is damaged at byte \d+", id="log: order"),
        pytest.param("journal", _middle, r"journal: the log is damaged at byte \d+", id="log: middle"),
        pytest.param("journal", _nothing, "journal: the log is damaged at byte 0", id="log: empty"),
        pytest.param("snapshot", lambda content: content[:30], "snapshot: the snapshot is cut", id="snapshot: cut"),
        pytest.param("snapshot", _middle, "snapshot: the snapshot is damaged", id="snapshot: middle"),
        pytest.param("snapshot", _gone, "journal: the log begins at", id="snapshot: gone"),
        pytest.param("snapshot", _other_machine, "snapshot: .*MessagePack", id="snapshot: machine"),
        pytest.param("snapshot", _other_membership, "snapshot: .*MessagePack", id="snapshot: membership"),
        pytest.param("vote", lambda content: content[:-1] + b"?", "vote: term and vote cannot be read", id="vote"),
        pytest.param("vote", _nothing, "vote: term and vote cannot be read", id="vote: empty"),
        pytest.param("vote", _gone, "vote: it is of an earlier term than the log", id="vote: gone"),
        pytest.param("peers", lambda _: b"{", "peers: the members met so far cannot be read", id="peers"),
    ],
)
async def test_damage_is_refused_by_its_file_and_place(
    tmp_path: Path, file: str, damage: Callable[[bytes], bytes | None], message: str
) -> None:
    group = await filled(tmp_path)
    path = tmp_path / "n1" / file
    damaged = damage(path.read_bytes() if path.exists() else b"")
    if damaged is None:
        path.unlink()
    else:
        path.write_bytes(damaged)
    for _ in range(2):  # and it holds nothing open after that
        with pytest.raises(DataDirUnreadable, match=f"(?s){tmp_path}.*{message}"):
            await group.start()
    assert (path.read_bytes() if path.exists() else None) == damaged


async def test_a_log_that_is_gone_is_not_begun_anew_beside_a_snapshot(tmp_path: Path) -> None:
    """What lay behind the snapshot was acknowledged by this node: without it, it must not vote."""
    group = await filled(tmp_path)
    (tmp_path / "n1" / "journal").unlink()
    for _ in range(2):
        with pytest.raises(DataDirUnreadable, match="journal: the log is gone"):
            await group.start()


@contextmanager
def mounted(path: Path, *options: str) -> Iterator[None]:
    """A small tmpfs at `path`."""
    path.mkdir(0o700)
    _run("mount", "-t", "tmpfs", "-o", ",".join(("mode=0700", *options)), "triarch-test", str(path))
    try:
        yield
    finally:
        _run("umount", str(path))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=10)


@pytest.mark.root
async def test_a_disk_that_is_mounted_read_only(tmp_path: Path) -> None:
    group = await filled(tmp_path / "made")
    target = tmp_path / "disk"
    with mounted(target, "size=8m"):
        shutil.copytree(tmp_path / "made" / "n1", target / "n1")
        _run("mount", "-o", "remount,ro", str(target))
        own = one(target)
        with pytest.raises(StartFailed, match=f"{target / 'n1'}: cannot be created or written .Read-only file system"):
            await own.start()
        _run("mount", "-o", "remount,rw", str(target))
        await own.start()
        await own.stop()
    assert group.members[0].id == "n1"


@pytest.mark.root
async def test_a_disk_that_is_full_already(tmp_path: Path) -> None:
    target = tmp_path / "disk"
    with mounted(target, "size=64k"):
        (target / "n1").mkdir(0o700)
        with pytest.raises(OSError, match="No space left"):
            (target / "ballast").write_bytes(bytes(128 << 10))
        with pytest.raises(StartFailed, match=r"No space left on device.*free some space"):
            await one(target).start()
        (target / "ballast").unlink()
        group = one(target)
        await group.start()
        await group.stop()


@pytest.mark.root
async def test_a_disk_that_fills_up_stops_the_node_and_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    target = tmp_path / "disk"
    with mounted(target, "size=512k"):
        group = one(target)
        await group.start()
        leader = await group.leader()
        ended = asyncio.ensure_future(leader.wait_ended())
        acknowledged: list[str] = []

        async def fill() -> None:
            for number in range(200):
                await leader.propose(command(key=str(number), value=bytes(20_000)))
                acknowledged.append(str(number))

        with pytest.raises(OutcomeUnknown, match="the disk is full: free some space"):
            await fill()
        with pytest.raises(DiskFailed, match=r"n1/journal: cannot write: .*the disk is full"):
            await ended
        assert len(acknowledged) > 5
        await group.stop()
        _run("mount", "-o", "remount,size=8m", str(target))
        await group.start()
        leader = await group.leader()
        kept = await leader.read(lambda machine: set(machine.values))
        assert set(acknowledged) <= kept
        assert len(kept) <= len(acknowledged) + 1
        await group.stop()


@contextmanager
def small_files(limit: int) -> Iterator[None]:
    """No file may grow beyond so many bytes, as on a disk that is full; without root."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


async def test_a_write_that_fails_stops_the_node_before_it_acknowledges(tmp_path: Path) -> None:
    group = one(tmp_path)
    await group.start()
    leader = await group.leader()
    await leader.propose(command(key="kept"))
    with small_files(4096):
        with pytest.raises(OutcomeUnknown, match="failed"):
            await leader.propose(command(key="lost", value=bytes(8192)))
        with pytest.raises(DiskFailed, match=r"journal: cannot write: File too large; check the disk"):
            await leader.wait_ended()
    assert leader.status().epoch is None
    await group.stop()
    await group.start()
    assert "kept" in await (await group.leader()).read(lambda machine: machine.values)
    await group.stop()


async def test_a_start_without_space_names_the_file(tmp_path: Path) -> None:
    group = one(tmp_path)
    with small_files(0), pytest.raises(StartFailed, match=f"{tmp_path / 'n1'}: cannot be written .File too large"):
        await group.start()
    with small_files(8), pytest.raises(DiskFailed, match=r"node\.json\.tmp: cannot write: File too large"):
        await group.start()
    await group.start()  # neither failure left anything behind
    await group.stop()
