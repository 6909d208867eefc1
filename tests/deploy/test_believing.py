"""Nodes believe HAProxy only where it is safe to: what is done about one that stands there before they are told to."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.controller import Controller
from tests.deploy.filters import plugin
from tests.lab.wheelhouses import releases

HOSTS = plugin("filter_plugins/triarch_hosts.py")
HEADERS = plugin("roles/triarch_haproxy/filter_plugins/triarch_headers.py")
OLD = """defaults
    option forwardfor

listen triarch-leader
    bind :8100
    server n1 192.0.2.11:8101 check

listen triarch-any
    bind :8200
    http-request del-header X-Forwarded-For
    http-request del-header Forwarded
"""
"""As an earlier playbook wrote it, and what a person may have mended of it."""
ANOTHERS = "listen shop\n    bind :80\n"
SYSTEMCTL = """#!/bin/sh
echo "$*" >> {place}/asked
case "$*" in
show*) echo LoadState=loaded; echo ActiveState=active ;;
*reload*) exec test -e {place}/reloads ;;
esac
"""
NODES = """
- hosts: triarch
  gather_facts: false
  tasks:
    - ansible.builtin.set_fact: {triarch_preflight_primary: 192.0.2.11}
      when: inventory_hostname == 'n2'

- ansible.builtin.import_playbook: proxies.yml
  vars:
    triarch_haproxy_after_preflight: true

- hosts: triarch
  gather_facts: false
  connection: local
  tasks:
    - ansible.builtin.import_role: {name: triarch_node, tasks_from: believed}
    - ansible.builtin.template:
        src: roles/triarch_node/templates/node.yaml.j2
        dest: "{{ playbook_dir }}/{{ inventory_hostname }}.node.yaml"
        mode: "0644"
"""


class Hosts:
    """Those of HAProxy, each a folder of this machine that stands for its root; HAProxy of `names` is one of before."""

    def __init__(self, controller: Controller, names: list[str]) -> None:
        self.controller = controller
        self.place = controller.ansible / "proxies"
        for path in (controller.ansible / "roles/triarch_haproxy/tasks").glob("*.yml"):
            text = re.sub(
                r": (?:/usr/sbin/(?=haproxy)|(?=/etc/haproxy))(\S.*)", r': "{{ place }}/\1"', path.read_text()
            )
            path.write_text(text)
        playbook = controller.ansible / "proxies.yml"
        environment = 'environment: {PATH: "{{ place | default(playbook_dir) }}:/usr/bin:/bin"}'
        playbook.write_text(
            playbook.read_text().replace("  gather_facts: false\n", f"  gather_facts: false\n  {environment}\n")
        )
        believed = controller.ansible / "roles/triarch_node/tasks/believed.yml"
        own = '"{{ playbook_dir }}/{{ inventory_hostname }}.node.yaml"'
        believed.write_text(believed.read_text().replace("/etc/triarch/node.yaml", own))
        (controller.ansible / "whole.yml").write_text(NODES)
        self.hosts: dict[str, dict[str, Any]] = {}
        for at, name in enumerate(names):
            self.hosts[name] = {"place": str(self.place / name), "ansible_connection": "local"}
            if name not in ("n1", "n2", "n3"):
                self.hosts[name]["triarch_address"] = f"192.0.2.{20 + at}"
            self.file(name).parent.mkdir(parents=True)
            self.file(name).write_text(OLD)
            self.script(name, "haproxy", "#!/bin/sh\nexit 0\n")
            self.script(name, "systemctl", SYSTEMCTL.format(place=self.place / name))
            (self.place / name / "reloads").touch()

    def file(self, name: str) -> Path:
        return self.place / name / "etc/haproxy/haproxy.cfg"

    def script(self, name: str, program: str, text: str) -> None:
        path = self.place / name / program
        path.write_text(text)
        path.chmod(0o755)

    def reloads(self, name: str) -> int:
        log = self.place / name / "asked"
        return sum("reload" in line.split() for line in log.read_text().splitlines()) if log.exists() else 0

    def run(self, *words: str) -> tuple[list[str], str]:
        """Whom every node believes then, and what was said."""
        said = self.play(*words)
        believed = self.believed()
        assert believed[1:] == believed[:-1], believed
        return (believed or [[]])[0], said

    def play(self, *words: str) -> str:
        """What was said."""
        version = list(releases())[-1]
        more = {"triarch_haproxy": {"hosts": self.hosts}, "triarch": {"vars": {"triarch_version": version}}}
        (self.controller.ansible / "more.yml").write_text(yaml.safe_dump(more))
        inventories = ("--inventory", "inventories/production", "--inventory", "more.yml")
        interpreter = "ansible_python_interpreter=/usr/bin/python3"
        said = self.controller.play(*inventories, "-e", "triarch_secrets={}", "-e", interpreter, *words, "whole.yml")
        assert said.status == 0, said.out
        return said.words

    def believed(self) -> list[list[str]]:
        """Whom each node believes that has been configured."""
        found = [yaml.safe_load(path.read_text()) for path in sorted(self.controller.ansible.glob("n?.node.yaml"))]
        return [node["api"].get("trusted_proxies", []) for node in found]


def test_a_configuration_is_known_that_passes_on_what_clients_say() -> None:
    mended = OLD.replace(
        "8100\n", "8100\n    http-request del-header X-Forwarded-For\n    http-request del-header Forwarded\n"
    )
    assert HEADERS.triarch_passes_on(OLD)
    assert not HEADERS.triarch_passes_on(mended)
    assert HEADERS.triarch_passes_on(mended.replace("    http-request del-header Forwarded\n", "", 1))
    assert HEADERS.triarch_passes_on(mended.replace("    http-request del", "    #http-request del", 1))
    assert not HEADERS.triarch_passes_on(ANOTHERS)
    assert not HEADERS.triarch_passes_on("")


def test_a_proxy_that_is_not_safe_or_cannot_be_told_is_not_believed() -> None:
    hosts: list[dict[str, Any]] = [
        {"inventory_hostname": "lb1", "ansible_host": "192.0.2.20"},
        {"inventory_hostname": "lb2", "ansible_host": "192.0.2.21", "triarch_haproxy_unsafe": True},
        {"inventory_hostname": "lb3", "ansible_host": "127.0.0.1"},
        {"inventory_hostname": "lb.example.com"},
        {"inventory_hostname": "lb5", "ansible_host": "lb5.example.com", "triarch_address": "2001:db8::20"},
    ]
    looked = [{**host, "triarch_haproxy_looked": True} for host in hosts]
    assert HOSTS.triarch_believed(looked, []) == ["192.0.2.20", "2001:db8::20"]
    assert HOSTS.triarch_believed(looked, ["192.0.2.21", "127.0.0.1"]) == ["192.0.2.20", "2001:db8::20"]
    assert HOSTS.triarch_unlooked(looked, []) == []
    # Nobody looked: who was believed is, and nobody else.
    assert HOSTS.triarch_believed(hosts, []) == []
    assert HOSTS.triarch_believed(hosts, ["192.0.2.20", "192.0.2.21", "127.0.0.1"]) == ["192.0.2.20"]
    assert HOSTS.triarch_unlooked(hosts, []) == ["lb1", "lb5"]
    assert HOSTS.triarch_unlooked(hosts, ["2001:db8::20"]) == ["lb1"]


@pytest.mark.parametrize("node", ["", "{", "[]", "api:", "api: {}", "api: {trusted_proxies: 7}"])
def test_a_node_without_a_file_that_can_be_read_believes_nobody(node: str) -> None:
    assert HOSTS.triarch_trusts(node) == []
    assert HOSTS.triarch_trusts("api: {trusted_proxies: [10.0.0.0/8, 192.0.2.20]}") == ["10.0.0.0/8", "192.0.2.20"]


@pytest.mark.campaign
@pytest.mark.timeout(600)
class TestPlaybooks:
    @pytest.mark.parametrize(
        "playbook", ["site.yml", "deploy.yml", "upgrade.yml", "rotate-secrets.yml", "restore.yml", "replace-host.yml"]
    )
    def test_haproxy_is_looked_at_before_a_node_is_told_to_believe_it(
        self, playbook: str, controller: Controller
    ) -> None:
        said = controller.play("--inventory", "inventories/example/hosts.yml", "--list-tasks", playbook)
        tasks = [line.split("\tTAGS:")[0].strip() for line in said.out.splitlines() if line.strip()]
        looked = tasks.index("triarch_haproxy : It is taken up")
        assert tasks.index("triarch_preflight : Where the frames are now") < looked
        writes = ("triarch_node : Configuration", "Files of the node")
        written = [at for at, task in enumerate(tasks) if task.startswith(writes)]
        assert written, said.out
        assert looked < min(written)

    def test_one_of_before_is_mended_first_and_only_once(self, controller: Controller) -> None:
        hosts = Hosts(controller, ["lb1", "lb2"])
        hosts.file("lb2").write_text(ANOTHERS)
        believed, said = hosts.run("--check")
        assert (believed, hosts.file("lb1").read_text(), hosts.reloads("lb1")) == ([], OLD, 0), said
        for changed in (True, False):
            believed, said = hosts.run()
            assert believed == ["192.0.2.20", "192.0.2.21"], said
            assert (re.search(r"lb1 : ok=\d+ changed=0 ", said) is None) is changed, said
            assert not HEADERS.triarch_passes_on(hosts.file("lb1").read_text())
            assert hosts.reloads("lb1") == 1
        assert (hosts.file("lb2").read_text(), hosts.reloads("lb2")) == (ANOTHERS, 0)

    @pytest.mark.soak
    def test_one_that_cannot_be_mended_is_not_believed_and_stops_nothing(self, controller: Controller) -> None:
        hosts = Hosts(controller, ["invalid", "unread", "away", "n3", "new"])
        hosts.script("invalid", "haproxy", "#!/bin/sh\nexit 1\n")
        (hosts.place / "unread/reloads").unlink()
        hosts.hosts["away"]["ansible_connection"] = "ssh"
        hosts.script("n3", "haproxy", "#!/bin/sh\nexit 1\n")
        hosts.file("new").unlink()
        for _ in range(2):  # what was not taken up is not taken for good the next time
            believed, said = hosts.run()
            assert believed == ["192.0.2.24"], said
            for name in ("invalid", "unread", "away", "n3"):
                assert f"WARNING: HAProxy of {name} was not brought up to date" in said, said
                assert hosts.file(name).read_text() == OLD
            assert "HAProxy of new" not in said
        (hosts.place / "unread/reloads").touch()
        assert set(hosts.run()[0]) == {"192.0.2.21", "192.0.2.24"}

    @pytest.mark.soak
    def test_limit_changes_nobody_that_a_node_believes(self, controller: Controller) -> None:
        hosts = Hosts(controller, ["lb1", "lb2"])
        said = hosts.play("--limit", "n1")  # the first run of all: its HAProxy may pass on what clients say
        assert hosts.believed() == [[]]
        assert "WARNING: this run did not look at HAProxy of lb1, lb2" in said, said
        assert "which n1 did not believe before" in said, said
        assert hosts.file("lb1").read_text() == OLD
        assert hosts.play("--limit", "n1,lb1,n2").count("HAProxy of lb2") == 2  # of n1 and of n2
        assert hosts.believed() == [["192.0.2.20"]] * 2
        both = ["192.0.2.20", "192.0.2.21"]
        assert hosts.run()[0] == both
        for more in ([], ["--check", "--diff"]):
            said = hosts.play("--limit", "n1", *more)
            assert "WARNING" not in said, said
            assert re.search(r"n1 : ok=\d+ changed=0 ", said), said
            assert hosts.believed() == [both] * 3
        hosts.file("lb2").write_text(OLD)
        hosts.script("lb2", "haproxy", "#!/bin/sh\nexit 1\n")
        assert hosts.run()[0] == ["192.0.2.20"]
        # One that a whole run found unsafe does not come back, and one that is out of the group goes.
        del hosts.hosts["lb1"]
        hosts.play("--limit", "n1")
        assert hosts.believed() == [[], ["192.0.2.20"], ["192.0.2.20"]]
