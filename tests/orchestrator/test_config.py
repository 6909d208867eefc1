"""What single settings must be, what the tree says of itself, and that it never shows a secret."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cluster import ClusterSettings, Member
from cluster.settings import is_loopback, split_address
from orchestrator.config import ApiSettings, ClusterSection, NodeConfig, NodeMember, NodeSettings, RedisSettings
from tests.orchestrator.config_files import PASSWORD, SECRET, TOKEN, VALUES, armed, load, members, tree

README = Path(__file__).parent.parent.parent / "README.md"

ADDRESSES = st.one_of(
    st.builds("{}:{}".format, st.ip_addresses(v=4), st.integers(1, 65535)),
    st.builds("[{}]:{}".format, st.ip_addresses(v=6), st.integers(1, 65535)),
    st.builds(
        "{}:{}".format,
        st.from_regex(r"[a-z][a-z0-9-]{0,20}(\.[a-z][a-z0-9-]{0,10}){0,2}", fullmatch=True),
        st.integers(1, 65535),
    ),
)


def test_the_least_that_is_needed(tmp_path: Path) -> None:
    config = load(tmp_path, tree())
    assert (config.node.id, config.node.log_level, config.cluster.name) == ("n1", "info", "triarch")
    assert config.cluster.mode == "active-active"
    assert config.api_bind() == "127.0.0.1:8101"
    assert config.raft_bind() == "127.0.0.1:7101"
    assert config.api_token() is None
    assert config.redis_password() is None
    assert config.redis.public_url == "redis://127.0.0.1:6390/0"
    assert config.frames.dispatch_batch == 64
    assert config.components.command_timeout_s == 5.0


def test_all_that_can_be_said(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        armed(
            3,
            "10.0.0.1",
            node={"log_level": "warning"},
            cluster={"name": "plant", "mode": "active-passive", "raft_bind": "0.0.0.0:7101", "secret": SECRET},
            api={"bind": "[::]:80", "token": TOKEN},
            redis={"url": "rediss://user@redis.plant/3?ssl_cert_reqs=required", "password": PASSWORD},
            frames={"dispatch_batch": 8, "heartbeat_timeout_s": 1, "inline_bytes_max": 0, "max_attempts": 1},
            components={"heartbeat_timeout_s": 1.5, "command_timeout_s": 2},
        ),
    )
    assert config.api_bind() == "[::]:80"
    assert config.raft_bind() == "0.0.0.0:7101"
    assert config.api_token() == config.api.bearer_token == TOKEN
    assert config.redis_password() == PASSWORD
    assert config.redis.public_url == "rediss://redis.plant/3?ssl_cert_reqs=required"


def test_redis_that_is_there_more_than_once(tmp_path: Path) -> None:
    places = ["h1:26379", "[::1]:26379", "h3:26379"]
    redis: dict[str, Any] = {"mode": "sentinel", "sentinels": places, "sentinel_password": PASSWORD, "durability": 2}
    config = load(tmp_path, armed(3, redis=redis))
    assert config.redis.public_url == f"redis+sentinel://{','.join(places)}/frames"
    assert (config.durability(), config.sentinel_password()) == (2, PASSWORD)
    redis = {"mode": "cluster", "nodes": ["h1:1", "h2:2"], "shards": 6, "tls": True, "durability": "majority"}
    config = load(tmp_path, armed(3, redis=redis))
    assert config.redis.public_url == "rediss+cluster://h1:1,h2:2?shards=6"
    assert (config.durability(), config.sentinel_password()) == ("majority", None)


def test_what_the_cluster_is_told(tmp_path: Path) -> None:
    content = armed(
        3,
        cluster={
            "name": "plant",
            "secret": SECRET,
            "raft_bind": "127.0.0.1:7999",
            "heartbeat_s": 0.1,
            "election_min_s": 0.5,
            "election_max_s": 2.0,
            "step_down_s": 0.4,
            "takeover_budget_s": 3.0,
        },
    )
    settings = load(tmp_path, content).cluster_settings()
    assert settings == ClusterSettings(
        node_id="n1",
        members=tuple(Member(id=one["id"], address=one["raft"], api=one["api"]) for one in members(3)),
        data_dir=tmp_path / "data" / "cluster",
        cluster_name="plant",
        bind="127.0.0.1:7999",
        secret=settings.secret,
        heartbeat_s=0.1,
        election_min_s=0.5,
        election_max_s=2.0,
        step_down_s=0.4,
        takeover_budget_s=3.0,
        connection_timeout_s=2.0,
    )
    assert settings.secret is not None
    assert settings.secret.get_secret_value() == SECRET


def test_the_defaults_are_the_clusters_own(tmp_path: Path) -> None:
    config = load(tmp_path, tree())
    plain = ClusterSettings(
        node_id="n1",
        members=(Member(id="n1", address="127.0.0.1:7101", api="http://127.0.0.1:8101"),),
        data_dir=tmp_path / "data" / "cluster",
    )
    assert config.cluster_settings() == plain


def test_the_tree_is_frozen(tmp_path: Path) -> None:
    config = load(tmp_path, tree())
    with pytest.raises(ValidationError, match="frozen"):
        config.node.id = "n2"  # type: ignore[misc]


def test_no_form_of_the_tree_shows_a_secret(tmp_path: Path) -> None:
    config = load(tmp_path, armed())
    shown = [
        repr(config),
        str(config),
        config.model_dump_json(),
        str(config.model_dump()),
        repr(config.cluster_settings()),
    ]
    for value in VALUES:
        assert not any(value in text for text in shown)
    assert pickle.loads(pickle.dumps(config)) == config  # noqa: S301 - our own


def test_a_node_that_is_no_member_has_no_place(tmp_path: Path) -> None:
    config = load(tmp_path, tree())
    stranger = config.model_copy(update={"node": NodeSettings(id="n9", data_dir=tmp_path)})
    with pytest.raises(KeyError, match="n9"):
        stranger.member()


def test_the_readme_example_is_valid(tmp_path: Path) -> None:
    example = README.read_text().split("## Configuration", 1)[1].split("```yaml\n", 1)[1].split("```", 1)[0]
    for name in ("cluster.secret", "api.token", "redis.password"):
        path = tmp_path / name
        path.write_text("x" * 40 + "\n")
        path.chmod(0o600)
    config = load(tmp_path, yaml.safe_load(example.replace("/etc/triarch/", f"{tmp_path}/")))
    assert len(config.cluster.members) == 3


# ── Addresses ────────────────────────────────────────────────────────────────────────────────────────────


@given(ADDRESSES)
def test_every_address_is_taken_as_it_is(address: str) -> None:
    member = NodeMember(id="n1", raft=address, api=f"http://{address}")
    assert member.raft == address
    assert split_address(member.api.removeprefix("http://")) == split_address(address)
    assert ClusterSection(members=(member,), raft_bind=address).raft_bind == address
    assert ApiSettings(bind=address).bind == address


@given(st.text())
def test_a_text_is_an_address_or_refused(text: str) -> None:
    try:
        bind = ApiSettings(bind=text).bind
    except ValidationError:
        return
    assert bind == text
    is_loopback(bind)  # what is accepted can be judged


@pytest.mark.parametrize(
    "address",
    [
        "", "host", "host:", ":80", "host:0", "host:65536", "host:-1", "host:8x", "::1:80", "[::1]", "[host]:80",
        "[1.2.3.4]:80", "user@host:80", "host/path:80", "ho st:80", "-host:80", "1.2.3:80", "256.1.1.1:80", "*:80",
    ],
)  # fmt: skip
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ValidationError):
        NodeMember(id="n1", raft=address, api="http://127.0.0.1:1")
    with pytest.raises(ValidationError):
        ApiSettings(bind=address)


@given(st.text(max_size=70))
def test_an_id_is_one_for_the_cluster_too(text: str) -> None:
    def accepted(model: Any, **values: Any) -> bool:
        try:
            model(id=text, **values)
        except ValidationError:
            return False
        return True

    ours = accepted(NodeMember, raft="127.0.0.1:1", api="http://127.0.0.1:2")
    assert ours == accepted(Member, address="127.0.0.1:1") == accepted(NodeSettings, data_dir="d")


# ── URLs ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("http://n1:80", "http://n1:80"),
        ("https://N1.Plant:443/", "https://n1.plant:443"),
        ("http://[::1]:8101", "http://[::1]:8101"),
    ],
)
def test_urls_of_an_api(url: str, kept: str) -> None:
    assert NodeMember(id="n1", raft="127.0.0.1:1", api=url).api == kept


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("n1:80", "http://"),
        ("ftp://n1:80", "http://"),
        ("http://n1", "port"),
        ("http://:80", "host"),
        ("http://n1:80/api", "without a path"),
        ("http://n1:80?x=1", "without a path"),
        ("http://n1:80/?", "without a path"),
        ("http://n1:80#top", "without a path"),
        (f"http://user:{PASSWORD}@n1:80", "user name or password"),
        ("http://[::1:80", "not a URL"),
        ("http://::1:80", "brackets"),
        ("http://n1:99999", "port"),
    ],
)
def test_what_is_no_url_of_an_api(url: str, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason) as caught:
        NodeMember(id="n1", raft="127.0.0.1:1", api=url)
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("redis://h", "redis://h"),
        ("redis://h:1/15", "redis://h:1/15"),
        ("redis://[::1]:6379/0", "redis://[::1]:6379/0"),
        ("redis://[::1]/0", "redis://[::1]/0"),
        ("rediss://user@h:1/", "rediss://h:1/"),
    ],
)
def test_urls_of_a_server(url: str, public: str) -> None:
    assert RedisSettings(mode="url", url=url).public_url == public


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "redis://"),
        ("http://h:1", "redis://"),
        ("unix:///run/redis.sock", "redis://"),
        ("redis://", "host"),
        ("redis://:6379", "host"),
        ("redis://h:x", "not a URL"),
        ("redis://h:1/zero", "number of a database"),
        ("redis://h:1/0/1", "number of a database"),
        ("redis://h:1/0#x", "number of a database"),
        ("redis://h:1/0?decode_responses=1", "after '\\?'"),
        ("redis://h :1", "white space"),
        (f"redis://:{PASSWORD}@h:1", "holds a password"),
        (f"redis://user:{PASSWORD}@h:1", "holds a password"),
        (f"redis://h:1/0?password={PASSWORD}", "holds a password"),
        (f"rediss://h:1/0?ssl_password={PASSWORD}", "holds a password"),
    ],
)
def test_what_is_no_url_of_a_server(url: str, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason) as caught:
        RedisSettings(mode="url", url=url)
    assert PASSWORD not in str(caught.value)


@given(st.text(), st.sampled_from(["", "redis://", "rediss://h/", "redis://u@", "http://"]))
def test_any_text_is_a_url_or_refused(text: str, start: str) -> None:
    for model, values in (
        (RedisSettings, {"mode": "url", "url": start + text}),
        (NodeMember, {"id": "n", "raft": "h:1", "api": start + text}),
    ):
        try:
            model.model_validate(values)
        except ValidationError:
            continue


# ── Values ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", list(NodeConfig.model_fields))
def test_unknown_settings_are_refused_everywhere(name: str) -> None:
    section: Any = NodeConfig.model_fields[name].annotation
    with pytest.raises(ValidationError, match="extra_forbidden"):
        section.model_validate({"nonsense": 1})


@pytest.mark.parametrize("token", ["", " ", "with space", "tab\t", "line\n", "schlüssel", "\x00"])
def test_a_token_travels_in_a_header(token: str) -> None:
    with pytest.raises(ValidationError):
        ApiSettings.model_validate({"token": token})


@pytest.mark.parametrize("value", [True, False, float("nan"), float("inf"), 0, -1, "soon", None])
def test_what_is_no_duration(value: Any) -> None:
    with pytest.raises(ValidationError):
        ClusterSection.model_validate({"members": members(1), "heartbeat_s": value})


@pytest.mark.parametrize("path", ["", "  ", "a\0b", "a\nb"])
def test_what_is_no_path(path: str) -> None:
    for model, name in ((NodeSettings, "data_dir"), (ClusterSection, "secret_file")):
        with pytest.raises(ValidationError, match="not a path"):
            model.model_validate({name: path})
