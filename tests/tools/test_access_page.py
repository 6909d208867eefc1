"""The page on access shows the table that decides, and says so when it does not."""

from pathlib import Path

import pytest

from orchestrator.access.rights import RIGHTS
from tools import access_page


def test_the_page_is_as_the_code_has_it() -> None:
    assert access_page.main(["--check"]) == 0
    page = access_page.PAGE.read_text(encoding="utf-8")
    assert all(f"`{right.method} {right.path}`" in page for right in RIGHTS)


def test_another_table_is_found_and_written_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    there = access_page.PAGE.read_text(encoding="utf-8")
    page = tmp_path / "access.md"
    page.write_text(there.replace("| `POST /v1/tokens` |  |", "| `POST /v1/tokens` | yes |"), encoding="utf-8")
    monkeypatch.setattr(access_page, "PAGE", page)
    assert access_page.main(["--check"]) == 1
    assert access_page.main(["--write"]) == 0
    assert page.read_text(encoding="utf-8") == there
    assert access_page.main([]) == 2


def test_a_page_without_its_markers_is_refused() -> None:
    with pytest.raises(SystemExit, match="lacks its markers"):
        access_page.page("# Access")
