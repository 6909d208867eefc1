"""The build of the dashboard is held against its sources without Node.js."""

import json
import shutil
from pathlib import Path

import pytest

from tools import dashboard


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sources and build, to be tampered with."""
    shutil.copytree(dashboard.SOURCES, tmp_path / "dashboard", ignore=shutil.ignore_patterns("node_modules"))
    built = tmp_path / "orchestrator" / "dashboard" / "static"
    shutil.copytree(dashboard.BUILT, built)
    for name, path in (
        ("ROOT", tmp_path),
        ("SOURCES", tmp_path / "dashboard"),
        ("BUILT", built),
        ("MANIFEST", built / "manifest.json"),
    ):
        monkeypatch.setattr(dashboard, name, path)
    assert dashboard.faults() == []
    return tmp_path


def _said(part: str) -> bool:
    found = dashboard.faults()
    return len(found) == 1 and part in found[0]


def test_a_source_that_has_changed_since_the_build_is_found(copy: Path) -> None:
    page = copy / "dashboard" / "src" / "pages" / "overview.ts"
    page.write_text(page.read_text() + "\n")
    assert _said("have changed since the build: make dashboard")


def test_a_source_under_another_name_is_found(copy: Path) -> None:
    page = copy / "dashboard" / "src" / "pages" / "overview.ts"
    page.rename(page.with_name("view.ts"))
    assert _said("have changed since the build")


def test_a_built_file_that_nobody_built_is_found(copy: Path) -> None:
    (dashboard.BUILT / "assets" / "more.js").write_text("alert(1)")
    assert _said("is not what was built")


def test_no_build_at_all_is_found(copy: Path) -> None:
    dashboard.MANIFEST.unlink()
    assert _said("not built: make dashboard")


def test_scripts_that_are_too_large_are_found(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard, "SCRIPT_BYTES_MAX", dashboard.script_bytes() - 1)
    assert _said("bytes compressed")


@pytest.mark.parametrize(
    "part",
    [
        "<style>a{}</style>",
        "<script>alert(1)</script>",
        '<p style="color:red">',
        '<img onerror="x">',
        '<link href="https://fonts.example/x.css">',
    ],
)
def test_a_page_that_the_policy_would_break_is_found(copy: Path, part: str) -> None:
    index = dashboard.BUILT / "index.html"
    index.write_text(index.read_text() + part)
    manifest = json.loads(dashboard.MANIFEST.read_text())
    dashboard.MANIFEST.write_text(json.dumps({**manifest, "files": dashboard.built_digests()}))
    assert _said("index.html has a script or style of its own")


def test_a_lock_that_names_where_packages_came_from_is_found(copy: Path) -> None:
    lock = copy / "dashboard" / "package-lock.json"
    lock.write_text(lock.read_text().replace('"version"', '"resolved": "x", "version"', 1))
    manifest = json.loads(dashboard.MANIFEST.read_text())
    dashboard.MANIFEST.write_text(json.dumps({**manifest, "sources": dashboard.sources_digest()}))
    assert _said("names where packages were fetched")
