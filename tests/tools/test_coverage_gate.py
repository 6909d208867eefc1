import pytest

from tools.coverage_gate import FileLines, counted, gates

FILES = [
    FileLines("cluster/core.py", 80, (3, 4, 5, 9)),
    FileLines("cluster/raft/log.py", 20, ()),
    FileLines("orchestrator/leadership.py", 10, (7,)),
]


def test_a_gate_counts_the_lines_of_all_files_that_match() -> None:
    (gate,) = gates({"cluster/*": 90}, FILES)
    assert gate.percent == 96.0
    assert gate.passed
    assert gate.lines() == ["coverage cluster/*: 96.0 % of lines, 90 % wanted: ok"]


def test_a_missed_gate_names_the_lines() -> None:
    (gate,) = gates({"cluster/*": 100}, FILES)
    assert not gate.passed
    assert gate.lines()[1:] == ["    cluster/core.py: 3-5, 9"]


def test_a_pattern_without_files_is_missed() -> None:
    (gate,) = gates({"clutser/*": 90}, FILES)
    assert not gate.passed
    assert "matches no file" in gate.lines()[0]


def test_what_is_run_elsewhere_is_left_out_and_must_exist() -> None:
    assert [file.path for file in counted(FILES, ["cluster/raft/*.py", "orchestrator/l*.py"])] == ["cluster/core.py"]
    assert counted(FILES, []) == FILES
    with pytest.raises(ValueError, match=r"cluster/rft/\* matches no file"):
        counted(FILES, ["cluster/rft/*"])
