from pathlib import Path

import click
import pytest

from tools import check_docs


@click.group()
def root() -> None:
    pass


@root.group()
def frames() -> None:
    pass


@frames.command()
@click.option("--report")
def verify(report: str) -> None:
    pass


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        ("frames verify --report FILE", None),
        ("frames verify --help", None),
        ("frames", None),
        ("frames count", "no such command"),
        ("frames verify --raport FILE", "no such option"),
        ("frames|plant", "no such command"),
    ],
)
def test_commands_of_a_page_are_looked_up_in_the_command_line(words: str, wrong: str | None) -> None:
    found = check_docs.check_triarch(words.split(), root)
    assert found is None if wrong is None else found is not None and wrong in found


@pytest.mark.parametrize(
    ("words", "wrong"), [("test", None), ("test ARGS=tests/cluster", None), ("tests", "no such target")]
)
def test_make_targets_of_a_page_exist(words: str, wrong: str | None) -> None:
    found = check_docs.check_make(words.split(), {"test", "check"})
    assert found is None if wrong is None else found is not None and wrong in found


def test_commands_are_found_in_shell_blocks_and_inline_code_only(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "They make tests. `make check` and `triarch frames verify`.\n"
        "```sh\n$ TRIARCH_URL=x triarch frames  # make nothing\nmake test && make demo\n```\n"
        "```yaml\nmake: sure\n```\n"
    )
    found = [(number, program, words) for number, program, words in check_docs.commands_in(page)]
    assert found == [
        (1, "make", ["check"]),
        (1, "triarch", ["frames", "verify"]),
        (3, "triarch", ["frames"]),
        (4, "make", ["test"]),
        (4, "make", ["demo"]),
    ]


def test_links_to_absent_files_and_headings_are_named(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# A heading, with `code`\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](other.md) [b](other.md#a-heading-with-code) [c](gone.md) [d](other.md#gone) [e](https://x.org)\n"
    )
    assert [finding.what for finding in check_docs.check_links(page)] == [
        "link to gone.md, which does not exist",
        "link to other.md#gone: no such heading",
    ]


def test_paths_of_a_machine_are_named(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"fine\nin {check_docs.ROOT}/cluster\nsee /{'home'}/ann/x\nhttps://mirror.example/{'simple'}/\n")
    assert [finding.line for finding in check_docs.check_forbidden(page)] == [2, 3, 4]
