"""Settings as files for the tests of the configuration."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.config import NodeConfig, load_config
from orchestrator.errors import ConfigurationInvalid, Problem

SECRET = "s3cr3t-" + "x" * 32
TOKEN = "t0k3n-" + "y" * 32
PASSWORD = "p4ssw0rd"
VALUES = (SECRET, TOKEN, PASSWORD)

Tree = dict[str, Any]


def members(count: int, host: str = "127.0.0.1") -> list[dict[str, str]]:
    return [
        {"id": f"n{at}", "raft": f"{host}:{7100 + at}", "api": f"http://{host}:{8100 + at}"}
        for at in range(1, count + 1)
    ]


def tree(count: int = 1, host: str = "127.0.0.1", **sections: Mapping[str, Any]) -> Tree:
    """The least that a node of `count` needs, with `sections` laid over it."""
    found: Tree = {"node": {"id": "n1", "data_dir": "data"}, "cluster": {"members": members(count, host)}}
    if count > 1:
        found["redis"] = {"mode": "url"}
    for section, values in sections.items():
        found[section] = {**found.get(section, {}), **values}
    return found


def armed(count: int = 1, host: str = "127.0.0.1", **sections: Mapping[str, Any]) -> Tree:
    """The same with all three secrets."""
    secrets = {"cluster": {"secret": SECRET}, "api": {"token": TOKEN}, "redis": {"password": PASSWORD}}
    for section, values in sections.items():
        secrets[section] = {**secrets.get(section, {}), **values}
    return tree(count, host, **secrets)


def written(directory: Path, content: Tree | str | bytes) -> Path:
    path = directory / "node.yaml"
    if isinstance(content, dict):
        content = yaml.safe_dump(content, sort_keys=False)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def load(
    directory: Path,
    content: Tree | str | bytes,
    overrides: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> NodeConfig:
    return load_config(written(directory, content), overrides or {}, environment=environment or {})


def outcome(
    directory: Path, content: Tree | str | bytes, environment: Mapping[str, str] | None = None
) -> NodeConfig | ConfigurationInvalid:
    """Either of the two that `load` may end in; anything else is raised."""
    try:
        return load(directory, content, {}, environment)
    except ConfigurationInvalid as error:
        return error


def refused(
    directory: Path,
    content: Tree | str | bytes,
    overrides: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Sequence[Problem]:
    """The problems that `load` tells. None of them shows a secret."""
    with pytest.raises(ConfigurationInvalid) as caught:
        load(directory, content, overrides, environment)
    for value in VALUES:
        assert value not in caught.value.message
    return caught.value.problems


def only(problems: Sequence[Problem]) -> Problem:
    assert len(problems) == 1, [str(problem) for problem in problems]
    return problems[0]


def line_of(problem: Problem) -> int:
    name, _, line = problem.where.rpartition(":")
    assert Path(name).name == "node.yaml"
    return int(line)


def secret_file(directory: Path, content: bytes, *, mode: int = 0o600, name: str = "secret") -> Path:
    path = directory / name
    path.write_bytes(content)
    os.chmod(path, mode)
    return path
