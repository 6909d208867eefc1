"""Where settings come from, and how every problem is told at once: with file, line, field and a hint."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from orchestrator.cli.main import main
from orchestrator.config import NodeConfig, load_config
from orchestrator.config_load import variable_of
from orchestrator.config_source import BYTES_MAX
from orchestrator.errors import ConfigurationInvalid
from tests.orchestrator.config_files import (
    PASSWORD,
    line_of,
    load,
    members,
    only,
    refused,
    tree,
    written,
)

GOOD = """\
node:
  id: n1
  data_dir: data
cluster:
  members:
    - id: n1
      raft: 127.0.0.1:7101
      api: http://127.0.0.1:8101
"""


# ── The file ─────────────────────────────────────────────────────────────────────────────────────────────


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationInvalid) as caught:
        load_config(tmp_path / "absent.yaml", {})
    problem = only(caught.value.problems)
    assert problem.where == str(tmp_path / "absent.yaml")
    assert "no such file" in problem.message


def test_a_directory_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationInvalid, match="cannot be read"):
        load_config(tmp_path, {})


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    path.chmod(0)
    with pytest.raises(ConfigurationInvalid, match="cannot be read: Permission denied"):
        load_config(path, {})


def test_a_name_that_no_file_has() -> None:
    with pytest.raises(ConfigurationInvalid, match="cannot be read"):
        load_config(Path("a\0b"), {})


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ("", 1, "empty"),
        ("# nothing\n", 1, "empty"),
        ("\n\n- node\n- cluster\n", 3, "sections"),
        ("just words", 1, "sections"),
        (GOOD + "api: {bind: [}\n", 9, "not YAML"),
        (GOOD + "api:\n\tbind: x\n", 10, "not YAML"),
        (GOOD + "api: *nowhere\n", 9, "undefined alias"),
        (GOOD + "---\n" + GOOD, 9, "not YAML"),
        (GOOD + "api: {token: \x01}\n", 9, "not YAML"),
        (b"node:\n  id: \xff\n", 2, "not YAML"),
        ("[" * 1000, 1, "nested too deeply"),
    ],
)
def test_what_is_no_file_of_settings(tmp_path: Path, content: str | bytes, line: int, message: str) -> None:
    problem = only(refused(tmp_path, content))
    assert line_of(problem) == line
    assert message in problem.message


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    assert "not a file of settings" in only(refused(tmp_path, "#" * (BYTES_MAX + 1))).message


def test_a_syntax_error_shows_no_secret(tmp_path: Path) -> None:
    refused(tmp_path, GOOD + f"redis: {{password: {PASSWORD}, port\n")


@pytest.mark.parametrize(
    ("content", "line", "field"),
    [
        (GOOD.replace("  data_dir", "  id: n2\n  data_dir"), 3, "node.id"),
        (GOOD + "node: {}\n", 9, "node"),
        (GOOD + "      raft: 127.0.0.1:1\n", 9, "cluster.members[0].raft"),
    ],
)
def test_what_is_given_twice(tmp_path: Path, content: str, line: int, field: str) -> None:
    problem = only(refused(tmp_path, content))
    assert (line_of(problem), problem.field) == (line, field)
    assert "twice, first at" in problem.message


def test_aliases_of_values_are_read_others_are_not(tmp_path: Path) -> None:
    words = "frames: {heartbeat_timeout_s: &t 2.0}\ncomponents: {heartbeat_timeout_s: *t}\n"
    assert load(tmp_path, GOOD + words).components.heartbeat_timeout_s == 2.0
    problem = only(refused(tmp_path, GOOD + "frames: &f {heartbeat_timeout_s: 2.0}\ncomponents: *f\n"))
    assert (line_of(problem), problem.field) == (9, "components")
    assert "aliases" in only(refused(tmp_path, GOOD + "frames: &f {dispatch_batch: *f}\n")).message


def test_values_that_yaml_cannot_build(tmp_path: Path) -> None:
    for value in ("!!python/object:os.system x", "!mine x", "2024-99-99", "!!int x"):
        problem = only(refused(tmp_path, GOOD + f"redis:\n  password: {value}\n"))
        assert (line_of(problem), problem.field) == (10, "redis.password")
    assert "is a word" in refused(tmp_path, GOOD + "redis:\n  ? [a]\n  : b\n")[0].message


@pytest.mark.parametrize("nothing", ["api:", "api: null", "api: {}", "api: ~"])
def test_an_empty_section_has_its_defaults(tmp_path: Path, nothing: str) -> None:
    assert load(tmp_path, GOOD + nothing + "\n").api.bind is None


# ── Single settings ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("line", "field", "hint"),
    [
        ("reddis: {}", "reddis", "redis"),
        ("frames: {dispatch_bach: 1}", "frames.dispatch_bach", "dispatch_batch"),
        ("frames: {bind: 1}", "frames.bind", "api.bind"),
        ("token: x", "token", "api.token"),
        ("api: {zzz: 1}", "api.zzz", ""),
    ],
)
def test_a_misspelling_gets_a_guess(tmp_path: Path, line: str, field: str, hint: str) -> None:
    problem = only(refused(tmp_path, GOOD + line + "\n"))
    assert (problem.field, line_of(problem)) == (field, 9)
    assert problem.hint == (f"did you mean {hint}?" if hint else "")


def test_a_misspelling_in_a_list(tmp_path: Path) -> None:
    missing, unknown = refused(tmp_path, GOOD.replace("raft:", "rafd:"))
    assert (missing.field, line_of(missing), missing.message) == ("cluster.members[0].raft", 6, "is required")
    assert (unknown.field, line_of(unknown), unknown.hint) == ("cluster.members[0].rafd", 7, "did you mean raft?")


@pytest.mark.parametrize(
    ("lines", "field", "message"),
    [
        ("redis:\n  password: 12345\n", "redis.password", "text is expected"),
        ("redis:\n  password_file: 5\n", "redis.password_file", "text is expected"),
        ("redis:\n  password: yes\n", "redis.password", "true and false"),
        ("redis:\n  mode: queue\n", "redis.mode", "must be 'embedded', 'url', 'sentinel' or 'cluster'"),
        ("redis:\n  port: 70000\n", "redis.port", "must be less than or equal to 65535"),
        (f"redis:\n  url: redis://:{PASSWORD}@h\n", "redis.url", "holds a password"),
        ("frames:\n  max_attempts: many\n", "frames.max_attempts", "must be a valid integer"),
        ("frames:\n  heartbeat_timeout_s: .inf\n", "frames.heartbeat_timeout_s", "must be a finite number"),
        ("api:\n  bind: {a: b}\n", "api.bind", "text is expected"),
    ],
)
def test_wrong_values(tmp_path: Path, lines: str, field: str, message: str) -> None:
    problem = only(refused(tmp_path, GOOD + lines))
    assert (problem.field, line_of(problem)) == (field, 10)
    assert message in problem.message


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        ("redis:\n  mode: sentinel\n", "redis.sentinels", "is required by redis.mode: sentinel"),
        ("redis:\n  mode: cluster\n", "redis.nodes", "is required by redis.mode: cluster"),
        ("redis:\n  mode: sentinel\n  sentinels: [h1:1, h2:1]\n", "redis.sentinels", "elect nobody"),
        ("redis:\n  mode: sentinel\n  sentinels: [h1:1, H1:1, h3:1]\n", "redis.sentinels[1]", "stands there already"),
        ("redis:\n  mode: sentinel\n  sentinels: [h1]\n", "redis.sentinels", "host:port"),
        ("redis:\n  mode: cluster\n  nodes: [h1:1]\n  service: a\n", "redis.service", "is for redis.mode: sentinel"),
        ("redis:\n  mode: cluster\n  nodes: [h1:1]\n  shards: 0\n", "redis.shards", "greater than or equal to 1"),
        ("redis:\n  shards: 3\n", "redis.shards", "is for redis.mode: cluster, and the mode is embedded"),
        ("redis:\n  durability: majority\n", "redis.durability", "has no replica"),
        ("redis:\n  mode: url\n  durability: 3\n", "redis.durability", "must be '0', '1', '2' or 'majority'"),
    ],
)
def test_what_belongs_to_a_mode_of_redis(tmp_path: Path, text: str, field: str, message: str) -> None:
    problem = only(refused(tmp_path, GOOD + text))
    assert problem.field == field
    assert message in problem.message


def test_a_section_and_a_list_that_are_something_else(tmp_path: Path) -> None:
    section, listing = refused(tmp_path, "node: {id: n1, data_dir: d}\nframes: 5\ncluster: {members: 7}\n")
    assert (section.field, section.message) == ("frames", "settings by name are expected here")
    assert (listing.field, listing.message) == ("cluster.members", "a list is expected here")


def test_every_problem_at_once_by_line(tmp_path: Path) -> None:
    content = """\
node: {id: n1}
cluster:
  members: [{id: n1, raft: "127.0.0.1", api: "127.0.0.1:8101"}]
  heartbeat_s: soon
frames:
  dispatch_batch: 0
  batch: 1
redis: {url: "redis://h/0"}
"""
    problems = refused(tmp_path, content, {"api.bnd": "x"}, {"TRIARCH_FRAMES__MAX_ATTEMPTS": "no"})
    assert [(problem.field, problem.where.rpartition("/")[2]) for problem in problems] == [
        ("api.bnd", "--set api.bnd"),
        ("node.data_dir", "node.yaml:1"),
        ("cluster.members[0].raft", "node.yaml:3"),
        ("cluster.members[0].api", "node.yaml:3"),
        ("cluster.heartbeat_s", "node.yaml:4"),
        ("frames.dispatch_batch", "node.yaml:6"),
        ("frames.batch", "node.yaml:7"),
        ("redis.url", "node.yaml:8"),
        ("frames.max_attempts", "TRIARCH_FRAMES__MAX_ATTEMPTS"),
    ]


# ── Above the file ───────────────────────────────────────────────────────────────────────────────────────


def test_a_variable_wins_over_the_file_and_a_flag_over_both(tmp_path: Path) -> None:
    content = tree(node={"log_level": "error"})
    variable = {"TRIARCH_NODE__LOG_LEVEL": "warning"}
    assert load(tmp_path, content).node.log_level == "error"
    assert load(tmp_path, content, {}, variable).node.log_level == "warning"
    assert load(tmp_path, content, {"node.log_level": "debug"}, variable).node.log_level == "debug"


def test_variables_alone_make_a_section(tmp_path: Path) -> None:
    content = GOOD + "redis:\n"
    found = load(tmp_path, content, {}, {"TRIARCH_REDIS__MODE": "url", "TRIARCH_REDIS__PASSWORD": "12345"})
    assert (found.redis.mode, found.redis_password()) == ("url", "12345")


def test_the_environment_of_the_process_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIARCH_FRAMES__MAX_ATTEMPTS", "9")
    assert load_config(written(tmp_path, GOOD), {}).frames.max_attempts == 9


@pytest.mark.parametrize("listing", [yaml.safe_dump(members(3)), str(members(3)).replace("'", '"')])
def test_the_members_as_yaml_or_json(tmp_path: Path, listing: str) -> None:
    for place in ({"overrides": {"cluster.members": listing}}, {"environment": {"TRIARCH_CLUSTER__MEMBERS": listing}}):
        config = load(tmp_path, tree(5), **place)
        assert [member.id for member in config.cluster.members] == ["n1", "n2", "n3"]


@pytest.mark.parametrize("listing", ["[", "", "n1", "5"])
def test_what_is_no_list_of_members(tmp_path: Path, listing: str) -> None:
    problem = only(refused(tmp_path, GOOD, {"cluster.members": listing}))
    assert (problem.field, problem.where) == ("cluster.members", "--set cluster.members")


def test_a_problem_in_a_list_from_a_flag(tmp_path: Path) -> None:
    problem = only(refused(tmp_path, GOOD, {"cluster.members": "[{id: n1, raft: x, api: 'http://h:1'}]"}))
    assert (problem.field, problem.where) == ("cluster.members[0].raft", "--set cluster.members")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("TRIARCH_REDIS__ULR", "TRIARCH_REDIS__URL"),
        ("TRIARCH_redis__url", "TRIARCH_REDIS__URL"),
        ("TRIARCH_API_TOKEN__", "TRIARCH_API__TOKEN"),
        ("TRIARCH_CLUSTER__MEMBERS__0__RAFT", "TRIARCH_CLUSTER__MEMBERS"),
        ("TRIARCH_X__Y", ""),
    ],
)
def test_a_variable_of_no_setting(tmp_path: Path, name: str, hint: str) -> None:
    problem = only(refused(tmp_path, GOOD, {}, {name: PASSWORD}))
    assert problem.where == name
    assert problem.hint == (f"did you mean {hint}?" if hint else "")


def test_other_variables_are_no_business_of_ours(tmp_path: Path) -> None:
    ours = {"TRIARCH_URL": "x", "TRIARCH_TOKEN": "x", "TRIARCH_REDIS_URL": "x", "OTHER_NODE__ID": "x"}
    assert load(tmp_path, GOOD, {}, ours).node.id == "n1"


@pytest.mark.parametrize(
    ("field", "hint"), [("node.log_levle", "node.log_level"), ("cluster.members.0.raft", ""), ("node", ""), ("", "")]
)
def test_a_flag_of_no_setting(tmp_path: Path, field: str, hint: str) -> None:
    problem = only(refused(tmp_path, GOOD, {field: "x"}))
    assert (problem.field, problem.where) == (field, f"--set {field}")
    assert hint in problem.hint


def test_a_section_that_is_a_list_is_told_whatever_a_flag_says(tmp_path: Path) -> None:
    assert only(refused(tmp_path, GOOD + "api: []\n", {"api.bind": "127.0.0.1:1"})).field == "api"


def test_every_setting_has_a_variable_and_a_flag(tmp_path: Path) -> None:
    for section, field in NodeConfig.model_fields.items():
        model: Any = field.annotation
        for name in model.model_fields:
            full = f"{section}.{name}"
            for problem in (
                *refused(tmp_path, "{}", {full: ""}),
                *refused(tmp_path, "{}", {}, {variable_of(full): ""}),
            ):
                assert "is not a setting" not in problem.message
                assert "no setting" not in problem.message


# ── The command ──────────────────────────────────────────────────────────────────────────────────────────


def test_the_command_checks_settings(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    good = CliRunner().invoke(main, ["node", "--config", str(path), "--check"])
    assert good.exit_code == 0, good.output
    bad = CliRunner().invoke(main, ["node", "--config", str(path), "--check", "--set", "redis.port=x"])
    assert bad.exit_code == 2
    assert "redis.port" in bad.output
    insecure = CliRunner().invoke(main, ["node", "--config", str(path), "--check", "--set", "api.bind=0.0.0.0:1"])
    assert insecure.exit_code == 4
