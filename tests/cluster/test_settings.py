"""Contradictory settings are refused by name."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from cluster import ClusterSettings, Member
from cluster.settings import is_loopback, split_address

LOOPBACK = tuple(Member(id=f"n{i}", address=f"127.0.0.1:710{i}") for i in (1, 2, 3))
REMOTE = tuple(Member(id=f"n{i}", address=f"10.0.0.{i}:7100") for i in (1, 2, 3))


def settings(**changes: Any) -> ClusterSettings:
    return ClusterSettings(**({"node_id": "n1", "members": LOOPBACK, "data_dir": Path("x")} | changes))


def test_the_defaults_are_those_that_were_measured() -> None:
    made = settings()
    assert (made.heartbeat_s, made.election_min_s, made.election_max_s, made.step_down_s) == (0.05, 0.35, 0.5, 0.4)
    assert (made.address, made.listen_address) == ("127.0.0.1:7101", "127.0.0.1:7101")
    assert settings(bind="127.0.0.2:7101").listen_address == "127.0.0.2:7101"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"node_id": "n9"}, "'n9' is not among the members"),
        ({"members": ()}, "not among the members"),
        ({"members": (*LOOPBACK, Member(id="n1", address="127.0.0.1:1"))}, "ids must be unique"),
        ({"members": (*LOOPBACK, Member(id="n4", address="127.0.0.1:7101"))}, "addresses must be unique"),
        ({"heartbeat_s": 0.12}, "must exceed three heartbeats"),
        ({"heartbeat_s": 0}, "greater than 0"),
        ({"election_max_s": 0.3}, "must be more than election_min_s"),
        ({"step_down_s": 0.05}, "must be more than heartbeat_s"),
        ({"step_down_s": 1.6}, "exceed takeover_budget_s"),
        ({"connection_timeout_s": 0.4}, "connection_timeout_s"),
        ({"bind": "nowhere"}, "host:port"),
        ({"bind": "0.0.0.0:7101"}, "reachable from other hosts"),
        ({"members": REMOTE}, "reachable from other hosts"),
        ({"secret": SecretStr("short")}, "at least 32 characters"),
        ({"colour": "red"}, "Extra inputs"),
        ({"cluster_name": ""}, "at least 1 character"),
    ],
)
def test_a_contradiction_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        settings(**changes)


def test_a_secret_opens_the_way_beyond_loopback_and_is_never_shown() -> None:
    made = settings(members=REMOTE, secret=SecretStr("s" * 32))
    assert "s" * 32 not in repr(made)
    assert settings(members=REMOTE, secret=SecretStr("s" * 32), bind="0.0.0.0:7100").listen_address == "0.0.0.0:7100"


@pytest.mark.parametrize("id", ["", "-a", "a b", "a" * 65])
def test_a_members_id_is_checked(id: str) -> None:
    with pytest.raises(ValidationError, match="an id is"):
        Member(id=id, address="127.0.0.1:1")


@pytest.mark.parametrize("address", ["", "host", "host:", ":1", "host:0", "host:65536", "host:x", "host:-1"])
def test_a_members_address_is_checked(address: str) -> None:
    with pytest.raises(ValidationError, match="host:port"):
        Member(id="a", address=address)


def test_addresses() -> None:
    assert split_address("[::1]:80") == ("::1", 80)
    assert [is_loopback(f"{host}:1") for host in ("localhost", "127.9.9.9", "[::1]")] == [True] * 3
    assert [is_loopback(f"{host}:1") for host in ("0.0.0.0", "db.example", "10.0.0.1")] == [False] * 3  # noqa: S104
