"""What is decided of backups on the machine that runs Ansible: which of them go, and what one has to say of itself."""

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.backups import manifest
from tests.deploy.backups import a_backup
from tests.deploy.filters import plugin

PLUGIN = plugin("filter_plugins/triarch_backups.py")


def name(day: int, cluster: str = "plant-1") -> str:
    return f"{cluster}-202701{day:02}T020000Z"


def there(folder: Path, whole: list[int], unfinished: list[int]) -> Path:
    for day in whole + unfinished:
        (folder / name(day)).mkdir(parents=True)
    for day in whole:
        (folder / name(day) / manifest.MANIFEST).touch()
    return folder


def test_it_is_the_backup_of_the_command_line() -> None:
    assert (PLUGIN.MANIFEST, PLUGIN.FILES, PLUGIN.FORMAT) == (manifest.MANIFEST, manifest.FILES, manifest.FORMAT)
    assert PLUGIN.MANIFEST_BYTES_MAX == manifest.MANIFEST_BYTES_MAX


def test_only_whole_ones_are_counted(tmp_path: Path) -> None:
    folder = there(tmp_path, [1, 2, 3], [4, 5, 6, 7])
    found = PLUGIN.triarch_backups(str(folder), "plant-1", 3)
    assert found["go"] == []
    assert found["unfinished"] == [name(day) for day in (4, 5, 6, 7)]
    assert found["whole"] == [name(day) for day in (1, 2, 3)]


def test_what_is_older_than_the_oldest_that_stays_goes_whole_or_not(tmp_path: Path) -> None:
    folder = there(tmp_path, [2, 4, 6], [1, 3, 5, 7])
    found = PLUGIN.triarch_backups(str(folder), "plant-1", "2")
    assert found["go"] == [name(day) for day in (1, 2, 3)]
    assert found["unfinished"] == [name(5), name(7)]
    assert PLUGIN.triarch_backups(str(folder), "plant-1", 2, name(8))["go"] == [name(day) for day in (1, 2, 3, 4, 5)]


def test_one_that_is_there_already_is_not_counted_twice(tmp_path: Path) -> None:
    folder = there(tmp_path, [1, 2], [])
    assert PLUGIN.triarch_backups(str(folder), "plant-1", 2, name(2))["go"] == []


def test_nothing_else_is_touched(tmp_path: Path) -> None:
    folder = there(tmp_path, [1, 2], [])
    for other in (name(1, "plant-1-old"), name(1, "plant"), "plant-1-Z", "plant-1-aZ", "letters"):
        (folder / other).mkdir()
    (folder / name(3)).write_text("a file")
    assert PLUGIN.triarch_backups(str(folder), "plant-1", 1)["go"] == [name(1)]
    assert PLUGIN.triarch_backups(str(folder), "plant", 1)["go"] == []
    nowhere = PLUGIN.triarch_backups(str(folder / "absent"), "plant-1", 1)
    assert nowhere == {"whole": [], "unfinished": [], "go": []}


def test_a_path_without_a_root_starts_where_the_command_is_given_or_at_the_backups(tmp_path: Path) -> None:
    here, backups = tmp_path / "here", tmp_path / "backups"
    a_backup(here / "one")
    a_backup(backups / "one")
    a_backup(backups / "two")
    starts = [str(here), str(backups)]
    assert PLUGIN.triarch_backup_found("one", starts)["place"] == str(here / "one")
    assert PLUGIN.triarch_backup_found("two/", starts)["place"] == str(backups / "two")
    assert PLUGIN.triarch_backup_found("three", starts) == {
        "place": "",
        "looked": [str(here / "three"), str(backups / "three")],
    }
    rooted = str(backups / "one")
    assert PLUGIN.triarch_backup_found(rooted, starts) == {"place": rooted, "looked": [rooted]}


def test_a_whole_manifest_is_taken(tmp_path: Path) -> None:
    backup = a_backup(tmp_path / "backup")
    found = PLUGIN.triarch_backup(str(backup))
    assert (found["faults"], found["newer"]) == ([], False)
    assert found["manifest"] == json.loads((backup / manifest.MANIFEST).read_text())


FILE = {"bytes": 1, "sha256": "a" * 64}
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no files": ({"files": {}}, "it names no files instead of state.snapshot and frames.rdb"),
    "one file": ({"files": {"frames.rdb": FILE}}, "it names frames.rdb instead of"),
    "a file more": ({"files": {"state.snapshot": FILE, "frames.rdb": FILE, "../x": FILE}}, "it names ../x, frames.rdb"),
    "files of another kind": ({"files": ["state.snapshot", "frames.rdb"]}, "it names no files"),
    "no digest": ({"files": {"state.snapshot": FILE, "frames.rdb": {"bytes": 1}}}, "the SHA-256 of its files"),
    "no cluster": ({"cluster": None}, "of which cluster"),
    "no release": ({"version": "newest"}, "which release made it"),
    "no state": ({"state": {"index": "1"}}, "index and level"),
    "no ledger": ({"frames": None}, "the ledger's totals"),
    "no format": ({"format": None}, "its format is not 1"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_manifest_that_lacks_something_is_damaged(case: str, tmp_path: Path) -> None:
    members, said = BAD[case]
    backup = a_backup(tmp_path / "backup")
    whole = json.loads((backup / manifest.MANIFEST).read_text())
    (backup / manifest.MANIFEST).write_text(json.dumps(whole | members))
    found = PLUGIN.triarch_backup(str(backup))
    assert (found["manifest"], found["newer"]) == (None, False)
    (only,) = found["faults"]
    assert said in only


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"3", b"\xff\xfe", b"[" * 100_000, b" " * (1 << 21)])
def test_what_is_no_manifest_at_all_is_damaged(data: bytes, tmp_path: Path) -> None:
    (tmp_path / manifest.MANIFEST).write_bytes(data)
    found = PLUGIN.triarch_backup(str(tmp_path))
    assert found["manifest"] is None
    assert found["faults"]
