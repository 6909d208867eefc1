"""Real nodes over TLS, under certificates of an authority that the test makes."""

import asyncio
import os
import shutil
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from framebuffer.errors import TrustUnusable
from framebuffer.trust import CA_VARIABLE, CERT_VARIABLE, KEY_VARIABLE, distrust, trusting
from orchestrator.component import Component
from orchestrator.node import running
from tests.orchestrator.api_nodes import TOKEN, Nodes, configured, serving
from tests.orchestrator.authorities import Authority, Pair
from tests.orchestrator.plant_parts import working
from tests.support import eventually

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder)


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.sign("node")


@pytest.fixture(scope="module")
async def nodes(folder: Path, authority: Authority, pair: Pair) -> AsyncIterator[Nodes]:
    """Three, each of which shows its certificate to the others and asks clients for theirs, if they have one."""
    tls = {"cert_file": str(pair.cert), "key_file": str(pair.key), "client_ca_file": str(authority.file)}
    api = {"tls": tls, "ca_file": str(authority.file)}
    async with serving(3, folder, token=TOKEN, verify=trusting(authority.file), api=api) as found:
        yield found


async def test_a_follower_asks_the_leader_over_tls(nodes: Nodes) -> None:
    async def forwarded() -> httpx.Response:
        """On a busy machine leadership may move between the look and the question, which is refused then."""
        client = nodes.clients[await nodes.follower()]
        answer = await client.put("/v1/variables/secured", json={"value": 1})
        assert answer.is_success, answer.text
        assert "X-Triarch-Forwarded-By" in answer.headers
        return answer

    answer = await eventually(forwarded, deadline_s=20)
    client = nodes.clients[await nodes.follower()]
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
    heartbeat = await client.post(
        "/event",
        json={"type": "component.heartbeat", "source": "nobody", "payload": {"state": "READY"}},
    )
    assert heartbeat.json()["code"] == "component_unknown", heartbeat.text  # the leader said so


async def test_another_authority_is_refused_with_its_reason(nodes: Nodes, folder: Path) -> None:
    other = Authority(folder, "another authority")
    for trust in (trusting(other.file), trusting()):
        async with httpx.AsyncClient(verify=trust, trust_env=False) as client:
            with pytest.raises(httpx.ConnectError) as caught:
                await client.get(nodes.urls[0] + "/healthz")
        assert "its certificate is not accepted (" in distrust(caught.value)


async def test_a_component_trusts_the_authority_that_it_is_told(
    nodes: Nodes, authority: Authority, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    other = Authority(folder, "yet another authority")
    pair = authority.sign("component")
    for variable in (CA_VARIABLE, CERT_VARIABLE, KEY_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    async with working(
        press := Component("by-argument", orchestrator_url=nodes.urls, token=TOKEN, ca_file=authority.file)
    ):
        await asyncio.wait_for(press.wait_registered(), 20)
    async with working(press := Component("astray", orchestrator_url=nodes.urls, token=TOKEN, ca_file=other.file)):
        await eventually(lambda: "its certificate is not accepted (" in caplog.text, deadline_s=10)
        assert f"{CA_VARIABLE} names who is trusted" in caplog.text
        assert not press._reporter.registered.is_set()
    monkeypatch.setenv(CA_VARIABLE, str(authority.file))
    monkeypatch.setenv(CERT_VARIABLE, str(pair.cert))
    with pytest.raises(TrustUnusable, match="belong together"):
        Component("half", orchestrator_url=nodes.urls, token=TOKEN)
    monkeypatch.setenv(KEY_VARIABLE, str(pair.key))
    async with working(press := Component("by-environment", orchestrator_url=nodes.urls, token=TOKEN)):
        await asyncio.wait_for(press.wait_registered(), 20)


async def test_plain_http_is_told_apart(nodes: Nodes) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(httpx.TransportError):
            await client.get(nodes.urls[0].replace("https:", "http:") + "/healthz")


def _serial(url: str, authority: Authority) -> str:
    parts = httpx.URL(url)
    text = ssl.get_server_certificate((parts.host, parts.port or 0), ca_certs=str(authority.file), timeout=5)
    from cryptography import x509

    return f"{x509.load_pem_x509_certificate(text.encode()).serial_number:x}"


async def _metric(client: httpx.AsyncClient, name: str) -> float:
    text = (await client.get("/metrics")).text
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(name + " "))


async def test_certificates_are_exchanged_while_requests_go_on(
    nodes: Nodes, authority: Authority, pair: Pair, folder: Path
) -> None:
    at = await nodes.leader()
    client, url, node = nodes.clients[at], nodes.urls[at], nodes.nodes[at]
    done, failed = asyncio.Event(), []
    counted = 0

    async def ask() -> None:
        nonlocal counted
        while not done.is_set():
            answer = await client.get("/healthz")
            counted += 1
            if answer.status_code != 200:
                failed.append(answer.text)

    asking = [asyncio.create_task(ask()) for _ in range(4)]
    try:
        await client.get("/v1/cluster")
        before = await asyncio.to_thread(_serial, url, authority)
        newer = authority.sign("newer", days=(-1, 8))
        for source, target in ((newer.cert, pair.cert), (newer.key, pair.key)):
            staged = folder / "staged"
            shutil.copy2(source, staged)
            os.replace(staged, target)

        async def exchanged() -> bool:
            return await asyncio.to_thread(_serial, url, authority) != before

        await eventually(exchanged, deadline_s=10)
        assert 7 * 86_400 < await _metric(client, "triarch_api_certificate_expiry_seconds") < 8 * 86_400
        assert await _metric(client, "triarch_api_certificate_reload_failed") == 0

        after = await asyncio.to_thread(_serial, url, authority)
        pair.cert.write_text("-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----\n")
        node.reload()

        async def noticed() -> bool:
            return await _metric(client, "triarch_api_certificate_reload_failed") == 1

        await eventually(noticed, deadline_s=10)
        assert await asyncio.to_thread(_serial, url, authority) == after
        expired = authority.sign("expired", days=(-3, -1))
        shutil.copy2(expired.key, pair.key)
        shutil.copy2(expired.cert, pair.cert)
        node.reload()
        refused = f"{await _metric(client, 'triarch_api_certificate_reload_failed')}"
        assert (refused, await asyncio.to_thread(_serial, url, authority)) == ("1.0", after)
        shutil.copy2(newer.key, pair.key)
        shutil.copy2(newer.cert, pair.cert)
        node.reload()

        async def healed() -> bool:
            return not await noticed()

        await eventually(healed, deadline_s=10)
    finally:
        done.set()
        await asyncio.gather(*asking)
    assert counted > 20
    assert not failed


async def test_a_client_without_a_certificate_is_turned_away(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path), Authority(tmp_path, "another authority")
    own, client_pair, foreign = authority.sign("own"), authority.sign("client"), other.sign("foreign")
    tls = {
        "cert_file": str(own.cert),
        "key_file": str(own.key),
        "client_ca_file": str(authority.file),
        "require_client_certificate": True,
    }
    shown = trusting(authority.file, cert_file=client_pair.cert, key_file=client_pair.key)
    async with serving(1, tmp_path, verify=shown, api={"tls": tls, "ca_file": str(authority.file)}) as nodes:
        assert (await nodes.clients[0].get("/v1/cluster")).status_code == 200
        for refused in (
            trusting(authority.file),
            trusting(authority.file, cert_file=foreign.cert, key_file=foreign.key),
        ):
            async with httpx.AsyncClient(verify=refused, trust_env=False) as client:
                with pytest.raises(httpx.TransportError):
                    await client.get(nodes.urls[0] + "/healthz")


async def test_a_node_does_not_start_on_a_certificate_that_became_useless(tmp_path: Path) -> None:
    from orchestrator.errors import CertificateUnusable

    authority = Authority(tmp_path)
    own = authority.sign("own")
    tree = {
        "node": {"id": "n1", "data_dir": str(tmp_path / "n1")},
        "cluster": {"members": [{"id": "n1", "raft": "127.0.0.1:1", "api": "https://127.0.0.1:2"}]},
        "api": {"tls": {"cert_file": str(own.cert), "key_file": str(own.key)}},
    }
    config = configured(tree, tmp_path)
    own.cert.unlink()
    with pytest.raises(CertificateUnusable, match=r"own\.crt cannot be read: No such file"):
        async with running(config):
            pass
