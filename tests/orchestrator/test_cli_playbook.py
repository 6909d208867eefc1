"""`triarch playbook validate` and `schema`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestrator.cli.main import main
from orchestrator.playbooks.schema import schema_text
from tests.orchestrator.test_playbook_loading import GOOD

REPO = Path(__file__).parents[2]


def triarch(*arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    done = CliRunner().invoke(main, ["playbook", *arguments], prog_name="triarch")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "line").mkdir()
    (tmp_path / "line" / "recover.yaml").write_text(GOOD)
    shutdown = "name: graceful_shutdown\ninputs: {reason: {}}\nactions:\n  - {type: delay, duration: 1s}\n"
    (tmp_path / "graceful_shutdown.yml").write_text(shutdown)
    (tmp_path / "notes.txt").write_text("no playbook")
    return tmp_path


def test_a_directory_that_is_right(directory: Path) -> None:
    assert triarch("validate", str(directory)) == (0, "", "2 playbooks valid\n")


def test_problems_warnings_and_json(directory: Path) -> None:
    broken, doubtful = directory / "broken.yaml", directory / "doubtful.yaml"
    broken.write_text("name: broken\nactions:\n  - type: delay\n    duraton: 1s\n")
    doubtful.write_text("name: other\nactions:\n  - {type: send_command, target: '@all', command: CMD_STRAT}\n")
    (directory / "latin.yaml").write_bytes("name: a\ndescription: gr\u00fcn\n".encode("latin-1"))
    code, out, err = triarch("validate", str(directory))
    assert code == 1
    assert out.splitlines() == [
        f"{broken}:3:5: actions[0].duration: is missing",
        f"{broken}:4:5: actions[0].duraton: there is no such member here (did you mean `duration`?)",
        f"{directory / 'latin.yaml'}:2:16: this is no UTF-8 (save it as UTF-8)",
    ]
    command = "'CMD_STRAT' is no command of the lifecycle: the component has to know it (did you mean `CMD_START`?)"
    name = "the file's name 'doubtful' is another one (others call it 'other'; call the file other.yaml)"
    assert err.splitlines() == [
        f"warning: {doubtful}:3:51: actions[0].command: {command}",
        f"warning: {doubtful}:1:7: name: {name}",
        "3 problems in 5 files",
    ]
    code, out, _ = triarch("validate", str(directory), "-o", "json")
    report = json.loads(out)
    assert (code, report["valid"], report["files"]) == (1, False, 5)
    assert report["playbooks"] == ["graceful_shutdown", "other", "recover"]
    assert report["errors"][1] == {
        "file": str(broken),
        "line": 4,
        "column": 5,
        "field": "actions[0].duraton",
        "message": "there is no such member here",
        "hint": "did you mean `duration`?",
    }


def test_a_file_alone_may_call_others_that_are_not_looked_at(directory: Path) -> None:
    code, out, err = triarch("validate", str(directory / "line" / "recover.yaml"))
    assert (code, out) == (0, "")
    assert "warning" in err
    assert "there is no playbook 'graceful_shutdown'" in err
    assert triarch("validate", str(directory / "line"))[0] == 1  # a directory is a whole set


def test_nothing_to_validate(tmp_path: Path) -> None:
    code, out, _ = triarch("validate", str(tmp_path))
    assert (code, out) == (1, f"{tmp_path}:1:1: there is no .yaml or .yml file in it\n")
    assert triarch("validate", str(tmp_path / "nowhere"))[0] == 2
    assert triarch("validate")[0] == 2


def test_schema_as_a_process_of_its_own() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator.cli.main", "playbook", "schema"],
        cwd=REPO,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, schema_text(), "")
