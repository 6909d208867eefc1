"""The bundle for support: what is in it, that nothing secret is, and what it says where a node is dead."""

import json
import logging
import re
import tarfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orchestrator.bundle import archive
from orchestrator.bundle.scrubbing import HIDDEN, scrubbed, scrubbed_text
from orchestrator.cli.exits import Exit
from orchestrator.config_secrets import secrets_in
from orchestrator.logs import RECENT
from tests.command_line import triarch
from tests.orchestrator.api_nodes import TOKEN, Nodes, serving, settings
from tests.support import free_port

HOOK = "https://hooks.example/services/T0SECRETPATH/B0SECRETPATH"
RAFT = "raft-secret-that-is-long-enough-0123456789"
REDIS = "redis-password-planted-here"
PLANTED = (TOKEN, RAFT, REDIS, HOOK, "T0SECRETPATH")

TEXTS = [
    ("redis://user:pa55word@10.0.0.1:6379/0", "pa55word"),
    ("Authorization: Bearer abcdefgh12345678", "abcdefgh12345678"),
    ("token=abcdefgh1234 and more", "abcdefgh1234"),
    ('{"password": "hunter22"}', "hunter22"),
    ("requirepass hunter22", "hunter22"),
    ("  sentinel auth-pass frames hunter22", "hunter22"),
    ("made tri_k3vq7x2mzd_" + "A" * 43, "A" * 43),
    ("eyJhbGciOiJSUzI1.eyJpc3MiOiJh.c2lnbmF0dXJl", "eyJpc3MiOiJh"),
    ("dbPassword: hunter22", "hunter22"),
    ('{"apiKey": "hunter22", "speed": 5}', "hunter22"),
    ('{"pinPassword": 81726354}', "81726354"),
    ("passwords: [hunter22, hunter23]", "hunter2"),
    ('{"accessTokens": ["hunter22"]}', "hunter22"),
    ("passwords:\n  - hunter22\n  - hunter23\nspeed: 5", "hunter2"),
    ("clientSecrets=hunter22", "hunter22"),
    ("Authorization: Digest username=n, response=hunter22", "hunter22"),
    ("Set-Cookie: session=hunter22; Path=/", "hunter22"),
    ('Cookie: a="1"; session=hunter22', "hunter22"),
    ('Authorization: Digest username="n", response="hunter22"', "hunter22"),
    ("password={hunter22", "hunter22"),
    ('{"password" :\n "hunter22"}', "hunter22"),
    ('{"password": "ab\\"hunter22"}', "hunter22"),
    ('passwords: ["a]b", "hunter22"]', "hunter22"),
    ('"tokens": [\n "hunter22"\n]', "hunter22"),
    ('{"cookie": "session=hunter22"}', "hunter22"),
    ("passwords: [it's, hunter22]", "hunter22"),
    ('passwords: ["a", "hunter22', "hunter22"),
    ("password=null-hunter22", "hunter22"),
    (json.dumps({"message": 'refused: {"password": "a hunter22"}'}), "hunter22"),
    (json.dumps({"message": 'refused: {"password": "a\\"hunter22"}'}), "hunter22"),
    (json.dumps({"message": 'refused: {"tokens": ["a", "hunter22"]}'}), "hunter22"),
    (json.dumps({"message": 'asked with {"Cookie": "session=hunter22"}'}), "hunter22"),
    ("-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----", "MHcCAQEE"),
]


@pytest.mark.parametrize(("text", "secret"), TEXTS)
def test_forms_of_secrets_are_taken_out_of_text(text: str, secret: str) -> None:
    assert secret in text
    assert secret not in scrubbed_text(text)
    assert HIDDEN in scrubbed_text(text)


def test_what_is_no_secret_stays() -> None:
    for text in (
        'triarch_watch_lost_total{reason="token"} 0.0',
        "token_file: /etc/triarch/secrets/api.token",
        "http://10.0.0.1:8101/v1/cluster",
        "n1 refuses this node: it lost its disk",
        "tokens: 3",
        "passwords:\nspeed: 5",
        "api_keys: []",
        "Settings(password=None)",
        json.dumps({"message": 'refused: {"password": "", "token": null, "speed": 5}'}),
    ):
        assert scrubbed_text(text) == text
    data = {"token_file": "/x", "tokens": 3, "password": None, "settled": 5, "list": [1, "a"]}
    assert scrubbed(data) == data


def test_members_that_are_called_secret_are_hidden() -> None:
    data = {"a": {"api_key": "x"}, "Redis-Password": "y", "deep": [{"cluster_secret": "z"}]}
    assert scrubbed(data) == {"a": {"api_key": HIDDEN}, "Redis-Password": HIDDEN, "deep": [{"cluster_secret": HIDDEN}]}


SECRET_NAMES = ("password", "passphrase", "secret", "token", "api key", "private key", "credential", "cookie")
STYLES: tuple[Callable[[list[str]], str], ...] = (
    "_".join,
    "-".join,
    ".".join,
    "".join,
    lambda words: "_".join(words).upper(),
    lambda words: words[0] + "".join(word.capitalize() for word in words[1:]),
    lambda words: "".join(word.capitalize() for word in words),
)
before_it = st.lists(st.sampled_from(["redis", "client", "db", "old", "my"]), max_size=2)
styles = st.sampled_from(STYLES)
one_secret = st.text(alphabet="ghjkmn", min_size=1, max_size=12).map(lambda text: f"PLANTED{text}")
numbers = st.integers(10**9, 10**12) | st.integers(-(10**12), -(10**9)).map(lambda whole: whole + 0.5)
below_it = st.recursive(
    one_secret | numbers,
    lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, min_size=1),
    max_leaves=6,
)


@given(before_it, st.sampled_from(SECRET_NAMES), st.sampled_from(["", "s", "2"]), styles, below_it)
def test_whatever_stands_below_the_name_of_a_secret_is_hidden(
    before: list[str], word: str, end: str, style: Callable[[list[str]], str], value: Any
) -> None:
    name = style([*before, *word.split(" ")]) + end
    if end == "s" and isinstance(value, int | float):
        value = [value]  # so many of them are no secret
    told = json.dumps(scrubbed({"deep": [{name: value, "speed": 5}]}))
    assert "PLANTED" not in told
    assert re.search(r"\d{9}", told) is None
    assert '"speed": 5' in told
    assert HIDDEN in told


@given(before_it, st.sampled_from(SECRET_NAMES), st.sampled_from(["file", "path", "ttl_s", "count", "name"]), styles)
def test_what_is_about_a_secret_stays(
    before: list[str], word: str, end: str, style: Callable[[list[str]], str]
) -> None:
    name = style([*before, *word.split(" "), end])
    data = {name: "calm", "deep": {name: [1, "calm"]}, f"{style([*before, *word.split(' ')])}s": 3}
    assert scrubbed(data) == data


json_data = st.recursive(
    st.none() | st.integers() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)


@hypothesis_settings(max_examples=40)
@given(data=json_data, secret=st.text(alphabet="abcdefXYZ0123456789", min_size=8, max_size=30))
def test_a_known_secret_is_nowhere(data: Any, secret: str) -> None:
    planted = {"data": data, "text": f"before {secret} after", secret: [secret]}
    assert secret not in json.dumps(scrubbed(planted, [secret]))


def test_members_and_the_whole_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "FILE_BYTES_MAX", 100)
    monkeypatch.setattr(archive, "TOTAL_BYTES_MAX", 250)
    path = tmp_path / "b.tar.gz"
    with archive.Archive(path, "b", secrets=(), made=1e9) as made:
        for at in range(4):
            made.add_text(f"{at}.log", "old " * 50 + "newest")
    with tarfile.open(path) as tar:
        sizes = [member.size for member in tar.getmembers()]
        assert sizes == [100, 100, 50, 0]
        first = tar.extractfile("b/0.log")
        assert first is not None
        assert first.read().endswith(b"newest")
    assert [member["left_out"] for member in made.members] == [106, 106, 156, 206]
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        archive.Archive(path, "b", secrets=(), made=1e9)


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    directory = tmp_path_factory.mktemp("bundle")

    def planted(_: int, tree: dict[str, Any]) -> None:
        tree["cluster"]["secret"] = RAFT
        tree["notifications"] = {"channels": {"pager": {"kind": "webhook", "url": HOOK}}}

    async with serving(3, directory, token=TOKEN, rewrite=planted) as running:
        yield running


@pytest.fixture
def logged() -> Iterator[None]:
    """Lines in the nodes' log of this process, one of which gives a secret away."""
    RECENT.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    log = logging.getLogger("orchestrator.test_bundle")
    log.addHandler(RECENT)
    log.warning("somebody logged %s and %s", HOOK, RAFT)
    log.warning("a line that matters")
    yield
    log.removeHandler(RECENT)


def opened(path: Path) -> dict[str, str]:
    """Text by name of member, without the folder."""
    with tarfile.open(path) as tar:
        found = {}
        for member in tar.getmembers():
            file = tar.extractfile(member)
            assert file is not None
            found[member.name.partition("/")[2]] = file.read().decode()
    return found


def host_settings(tmp_path: Path) -> Path:
    """Of a node of this host, with secrets in it."""
    tree = settings(0, [(free_port(), free_port())], tmp_path, free_port(), api={"token": TOKEN})
    tree["cluster"]["secret"] = RAFT
    tree["redis"]["password"] = REDIS
    path = tmp_path / "node.yaml"
    path.write_text(yaml.safe_dump(tree))
    path.chmod(0o600)
    return path


@pytest.mark.anyio
@pytest.mark.timeout(180)  # a process that asks three nodes of this one for all they know
@pytest.mark.usefixtures("logged")
async def test_a_bundle_of_three_nodes_holds_all_and_nothing_secret(nodes: Nodes, tmp_path: Path) -> None:
    assert {TOKEN, RAFT, HOOK} <= set(secrets_in(nodes.nodes[0].config))  # they are there to be found
    await nodes.clients[0].put("/v1/variables/speed", json={"value": 1})
    path = tmp_path / "bundle.tar.gz"
    environment = {"TRIARCH_URL": ",".join(nodes.urls), "TRIARCH_TOKEN": TOKEN}
    code, out, err = await triarch(
        "debug", "bundle", "--output", str(path), "--config", str(host_settings(tmp_path)), "-o", "json", **environment
    )
    assert code == Exit.OK, err
    said = json.loads(out)
    assert (said["answered"], said["silent"]) == (["n1", "n2", "n3"], [])
    files = opened(path)
    for secret in PLANTED:
        holding = [name for name, text in files.items() if secret in text or secret.encode().hex() in text]
        assert holding == [], f"{secret} in {holding}"
        assert secret not in out + err
    for at in (1, 2, 3):
        assert json.loads(files[f"nodes/n{at}/cluster.json"])["node"] == f"n{at}"
        assert "triarch_raft_is_leader" in files[f"nodes/n{at}/metrics.txt"]
        facts = json.loads(files[f"nodes/n{at}/node.json"])
        assert facts["settings"]["node"]["id"] == f"n{at}"
        assert facts["versions"]["triarch"]
        assert any("journal" in file["path"] for file in facts["files"])
        assert any("a line that matters" in line for line in facts["log"])
        assert any(HIDDEN in line for line in facts["log"])
    summary = json.loads(files["bundle.json"])
    absent = {row["file"] for row in summary["missing"]}
    plant = ("members", "leaderships", "alerts", "components", "processors", "executions", "frames-stats", "frames-lag")
    for name in (*plant, "frames-ledger", "audit-head", "doctor", "supervision", "limits"):
        assert f"plant/{name}.json" in files, absent
    assert all(name.startswith("host/") for name in absent), absent
    assert json.loads(files["plant/frames-ledger.json"])["ledger_ok"] is True
    assert "disk sync" in files["host/doctor.json"]
    assert json.loads(files["host/settings.json"])["cluster"]["secret"] == HIDDEN


@pytest.mark.anyio
@pytest.mark.timeout(180)
async def test_a_dead_node_is_named_and_the_rest_is_there(nodes: Nodes, tmp_path: Path) -> None:
    await nodes.stop(await nodes.follower())
    left = await nodes.clients[await nodes_leader(nodes)].get("/v1/cluster")
    assert left.status_code == 200
    path = tmp_path / "partial.tar.gz"
    environment = {"TRIARCH_URL": ",".join(nodes.urls), "TRIARCH_TOKEN": TOKEN}
    code, out, err = await triarch("debug", "bundle", "--output", str(path), "-o", "json", **environment)
    assert code == Exit.DEGRADED, err
    said = json.loads(out)
    assert len(said["answered"]) == 2
    assert len(said["silent"]) == 1
    files = opened(path)
    dead = said["silent"][0]
    row = next(row for row in json.loads(files["bundle.json"])["nodes"] if row["node"] == dead)
    assert row["reason"]
    assert not any(name.startswith(f"nodes/{dead}/") for name in files)
    assert any(name.startswith(f"nodes/{said['answered'][0]}/") for name in files)


async def nodes_leader(nodes: Nodes) -> int:
    """The position of the leader, also with a node that is stopped."""
    return next(at for at, node in enumerate(nodes.nodes) if node.is_leader())


@pytest.mark.anyio
async def test_a_bundle_where_nobody_answers(tmp_path: Path) -> None:
    path = tmp_path / "nobody.tar.gz"
    url = f"http://127.0.0.1:{free_port()}"
    code, _, err = await triarch("debug", "bundle", "--output", str(path), TRIARCH_URL=url)
    assert code == Exit.NO_LEADER
    assert "missing: nodes/" in err
    assert json.loads(opened(path)["bundle.json"])["nodes"][0]["answered"] is False
    code, _, err = await triarch("debug", "bundle", "--output", str(path), TRIARCH_URL=url)
    assert code == Exit.FAILED
    assert "not_writable" in err
