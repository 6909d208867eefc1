"""What the gate takes for a host that is well: a node by what it and its leader answer, Redis by its replication."""

import asyncio
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from framebuffer.connection import connect, execute
from framebuffer.embedded import EmbeddedServer
from tests.deploy.answering import Node, Replication, serving
from tests.deploy.controller import TOOLS
from tests.deploy.filters import ANSIBLE, library
from tests.support import eventually, free_port

GATE = library("library/triarch_gate.py")
NAMES = ("n1", "n2", "n3")
TOKEN = "t" * 48
PASSWORD = "p" * 48
MB = 1 << 20
UNKNOWN = "acknowledged {} bytes less than was written, and whether it is behind is not known yet"


@dataclass
class Plant:
    """n2, which is asked, and n1, which leads; Redis of this host and the primary that it may follow."""

    node: Node
    leader: Node
    redis: Replication
    primary: Replication

    def params(self, **other: Any) -> dict[str, Any]:
        said = {"api": self.node.api, "members": list(NAMES), "redis_port": self.redis.port, "replicas": 2}
        bounds = {"release": "", "behind_max": 100, "redis_behind_max": 16 * MB, "redis_lag_max_s": 3}
        return said | bounds | other

    def of_node(self, **other: Any) -> None:
        """What n2 says of the cluster is other than what is good."""
        self.node.answers["/v1/cluster"] = (200, self.node.answers["/v1/cluster"][1] | other)


@pytest.fixture
def plant() -> Iterator[Plant]:
    """All is well; Redis of this host is a primary with two replicas."""
    with ExitStack() as stack:
        node, leader = (stack.enter_context(serving(Node())) for _ in range(2))
        redis, primary = (stack.enter_context(serving(Replication())) for _ in range(2))
        members = [{"id": name, "reachable": True, "voter": True, "release": "0.2.0"} for name in NAMES]
        seen = {"node": "n2", "leader": "n1", "leader_api": leader.api, "members": members, "state_level": 1}
        node.answers = {
            "/readyz": (200, {"ready": True}),
            "/v1/cluster": (200, seen | {"applied_index": 990, "commit_index": 990}),
        }
        leader.answers = {"/v1/cluster": (200, seen | {"node": "n1", "applied_index": 1000, "commit_index": 1000})}
        redis.info = {"role": "master", "master_repl_offset": 20 * MB, "slave0": replica(), "slave1": replica()}
        primary.info = {"role": "master", "master_replid": "a" * 40, "master_repl_offset": 20 * MB}
        yield Plant(node, leader, redis, primary)


def replica(offset: int = 20 * MB - 100, lag: int = 0, state: str = "online") -> str:
    return f"ip=10.0.0.2,port=6379,state={state},offset={offset},lag={lag}"


def written(*seen: tuple[float, int], replid: str | None = None) -> Any:
    """What a wait has seen of the primary, each: when (s before now), and how far it had written."""
    found = GATE.Written()
    for ago, offset in seen:
        found.add(time.monotonic() - ago, replid, offset)
    return found


def follows(plant: Plant, **other: object) -> None:
    """Redis of this host is a replica of `plant.primary`."""
    plant.redis.info = {
        "role": "slave",
        "master_host": "127.0.0.1",
        "master_port": plant.primary.port,
        "master_link_status": "up",
        "master_last_io_seconds_ago": 0,
        "master_sync_in_progress": 0,
        "slave_repl_offset": 20 * MB - 100,
        "master_replid": "a" * 40,
    } | other


def test_a_node_that_has_applied_what_its_leader_committed_is_well(plant: Plant) -> None:
    seen = GATE.cluster(plant.params(release="0.2.0"), None, TOKEN)
    assert (seen["leader"], seen["release"], seen["behind"]) == ("n1", "0.2.0", 10)
    assert plant.leader.tokens == [f"Bearer {TOKEN}"]
    plant.of_node(leader="n2", applied_index=1990, commit_index=2000)
    assert GATE.cluster(plant.params(), None, TOKEN)["behind"] == 10
    assert len(plant.leader.tokens) == 1


PROBLEM = {"code": "unauthorized", "detail": "the token is not known"}
LEADERS: dict[str, tuple[int, Any, str]] = {
    "refused": (401, PROBLEM, "answers 401: the token is not known"),
    "away": (503, {"code": "no_leader"}, "answers 503: {'code': 'no_leader'}"),
    "a proxy": (502, "<html>", "answers 502"),
    "no JSON": (200, "<html>", "answers 200, and not as a node does"),
    "no object": (200, [], "answers 200, and not as a node does"),
    "another status": (202, {"commit_index": 1000}, "answers 202, and not as a node does"),
    "no index": (200, {}, "the leader n1 does not say its commit_index"),
    "a text": (200, {"commit_index": "1000"}, "the leader n1 does not say its commit_index"),
    "a truth": (200, {"commit_index": True}, "the leader n1 does not say its commit_index"),
    "far ahead": (200, {"commit_index": 1091}, "the node is 101 entries behind the leader"),
    "deposed": (200, {"commit_index": 989}, "n1 knows of fewer entries than the node has applied"),
}


@pytest.mark.parametrize("case", LEADERS)
def test_a_leader_that_does_not_say_how_far_it_is_proves_nothing(case: str, plant: Plant) -> None:
    status, body, said = LEADERS[case]
    plant.leader.answers["/v1/cluster"] = (status, body)
    with pytest.raises(GATE.NotSo) as refused:
        GATE.cluster(plant.params(), None, TOKEN)
    assert said in str(refused.value)


def test_nobody_answers_for_a_leader_that_is_gone(plant: Plant) -> None:
    plant.of_node(leader_api=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(GATE.NotSo, match=r"/v1/cluster does not answer: .*refused"):
        GATE.cluster(plant.params(), None, TOKEN)


def members(**other: Any) -> list[dict[str, Any]]:
    return [{"id": name, "reachable": True, "voter": True, "release": "0.2.0"} | other for name in NAMES]


NODES: dict[str, tuple[dict[str, Any], str]] = {
    "a member is missing": ({"members": members()[:2]}, "the members are n1, n2, expected n1, n2, n3"),
    "none is reached": ({"members": members(reachable=False)}, "n1, n2, n3 cannot be reached from this node"),
    "none votes": ({"members": members(voter=False)}, "n1, n2, n3 cannot be reached from this node, or has no vote"),
    "no leader": ({"leader": None, "leader_api": None}, "no leader is known"),
    "a stranger": ({"node": "n9"}, "the node that answers is n9, which is no member"),
    "an old release": ({"members": members(release="0.1.0")}, "the node runs 0.1.0, expected 0.2.0"),
    "nothing applied": ({"applied_index": None}, "the node does not say its applied_index"),
}


@pytest.mark.parametrize("case", NODES)
def test_a_node_that_is_not_whole_is_told(case: str, plant: Plant) -> None:
    other, said = NODES[case]
    plant.of_node(**other)
    with pytest.raises(GATE.NotSo) as refused:
        GATE.cluster(plant.params(release="0.2.0"), None, TOKEN)
    assert said in str(refused.value)


def test_a_node_that_is_not_ready_is_told_with_its_reason(plant: Plant) -> None:
    plant.node.answers["/readyz"] = (503, {"detail": "Redis is away"})
    with pytest.raises(GATE.NotSo, match="/readyz answers 503: Redis is away"):
        GATE.cluster(plant.params(), None, TOKEN)
    plant.node.answers |= {"/readyz": (200, {}), "/v1/cluster": (401, PROBLEM)}
    with pytest.raises(GATE.NotSo, match="/v1/cluster answers 401: the token is not known"):
        GATE.cluster(plant.params(), None, TOKEN)


def test_redis_that_is_in_step_is_well(plant: Plant) -> None:
    assert GATE.redis(plant.params(), PASSWORD) == "primary"
    plant.redis.info["slave1"] = replica(offset=4 * MB, lag=3)  # just so
    assert GATE.redis(plant.params(), PASSWORD) == "primary"
    follows(plant)
    assert GATE.redis(plant.params(), PASSWORD) == "replica"
    follows(plant, slave_repl_offset=20 * MB + 1)  # its own offset is read before the primary's; never mind
    assert GATE.redis(plant.params(), PASSWORD) == "replica"


REPLICAS: dict[str, tuple[str | None, str]] = {
    "absent": (None, "1 of 2 replicas are in step"),
    "taking over": (replica(state="wait_bgsave"), "1 of 2 replicas are in step; 10.0.0.2:6379 is not online (wait_b"),
    "behind": (replica(offset=4 * MB - 1), "10.0.0.2:6379 is 16777217 bytes behind"),
    "silent": (replica(lag=4), "10.0.0.2:6379 was not heard for 4 s"),
    "without an offset": ("ip=10.0.0.2,port=6379,state=online,lag=0", "Redis does not say its offset"),
    "without a lag": ("ip=10.0.0.2,port=6379,state=online,offset=14", "Redis does not say its lag"),
}


@pytest.mark.parametrize("case", REPLICAS)
def test_a_primary_counts_replicas_that_are_in_step_only(case: str, plant: Plant) -> None:
    row, said = REPLICAS[case]
    plant.redis.info |= {"connected_slaves": 2, "slave_expires_tracked_keys": 0}  # names that only begin so
    plant.redis.info.pop("slave1")
    if row:
        plant.redis.info["slave1"] = row
    with pytest.raises(GATE.NotSo) as refused:
        GATE.redis(plant.params(), PASSWORD, written((2, 20 * MB)))
    assert said in str(refused.value)


def test_a_replica_is_held_against_what_it_could_acknowledge_by_now(plant: Plant) -> None:
    """At 100 MB/s, where replicas acknowledge once a second: they lack that much, and are in step."""
    plant.redis.info |= {"master_repl_offset": 220 * MB, "slave0": replica(120 * MB), "slave1": replica(124 * MB)}

    def said(seen: Any, **bounds: int) -> str:
        try:
            return str(GATE.redis(plant.params(**bounds), PASSWORD, seen))
        except GATE.NotSo as reason:
            return str(reason)

    for young in (written(), written((1.3, 70 * MB)), written((9, 0), replid="b" * 40)):
        assert UNKNOWN.format(100 * MB) in said(young)
    assert said(written((1.6, 70 * MB), (1, 120 * MB))) == "primary"
    assert said(written((1.6, 136 * MB))) == "primary"  # just so
    assert "0 of 2" in said(written((1.6, 141 * MB)))
    # The newest that is old enough counts: a replica that stands still is not let off for long.
    behind = said(written((3, 70 * MB), (1.6, 137 * MB)))
    assert "1 of 2 replicas are in step; 10.0.0.2:6379 is 17825792 bytes behind" in behind
    assert said(written((1.6, 137 * MB)), redis_behind_max=17 * MB) == "primary"


def test_what_was_seen_of_a_primary_is_bounded() -> None:
    seen = GATE.Written()
    for at in range(10_000):
        seen.add(at / 5, "a", at)
    assert seen.before(9_999 / 5) == 9_991
    assert len(seen._seen) < 100


FOLLOWING: dict[str, tuple[dict[str, object], str]] = {
    "no link": ({"master_link_status": "down"}, "whose link to 127.0.0.1 is not up"),
    "loading": ({"master_sync_in_progress": 1}, "whose link to 127.0.0.1 is not up"),
    "silence": ({"master_last_io_seconds_ago": 4}, "has not heard 127.0.0.1 for 4 s"),
    "never heard": ({"master_last_io_seconds_ago": -1}, "has not heard 127.0.0.1 for -1 s"),
    "behind": ({"slave_repl_offset": 4 * MB - 1}, "is 16777217 bytes behind 127.0.0.1"),
    "other data": ({"master_replid": "b" * 40}, "a replica of 127.0.0.1, which is no primary, or of other data"),
    "no role": ({"role": "", "master_link_status": ""}, "whose link to 127.0.0.1 is not up"),
}


@pytest.mark.parametrize("case", FOLLOWING)
def test_a_replica_that_is_not_in_step_is_told(case: str, plant: Plant) -> None:
    other, said = FOLLOWING[case]
    follows(plant, **other)
    with pytest.raises(GATE.NotSo) as refused:
        GATE.redis(plant.params(), PASSWORD)
    assert said in str(refused.value)


def test_a_primary_that_cannot_be_asked_proves_nothing(plant: Plant) -> None:
    follows(plant)
    plant.primary.refusal = "WRONGPASS invalid username-password pair or user is disabled."
    with pytest.raises(GATE.NotSo, match=f"Redis of 127.0.0.1 port {plant.primary.port} says: -WRONGPASS"):
        GATE.redis(plant.params(), PASSWORD)
    plant.primary.refusal = ""
    plant.primary.info["role"] = "slave"
    with pytest.raises(GATE.NotSo, match="which is no primary, or of other data"):
        GATE.redis(plant.params(), PASSWORD)
    follows(plant, master_port=free_port())
    with pytest.raises(GATE.NotSo, match=r"does not answer: .*refused"):
        GATE.redis(plant.params(), PASSWORD)


@pytest.mark.anyio
async def test_a_real_primary_and_its_replica(tmp_path: Path) -> None:
    """In step; then the replica is frozen, so that it stays online for as long as the primary has patience."""
    first, second = free_port(), free_port()
    seen = GATE.Written()
    prompt = ("repl-diskless-sync-delay 0", "repl-timeout 60")
    following = (f"replicaof 127.0.0.1 {first}", f"masterauth {PASSWORD}")
    primary = EmbeddedServer(tmp_path / "primary", first, password=PASSWORD, options=prompt)
    follower = EmbeddedServer(tmp_path / "replica", second, password=PASSWORD, options=(*prompt, *following))

    async def said(port: int, **bounds: int) -> str:
        params = {"redis_port": port, "replicas": 1, "redis_behind_max": 1000, "redis_lag_max_s": 30} | bounds
        try:
            return str(await asyncio.to_thread(GATE.redis, params, PASSWORD, seen if port == first else None))
        except GATE.NotSo as reason:
            return str(reason)

    async def sees(port: int, wanted: str, **bounds: int) -> None:
        async def seen() -> bool:
            found = await said(port, **bounds)
            assert re.fullmatch(wanted, found), found
            return True

        await eventually(seen, deadline_s=30)

    async with primary, follower:
        await sees(first, "primary")
        await sees(second, "replica")
        assert follower.pid is not None
        os.kill(follower.pid, signal.SIGSTOP)
        try:
            redis = connect(primary.url, password=PASSWORD)
            await execute(redis, "SET", "frames:letters", "x" * 2000)
            await redis.aclose()
            assert "is not known yet" in await said(first)

            async def known() -> bool:
                return "bytes behind" in await said(first)

            await eventually(known, deadline_s=30)
            await sees(first, r".* was not heard for \d+ s", redis_behind_max=MB, redis_lag_max_s=1)
        finally:
            os.kill(follower.pid, signal.SIGCONT)
        await sees(first, "primary")
        await sees(second, "replica")


@pytest.mark.campaign
@pytest.mark.timeout(600)
def test_ansible_runs_it(ansible: None, plant: Plant, tmp_path: Path) -> None:
    token, password = tmp_path / "api.token", tmp_path / "redis.password"
    token.write_text(TOKEN + "\n")
    password.write_text(PASSWORD + "\n")

    def run(**other: Any) -> dict[str, Any]:
        files = {"token_file": str(token), "redis_password_file": str(password), "timeout_s": 0}
        done = subprocess.run(
            [TOOLS / "ansible", "localhost", "-m", "triarch_gate", "-a", json.dumps(plant.params(**files | other))],
            cwd=ANSIBLE,
            env={"PATH": f"{TOOLS}:/usr/bin:/bin", "HOME": str(tmp_path), "LC_ALL": "C.UTF-8", "ANSIBLE_NOCOLOR": "1"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert " => " in done.stdout, done.stdout + done.stderr
        found: dict[str, Any] = yaml.safe_load(done.stdout.partition(" => ")[2])
        return found

    well = run()
    assert (well["changed"], well["leader"], well["behind"], well["redis"]) == (False, "n1", 10, "primary")
    plant.leader.answers["/v1/cluster"] = (503, {"detail": "no leader is known"})
    plant.redis.info["slave1"] = replica(offset=0)
    refused = run()
    assert refused["msg"] == "not well after 0 s: " + "; ".join(refused["wrong"])
    assert refused["wrong"] == [
        f"{plant.leader.api}/v1/cluster answers 503: no leader is known",
        f"Redis is the primary, and 1 of 2 replicas are in step; 10.0.0.2:6379 {UNKNOWN.format(20 * MB)}",
    ]
    assert run(behind_max=0, redis_behind_max=20 * MB)["wrong"] == refused["wrong"][:1]
    plant.node.answers["/v1/cluster"] = (200, {})
    assert "/v1/cluster is not answered as a node does: KeyError('members')" in run()["wrong"][0]
    assert "is Triarch deployed on this host?" in run(token_file=str(tmp_path / "absent"))["msg"]
