"""The command line by itself: names, flags, help, exit codes, start-up. What it asks of nodes: test_cli_commands.py."""

import importlib
import json
import re
import resource
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from orchestrator.cli.exits import EXITS, Exit, exit_of
from orchestrator.cli.http import addresses
from orchestrator.cli.main import COMMANDS, main
from orchestrator.cli.output import Failure, emit, emit_rows, printable
from tests.support import free_port

REPO = Path(__file__).parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "orchestrator.cli.main", *arguments]
    return subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=30, check=False)


def leaves() -> list[list[str]]:
    found: list[list[str]] = []
    for name in COMMANDS:
        command = main.get_command(click.Context(main), name)
        assert command is not None
        found += below(command, [name])
    return found


def below(command: click.Command, path: list[str]) -> list[list[str]]:
    if not isinstance(command, click.Group):
        return [path]
    return [leaf for name, child in command.commands.items() for leaf in below(child, [*path, name])]


@pytest.mark.parametrize("path", leaves(), ids=" ".join)
def test_help_of_every_command_shows_examples(path: list[str]) -> None:
    result = CliRunner().invoke(main, [*path, "--help"])
    assert result.exit_code == 0, result.output
    assert "Examples:" in result.output
    assert f"triarch {' '.join(path)}" in result.output


def test_the_commands_that_others_rely_on_are_there() -> None:
    names = {" ".join(path) for path in leaves()}
    assert names >= {
        *("node", "dev", "demo", "bench", "cluster status", "cluster transfer", "cluster members", "cluster add"),
        *("cluster remove", "cluster snapshot save", "cluster snapshot restore", "cluster recover"),
        *("component list", "component command", "processor list", "frames verify", "frames stats"),
    }


def test_root_help_imports_no_command() -> None:
    script = (
        "import sys; from click.testing import CliRunner; from orchestrator.cli.main import main;"
        "assert CliRunner().invoke(main, ['--help']).exit_code == 0;"
        "print([name for name, module in sys.modules.items() if module and name.split('.')[0] in"
        " ('httpx', 'pydantic', 'fastapi', 'redis', 'rich', 'yaml', 'cluster', 'framebuffer')]);"
        "import orchestrator.client;"  # what asks nodes brings no tables and colours: a fifth of its time
        "print([name for name in sys.modules if name.split('.')[0] in ('rich', 'pygments', 'fastapi', 'pydantic')])"
    )
    result = subprocess.run([sys.executable, "-c", script], cwd=REPO, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["[]", "[]"]


def test_version_starts_quickly() -> None:
    def spent() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    def once() -> float:
        before = spent()
        result = run("--version")
        assert result.returncode == 0
        assert re.match(r"triarch \S+", result.stdout)
        return spent() - before

    # Processor time, the best of several: what is measured is the work, not what else the machine does.
    bound = 1.0 if "coverage" in sys.modules else 0.3
    assert min(once() for _ in range(5)) < bound


def test_unknown_command_is_a_usage_error() -> None:
    result = CliRunner().invoke(main, ["nonsense"])
    assert result.exit_code == Exit.USAGE
    assert "No such command" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["demo", "--cameras", "0"], "--cameras"),
        (["demo", "--fps", "-1"], "--fps"),
        (["demo", "--seconds", "0"], "--seconds"),
        (["demo", "--kill", "everyone"], "--kill"),
        (["dev", "--api-port", "70000"], "--api-port"),
        (["dev", "--api-port", "8101", "--raft-port", "8103"], "--raft-port"),
        (["dev", "--redis-port", "7102"], "--redis-port"),
        (["bench", "frames", "--runs", "0"], "--runs"),
        (["bench", "nothing"], "nothing"),
        (["cluster", "status", "--url", "ftp://x"], "--url"),
        (["cluster", "status", "--url", ","], "--url"),
        (["cluster", "status", "-o", "xml"], "--output"),
        (["component", "command", "press-1"], "COMMAND"),
        (["frames", "verify", "--redis-url", "http://x"], "--redis-url"),
    ],
    ids=" ".join,
)
def test_bad_flags_are_usage_errors_that_name_the_flag(arguments: list[str], hint: str) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == Exit.USAGE, result.output
    assert hint in result.stderr


def test_the_outcome_of_the_work_is_the_exit_code(tmp_path: Path) -> None:
    result = run("demo", "--video", str(tmp_path / "missing.mp4"), "--directory", str(tmp_path / "run"))
    assert result.returncode == Exit.NOT_FOUND
    assert "Error [video_missing]: video" in result.stderr
    assert "missing.mp4" in result.stderr


def test_a_report_that_could_not_be_written_is_refused_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for command in (["demo"], ["bench", "raft"]):
        result = run(*command, "--report", str(tmp_path / "file" / "r.json"), "--directory", str(tmp_path / "run"))
        assert result.returncode == Exit.FAILED
        assert "Error [not_writable]" in result.stderr
    assert not (tmp_path / "run" / "logs").exists()


def test_nobody_answers() -> None:
    unused_url = f"http://127.0.0.1:{free_port()}"
    for arguments in (["cluster", "status"], ["component", "list"], ["processor", "list"], ["frames", "stats"]):
        result = CliRunner().invoke(main, [*arguments, "--url", unused_url])
        assert result.exit_code == Exit.NO_LEADER
        assert result.stdout == ""
        assert "no_node" in result.stderr
        assert unused_url in result.stderr


def test_addresses_of_a_list() -> None:
    assert addresses("http://a:1/, https://b ,") == ("http://a:1", "https://b")


def test_every_documented_exit_code_is_used() -> None:
    assert set(EXITS.values()) == set(Exit) - {Exit.OK}


def test_every_problem_of_the_api_has_an_exit_code() -> None:
    problems = importlib.import_module("orchestrator.api.problems")
    assert set(problems.KINDS) <= set(EXITS)


def test_every_error_keeps_its_exit_code() -> None:
    errors = importlib.import_module("orchestrator.errors")
    for code, kind in errors.BY_CODE.items():
        assert EXITS[code] == kind.exit_code, code


@pytest.mark.parametrize(
    ("code", "status", "exit_code"),
    [
        ("no_leader", 503, Exit.NO_LEADER),
        ("outcome_unknown", 504, Exit.UNKNOWN),
        ("of_a_newer_release", 404, Exit.NOT_FOUND),
        ("of_a_newer_release", 409, Exit.CONFLICT),
        ("of_a_newer_release", None, Exit.FAILED),
    ],
)
def test_exit_code_of_a_problem(code: str, status: int | None, exit_code: Exit) -> None:
    assert exit_of(code, status) is exit_code
    assert Failure(code, "x", status=status).exit_code == exit_code


def test_data_in_every_form(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"id": "a", "tags": ["x", "y"], "up": True, "age": 0.5, "none": None, "deep": {"n": 1}}]
    columns = {"ID": "id", "TAGS": "tags", "UP": "up", "AGE": "age", "NONE": "none", "N": "deep.n", "?": "id.x"}
    emit_rows(rows, columns, "table")
    emit_rows(rows, columns, "json")
    emit_rows(rows, columns, "yaml")
    table, rest = capsys.readouterr().out.split("\n[", 1)
    assert [line.split() for line in table.splitlines()] == [list(columns), ["a", "x,y", "yes", "0.5", "-", "1", "-"]]
    document, _, yaml = rest.partition("\n]\n")
    assert json.loads("[" + document + "]") == rows
    assert yaml.startswith("- id: a\n")


def test_an_empty_table_says_so_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    emit_rows([], {"ID": "id"}, "table", empty="none is there")
    captured = capsys.readouterr()
    assert captured.out == "ID\n"
    assert captured.err == "none is there\n"


def test_what_a_server_says_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert printable("a\x1b[31mb\x07") == "a[31mb"
    emit({"reason": "x\x1b]0;title\x07\ny"}, "table")
    assert "\x1b" not in capsys.readouterr().out


def test_a_terminal_gets_a_rich_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    emit_rows([{"id": "[red]a"}], {"ID": "id"}, "table")
    assert "[red]a" in capsys.readouterr().out
