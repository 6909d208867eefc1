"""The page of the HTTP API in the documentation."""

from pathlib import Path

import pytest

from tools import api_reference


def test_the_page_has_every_operation_as_the_code_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = api_reference.document()
    wanted = api_reference.page(found)
    assert api_reference.PAGE.read_text(encoding="utf-8") == wanted
    for path, operations in found["paths"].items():
        for method in operations:
            assert f"| `{method.upper()} {path}` |" in wanted

    monkeypatch.setattr(api_reference, "document", lambda: found)
    page = tmp_path / "api.md"
    page.write_text(wanted.replace("GET /v1/cluster", "GET /v1/kluster"), encoding="utf-8")
    monkeypatch.setattr(api_reference, "PAGE", page)
    assert api_reference.main(["--check"]) == 1
    assert api_reference.main(["--write"]) == 0
    assert page.read_text(encoding="utf-8") == wanted
    assert api_reference.main([]) == 2
