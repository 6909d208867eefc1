"""What the playbooks decide of hosts: where data may stand, and who lives where a majority is said to be lost."""

from typing import Any

from tests.deploy.filters import plugin

PLUGIN = plugin("filter_plugins/triarch_hosts.py")
SILENT = {"status": -1, "msg": "Connection refused"}
READY = {"status": 200, "json": {"node": "n3", "leader": "n2"}}
LOST = {"status": 503, "json": {"node": "n3", "leader": None}}
BALANCER = {"status": 502}


def test_data_stay_where_every_playbook_looks() -> None:
    unset = dict.fromkeys(PLUGIN.DATA)
    assert PLUGIN.triarch_moved(unset) == []
    assert PLUGIN.triarch_moved(PLUGIN.DATA) == []
    assert PLUGIN.triarch_moved(unset | {"triarch_redis_data_dir": "/var/lib/triarch/redis/"}) == []
    assert PLUGIN.triarch_moved(unset | {"triarch_redis_data_dir": "/srv/redis"}) == [
        "triarch_redis_data_dir is /srv/redis, and data stand in /var/lib/triarch/redis"
    ]


def lives(n2: dict[str, Any], n3: dict[str, Any], hosts: dict[str, dict[str, Any]]) -> list[str]:
    found: list[str] = PLUGIN.triarch_lives([n2 | {"item": "n2"}, n3 | {"item": "n3"}], "n1", hosts)
    return found


def test_hosts_that_nobody_reaches_are_lost() -> None:
    unreached = {"triarch_recover_itself": {"unreachable": True}, "triarch_recover_from_here": SILENT}
    assert lives(SILENT, SILENT, {"n2": {}, "n3": {}}) == []
    assert lives(SILENT, SILENT, {"n2": unreached, "n3": unreached}) == []


def test_a_node_that_answers_anybody_is_told_once_and_by_whom_it_was_seen() -> None:
    none: dict[str, Any] = {"n2": {}, "n3": {}}
    leads = "n3 answers n1 (200 of /readyz), and its leader is n2"
    assert lives(SILENT, READY, none) == [leads]
    cut_off = {"n2": {}, "n3": {"triarch_recover_itself": READY, "triarch_recover_from_here": READY}}
    assert lives(SILENT, SILENT, cut_off) == ["n3 answers itself (200 of /readyz), and its leader is n2"]
    without_ssh = {"n2": {}, "n3": {"triarch_recover_itself": {"unreachable": True}, "triarch_recover_from_here": LOST}}
    no_leader = "though it knows no leader (with n1 it is a majority, once they reach each other)"
    assert lives(SILENT, SILENT, without_ssh) == [f"n3 answers this machine (503 of /readyz), {no_leader}"]
    assert lives(BALANCER, SILENT, none) == [f"n2 answers n1 (502 of /readyz), {no_leader}"]
