"""Whose directory it is: drawn once, and checked at every start."""

import os
from pathlib import Path

import pytest

from cluster import DataDirForeign, DataDirUnreadable, DiskFailed
from cluster.disk import OsDisk
from cluster.identity import Identity, identify


def identity(path: Path, *, cluster: str = "plant", node: str = "n1") -> Identity:
    return identify(OsDisk(path), cluster=cluster, node=node, entropy=os.urandom)


def test_it_is_drawn_once(tmp_path: Path) -> None:
    made = identity(tmp_path)
    assert (made.cluster, made.node) == ("plant", "n1")
    assert len(made.incarnation) == 16
    assert identity(tmp_path) == made
    assert [file.name for file in tmp_path.iterdir()] == ["node.json"]
    (tmp_path / "node.json").unlink()
    assert identity(tmp_path).incarnation != made.incarnation


@pytest.mark.parametrize(("cluster", "node"), [("plant", "n2"), ("other", "n1")])
def test_anothers_is_refused_and_stays_as_it_is(tmp_path: Path, cluster: str, node: str) -> None:
    made = identity(tmp_path)
    with pytest.raises(DataDirForeign, match="belongs to node 'n1' of cluster 'plant'") as caught:
        identity(tmp_path, cluster=cluster, node=node)
    assert f"node {node!r} of cluster {cluster!r}" in str(caught.value)
    assert identity(tmp_path) == made


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"format": "2"}', b'{"format": 2, "cluster": "plant", "node": "n1"}']
)
def test_one_that_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "node.json").write_bytes(content)
    with pytest.raises(DataDirUnreadable, match=r"node\.json: does not say whose directory this is"):
        identity(tmp_path)
    assert (tmp_path / "node.json").read_bytes() == content


@pytest.mark.parametrize("version", [1, 3])
def test_another_format_is_named(tmp_path: Path, version: int) -> None:
    (tmp_path / "node.json").write_bytes(b'{"format": %d, "what": "a newer release knows"}' % version)
    with pytest.raises(DataDirUnreadable, match=f"has format {version}, this release knows 2; use the release"):
        identity(tmp_path)


def test_one_that_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "node.json").mkdir()
    with pytest.raises(DiskFailed, match=r"node\.json: cannot read: Is a directory"):
        identity(tmp_path)


def test_one_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "node.json.tmp").mkdir()
    with pytest.raises(DiskFailed, match=r"node\.json\.tmp: cannot create: Is a directory"):
        identity(tmp_path)
