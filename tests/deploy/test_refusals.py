"""What the preflight refuses, decided from reports of hosts: each bad host alone, and a good plant not at all."""

import asyncio
import hashlib
import json
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from framebuffer.connection import connect, execute
from framebuffer.embedded import EmbeddedServer
from tests.deploy.filters import library, plugin
from tests.support import free_port

SECRETS = {"cluster_secret": "c" * 48, "api_token": "a" * 48, "redis_password": "r" * 48}
SETTINGS = {
    "version": "0.1.0",
    "cluster": "plant-1",
    "upgrading": False,
    "rotating": False,
    "scheme": "http",
    "together": False,
    "secrets": SECRETS,
    "free_mb_min": 1024,
    "root_free_mb_min": 512,
    "sync_ms_max": 100,
    "clock_s_max": 1.0,
}
WHEELHOUSE = {"manifest": {"version": "0.1.0", "python": "3.11", "platform": "x86_64"}, "faults": []}
FENCE = {"term": "7", "index": "41", "node": "n2"}
PLUGIN = plugin("roles/triarch_preflight/filter_plugins/triarch_refusals.py")


def report(number: int) -> dict[str, Any]:
    """A host as it should be, with a deployment on it."""
    digest = {name: hashlib.sha256(SECRETS[member].encode()).hexdigest() for name, member in PLUGIN.SECRETS.items()}
    # It was read somewhere between question and answer, which are on this machine's monotonic clock.
    clock = 5000.0 + 0.2 * number
    return {
        "system": {"id": "debian", "version": "12", "name": "Debian GNU/Linux 12 (bookworm)"},
        "systemd": True,
        "python": [3, 11, 2],
        "arch": "x86_64",
        "boot_id": f"boot-{number}",
        "machine_id": f"machine-{number}",
        "foreign_address": "",
        "disks": [{"path": "/var/lib", "free_bytes": 20e9, "error": "", "sync_median_ms": 2.0, "sync_worst_ms": 9.0}],
        "root_free_bytes": 20e9,
        "ports": {},
        "secrets": digest,
        "release": "0.1.0",
        "scheme": "http",
        "installed": [],
        "node_data": True,
        "node_cluster": "plant-1",
        "redis": {"data": ["appendonlydir"], "ours": True, "cluster": "plant-1"},
        "running_redis": {"append_only": True, "foreign_keys": [], "fence": FENCE, "error": ""},
        "stopped_redis": {},
        "sentinel": None,
        "clock_start": clock,
        "clock_end": clock + 0.1,
        "asked": 4000.0 - 0.3,
        "answered": 4000.0 + 0.5,
    }


def plant() -> dict[str, dict[str, Any]]:
    return {f"n{number}": report(number) for number in (1, 2, 3)}


def refusals(reports: dict[str, dict[str, Any]], **settings: Any) -> list[str]:
    found: list[str] = PLUGIN.triarch_refusals(reports, {**SETTINGS, **settings}, WHEELHOUSE)
    return found


def test_a_good_plant_is_taken_deployed_or_empty() -> None:
    assert refusals(plant()) == []
    empty = plant()
    for each in empty.values():
        each |= {"secrets": {}, "release": "", "scheme": "", "node_data": False}
        each |= {"redis": {"data": [], "ours": False, "cluster": ""}, "running_redis": {}, "node_cluster": ""}
    assert refusals(empty, secrets=None) == []


Change = Callable[[dict[str, dict[str, Any]]], object]
BAD: list[tuple[str, Change, str, str]] = [
    ("an old Debian", lambda p: p["n2"]["system"].update(version="11", name="Debian 11"), "n2: Debian 11", "Upgrade"),
    ("no Debian", lambda p: p["n2"]["system"].update(id="fedora", name="Fedora 41"), "n2: Fedora 41", "not Debian"),
    ("no systemd", lambda p: p["n3"].update(systemd=False), "n3: systemd is not", "Boot it with systemd"),
    ("an old Python", lambda p: p["n1"].update(python=[3, 9, 2]), "n1: its Python is 3.9.2", "apt install"),
    ("no venv", lambda p: p["n1"].update(python=[]), "n1: its Python is absent", "apt install"),
    ("a newer Python", lambda p: p["n1"].update(python=[3, 13, 1]), "this host has 3.13", "OUT REF --python 3.13,"),
    ("another machine", lambda p: p["n1"].update(arch="aarch64"), "this host is aarch64", "--arch aarch64"),
    (
        "the same machine twice",
        lambda p: p["n2"].update(boot_id="boot-1"),
        "n1 and n2 are the same machine",
        "ansible_host",
    ),
    ("not its address", lambda p: p["n2"].update(foreign_address="[Errno 99]"), "n2: its address", "triarch_address"),
    (
        "a port taken",
        lambda p: p["n3"]["ports"].update({"7101": {"pid": 9, "name": "nc", "unit": "nc.service"}}),
        "n3: port 7101 is taken by nc (pid 9, nc.service)",
        "Stop it",
    ),
    ("a full disk", lambda p: p["n1"]["disks"][0].update(free_bytes=90e6), "n1: /var/lib has 90 MB free", "Make room"),
    (
        "a disk that takes nothing",
        lambda p: p["n1"]["disks"][0].update(error="[Errno 28] No space left", sync_median_ms=None),
        "No space left",
        "Make room",
    ),
    ("a slow disk", lambda p: p["n1"]["disks"][0].update(sync_median_ms=140.0), "140.0 ms", "faster disk"),
    ("a small /opt", lambda p: p["n1"].update(root_free_bytes=1e6), "n1: /opt has 1 MB", "root_free_mb_min"),
    (
        "a wrong secret",
        lambda p: p["n2"]["secrets"].update({"cluster.secret": "x"}),
        "n2: /etc/triarch/secrets/cluster.secret",
        "right secret",
    ),
    (
        "a foreign data set on disk",
        lambda p: p["n2"].update(redis={"data": ["dump.rdb"], "ours": False, "cluster": ""}),
        "n2: /var/lib/triarch/redis holds data",
        "mv /var/lib/triarch/redis",
    ),
    (
        "a foreign data set on disk that a server of ours would be started on",
        lambda p: p["n2"].update(running_redis={}, stopped_redis={"foreign_keys": ["shop:1"], "fence": False}),
        "n2: Redis is stopped, and would be started on data of something else: /var/lib/triarch/redis has",
        "mv /var/lib/triarch/redis",
    ),
    (
        "another cluster's node",
        lambda p: p["n3"].update(node_cluster="plant-2"),
        "n3: /var/lib/triarch/node holds data of the cluster plant-2, and this one is plant-1",
        "restore.yml",
    ),
    (
        "another cluster's frames",
        lambda p: p["n3"]["redis"].update(cluster="plant-2"),
        "n3: /var/lib/triarch/redis holds data of the cluster plant-2, and this one is plant-1",
        "mv /var/lib/triarch/* /var/backups/triarch.foreign/",
    ),
    (
        "another cluster's host",
        lambda p: (p["n3"].update(node_cluster="plant-2"), p["n3"]["redis"].update(cluster="plant-2")),
        "n3: /var/lib/triarch/node and /var/lib/triarch/redis hold data of the cluster plant-2",
        "triarch_cluster_name",
    ),
    (
        "a foreign key",
        lambda p: p["n2"]["running_redis"].update(foreign_keys=["shop:1"]),
        "shop:1",
        "move the other data",
    ),
    ("no persistence", lambda p: p["n2"]["running_redis"].update(append_only=False), "append-only", "appendonly yes"),
    (
        "another password",
        lambda p: p["n2"].update(running_redis={"error": "WRONGPASS"}),
        "n2: Redis answers",
        "password",
    ),
    ("another release", lambda p: p["n1"].update(release="0.0.9"), "release 0.0.9 runs here, 0.1.0", "upgrade.yml"),
]


@pytest.mark.parametrize(("change", "said", "do"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_what_is_bad_is_refused_with_what_to_do(change: Change, said: str, do: str) -> None:
    reports = plant()
    change(reports)
    (only,) = refusals(reports)
    assert said in only
    assert do in only


def test_redis_of_another_cluster_is_not_taken_for_a_new_one() -> None:
    reports = plant()
    for each in reports.values():
        each["node_data"] = False
    reports["n3"]["running_redis"]["fence"] = {}  # as one that was not there
    said = refusals(reports)
    assert [line.partition(":")[0] for line in said] == ["n1", "n2"]
    assert (
        "Redis obeys n2, a leader of another cluster (frames:fence, term 7), and no host has data of a node" in said[0]
    )
    assert "docs/runbooks/members.md" in said[0]


def test_a_redis_that_is_stopped_is_not_started_on_frames_of_another_cluster() -> None:
    reports = plant()
    for each in reports.values():
        each |= {"node_data": False, "running_redis": {}, "stopped_redis": {"foreign_keys": [], "fence": True}}
    reports["n3"]["stopped_redis"] = {}
    said = refusals(reports)
    assert [line.partition(":")[0] for line in said] == ["n1", "n2"]
    assert "Redis is stopped, and would be started on frames of another cluster" in said[0]
    assert "mv /var/lib/triarch/redis" in said[0]


def test_a_redis_of_this_cluster_that_is_stopped_is_started_again() -> None:
    crashed = plant()
    for each in crashed.values():
        each |= {"running_redis": {}, "stopped_redis": {"foreign_keys": [], "fence": False}}
    assert refusals(crashed) == []
    crashed["n3"] |= {"node_data": False, "node_cluster": "", "stopped_redis": {"foreign_keys": [], "fence": True}}
    assert refusals(crashed) == []  # its neighbours tell whose frames they are
    assert refusals({"n3": crashed["n3"]}) == []  # with --limit
    before = plant()  # deployed by playbooks that wrote no cluster down
    for each in before.values():
        each["redis"]["cluster"] = ""
    assert refusals(before) == []


def test_redis_of_this_cluster_is_taken_also_half_deployed() -> None:
    replaced = plant()
    replaced["n3"]["node_data"] = False  # its Redis follows the others' already
    assert refusals(replaced) == []
    recovered = plant()
    for name in ("n2", "n3"):
        recovered[name] |= {"node_data": False, "running_redis": {}}
    assert refusals(recovered) == []
    began = plant()  # Redis runs, no node has ever led
    for each in began.values():
        each["node_data"] = False
        each["running_redis"]["fence"] = {}
    assert refusals(began) == []
    limited = plant()
    limited["n3"]["node_data"] = False
    assert refusals({"n3": limited["n3"]}) == []


@pytest.mark.anyio
async def test_the_report_says_whom_redis_obeys(tmp_path: Path) -> None:
    found = library("roles/triarch_preflight/library/triarch_host_report.py")
    async with EmbeddedServer(tmp_path / "redis", free_port()) as server:
        redis = connect(server.url)
        empty = await asyncio.to_thread(found.running_redis, server.port, "frames")
        await execute(redis, "HSET", "frames:fence", "term", "7", "index", "41", "node", "n2", "direct_until", "0")
        led = await asyncio.to_thread(found.running_redis, server.port, "frames")
        await execute(redis, "SET", "shop:1", "sold")
        foreign = await asyncio.to_thread(found.running_redis, server.port, "frames")
        await redis.aclose()
    assert empty == {"append_only": True, "foreign_keys": [], "fence": {}, "error": ""}
    assert led == empty | {"fence": FENCE}
    assert foreign == led | {"foreign_keys": ["shop:1"]}


def test_folders_that_were_only_made_are_no_data_of_a_node(tmp_path: Path) -> None:
    found = library("roles/triarch_preflight/library/triarch_host_report.py")
    assert not found.holds_files(str(tmp_path / "absent"))
    (tmp_path / "node/raft").mkdir(parents=True)
    assert not found.holds_files(str(tmp_path / "node"))
    (tmp_path / "node/raft/journal").touch()
    assert found.holds_files(str(tmp_path / "node"))


def test_all_refusals_are_told_at_once() -> None:
    reports = plant()
    chosen = [
        row
        for row in BAD
        if row[0] in ("an old Debian", "a port taken", "a full disk", "a wrong secret", "a foreign key")
    ]
    for _, change, _, _ in chosen:
        change(reports)
    found = refusals(reports)
    assert len(found) == len(chosen) == 5
    assert all(any(said in line for line in found) for _, _, said, _ in chosen)


def test_limits_of_the_command_line_are_text() -> None:
    reports = plant()
    reports["n1"]["disks"][0] |= {"sync_median_ms": 120.5}
    texts = {name: str(SETTINGS[name]) for name in PLUGIN.LIMITS}
    (only,) = refusals(reports, **texts)
    assert only.startswith("n1: ")
    assert "needs 120.5 ms" in only
    assert refusals(reports, **{**texts, "sync_ms_max": "121"}) == []


def test_clocks_count_as_apart_only_beyond_doubt() -> None:
    reports = plant()
    # Read within 0.8 s of asking: 1.5 s of difference may be 0.9 s, which is allowed.
    reports["n2"] |= {"clock_start": 5001.7, "clock_end": 5001.8}
    assert refusals(reports) == []
    reports["n2"] |= {"clock_start": 5003.4, "clock_end": 5003.5}
    said = refusals(reports)
    assert [line.split(" are at")[0] for line in said] == ["the clocks of n1 and n2", "the clocks of n2 and n3"]
    assert all("n2 is ahead" in line and "chrony" in line for line in said)


def test_secrets_on_hosts_without_the_file_of_the_first_deployment_are_kept() -> None:
    said = refusals(plant(), secrets=None)
    assert len(said) == 3
    assert all("triarch_secrets_file" in line for line in said)
    other = refusals(plant(), secrets={**SECRETS, "api_token": "other"})
    assert len(other) == 1
    assert "api.token is another one than in triarch_secrets_file" in other[0]
    assert refusals(plant(), secrets={**SECRETS, "api_token": "other"}, rotating=True) == []


def test_an_upgrade_may_meet_another_release() -> None:
    reports = plant()
    reports["n1"]["release"] = "0.0.9"
    assert refusals(reports, upgrading=True) == []


def test_a_release_that_is_there_needs_no_room() -> None:
    reports = plant()
    for each in reports.values():
        each |= {"root_free_bytes": 1e6, "installed": ["0.0.9", "0.1.0"]}
    assert refusals(reports) == []
    assert len(refusals(reports, version="0.2.0", upgrading=True)) == 3


def test_another_scheme_is_a_restart_of_all_at_once_and_no_upgrade() -> None:
    said = refusals(plant(), scheme="https")
    assert [line[:46] for line in said] == [f"n{n}: the nodes are asked by http, and triarch_a"[:46] for n in (1, 2, 3)]
    assert all("-e triarch_node_restart_together=true" in line for line in said)
    assert refusals(plant(), scheme="https", together=True) == []
    said = refusals(plant(), scheme="https", together=True, upgrading=True)
    assert len(said) == 3
    assert all("an upgrade does not change that" in line for line in said)
    new = plant()
    new["n2"] |= {"scheme": ""}
    assert len(refusals(new, scheme="https")) == 2


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ""),
        ("api:\n  token_file: /etc/triarch/secrets/api.token\n", ""),
        ("cluster:\n  members:\n  - id: n1\n    api: http://10.0.0.1:8101\n", "http"),
        ("cluster:\n  members:\n  - id: n1\n    api: https://[fd00::1]:8101\n", "https"),
        ("cluster:\n  members:\n    - api: 'https://n1.plant:8101'\n", "https"),
    ],
)
def test_the_scheme_is_read_from_the_file_of_the_node(text: str, found: str, tmp_path: Path) -> None:
    file = tmp_path / "node.yaml"
    file.write_text(text)
    assert library("roles/triarch_preflight/library/triarch_host_report.py").scheme(str(file)) == found


@pytest.mark.parametrize(
    ("addresses", "said"),
    [
        ({"n1": "10.0.0.1", "n2": "10.0.0.2"}, "has 2 hosts"),
        ({f"n{k}": f"10.0.0.{k}" for k in (1, 2, 3, 4)}, "has 4 hosts"),
        ({}, "has 0 hosts"),
        ({"n1": "10.0.0.1", "n2": "10.0.0.1", "n3": "10.0.0.3"}, "n1 and n2 have the same address 10.0.0.1"),
        ({"n1": "10.0.0.1", "n2": "two", "n3": "10.0.0.3"}, "n2: 'two' is no IP address"),
        ({"n1": "127.0.0.1", "n2": "10.0.0.2", "n3": "10.0.0.3"}, "n1: the others cannot reach 127.0.0.1"),
        ({"n 1": "10.0.0.1", "n2": "10.0.0.2", "n3": "10.0.0.3"}, "n 1: the name"),
    ],
)
def test_an_inventory_that_makes_no_cluster_is_refused(addresses: dict[str, str], said: str) -> None:
    (only,) = PLUGIN.triarch_inventory_refusals(addresses)
    assert said in only


def test_three_hosts_of_either_family_are_taken() -> None:
    assert PLUGIN.triarch_inventory_refusals({"a": "10.0.0.1", "b": "fd00::2", "c": "10.0.0.3"}) == []


def test_the_primary_is_what_the_newest_sentinel_says() -> None:
    reports = list(plant().values())
    assert PLUGIN.triarch_primary(reports, "10.0.0.1") == "10.0.0.1"
    reports[1]["sentinel"] = {"address": "10.0.0.3", "port": 6379, "epoch": 4}
    reports[2]["sentinel"] = {"address": "10.0.0.2", "port": 6379, "epoch": 3}
    assert PLUGIN.triarch_primary(reports, "10.0.0.1") == "10.0.0.3"


def test_a_wheelhouse_is_held_against_its_manifest(tmp_path: Path) -> None:
    read = PLUGIN.triarch_wheelhouse
    assert "there is no wheelhouse" in read(str(tmp_path / "absent"), "0.1.0")["faults"][0]
    (tmp_path / "a.whl").write_bytes(b"wheel")
    manifest = {
        "version": "0.1.0",
        "python": "3.11",
        "platform": "x86_64",
        "files": {"a.whl": hashlib.sha256(b"wheel").hexdigest()},
    }
    place = tmp_path / "wheelhouse.json"
    place.write_text(json.dumps(manifest))
    assert read(str(tmp_path), "0.1.0") == {"manifest": manifest, "faults": []}
    assert "triarch_version says 0.2.0" in read(str(tmp_path), "0.2.0")["faults"][0]
    (tmp_path / "a.whl").write_bytes(b"whee")
    assert "damaged: a.whl" in read(str(tmp_path), "0.1.0")["faults"][0]
    (tmp_path / "a.whl").unlink()
    assert "not complete: a.whl" in read(str(tmp_path), "0.1.0")["faults"][0]
    for broken in ("{", "[]", json.dumps({"files": {}}), json.dumps({**manifest, "files": 3})):
        place.write_text(broken)
        found = read(str(tmp_path), "0.1.0")
        assert found["manifest"] is None
        assert "cannot be read" in found["faults"][0]


def test_reports_are_not_changed_by_being_judged() -> None:
    reports = plant()
    before = deepcopy(reports)
    refusals(reports)
    assert reports == before


Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def signed(name: str, by: Pair | None, *names: x509.GeneralName, authority: bool = False) -> Pair:
    """A certificate of 2027 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder(by[0].subject if by else subject, subject, key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2027, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2028, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
    )
    if names:
        made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return made.sign(by[1] if by else key, hashes.SHA256()), key


def pem(*certificates: Pair) -> str:
    return "".join(one[0].public_bytes(Encoding.PEM).decode() for one in certificates)


def key_of(pair: Pair, secret: bytes = b"") -> str:
    kept = BestAvailableEncryption(secret) if secret else NoEncryption()
    return pair[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, kept).decode()


def test_a_certificate_that_others_would_not_accept_is_refused() -> None:
    ca, stranger = signed("plant", None, authority=True), signed("stranger", None, authority=True)
    between = signed("between", ca, authority=True)
    ip, dns = x509.IPAddress(ip_address("10.0.0.1")), x509.DNSName("n1.plant")
    good, below = signed("n1", ca, dns, ip), signed("n1", between, ip)
    when = datetime(2027, 6, 1, tzinfo=UTC)

    def said(crt: str, key: str, now: datetime = when, trusted: str = pem(ca), address: str = "10.0.0.1") -> list[str]:
        found: list[str] = PLUGIN.triarch_certificate_refusals((trusted, [crt], [key]), {"n1": address}, now)
        return found

    assert said(pem(good), key_of(good)) == []
    assert said(pem(below, between), key_of(below)) == []
    assert said(pem(good), key_of(good), trusted=pem(stranger, ca)) == []
    assert "n1.crt is not signed" in " ".join(said(pem(below), key_of(below)))
    (foreign,) = said(pem(good), key_of(good), trusted=pem(stranger))
    assert "is not signed by whoever stands in ca.crt" in foreign
    (elsewhere,) = said(pem(good), key_of(good), address="10.0.0.9")
    assert "is for 10.0.0.1, n1.plant, and the host is asked at 10.0.0.9" in elsewhere
    (over,) = said(pem(good), key_of(good), now=datetime(2028, 2, 1, tzinfo=UTC))
    assert "is valid from 2027-01-01 00:00 to 2028-01-01 00:00 UTC, and it is 2028-02-01" in over
    (another,) = said(pem(good), key_of(below))
    assert "do not belong together" in another
    (closed,) = said(pem(good), key_of(good, b"secret"))
    assert "no node can read" in closed
    (nothing,) = said("nothing", key_of(good))
    assert "n1.crt holds no certificate" in nothing
    assert "ca.crt holds no certificate" in said(pem(good), key_of(good), trusted="")[0]


def test_the_folder_of_certificates_is_a_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "tls").mkdir()
    for name in ("ca.crt", "n1.crt", "n1.key"):
        (tmp_path / "tls" / name).touch()
    assert PLUGIN.triarch_tls_refusals(("~/tls", "https", {}), ["n1"]) == []
    monkeypatch.chdir(tmp_path)
    (relative,) = PLUGIN.triarch_tls_refusals(("tls", "https", {}), ["n1"])
    assert "Give the whole path" in relative


def test_the_api_is_asked_as_it_is_served(tmp_path: Path) -> None:
    hosts = ["n1", "n2"]
    assert PLUGIN.triarch_tls_refusals(("", "http", {}), hosts) == []
    (absent,) = PLUGIN.triarch_tls_refusals((str(tmp_path), "https", {}), hosts)
    assert f"{tmp_path} has no ca.crt, n1.crt, n1.key, n2.crt, n2.key" in absent
    for name in ("ca.crt", "n1.crt", "n1.key", "n2.crt", "n2.key"):
        (tmp_path / name).touch()
    assert PLUGIN.triarch_tls_refusals((str(tmp_path), "https", {}), hosts) == []
    own = {"cert_file": "/a", "key_file": "/b"}
    assert PLUGIN.triarch_tls_refusals(("", "https", {"tls": own}), hosts) == []
    (unseen,) = PLUGIN.triarch_tls_refusals(("", "http", {"tls": own}), hosts)
    assert "Set triarch_api_scheme to https" in unseen
    (none,) = PLUGIN.triarch_tls_refusals(("", "https", {}), hosts)
    assert "no certificates are given" in none
    (mutual,) = PLUGIN.triarch_tls_refusals(("", "https", {"tls": own | {"require_client_certificate": True}}), hosts)
    assert "show none" in mutual
