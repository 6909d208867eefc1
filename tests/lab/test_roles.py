"""What the roles promise of a host: sandboxed and watched units, closed ports, closed secrets; and new ones."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from tests.lab.deployment import Deployment
from tests.lab.hosts.lab import API_CLIENT
from tests.lab.hosts.running import run
from tests.lab.rolling import secrets_of
from tests.support import eventually_sync

UNITS = ("triarch-node", "triarch-redis", "triarch-sentinel", "triarch-firewall")
STRANGER = 77
"""Last number of an address that nobody lists as a client."""
ECHO = (
    'import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.bind(("", 5555)); '
    "[s.sendto(*s.recvfrom(99)) for _ in iter(int, 1)]"
)
"""A service over UDP that a host may have beside us."""
ASK_ECHO = """
import socket, sys, time
s = socket.socket(type=socket.SOCK_DGRAM)
s.bind((sys.argv[1], 0))
s.settimeout(0.2)
end = time.monotonic() + 10
while time.monotonic() < end:
    s.sendto(b"heard", (sys.argv[2], 5555))
    try:
        print(s.recv(99).decode())
        break
    except TimeoutError:
        pass
"""
PORTS = {7101: "raft", 8101: "api", 6379: "redis", 26379: "sentinel"}


def test_units_are_sandboxed(deployed: Deployment) -> None:
    for unit in UNITS:
        said = deployed.lab.host("n2").ssh(f"systemd-analyze security --no-pager {unit} | tail -1")
        found = re.search(r"exposure level for \S+: ([\d.]+)", said)
        assert found is not None, said
        assert float(found[1]) <= 2.5, said


def test_secrets_are_closed_and_no_process_or_journal_shows_them(deployed: Deployment) -> None:
    for host in deployed.lab.hosts():
        modes = host.ssh("stat -c '%a %U' /etc/triarch/secrets/*").splitlines()
        assert modes == ["400 triarch"] * 3
        # Read on the host, so that they pass through no log of a test.
        found = host.ssh(
            "for f in /etc/triarch/secrets/*; do { cat /proc/[0-9]*/cmdline | tr '\\0' ' '; "
            "journalctl --no-pager -q; } 2>/dev/null | grep -cF -f $f || true; done"
        )
        assert found.split() == ["0", "0", "0"]


def test_a_node_that_is_stopped_is_ended_with_a_trace_and_started_again(deployed: Deployment) -> None:
    host = deployed.lab.host("n3")
    shown = "systemctl show -p MainPID -p NRestarts --value triarch-node"
    pid, restarts = host.ssh(shown).split()
    host.ssh(f"kill -STOP {pid}")
    assert host.ssh(f"cut -d' ' -f3 /proc/{pid}/stat").strip() == "T"

    def another() -> bool:
        now, count = host.ssh(shown).split()
        return now not in ("0", pid) and int(count) == int(restarts) + 1

    eventually_sync(another, deadline_s=60, every_s=0.2)
    journal = host.ssh("journalctl -u triarch-node --no-pager -n 300")
    assert "Failed with result 'watchdog'" in journal
    assert "most recent call first" in journal
    deployed.ready()
    assert "ready" in host.ssh("systemctl show -p StatusText --value triarch-node")


@contextmanager
def machine(deployment: Deployment, number: int) -> Iterator[str]:
    """Another machine on the same network, by its address there."""
    told = deployment.lab.told()
    address = f"{told.controller.rpartition('.')[0]}.{number}"
    run("ip", "address", "add", f"{address}/32", "dev", told.bridge)
    try:
        yield address
    finally:
        run("ip", "address", "del", f"{address}/32", "dev", told.bridge)


def test_ports_are_open_to_hosts_and_clients_only(deployed: Deployment) -> None:
    host, other = deployed.lab.host("n1"), deployed.lab.host("n2")
    # Connections to all ports at once: those that are dropped are waited for together.
    code = (
        "import asyncio, sys\n"
        "async def reached(port):\n"
        "    try:\n"
        "        async with asyncio.timeout(0.5):\n"
        "            await asyncio.open_connection(sys.argv[2], port, local_addr=(sys.argv[1], 0))\n"
        "    except OSError:\n"
        "        return\n"
        "    print(port)\n"
        "async def main():\n"
        "    await asyncio.gather(*[reached(int(port)) for port in sys.argv[3:]])\n"
        "asyncio.run(main())\n"
    )

    def open_from(source: str) -> set[str]:
        said = run("python3", "-c", code, source, host.address, *map(str, PORTS))
        return {PORTS[int(port)] for port in said.split()}

    def dropped() -> int:
        found = re.search(r"counter packets (\d+) bytes \d+ drop", host.ssh("nft list table inet triarch"))
        assert found is not None
        return int(found[1])

    before = dropped()
    with machine(deployed, STRANGER) as stranger:
        assert open_from(stranger) == set()
        # What is not TCP is not the matter of these rules.
        host.ssh(f"systemd-run --unit triarch-test-echo --collect python3 -c '{ECHO}'")
        try:
            assert run("python3", "-c", ASK_ECHO, stranger, host.address).strip() == "heard"
        finally:
            host.ssh("systemctl stop triarch-test-echo")
    assert dropped() >= before + len(PORTS)
    with machine(deployed, API_CLIENT) as client:
        assert open_from(client) == {"api"}
    assert open_from(deployed.lab.told().controller) == {"api", "redis", "sentinel"}
    for port in PORTS:
        assert other.ask(f"timeout 3 bash -c '</dev/tcp/{host.address}/{port}'").status == 0


def test_rules_that_others_flush_come_back(deployed: Deployment) -> None:
    host = deployed.lab.host("n1")
    there, doctor = "nft list table inet triarch", "triarch doctor --config /etc/triarch/node.yaml"
    assert "flush ruleset" in host.ssh("cat /etc/nftables.conf")
    for verb in ("restart", "reload"):
        host.ssh(f"nft delete table inet triarch; systemctl {verb} nftables")
        assert host.ask(there).status == 0, verb
    assert "somebody flushed all rules" not in host.ask(doctor).out
    # By hand nobody puts them back, and the unit goes on saying that all is well: doctor and playbook look.
    host.ssh("nft flush ruleset")
    try:
        assert host.ask(there).status != 0
        assert host.ssh("systemctl is-active triarch-firewall").strip() == "active"
        said = host.ask(doctor)
        assert said.status != 0
        assert "somebody flushed all rules" in said.out
    finally:
        again = deployed.play("site.yml", "--tags", "firewall")
    assert again.recap["n1"]["changed"] > 0
    assert again.recap["n2"]["changed"] == 0
    assert host.ask(there).status == 0
    host.ssh("systemctl stop nftables; systemctl start triarch-firewall")
    assert host.ask(there).status == 0


BEFORE = "# what a person wrote\nglobal\n    maxconn 77\n    stats socket /run/haproxy/admin.sock\n"


@pytest.fixture
def balanced(deployed: Deployment, tmp_path: Path) -> Iterator[tuple[str, ...]]:
    """Options with which `lb`, a host outside the group triarch, gets HAProxy: it is n2 under another name, and nothing
    that is said to the three reaches it. Afterwards its host is as it was.
    """
    host = deployed.lab.host("n2")
    more = tmp_path / "haproxy.yml"
    more.write_text(
        yaml.safe_dump(
            {
                "triarch": {"vars": {"triarch_wheelhouse": str(deployed.wheelhouse)}},
                "triarch_haproxy": {"hosts": {"lb": {"ansible_host": host.address}}},
            }
        )
    )
    host.ssh(
        "cp -a /etc/haproxy/haproxy.cfg /run/haproxy.cfg.distribution; cat >/etc/haproxy/haproxy.cfg", given=BEFORE
    )
    try:
        yield "--inventory", str(more), "--tags", "haproxy"
    finally:
        host.ssh(
            "systemctl disable --now haproxy; mv -f /run/haproxy.cfg.distribution /etc/haproxy/haproxy.cfg; "
            "rm -rf /etc/haproxy/haproxy.cfg.*~ /etc/systemd/system/haproxy.service.d; systemctl daemon-reload",
            check=False,
        )


def test_haproxy_on_a_host_outside_follows_the_leader_and_is_taken_away_again(
    deployed: Deployment, balanced: tuple[str, ...]
) -> None:
    host = deployed.lab.host("n2")

    def leader() -> str:
        said = host.ask("curl -s --max-time 3 http://127.0.0.1:8100/leader").out
        found: str = json.loads(said)["node"]
        return found

    deployed.play("site.yml", *balanced, wheelhouse=False)
    eventually_sync(lambda: '"leader"' in host.ask("curl -sf http://127.0.0.1:8100/leader").out, deadline_s=20)
    before = leader()
    host.ssh("triarch cluster transfer")
    eventually_sync(
        lambda: '"leader"' in host.ask("curl -sf http://127.0.0.1:8100/leader").out and leader() != before,
        deadline_s=20,
    )
    # Any path arrives there: this one every node would answer, and it is the leader that does.
    alive = json.loads(host.ssh("curl -sf http://127.0.0.1:8100/healthz"))
    assert alive["node"] == leader()
    again = deployed.play("site.yml", *balanced, wheelhouse=False)
    assert again.changed_tasks() == [], "its own port is not another's"

    deployed.play("remove.yml", *balanced, *deployed.confirmed(), wheelhouse=False)
    assert host.ssh("cat /etc/haproxy/haproxy.cfg") == BEFORE
    assert host.ssh("ls /etc/haproxy; ls -d /etc/systemd/system/haproxy.service.d 2>/dev/null || true").split() == [
        "errors",
        "haproxy.cfg",
    ]
    assert host.ask("systemctl is-active haproxy").out.strip() == "inactive"
    assert host.ask("systemctl is-enabled haproxy").out.strip() == "disabled"
    assert deployed.unready() == "", "the cluster is not touched"


@pytest.mark.soak
def test_who_asks_through_haproxy_is_named_in_the_audit(deployed: Deployment, balanced: tuple[str, ...]) -> None:
    host = deployed.lab.host("n2")
    said = {"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9"}
    headers = {"Authorization": f"Bearer {secrets_of(deployed)['api_token']}", **said}
    try:
        deployed.play("site.yml", *balanced, "--tags", "node", wheelhouse=False)
        deployed.ready()
        with (
            machine(deployed, API_CLIENT) as address,
            httpx.Client(
                base_url=f"http://{host.address}:8100",
                headers=headers,
                transport=httpx.HTTPTransport(local_address=address),
                timeout=20,
            ) as client,
        ):
            eventually_sync(lambda: client.get("/leader").status_code == 200, deadline_s=20)
            put = client.put("/v1/variables/through_haproxy", json={"value": 1})
            assert put.is_success, put.text
            # Past HAProxy nobody is believed.
            deleted = client.delete(f"http://{host.address}:8101/v1/variables/through_haproxy")
            assert deleted.is_success, deleted.text
            entries = client.get("/v1/audit", params={"id": "through_haproxy"}).json()["entries"]
            assert [entry["kind"] for entry in entries] == ["variable.delete", "variable.set"]
            assert {entry["actor"]["address"] for entry in entries} == {address}
    finally:
        deployed.play("site.yml", "--tags", "node")  # they trust nobody again
        deployed.ready()


def test_haproxy_goes_to_the_port_of_the_nodes_and_refuses_one_that_another_program_has(
    deployed: Deployment, balanced: tuple[str, ...]
) -> None:
    host = deployed.lab.host("n2")
    host.ssh("systemd-run -q --unit=takes-8100 python3 -m http.server 8100")
    try:
        eventually_sync(lambda: host.ask("curl -sf http://127.0.0.1:8100/").status == 0, deadline_s=20)
        run = deployed.play("site.yml", *balanced, check=False, wheelhouse=False)
        assert run.status != 0
        assert re.search(r"lb: :8100 is taken by python3 \(pid \d+\)", " ".join(run.out.split())), run.end()
        assert run.count("changed") == 0
    finally:
        host.ssh("systemctl stop takes-8100")
    elsewhere = ("--extra-vars", "triarch_api_port=8109")
    looked = deployed.play("site.yml", *balanced, *elsewhere, "--check", "--diff", wheelhouse=False)
    assert all(f"server {one.name} {one.address}:8109 check" in looked.out for one in deployed.lab.hosts())
    assert host.ssh("cat /etc/haproxy/haproxy.cfg") == BEFORE


@pytest.mark.soak
def test_a_new_password_of_redis_pauses_nothing_and_shuts_the_old_one_out(deployed: Deployment) -> None:
    place = deployed.lab.place / "inventory/secrets.yml"
    old = yaml.safe_load(place.read_text())
    deployed.play("rotate-secrets.yml", "--extra-vars", '{"triarch_rotate": ["redis_password"]}')
    new = yaml.safe_load(place.read_text())
    assert {name for name in old if old[name] != new[name]} == {"redis_password"}
    assert not place.with_name("secrets.yml.new").exists()
    deployed.ready()
    for host in deployed.lab.hosts():
        for password, answer in ((old["redis_password"], "WRONGPASS"), (new["redis_password"], "PONG")):
            said = host.ask("read -r REDISCLI_AUTH; export REDISCLI_AUTH; redis-cli ping 2>&1", given=password + "\n")
            assert answer in said.out, said
    again = deployed.play("site.yml", "--check")
    assert again.changed_tasks() == []
