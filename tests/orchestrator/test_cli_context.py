"""Contexts of the command line: where it asks and as whom, kept for the user alone, tokens never shown."""

import asyncio
import json
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner, Result

from orchestrator.cli.connection import connection_options, credentials
from orchestrator.cli.exits import Exit
from orchestrator.cli.main import main
from tests.command_line import triarch
from tests.orchestrator.api_nodes import TOKEN, Nodes, serving
from tests.support import free_port


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "triarch" / "contexts.yaml"


def run(*arguments: str, stdin: str = "", **environment: str) -> Result:
    result = CliRunner().invoke(main, [*arguments], input=stdin, env=environment)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result


def data(*arguments: str) -> Any:
    result = run(*arguments, "-o", "json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_contexts_are_kept_for_their_owner_alone(home: Path) -> None:
    assert data("context", "list") == []
    assert run("context", "show").exit_code == Exit.NOT_FOUND
    first = data("context", "set", "plant", "--url", "http://a:1/,http://b:1", "--token-env", "PLANT_TOKEN")
    assert first == {
        "name": "plant",
        "current": True,
        "urls": ["http://a:1", "http://b:1"],
        "token": "environment PLANT_TOKEN",
        "ca": None,
        "certificate": None,
        "key": None,
    }
    assert stat.S_IMODE(home.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.parent.stat().st_mode) == 0o700
    assert data("context", "set", "other", "--url", "http://c:1", "--ca", "ca.pem")["current"] is False
    assert [row["name"] for row in data("context", "list")] == ["other", "plant"]
    assert run("context", "use", "other").exit_code == 0
    assert data("context", "show")["name"] == "other"
    assert data("context", "set", "plant", "--no-token", "--use")["token"] == "none"
    assert data("context", "set", "plant", "--token-file", "~/t")["token"] == "file ~/t"
    assert data("context", "show")["urls"] == ["http://a:1", "http://b:1"], "what was not given stays"
    assert run("context", "delete", "plant").exit_code == 0
    assert run("context", "show").exit_code == Exit.NOT_FOUND
    assert sorted(path.name for path in home.parent.iterdir()) == ["contexts.lock", "contexts.yaml"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("set", "new"), Exit.USAGE, "--url"),
        (("set", "a/b", "--url", "http://a:1"), Exit.USAGE, "no name"),
        (("set", "x", "--url", "ftp://a"), Exit.USAGE, "--url"),
        (("set", "x", "--url", "http://a:1", "--token-env", "A", "--no-token"), Exit.USAGE, "one of"),
        (("set", "x", "--url", "https://a:1", "--certificate", "c.pem"), Exit.USAGE, "go together"),
        (("use", "nobody"), Exit.NOT_FOUND, "triarch context set"),
        (("delete", "nobody"), Exit.NOT_FOUND, "nobody"),
        (("show", "nobody"), Exit.NOT_FOUND, "nobody"),
    ],
    ids=lambda case: " ".join(case) if isinstance(case, tuple) else "",
)
def test_what_cannot_be(arguments: tuple[str, ...], code: Exit, said: str, home: Path) -> None:
    result = run("context", *arguments)
    assert (result.exit_code, said in result.stderr) == (code, True), result.output
    assert not home.exists()


SECRET = "tri_abcdefghij_" + "s" * 43


@pytest.mark.parametrize(
    "text",
    [
        "contexts: {x: {urls: [a], token: SECRET}",
        "contexts: {x: {urls: [a], token: [SECRET]}}",
        "contexts: {x: {urls: [a], tokens: SECRET}}",
        "contexts: {x: {token: SECRET}}",
        "- SECRET",
        "SECRET",
        "contexts: {x: {urls: [SECRET",
        "x" * (1 << 20) + "SECRET",
        "a: &a [" + "*a," * 3 + "SECRET]",
    ],
    ids=range(9),
)
def test_a_damaged_file_is_refused_without_what_is_in_it(text: str, home: Path) -> None:
    home.parent.mkdir(parents=True)
    home.write_text(text.replace("SECRET", SECRET))
    home.chmod(0o600)
    for command in (("context", "list"), ("variable", "list"), ("context", "set", "x", "--url", "http://a:1")):
        result = run(*command)
        assert (result.exit_code, "contexts.yaml" in result.stderr) == (Exit.USAGE, True), result.output
        assert SECRET not in result.output
    assert SECRET in home.read_text(), "it is left as it is"


def test_a_file_that_others_can_read_is_refused(home: Path) -> None:
    data("context", "set", "plant", "--url", "http://a:1")
    for mode in (0o640, 0o604, 0o620):
        home.chmod(mode)
        result = run("context", "list")
        assert (result.exit_code, "chmod 600" in result.stderr) == (Exit.REFUSED, True), result.output
    if os.geteuid() == 0:
        home.chmod(0o600)
        os.chown(home, 65_534, 65_534)
        assert "belongs to another user" in run("context", "list").stderr


def asked(*flags: str, **environment: str) -> dict[str, Any]:
    """Where a command would ask, and as whom."""
    found: dict[str, Any] = {}

    @click.command()
    @connection_options
    def command(urls: str) -> None:
        as_whom = credentials()
        found.update(urls=urls, token=as_whom.token, ca=as_whom.ca)

    result = CliRunner().invoke(command, [*flags], env=environment)
    return found or {"exit": result.exit_code, "said": result.stderr}


def test_flags_before_the_environment_before_the_context(home: Path) -> None:
    usual = {"urls": "http://127.0.0.1:8101,http://127.0.0.1:8102,http://127.0.0.1:8103", "token": None, "ca": None}
    assert asked() == usual
    home.parent.mkdir(parents=True)
    home.write_text(
        "current: one\ncontexts:\n  one: {urls: ['http://one:1'], token: first, ca: /one.pem}\n"
        "  two: {urls: ['http://two:1', 'http://too:1'], token_env: SECOND}\n"
    )
    home.chmod(0o600)
    one = {"urls": "http://one:1", "token": "first", "ca": "/one.pem"}
    two = {"urls": "http://two:1,http://too:1", "token": "second", "ca": None}
    assert asked() == one
    assert asked("--context", "two", SECOND="second") == two
    assert asked(TRIARCH_CONTEXT="two", SECOND="second") == two
    assert asked("--context", "one", TRIARCH_CONTEXT="two") == one
    assert "SECOND" in asked("--context", "two")["said"]
    assert asked("--context", "nobody")["exit"] == Exit.NOT_FOUND
    assert asked(TRIARCH_TOKEN="own", TRIARCH_CA_FILE="/own.pem") == {**one, "token": "own", "ca": "/own.pem"}
    assert asked("--ca", "/flag.pem", TRIARCH_CA_FILE="/own.pem")["ca"] == "/flag.pem"
    # The token of a context is not for other addresses, but where the flag says so.
    elsewhere = {"urls": "http://else:1", "token": None, "ca": None}
    assert asked("--url", "http://else:1") == elsewhere
    assert asked(TRIARCH_URL="http://else:1") == elsewhere
    assert asked("--url", "http://else:1", TRIARCH_CONTEXT="one") == elsewhere
    assert asked("--context", "one", "--url", "http://else:1") == {**one, "urls": "http://else:1"}


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    async with serving(1, tmp_path_factory.mktemp("contexts"), token=TOKEN) as found:
        await found.leader()
        yield found


@pytest.mark.anyio
async def test_login_keeps_a_token_that_counts(nodes: Nodes, home: Path, tmp_path: Path) -> None:
    def login(stdin: str, *arguments: str) -> Result:
        return run("login", "--url", nodes.urls[0], *arguments, stdin=stdin)

    config = {"XDG_CONFIG_HOME": str(home.parents[1])}
    wrong = await asyncio.to_thread(login, "wrong\n")
    assert (wrong.exit_code, "unauthorised" in wrong.stderr) == (Exit.REFUSED, True), wrong.output
    for nothing in ("", "  \n"):
        assert (await asyncio.to_thread(login, nothing)).exit_code == Exit.USAGE
    two_words = await asyncio.to_thread(login, "a b")
    assert (two_words.exit_code, "a b" in two_words.output) == (Exit.USAGE, False), two_words.output
    assert not await asyncio.to_thread(home.exists)
    good = await asyncio.to_thread(login, f"{TOKEN}\n", "-o", "json")
    assert (good.exit_code, json.loads(good.stdout)["kind"]) == (0, "cluster"), good.output
    assert TOKEN not in good.output
    kept = await asyncio.to_thread(home.read_text)
    assert yaml.safe_load(kept)["contexts"]["default"]["token"] == TOKEN

    code, out, err = await triarch("variable", "list", "-o", "json", **config)
    assert (code, json.loads(out)) == (0, []), err
    code, out, err = await triarch("watch", "variables", "--for", "0.2", **config)
    assert code == 0, err
    code, out, err = await triarch("context", "list", **config)
    assert (code, "kept here" in out, TOKEN in out + err) == (0, True, False)
    again = await asyncio.to_thread(lambda: run("login", "--context", "default", stdin=TOKEN))
    assert again.exit_code == 0, "the addresses are known"
    code, _, err = await triarch("variable", "list", "--url", f"http://127.0.0.1:{free_port()}", **config)
    assert code == Exit.NO_LEADER, err
