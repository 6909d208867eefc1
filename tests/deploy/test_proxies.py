"""Whose word the nodes take about who asks: that of HAProxy's hosts, which pass on nobody else's."""

import re
from typing import Any

import pytest
import yaml

from tests.deploy.controller import Controller
from tests.deploy.filters import plugin
from tests.lab.wheelhouses import releases

HOSTS = plugin("filter_plugins/triarch_hosts.py")
REFUSALS = plugin("roles/triarch_preflight/filter_plugins/triarch_refusals.py")
WRITTEN = """
- hosts: {group}
  gather_facts: false
  connection: local
  tasks:
    - ansible.builtin.import_role: {{name: {role}, tasks_from: nothing}}
    - ansible.builtin.template:
        src: roles/{role}/templates/{template}
        dest: "{{{{ playbook_dir }}}}/{{{{ inventory_hostname }}}}.{template}"
        mode: "0644"
"""
"""A role's template, written here as the role writes it on a host."""


def test_those_a_person_set_are_kept_and_nobody_is_named_twice() -> None:
    assert HOSTS.triarch_proxies([], []) == []
    assert HOSTS.triarch_proxies(["192.0.2.20", "2001:db8::20"], ["10.0.0.0/8", "192.0.2.20"]) == [
        *("10.0.0.0/8", "192.0.2.20", "2001:db8::20")
    ]


@pytest.mark.parametrize("address", ["lb.example.com", "127.0.0.1", "::1", "0.0.0.0", "192.0.2.0/24"])  # noqa: S104
def test_a_proxy_that_the_nodes_could_not_tell_is_refused(address: str) -> None:
    (only,) = REFUSALS.triarch_proxy_refusals({"lb": address, "other": "192.0.2.20", "sixth": "2001:db8::20"})
    assert only.startswith(f"lb: {address!r} is no IP address from which HAProxy there could ask the nodes")


def written(controller: Controller, role: str, template: str, proxies: dict[str, Any], **variables: Any) -> list[str]:
    """What the role `role` writes on each of its hosts, with `proxies` in the group of HAProxy, looked at."""
    version = list(releases())[-1]
    looked = {name: {**proxy, "triarch_haproxy_looked": True} for name, proxy in proxies.items()}
    more = {"triarch_haproxy": {"hosts": looked}, "triarch": {"vars": {"triarch_version": version, **variables}}}
    (controller.ansible / "more.yml").write_text(yaml.safe_dump(more))
    (controller.ansible / "roles" / role / "tasks/nothing.yml").write_text("[]\n")
    group = "triarch_haproxy" if role == "triarch_haproxy" else "triarch"
    (controller.ansible / "written.yml").write_text(WRITTEN.format(group=group, role=role, template=template))
    secrets = "triarch_secrets={}"
    inventories = ("--inventory", "inventories/production", "--inventory", "more.yml")
    said = controller.play(*inventories, "-e", secrets, "written.yml")
    assert said.status == 0, said.out
    return [path.read_text() for path in sorted(controller.ansible.glob(f"*.{template}"))]


@pytest.mark.campaign
@pytest.mark.timeout(600)
def test_every_node_trusts_every_host_of_haproxy_and_whom_a_person_lists(controller: Controller) -> None:
    proxies = {
        "lb1": {"ansible_host": "192.0.2.20"},
        "lb2": {"ansible_host": "lb2.example.com", "triarch_address": "2001:db8::20"},
        "n3": {},
    }
    settings = {"api": {"trusted_proxies": ["10.0.0.0/8", "192.0.2.20"], "connections_max": 8192}}
    found = written(controller, "triarch_node", "node.yaml.j2", proxies, triarch_node_settings=settings)
    for text in found:
        api = yaml.safe_load(text)["api"]
        assert api["trusted_proxies"] == ["10.0.0.0/8", "192.0.2.20", "2001:db8::20", "192.0.2.13"]
        assert (api["connections_max"], api["token_file"]) == (8192, "/etc/triarch/secrets/api.token")
    assert len(found) == 3


@pytest.mark.campaign
@pytest.mark.timeout(600)
def test_without_haproxy_a_node_trusts_nobody_or_whom_a_person_lists(controller: Controller) -> None:
    for text in written(controller, "triarch_node", "node.yaml.j2", {}):
        assert "trusted_proxies" not in yaml.safe_load(text)["api"]
    settings = {"api": {"trusted_proxies": ["10.0.0.9"]}}
    for text in written(controller, "triarch_node", "node.yaml.j2", {}, triarch_node_settings=settings):
        assert yaml.safe_load(text)["api"]["trusted_proxies"] == ["10.0.0.9"]


@pytest.mark.campaign
@pytest.mark.timeout(600)
def test_haproxy_says_who_asks_and_passes_on_nothing_that_clients_say_of_it(controller: Controller) -> None:
    (text,) = written(controller, "triarch_haproxy", "haproxy.cfg.j2", {"lb": {"triarch_haproxy_any_bind": ":8200"}})
    head, *listening = re.split(r"^listen (?=\S+$)", text, flags=re.MULTILINE)
    assert "    option forwardfor\n" in head
    assert [one.split()[0] for one in listening] == ["triarch-leader", "triarch-any"]
    for one in listening:
        for header in ("X-Forwarded-For", "Forwarded"):
            assert one.count(f"    http-request del-header {header}\n") == 1, one


@pytest.mark.campaign
@pytest.mark.timeout(600)
def test_a_host_of_haproxy_without_an_address_is_refused_before_a_host_is_asked(controller: Controller) -> None:
    newest = list(releases())[-1]
    controller.has_wheelhouse("wheelhouse", newest)
    more = controller.ansible / "more.yml"
    for address, refused in (("", True), ("192.0.2.20", False)):
        hosts = {"lb": {"triarch_address": address}}
        more.write_text(yaml.safe_dump({"triarch_haproxy": {"hosts": hosts}}))
        said = controller.play("--inventory", "inventories/production", "--inventory", "more.yml", "site.yml")
        assert ("lb: 'lb' is no IP address" in said.words) is refused, said.out
        assert said.asked_hosts is not refused, said.out


@pytest.mark.campaign
@pytest.mark.timeout(600)
def test_a_lost_host_does_not_wait_for_the_address_of_haproxy(controller: Controller) -> None:
    controller.has_wheelhouse("wheelhouse", list(releases())[-1])
    controller.lost(["n3"])
    (controller.ansible / "more.yml").write_text(yaml.safe_dump({"triarch_haproxy": {"hosts": {"lb": {}}}}))
    inventories = ("--inventory", "inventories/production", "--inventory", "more.yml")
    said = controller.play(*inventories, "replace-host.yml", triarch_lost="n3")
    assert said.asked_hosts, said.out
    assert "WARNING: the nodes do not believe it yet: lb: ''lb'' is no IP address" in said.words, said.out
    # None of the three was reached: HAProxy is left as it is.
    assert "WARNING: HAProxy of lb" not in said.words, said.out
    assert not controller.play(*inventories, "site.yml").asked_hosts
