"""A processor's HTTP side: who is asked, what is tried again, what is refused."""

import asyncio
import http.server
import logging
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from framebuffer.errors import InvalidRegistration, OrchestratorUnavailable, RegistrationRefused, TrustUnusable
from framebuffer.models import ProcessorRegistration
from framebuffer.registrar import AccessDenied, Registrar
from tests.framebuffer.tiny_orchestrator import TinyOrchestrator
from tests.support import eventually, free_port

pytestmark = pytest.mark.anyio

REGISTRATION = ProcessorRegistration(id="face-1", capabilities=("face",), capacity=4)
NOBODY = f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def node() -> Iterator[TinyOrchestrator]:
    with TinyOrchestrator("redis://somewhere:6379/0").running() as node:
        yield node


class Registrars:
    """Makes registrars and closes them."""

    def __init__(self) -> None:
        self.made: list[Registrar] = []

    def __call__(self, *urls: str, token: str | None = None, instance: str | None = None) -> Registrar:
        self.made.append(Registrar(REGISTRATION, urls, token=token, instance=instance))
        return self.made[-1]


@pytest.fixture
async def registrar() -> AsyncIterator[Registrars]:
    registrars = Registrars()
    yield registrars
    for one in registrars.made:
        await one.aclose()


async def test_register_heartbeat_unregister(node: TinyOrchestrator, registrar: Registrars) -> None:
    one = registrar(node.url + "/")
    enrolment = await one.register()
    assert enrolment.queue == "frames:ready:face-1"
    assert enrolment.group == "face-1-group"
    assert enrolment.redis_url == "redis://somewhere:6379/0"
    assert await one.heartbeat(in_flight=1, settled=2, errors=3)
    assert node.heartbeats == [{"in_flight": 1, "settled": 2, "errors": 3}]
    await one.unregister()
    assert node.registry.get("face-1") is None
    assert not await one.heartbeat(in_flight=0, settled=0, errors=0)
    await one.unregister()


async def test_the_node_that_answered_is_asked_first(node: TinyOrchestrator, registrar: Registrars) -> None:
    other = TinyOrchestrator(registry=node.registry)
    with other.running():
        other.failing = 503
        one = registrar(NOBODY, other.url, node.url)
        await one.register()
        await one.heartbeat(in_flight=0, settled=0, errors=0)
        assert len(other.requests) == 1
        node.failing, other.failing = 503, None
        await one.heartbeat(in_flight=0, settled=0, errors=0)
        assert len(other.heartbeats) == 1


async def test_registering_goes_on_until_a_node_answers(
    registrar: Registrars, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "framebuffer")
    late = TinyOrchestrator()
    one = registrar(NOBODY, late.url)
    waiting = asyncio.create_task(one.register())
    await eventually(lambda: caplog.messages)
    with late.running():
        late.failing = 503
        await eventually(lambda: len(late.requests) >= 2, deadline_s=10)
        late.failing = None
        await asyncio.wait_for(waiting, 10)
    assert len(caplog.messages) == 2  # one line when it began, one when it ended
    assert "works again" in caplog.messages[1]


async def test_registering_with_a_deadline_gives_up(registrar: Registrars) -> None:
    one = registrar(NOBODY)
    with pytest.raises(OrchestratorUnavailable, match=r"no node answered: http.*connection") as caught:
        await one.register(timeout_s=0.3)
    assert caught.value.code == "orchestrator_unavailable"
    with pytest.raises(OrchestratorUnavailable):
        await one.heartbeat(in_flight=0, settled=0, errors=0)


async def test_a_taken_id_is_refused_and_comes_free(node: TinyOrchestrator, registrar: Registrars) -> None:
    owner, other = registrar(node.url), registrar(node.url)
    await owner.register()
    await owner.register()  # the same client may
    with pytest.raises(RegistrationRefused, match="healthy") as caught:
        await other.register()
    assert caught.value.code == "processor_exists"

    waiting = asyncio.create_task(other.register(exists_wait_s=30))
    await eventually(lambda: len(node.idempotency_keys) >= 4)
    node.mark("face-1", healthy=False)
    await asyncio.wait_for(waiting, 10)
    assert len(set(node.idempotency_keys)) == len(node.idempotency_keys)
    with pytest.raises(RegistrationRefused):
        await owner.heartbeat(in_flight=0, settled=0, errors=0)
    await owner.unregister()  # does not remove its successor
    assert node.registry.get("face-1") is not None


async def test_a_client_with_a_lasting_name_has_its_id_back_at_once(
    node: TinyOrchestrator, registrar: Registrars
) -> None:
    await registrar(node.url, instance="unit 7").register()
    await registrar(node.url, instance="unit 7").register()


async def test_a_bearer_token_is_sent(node: TinyOrchestrator, registrar: Registrars) -> None:
    node.token = "s" * 32
    await registrar(node.url, token="s" * 32).register()
    with pytest.raises(AccessDenied, match="a valid token is needed") as caught:
        await registrar(node.url, token="wrong").register()
    assert caught.value.code == "access_denied"
    assert "wrong" not in str(caught.value)


async def test_an_invalid_registration_is_not_repeated(node: TinyOrchestrator, registrar: Registrars) -> None:
    node.failing = 422
    with pytest.raises(InvalidRegistration):
        await registrar(node.url).register()
    assert len(node.requests) == 1


async def test_a_node_that_accepts_and_never_answers_is_left(node: TinyOrchestrator, registrar: Registrars) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stopped:  # as a process under SIGSTOP looks from outside
        one = registrar(node.url, f"http://127.0.0.1:{stopped.getsockname()[1]}")
        await one.register()
        node.failing = 503  # so that the other one is asked first
        with pytest.raises(OrchestratorUnavailable, match="did not answer"):
            await one.heartbeat(in_flight=0, settled=0, errors=0)
        node.failing = None
        await asyncio.wait_for(one.heartbeat(in_flight=0, settled=0, errors=0), 2)


async def test_a_leader_that_is_deposed_just_now_is_no_refusal(node: TinyOrchestrator, registrar: Registrars) -> None:
    one = registrar(node.url)
    await one.register()
    node.failing, node.failing_code = 409, "fenced"
    with pytest.raises(OrchestratorUnavailable, match="fenced"):
        await one.heartbeat(in_flight=0, settled=0, errors=0)


async def test_something_else_on_the_port_is_no_orchestrator(node: TinyOrchestrator, registrar: Registrars) -> None:
    node.failing = 404
    with pytest.raises(OrchestratorUnavailable, match="404"):
        await registrar(node.url).register(timeout_s=0.1)


async def test_what_is_no_orchestrator_is_asked_with_growing_pauses_and_said_once(
    node: TinyOrchestrator, registrar: Registrars, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "framebuffer")
    node.failing = 404
    with pytest.raises(OrchestratorUnavailable):
        await registrar(node.url).register(timeout_s=2)
    assert len(caplog.messages) == 1
    assert 2 <= len(node.requests) <= 8


@pytest.mark.parametrize("failing", [(302, "moved"), (409, "fenced"), (421, "host_unknown"), (500, "internal")])
async def test_a_node_that_cannot_is_passed_over_in_the_same_round(
    node: TinyOrchestrator, registrar: Registrars, failing: tuple[int, str]
) -> None:
    other = TinyOrchestrator(registry=node.registry)
    with other.running():
        one = registrar(other.url, node.url)
        await one.register()
        other.failing, other.failing_code = failing
        assert await one.heartbeat(in_flight=0, settled=0, errors=0)
        assert await one.heartbeat(in_flight=0, settled=0, errors=0)
        assert len(node.heartbeats) == 2
        assert len(other.requests) == 2, "it is not asked first again"


async def test_some_other_server_is_passed_over(node: TinyOrchestrator, registrar: Registrars) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as other:
        serving = threading.Thread(target=other.serve_forever, args=(0.05,))
        serving.start()
        one = registrar(f"http://127.0.0.1:{other.server_address[1]}", node.url)
        try:
            await asyncio.wait_for(one.register(), 10)
        finally:
            other.shutdown()
            serving.join()
    assert await one.heartbeat(in_flight=0, settled=0, errors=0)


@pytest.mark.parametrize("status", [400, 401, 403, 413, 422])
async def test_what_some_other_server_says_ends_nothing(registrar: Registrars, status: int) -> None:
    class Proxy(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_error(status)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as other:
        serving = threading.Thread(target=other.serve_forever, args=(0.05,))
        serving.start()
        try:
            with pytest.raises(OrchestratorUnavailable, match=str(status)):
                await registrar(f"http://127.0.0.1:{other.server_address[1]}").register(timeout_s=0.1)
        finally:
            other.shutdown()
            serving.join()


@pytest.mark.parametrize("instance", ["zwölf", "two\nlines", " at an end", "x" * 201])
async def test_an_instance_that_no_header_can_hold_is_refused(instance: str) -> None:
    with pytest.raises(InvalidRegistration, match="instance"):
        Registrar(REGISTRATION, NOBODY, instance=instance)


@pytest.mark.parametrize("token", ["two words", "zwölf", "a\nb"])
async def test_a_token_that_no_header_can_hold_is_refused(token: str) -> None:
    with pytest.raises(InvalidRegistration, match="token") as caught:
        Registrar(REGISTRATION, NOBODY, token=token)
    assert token not in str(caught.value)


async def test_a_file_of_certificates_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(TrustUnusable, match=r"ca\.pem"):
        Registrar(REGISTRATION, "https://127.0.0.1:1", ca_file=tmp_path / "ca.pem")


@pytest.mark.parametrize("urls", ["", " , ", "127.0.0.1:8101", "ftp://host", "http://"])
async def test_urls_are_checked(urls: str) -> None:
    with pytest.raises(InvalidRegistration, match="orchestrator_url"):
        Registrar(REGISTRATION, urls)


async def test_urls_may_be_a_text_with_commas(node: TinyOrchestrator) -> None:
    one = Registrar(REGISTRATION, f"{NOBODY}, {node.url},")
    await one.register()
    await one.aclose()
