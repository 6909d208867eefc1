"""The drawing of the lifecycle in the documentation."""

from pathlib import Path

import pytest

from orchestrator.lifecycle import TABLE, Signal
from tools import lifecycle_page


def test_the_page_draws_the_table_as_it_is() -> None:
    assert lifecycle_page.main(["--check"]) == 0
    page = lifecycle_page.PAGE.read_text(encoding="utf-8")
    for (source, trigger), target in TABLE.items():
        if trigger != Signal.FAILED:
            assert f"    {source} --> {target}: {trigger}\n" in page


def test_a_page_that_is_behind_the_table_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = lifecycle_page.PAGE.read_text(encoding="utf-8")
    page = tmp_path / "components.md"
    page.write_text(there.replace("READY --> INITIALIZING", "READY --> STARTED"), encoding="utf-8")
    monkeypatch.setattr(lifecycle_page, "PAGE", page)
    assert lifecycle_page.main(["--check"]) == 1
    assert lifecycle_page.main(["--write"]) == 0
    assert page.read_text(encoding="utf-8") == there
    assert lifecycle_page.main([]) == 2


def test_a_page_without_its_markers_is_refused() -> None:
    with pytest.raises(SystemExit, match="lacks its markers"):
        lifecycle_page.page("# Components")
