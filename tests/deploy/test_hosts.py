"""What the playbooks decide of hosts: where data may stand, and who lives where a majority is said to be lost."""

from typing import Any

from tests.deploy.filters import plugin

PLUGIN = plugin("filter_plugins/triarch_hosts.py")
SILENT = {"status": -1, "msg": "Connection refused"}
READY = {"status": 200, "json": {"node": "n3", "leader": "n2"}}
LOST = {"status": 503, "json": {"node": "n3", "leader": None}}
BALANCER = {"status": 502}
TLS = {"status": -1, "msg": "[SSL: WRONG_VERSION_NUMBER] wrong version number"}
OPEN = {"state": "started", "port": 8101}
CLOSED = {"msg": "Timeout when waiting for 10.0.0.2:8101", "elapsed": 3}


def test_data_stay_where_every_playbook_looks() -> None:
    unset = dict.fromkeys(PLUGIN.DATA)
    assert PLUGIN.triarch_moved(unset) == []
    assert PLUGIN.triarch_moved(PLUGIN.DATA) == []
    assert PLUGIN.triarch_moved(unset | {"triarch_redis_data_dir": "/var/lib/triarch/redis/"}) == []
    assert PLUGIN.triarch_moved(unset | {"triarch_redis_data_dir": "/srv/redis"}) == [
        "triarch_redis_data_dir is /srv/redis, and data stand in /var/lib/triarch/redis"
    ]


def lives(n2: dict[str, Any], n3: dict[str, Any], hosts: dict[str, dict[str, Any]]) -> list[str]:
    ports = [{"item": "n2", **CLOSED}, {"item": "n3", **CLOSED}]
    found: list[str] = PLUGIN.triarch_lives([n2 | {"item": "n2"}, n3 | {"item": "n3"}], ports, "n1", hosts)
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


def test_a_node_that_is_asked_in_the_wrong_scheme_lives() -> None:
    answers = [TLS | {"item": "n2"}, TLS | {"item": "n3"}]
    unknown = "though nobody understood what it says (is triarch_api_scheme what the nodes speak?)"
    itself = {"triarch_recover_itself": TLS, "triarch_recover_itself_port": OPEN}
    cut_off = {"triarch_recover_itself": {"unreachable": True}, "triarch_recover_itself_port": {"unreachable": True}}
    from_here = cut_off | {"triarch_recover_from_here": TLS, "triarch_recover_from_here_port": OPEN}
    closed = [CLOSED | {"item": "n2"}, CLOSED | {"item": "n3"}]
    assert PLUGIN.triarch_lives(answers, closed, "n1", {"n2": itself, "n3": from_here}) == [
        f"n2 takes connections of itself on the port of its API, {unknown}",
        f"n3 takes connections of this machine on the port of its API, {unknown}",
    ]
    opened = [CLOSED | {"item": "n2"}, OPEN | {"item": "n3"}]
    assert PLUGIN.triarch_lives(answers, opened, "n1", {"n2": {}, "n3": cut_off}) == [
        f"n3 takes connections of n1 on the port of its API, {unknown}"
    ]
    assert PLUGIN.triarch_lives(answers, closed, "n1", {"n2": cut_off, "n3": cut_off}) == []
