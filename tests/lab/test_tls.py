"""The API of a plant served by TLS, by certificates that the playbooks put on the hosts; and as before again."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from tests.lab.deployment import Deployment
from tests.support import eventually_sync

pytestmark = pytest.mark.soak


def openssl(*argv: str | Path) -> None:
    subprocess.run(["openssl", *map(str, argv)], check=True, capture_output=True, timeout=30)


def authority(folder: Path) -> None:
    openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"),
        *("-keyout", folder / "authority.key", "-out", folder / "ca.crt", "-subj", "/CN=plant authority"),
        *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
    )


def certificate(folder: Path, host: str, address: str) -> None:
    request, more = folder / f"{host}.csr", folder / f"{host}.ext"
    more.write_text(
        f"subjectAltName=IP:{address}\nextendedKeyUsage=serverAuth,clientAuth\nbasicConstraints=CA:FALSE\n"
        "authorityKeyIdentifier=keyid\n"
    )
    openssl(
        *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
        *("-keyout", folder / f"{host}.key", "-out", request, "-subj", f"/CN={host}"),
    )
    openssl(
        *("x509", "-req", "-in", request, "-CA", folder / "ca.crt", "-CAkey", folder / "authority.key"),
        *("-CAcreateserial", "-days", "30", "-extfile", more, "-out", folder / f"{host}.crt"),
    )


def test_the_api_by_tls_and_back(deployed: Deployment, tmp_path: Path) -> None:
    hosts = deployed.lab.hosts()
    authority(tmp_path)
    for host in hosts:
        certificate(tmp_path, host.name, host.address)
    given = ("--extra-vars", f"triarch_api_certificates={tmp_path}")
    # Nodes that are asked by https and those that are asked by http do not wait for one another.
    together = ("--extra-vars", "triarch_node_restart_together=true")
    first, n1 = hosts[0], hosts[0].address

    key = tmp_path / "n2.key"
    key.rename(tmp_path / "away")
    refused = deployed.play("site.yml", *given, check=False)
    assert refused.status != 0
    assert "has no n2.key" in refused.out
    assert refused.count("changed") == 0
    (tmp_path / "away").rename(key)
    settings = {"triarch_node_settings": {"api": {"tls": {"cert_file": "/x.crt", "key_file": "/x.key"}}}}
    refused = deployed.play("site.yml", "--extra-vars", json.dumps(settings), check=False)
    assert "triarch_api_scheme says http" in " ".join(refused.out.split())
    assert refused.count("changed") == 0

    refused = deployed.play("site.yml", *given, check=False)
    assert "-e triarch_node_restart_together=true" in " ".join(refused.out.split()), refused.end()
    assert refused.count("changed") == 0

    def everywhere(scheme: str) -> None:
        for host in hosts:
            said = json.loads(host.ssh("triarch cluster status -o json"))
            assert {member["api"].partition(":")[0] for member in said["members"]} == {scheme}, said

    try:
        deployed.play("site.yml", *given, *together)
        everywhere("https")
        assert first.ask(f"curl -s --max-time 3 http://{n1}:8101/healthz").status != 0
        assert first.ask(f"curl -s --max-time 3 https://{n1}:8101/healthz").status == 60  # an authority nobody knows
        asked = f"curl -sf --max-time 3 --cacert /etc/triarch/tls/ca.crt https://{n1}:8101/readyz"
        assert first.ask(asked).status == 0
        assert deployed.play("site.yml", *given).changed_tasks() == []
        deployed.play("backup.yml", "--check", *given)  # it asks each host whether it is well

        haproxy = tmp_path / "haproxy.yml"
        haproxy.write_text(yaml.safe_dump({"triarch_haproxy": {"hosts": {"n2": None}}}))
        try:
            deployed.play("site.yml", *given, "--inventory", str(haproxy), "--tags", "haproxy")
            leader = "curl -sf --max-time 3 http://127.0.0.1:8100/leader"
            eventually_sync(lambda: '"leader"' in hosts[1].ask(leader).out, deadline_s=20)
        finally:
            hosts[1].ssh("systemctl disable --now haproxy; systemctl reset-failed haproxy || true")

        # A new certificate is taken up without a restart.
        pids = [host.ssh("systemctl show -p MainPID --value triarch-node") for host in hosts]
        serial = _serial(tmp_path, "n1")
        certificate(tmp_path, "n1", n1)
        renewed = deployed.play("site.yml", *given)
        assert renewed.recap["n1"]["changed"] > 0
        assert [host.ssh("systemctl show -p MainPID --value triarch-node") for host in hosts] == pids
        assert serial != _serial(tmp_path, "n1")
        shown = f"openssl s_client -connect {n1}:8101 </dev/null 2>/dev/null | openssl x509 -noout -serial"
        eventually_sync(lambda: first.ssh(shown).strip() == _serial(tmp_path, "n1"), deadline_s=20)
    finally:
        deployed.play("site.yml", *together)
    everywhere("http")
    assert [host.ask("test -e /etc/triarch/tls").status for host in hosts] == [1, 1, 1]
    deployed.ready()
    assert deployed.play("site.yml").changed_tasks() == []


def _serial(folder: Path, host: str) -> str:
    argv: Sequence[str] = ("openssl", "x509", "-noout", "-serial", "-in", str(folder / f"{host}.crt"))
    return subprocess.run(argv, check=True, capture_output=True, timeout=30, text=True).stdout.strip()
