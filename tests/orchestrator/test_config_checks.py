"""What settings must be together: each check, what it says, and where."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster.settings import is_loopback
from orchestrator.errors import ConfigurationInvalid, Problem, RefusedInsecure
from tests.orchestrator.config_files import SECRET, TOKEN, Tree, armed, load, members, only, outcome, refused, tree

EVERY = "0.0.0.0"  # noqa: S104 - never listened on
ON_TMP_PATH = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)


# ── Members ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("count", [1, 3, 5, 7])
def test_one_or_an_odd_number(tmp_path: Path, count: int) -> None:
    assert len(load(tmp_path, tree(count)).cluster.members) == count


@pytest.mark.parametrize(
    ("count", "reason"), [(2, "survive no failure"), (4, "no more failures than 3"), (6, "no more failures than 5")]
)
def test_an_even_number_is_refused(tmp_path: Path, count: int, reason: str) -> None:
    problem = only(refused(tmp_path, tree(count)))
    assert problem.field == "cluster.members"
    assert reason in problem.message


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6])
def test_whoever_joins_lists_one_more(tmp_path: Path, count: int) -> None:
    config = load(tmp_path, tree(count, cluster={"join": True}))
    assert config.cluster_settings().join
    assert [member.api for member in config.cluster_settings().members] == [
        f"http://127.0.0.1:{8100 + at}" for at in range(1, count + 1)
    ]


def test_nobody_joins_itself(tmp_path: Path) -> None:
    problem = only(refused(tmp_path, tree(1, cluster={"join": True})))
    assert problem.field == "cluster.join"
    assert "nobody to join" in problem.message


def test_join_is_a_boolean_and_the_only_one(tmp_path: Path) -> None:
    assert not load(tmp_path, tree(3)).cluster.join
    assert load(tmp_path, tree(2), environment={"TRIARCH_CLUSTER__JOIN": "true"}).cluster.join
    assert only(refused(tmp_path, tree(3, cluster={"join": "perhaps"}))).field == "cluster.join"
    assert only(refused(tmp_path, tree(3, cluster={"heartbeat_s": True}))).field == "cluster.heartbeat_s"


def test_an_even_number_names_the_way_to_add_a_node(tmp_path: Path) -> None:
    assert "join: true" in only(refused(tmp_path, tree(4))).hint


def test_no_members(tmp_path: Path) -> None:
    problem = only(refused(tmp_path, tree(0)))
    assert (problem.field, problem.message) == ("cluster.members", "is empty")


def test_a_node_is_one_of_the_members(tmp_path: Path) -> None:
    problem = only(refused(tmp_path, tree(3, node={"id": "n4"})))
    assert problem.field == "node.id"
    assert "n1, n2, n3" in problem.hint


def changed(count: int, at: int, **values: str) -> Tree:
    content = tree(count)
    content["cluster"]["members"][at].update(values)
    return content


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"id": "n1"}, "cluster.members[1].id"),
        ({"raft": "127.0.0.1:7101"}, "cluster.members[1].raft"),
        ({"api": "http://127.0.0.1:8101"}, "cluster.members[1].api"),
        ({"api": "https://127.0.0.1:8101"}, "cluster.members[1].api"),
        ({"raft": "127.0.0.1:8101"}, "cluster.members[1].raft"),
        ({"api": "http://127.0.0.1:7102"}, "cluster.members[1].api"),
    ],
)
def test_ids_and_addresses_are_unique(tmp_path: Path, values: dict[str, str], field: str) -> None:
    problem = only(refused(tmp_path, changed(3, 1, **values)))
    assert problem.field == field
    assert "already" in problem.message


def test_one_address_in_two_spellings(tmp_path: Path) -> None:
    content = changed(3, 0, raft="[::1]:7000")
    content["cluster"]["members"][1]["raft"] = "[0:0:0:0:0:0:0:1]:7000"
    assert only(refused(tmp_path, content)).field == "cluster.members[1].raft"


@pytest.mark.parametrize("host", [EVERY, "[::]"])
def test_every_interface_is_not_an_address_of_a_member(tmp_path: Path, host: str) -> None:
    content = armed()
    content["cluster"]["members"] = [{"id": "n1", "raft": f"{host}:7101", "api": f"http://{host}:8101"}]
    raft, api = refused(tmp_path, content)
    assert "cluster.raft_bind" in raft.hint
    assert "api.bind" in api.hint


@pytest.mark.parametrize(
    ("cluster", "api", "field"),
    [
        ({}, {"bind": "127.0.0.1:7101"}, "api.bind"),
        ({"raft_bind": "127.0.0.1:8101"}, {}, "cluster.raft_bind"),
        ({"raft_bind": "127.0.0.1:1"}, {"bind": "127.0.0.1:1"}, "api.bind"),
    ],
)
def test_raft_and_api_listen_on_two_addresses(
    tmp_path: Path, cluster: dict[str, Any], api: dict[str, Any], field: str
) -> None:
    problem = only(refused(tmp_path, tree(1, cluster=cluster, api=api)))
    assert problem.field == field
    assert "both" in problem.message


# ── Backpressure ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("frames", "field"),
    [
        ({"pressure_low": 0.8}, "frames.pressure_low"),
        ({"pressure_high": 0.5}, "frames.pressure_high"),
        ({"pressure_critical": 0.8}, "frames.pressure_critical"),
        ({"pressure_low": 0.01}, "frames.pressure_low"),
        ({"pressure_critical": "much"}, "frames.pressure_critical"),
    ],
)
def test_levels_of_backpressure_ascend(tmp_path: Path, frames: dict[str, Any], field: str) -> None:
    assert only(refused(tmp_path, tree(1, frames=frames))).field == field


def test_levels_of_backpressure(tmp_path: Path) -> None:
    config = load(tmp_path, tree(1, frames={"pressure_low": 0.5}), environment={"TRIARCH_FRAMES__PRESSURE_HIGH": "0.7"})
    thresholds = config.frames.thresholds()
    assert (thresholds.low, thresholds.high, thresholds.critical) == (0.5, 0.7, 0.95)


# ── Who is told of alerts ────────────────────────────────────────────────────────────────────────────────


def test_who_is_told_of_alerts_is_a_channel(tmp_path: Path) -> None:
    problem = only(refused(tmp_path, tree(1, monitoring={"notify": ["default", "pager"]})))
    assert problem.field == "monitoring.notify[1]"
    assert "'pager'" in problem.message
    assert load(tmp_path, tree(1, monitoring={"notify": ["default"]})).monitoring.notify == ("default",)


# ── Durations ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("timing", "field"),
    [
        ({"heartbeat_s": 0.2}, "cluster.heartbeat_s"),
        ({"election_min_s": 0.1}, "cluster.election_min_s"),
        ({"election_min_s": 0.7}, "cluster.election_min_s"),
        ({"election_max_s": 0.2}, "cluster.election_max_s"),
        ({"election_max_s": 1.9}, "cluster.election_max_s"),
        ({"election_max_s": 30}, "cluster.election_max_s"),
        ({"step_down_s": 0.01}, "cluster.step_down_s"),
        ({"step_down_s": 1.9}, "cluster.step_down_s"),
        ({"takeover_budget_s": 0.5}, "cluster.takeover_budget_s"),
    ],
)
def test_durations_fit_each_other(tmp_path: Path, timing: dict[str, float], field: str) -> None:
    problem = only(refused(tmp_path, tree(1, cluster=timing)))
    assert problem.field == field


DURATION = st.floats(0.001, 10)
TIMINGS = ("heartbeat_s", "election_min_s", "election_max_s", "step_down_s", "takeover_budget_s")


@ON_TMP_PATH
@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(TIMINGS, DURATION),
    )
)
def test_durations_that_are_taken_suit_the_cluster(tmp_path: Path, timing: dict[str, float]) -> None:
    found = outcome(tmp_path, tree(1, cluster=timing))
    if isinstance(found, ConfigurationInvalid):
        assert only(found.problems).field.removeprefix("cluster.") in timing
        return
    told = found.cluster_settings()
    assert told.heartbeat_s * 3 < told.election_min_s < told.election_max_s <= told.connection_timeout_s
    assert told.election_max_s + told.step_down_s <= told.takeover_budget_s


# ── Redis ────────────────────────────────────────────────────────────────────────────────────────────────


def test_embedded_is_for_one_node(tmp_path: Path) -> None:
    for content in (tree(3, redis={"mode": "embedded"}), {**tree(3), "redis": {}}):
        problem = only(refused(tmp_path, content))
        assert problem.field == "redis.mode"
        assert "redis.url" in problem.hint


@pytest.mark.parametrize("mode", [{}, {"mode": "embedded"}])
def test_a_url_contradicts_embedded(tmp_path: Path, mode: dict[str, str]) -> None:
    problem = only(refused(tmp_path, tree(1, redis={**mode, "url": "redis://127.0.0.1:6379/0"})))
    assert problem.field == "redis.url"
    assert "redis.mode: url" in problem.hint


def test_a_port_contradicts_a_url(tmp_path: Path) -> None:
    problem = only(refused(tmp_path, tree(1, redis={"mode": "url", "port": 6379})))
    assert problem.field == "redis.port"


# ── Beyond loopback ──────────────────────────────────────────────────────────────────────────────────────

EXPOSED: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, str]]] = [
    ("raft of a member", {}, {}, {"raft": "10.0.0.1:7101"}),
    ("api of a member", {}, {}, {"api": "http://plant.example:8101"}),
    ("api by IPv6", {}, {}, {"api": "http://[fd00::1]:8101"}),
    ("raft_bind", {"raft_bind": "0.0.0.0:7101"}, {}, {}),
    ("raft_bind by IPv6", {"raft_bind": "[::]:7101"}, {}, {}),
    ("api.bind", {}, {"bind": "0.0.0.0:8101"}, {}),
    ("api.bind by IPv6", {}, {"bind": "[::]:8101"}, {}),
]


@pytest.mark.parametrize(
    ("cluster", "api", "member"), [case[1:] for case in EXPOSED], ids=[case[0] for case in EXPOSED]
)
def test_beyond_loopback_takes_three_secrets(
    tmp_path: Path, cluster: dict[str, Any], api: dict[str, Any], member: dict[str, str]
) -> None:
    def content(make: Any) -> Tree:
        found: Tree = make(1, cluster=cluster, api=api)
        found["cluster"]["members"][0].update(member)
        return found

    with pytest.raises(RefusedInsecure) as caught:
        load(tmp_path, content(tree))
    assert [problem.field for problem in caught.value.problems] == ["cluster.secret", "api.token", "redis.password"]
    assert (caught.value.code, caught.value.exit_code) == ("refused_insecure", 4)
    assert "reachable from other hosts" in caught.value.message
    load(tmp_path, content(armed))


def test_another_member_beyond_loopback_counts(tmp_path: Path) -> None:
    content = tree(3)
    content["cluster"]["members"][2]["raft"] = "10.0.0.3:7103"
    with pytest.raises(RefusedInsecure, match="n3's raft"):
        load(tmp_path, content)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "localhost", "[::1]"])
def test_loopback_takes_none(tmp_path: Path, host: str) -> None:
    load(tmp_path, tree(3, host))


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("cluster", "secret", SECRET[:31]),
        ("api", "token", TOKEN[:31]),
        ("cluster", "secret", None),
        ("redis", "password", None),
    ],
)
def test_exactly_what_is_missing_or_short_is_named(tmp_path: Path, section: str, name: str, value: str | None) -> None:
    content = armed(3, "10.0.0.1")
    content[section][name] = value
    with pytest.raises(RefusedInsecure) as caught:
        load(tmp_path, content)
    problem = only(caught.value.problems)
    assert problem.field == f"{section}.{name}"
    assert value is None or value not in caught.value.message


def test_thirty_two_characters_are_enough(tmp_path: Path) -> None:
    load(tmp_path, armed(3, "10.0.0.1", cluster={"secret": SECRET[:32]}, api={"token": TOKEN[:32]}))


def test_a_short_secret_is_refused_on_loopback_too(tmp_path: Path) -> None:
    problem = only(refused(tmp_path, tree(1, cluster={"secret": "short"})))
    assert problem.field == "cluster.secret"
    load(tmp_path, tree(1, api={"token": "short"}))


def test_what_is_invalid_outweighs_what_is_insecure(tmp_path: Path) -> None:
    problems = refused(tmp_path, tree(3, "10.0.0.1", frames={"max_attempts": 0}))
    assert {problem.field for problem in problems} == {
        "frames.max_attempts", "cluster.secret", "api.token", "redis.password",
    }  # fmt: skip
    with pytest.raises(ConfigurationInvalid) as caught:
        load(tmp_path, tree(3, "10.0.0.1", frames={"max_attempts": 0}))
    assert caught.value.code == "config_invalid"


@ON_TMP_PATH
@given(
    st.ip_addresses(),
    st.sampled_from(["raft", "api", "raft_bind", "bind"]),
    st.sets(st.sampled_from(["secret", "token", "password"])),
)
def test_no_address_beyond_loopback_without_secrets(tmp_path: Path, ip: Any, place: str, missing: set[str]) -> None:
    address = f"{ip}:9000" if ip.version == 4 else f"[{ip}]:9000"
    content = armed()
    if place == "raft_bind":
        content["cluster"][place] = address
    elif place == "bind":
        content["api"][place] = address
    else:
        content["cluster"]["members"][0][place] = address if place == "raft" else f"http://{address}"
    for section, name in (("cluster", "secret"), ("api", "token"), ("redis", "password")):
        if name in missing:
            del content[section][name]
    found = outcome(tmp_path, content)
    if isinstance(found, ConfigurationInvalid):
        assert not is_loopback(address)
        assert {problem.field.partition(".")[2] for problem in found.problems} >= missing
        assert isinstance(found, RefusedInsecure) or (ip.is_unspecified and place in ("raft", "api"))
    else:
        assert is_loopback(address) or not missing


# ── Nothing is concluded from what is wrong already ──────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        (tree(1, node={"id": "?"}), ["node.id"]),
        (tree(2, cluster={"members": [*members(1), {"id": "n2", "raft": "h:1"}]}), ["cluster.members[1].api"]),
        (tree(1, cluster={"heartbeat_s": 0, "election_max_s": 0.1}), ["cluster.heartbeat_s"]),
        (tree(3, redis={"mode": "cloud", "port": 1}), ["redis.mode"]),
        (tree(1, cluster={"raft_bind": EVERY}), ["cluster.raft_bind"]),
        (tree(1, api={"bind": EVERY, "token": "ü"}), ["api.bind", "api.token"]),
        (tree(1, api={"bind": "0.0.0.0:1", "token": "ü"}), ["api.token", "cluster.secret", "redis.password"]),
        ({**tree(), "cluster": 5}, ["cluster"]),
        ({**tree(), "node": []}, ["node"]),
        ({"redis": {"mode": "url", "port": 1}}, ["cluster", "node", "redis.port"]),
    ],
)  # fmt: skip
def test_consequences_are_not_told(tmp_path: Path, content: Tree, fields: list[str]) -> None:
    problems: list[Problem] = list(refused(tmp_path, content))
    assert sorted(problem.field for problem in problems) == fields
