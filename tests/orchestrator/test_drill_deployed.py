"""What a deployed plant is, from the settings on its hosts."""

from typing import Any

import pytest

from orchestrator.drills.targets.deployed import DeploymentWrong, deployed, host_of, one_plant

ETC = "/etc/triarch"


def settings(node: str, **redis: Any) -> dict[str, Any]:
    ids = ("n1", "n2", "n3")
    return {
        "node": {"id": node},
        "cluster": {
            "members": [
                {"id": name, "raft": f"10.0.0.1{at}:7101", "api": f"http://10.0.0.1{at}:8101/"}
                for at, name in enumerate(ids, 1)
            ]
        },
        "api": {"token_file": "/etc/triarch/secrets/api.token", "ca_file": "tls/ca.pem"},
        "redis": redis
        or {
            "mode": "sentinel",
            "sentinels": ["10.0.0.11:26379", "[fd00::12]:26379"],
            "service": "frames",
            "password_file": "secrets/redis.password",
            "durability": 1,
        },
    }


def test_everything_that_a_drill_needs_is_in_the_settings() -> None:
    found = deployed(settings("n1"), host="n1", directory=ETC)
    assert found.node_id == "n1"
    assert [(one.id, one.raft_host, one.api) for one in found.members][2] == (
        "n3",
        "10.0.0.13",
        "http://10.0.0.13:8101",
    )
    assert found.redis_url == "redis+sentinel://10.0.0.11:26379,[fd00::12]:26379/frames"
    assert found.sentinel_hosts == ("10.0.0.11", "fd00::12")
    assert (found.durability, found.token_file) == ("1", "/etc/triarch/secrets/api.token")
    assert (found.password_file, found.ca_file) == ("/etc/triarch/secrets/redis.password", "/etc/triarch/tls/ca.pem")
    assert found.sentinel_password_file is None


def test_one_server_by_its_url_is_a_plant_too() -> None:
    found = deployed(settings("n1", mode="url", url="redis://r:6379/0"), host="n1", directory=ETC)
    assert (found.redis_url, found.sentinels) == ("redis://r:6379/0", ())


@pytest.mark.parametrize(
    ("tree", "says"),
    [
        (None, "are no tree"),
        ({"node": {"id": "n1"}}, "lack 'cluster'"),
        ({**settings("n1"), "cluster": {"members": [{"id": "n1"}]}}, "lack 'raft'"),
        ({**settings("n1"), "cluster": {"members": settings("n1")["cluster"]["members"][:1]}}, "needs three"),
        (settings("n1", mode="embedded"), "redis.mode is embedded"),
    ],
)
def test_settings_that_cannot_be_drilled_are_refused_with_the_host(tree: Any, says: str) -> None:
    with pytest.raises(DeploymentWrong, match=f"n1: .*{says}"):
        deployed(tree, host="n1", directory=ETC)


def test_an_address_that_leads_to_another_host_is_found() -> None:
    found = {name: deployed(settings(name), host=name, directory=ETC) for name in ("n1", "n2", "n3")}
    one_plant(found)
    with pytest.raises(DeploymentWrong, match="the inventory's n2 is the node n3"):
        one_plant({**found, "n2": found["n3"]})
    with pytest.raises(DeploymentWrong, match="n3 of the cluster's members are not in the inventory"):
        one_plant({name: found[name] for name in ("n1", "n2")})


def test_hosts_of_two_clusters_are_refused() -> None:
    found = {name: deployed(settings(name), host=name, directory=ETC) for name in ("n1", "n2", "n3")}
    other = settings("n3")
    other["cluster"]["members"][0]["id"] = "m1"
    with pytest.raises(DeploymentWrong, match="different clusters"):
        one_plant({**found, "n3": deployed(other, host="n3", directory=ETC)})


def test_the_host_of_a_server_is_known_by_its_address() -> None:
    found = deployed(settings("n1"), host="n1", directory=ETC)
    assert host_of("10.0.0.12", found.members) == "n2"
    assert host_of("10.9.9.9", found.members) is None
