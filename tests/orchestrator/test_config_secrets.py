"""Paths in the settings, and secrets that stand in files of their own."""

import os
import socket
from pathlib import Path

import pytest

from orchestrator.config import load_config
from tests.orchestrator.config_files import (
    PASSWORD,
    SECRET,
    TOKEN,
    armed,
    line_of,
    load,
    only,
    refused,
    secret_file,
    tree,
    written,
)


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "elsewhere").mkdir()
    secret_file(tmp_path / "etc", b"x\n", name="password")
    content = tree(node={"data_dir": "../data"}, redis={"password_file": "password"})
    path = written(tmp_path / "etc", content)
    monkeypatch.chdir(tmp_path / "elsewhere")
    config = load_config(Path("../etc/node.yaml"), {})
    assert config.node.data_dir.is_absolute()
    assert config.node.data_dir.resolve() == tmp_path / "data"
    assert config.redis_password() == "x"
    assert load_config(path, {"node.data_dir": "/var/lib/x"}).node.data_dir == Path("/var/lib/x")


def test_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert load(tmp_path, tree(node={"data_dir": "~/data"})).node.data_dir == tmp_path / "home" / "data"
    problem = only(refused(tmp_path, tree(node={"data_dir": "~nobody-of-this-name/data"})))
    assert problem.field == "node.data_dir"


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_secrets_from_files(tmp_path: Path, end: bytes) -> None:
    for name, value in (("s", SECRET), ("t", TOKEN), ("p", " " + PASSWORD + "\n")):
        secret_file(tmp_path, value.encode() + end, name=name)
    sections = {"cluster": {"secret_file": "s"}, "api": {"token_file": "t"}, "redis": {"password_file": "p"}}
    config = load(tmp_path, tree(3, "10.0.0.1", **sections))
    assert config.cluster.secret is not None
    assert config.cluster.secret.get_secret_value() == SECRET
    assert config.api.bearer_token == TOKEN
    assert config.redis_password() == f" {PASSWORD}" + ("\n" if end else "")
    assert config.cluster.secret_file == tmp_path / "s"
    assert not any(value in repr(config) for value in (SECRET, TOKEN, PASSWORD))


@pytest.mark.parametrize(("section", "name"), [("cluster", "secret"), ("api", "token"), ("redis", "password")])
def test_a_secret_twice(tmp_path: Path, section: str, name: str) -> None:
    path = secret_file(tmp_path, b"x" * 40)
    content = armed()
    content[section][f"{name}_file"] = str(path)
    problem = only(refused(tmp_path, content))
    assert problem.field == f"{section}.{name}_file"
    assert "is given too, at" in problem.message


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666, 0o444])
def test_a_secret_that_others_can_read(tmp_path: Path, mode: int) -> None:
    secret_file(tmp_path, SECRET.encode(), mode=mode)
    problem = only(refused(tmp_path, tree(1, cluster={"secret_file": "secret"})))
    assert (problem.field, problem.hint) == ("cluster.secret_file", "chmod 600 secret")
    assert f"{mode:04o}" in problem.message


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n", b"\xff\xfe" + b"x" * 40, b"x" * (65 << 10)])
def test_what_is_no_secret(tmp_path: Path, content: bytes) -> None:
    secret_file(tmp_path, content)
    assert (
        "is empty, too large or not text" in only(refused(tmp_path, tree(1, cluster={"secret_file": "secret"}))).message
    )


def test_no_file_of_a_secret(tmp_path: Path) -> None:
    problem = only(refused(tmp_path, tree(1, cluster={"secret_file": "absent"})))
    assert problem.message == f"{tmp_path / 'absent'} cannot be read: No such file or directory"
    assert line_of(problem) > 1
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "folder").mkdir(mode=0o700)
    for name in ("pipe", "folder"):
        assert "not a regular file" in only(refused(tmp_path, tree(1, cluster={"secret_file": name}))).message


def test_a_socket_is_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket is short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        assert "cannot be read" in only(refused(tmp_path, tree(1, cluster={"secret_file": "socket"}))).message


def test_a_secret_in_a_file_is_checked_like_another(tmp_path: Path) -> None:
    path = secret_file(tmp_path, b"short")
    problem = only(refused(tmp_path, tree(1, cluster={"secret_file": "secret"})))
    assert (problem.field, problem.where) == ("cluster.secret", str(path))


def test_secrets_that_cannot_be_read_are_not_missing_too(tmp_path: Path) -> None:
    files = {"cluster": {"secret_file": "a"}, "api": {"token_file": "b"}, "redis": {"password_file": "c"}}
    assert len(refused(tmp_path, tree(3, "10.0.0.1", **files))) == 3
