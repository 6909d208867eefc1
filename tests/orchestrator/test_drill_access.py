"""How hosts are reached, from what an inventory says."""

import json
from pathlib import Path

import pytest

from orchestrator.drills.targets.access import InventoryWrong, accesses
from orchestrator.drills.targets.inventory import ssh_defaults, with_defaults

PLAIN: dict[str, dict[str, object]] = {
    name: {"ansible_host": f"10.0.0.{at}"} for at, name in enumerate(("n1", "n2", "n3"), 11)
}


def listing(hostvars: dict[str, dict[str, object]]) -> dict[str, object]:
    return {
        "_meta": {"hostvars": hostvars},
        "all": {"children": ["ungrouped", "triarch"]},
        "triarch": {"children": ["east"], "hosts": [name for name in hostvars if name != "n3"]},
        "east": {"hosts": ["n3"]},
    }


def one(**variables: object) -> list[str]:
    """The ssh line of n1 with these variables."""
    hosts = accesses(listing({**PLAIN, "n1": {**PLAIN["n1"], **variables}}), inventory="/srv/inv/hosts.yml")
    return hosts[0].ssh(["-T"])


def refused(**variables: object) -> str:
    with pytest.raises(InventoryWrong) as caught:
        one(**variables)
    return str(caught.value)


def test_hosts_of_child_groups_belong_to_the_group() -> None:
    hosts = accesses(listing(PLAIN), inventory="/srv/hosts.yml")
    assert [(host.id, host.address) for host in hosts] == [
        ("n1", "10.0.0.11"),
        ("n2", "10.0.0.12"),
        ("n3", "10.0.0.13"),
    ]


def test_every_variable_of_the_connection_reaches_ssh() -> None:
    line = one(
        ansible_user="ops",
        ansible_port=2222,
        ansible_ssh_private_key_file="/keys/id",
        ansible_ssh_common_args="-F '/etc/a b/ssh_config' -o ProxyJump=gate",
        ansible_ssh_extra_args="-4",
    )
    assert line[-9:] == ["-4", "-p", "2222", "-l", "ops", "-i", "/keys/id", "--", "10.0.0.11"]
    assert line[line.index("-F") + 1] == "/etc/a b/ssh_config"
    assert "ProxyJump=gate" in line


def test_host_keys_are_checked_whatever_the_inventory_says() -> None:
    """The command takes the first value of an option."""
    line = one(ansible_ssh_common_args="-o StrictHostKeyChecking=no")
    assert line.index("StrictHostKeyChecking=yes") < line.index("StrictHostKeyChecking=no")


def test_what_shares_connections_for_ansible_is_left_out() -> None:
    line = one(ansible_ssh_args="-C -o ControlMaster=auto -oControlPersist=60s -o ControlPath=/tmp/x -o Port=9")
    assert not [word for word in line if word.lower().startswith(("control", "-ocontrol"))]
    assert line[line.index("-C") :][:3] == ["-C", "-o", "Port=9"]


def test_variables_of_the_inventory_are_put_into_values() -> None:
    line = one(ansible_ssh_common_args="-F {{ inventory_dir }}/ssh_config -o HostKeyAlias={{inventory_hostname}}")
    assert "/srv/inv/ssh_config" in line
    assert "HostKeyAlias=n1" in line


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"ansible_connection": "local"}, "by ssh only"),
        ({"ansible_become_password": "x"}, "types no passwords"),
        ({"ansible_become_method": "doas"}, "know sudo only"),
        ({"ansible_port": "ssh"}, "1 to 65535"),
        ({"ansible_ssh_common_args": "-F 'open"}, "ansible_ssh_common_args"),
        ({"ansible_host": "{{ lookup('env', 'H') }}"}, "only Ansible can fill in"),
        ({"ansible_host": "10.0.0.12"}, "the same address"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_host(variables: dict[str, object], says: str) -> None:
    text = refused(**variables)
    assert says in text
    assert "n1" in text


def test_fewer_than_three_hosts_are_refused_naming_those_found() -> None:
    with pytest.raises(InventoryWrong, match="found n1, n3"):
        accesses(listing({name: PLAIN[name] for name in ("n1", "n3")}), inventory="/srv/hosts.yml")
    with pytest.raises(InventoryWrong, match="found none"):
        accesses({}, inventory="/srv/hosts.yml")


def test_ansible_cfg_speaks_for_hosts_that_say_nothing(tmp_path: Path) -> None:
    configuration = tmp_path / "ansible.cfg"
    configuration.write_text("[defaults]\nremote_user = root\n[ssh_connection]\nssh_args = -F %d/c -C\n")
    defaults = ssh_defaults({"ANSIBLE_CONFIG": str(configuration), "ANSIBLE_PRIVATE_KEY_FILE": "/k"})
    hosts = accesses(with_defaults(listing({**PLAIN, "n2": {"ansible_host": "h2", "ansible_user": "ops"}}), defaults),
                     inventory="/srv/hosts.yml")  # fmt: skip
    assert [(host.user, host.key) for host in hosts] == [("root", "/k"), ("ops", "/k"), ("root", "/k")]
    assert hosts[0].arguments == ("-F", "%d/c", "-C")


def test_an_ansible_cfg_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "ansible.cfg").write_text("no section\n")
    with pytest.raises(InventoryWrong, match=r"ansible\.cfg: cannot be read"):
        ssh_defaults({"ANSIBLE_CONFIG": str(tmp_path)})


def test_a_listing_of_another_shape_is_no_crash() -> None:
    with pytest.raises(InventoryWrong):
        accesses(with_defaults(json.loads('{"triarch": {"hosts": []}}'), ssh_defaults({"ANSIBLE_CONFIG": "/nowhere"})),
                 inventory="/srv/hosts.yml")  # fmt: skip
