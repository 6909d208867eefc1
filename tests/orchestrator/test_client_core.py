"""What the client decides: the next address, what is repeated, how long is waited. No clock, no network."""

import json
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.client import errors
from orchestrator.client.addresses import REST_MAX_S, Addresses, checked_addresses
from orchestrator.client.attempts import PAUSE_FIRST_S, Tries, attempts, pause_s
from orchestrator.client.calls import Call, checked_key, filled, query_of
from orchestrator.client.exchanging import Answer, Exchange, NoAnswer, Pause, Renew, Request, Step, Told
from orchestrator.client.judging import RETRY_AFTER_MAX_S
from orchestrator.client.tls import context_of

URLS = ("http://a:1", "http://b:1", "http://c:1")
READ = Request(method="GET", target="/v1/variables")
WRITE = Request(method="PUT", target="/v1/variables/x", body=b"{}", key="k-1")
TOOK_S = 0.01
REFUSED = NoAnswer("refused", sent=False)
BROKEN = NoAnswer("ReadError", sent=True)


def ok(**headers: str) -> Answer:
    return Answer("http://a:1/v1", 200, {name.replace("_", "-"): value for name, value in headers.items()}, b"{}")


def problem(status: int, code: str, retry_after: str = "", **members: Any) -> Answer:
    headers = {"retry-after": retry_after} if retry_after else {}
    body = json.dumps({"code": code, "detail": f"because {code}", "status": status, **members}).encode()
    return Answer("http://a:1/v1", status, headers, body)


class Run:
    """A program with answers from a script; the last one again for as long as it asks. `now` is its clock."""

    def __init__(self, program: Generator[Step, Told, Answer], script: list[Any], fraction: float = 0.5) -> None:
        self.steps: list[Step] = []
        self.now = 0.0
        self.value: Answer | None = None
        self.error: errors.ClientError | None = None
        script = list(script)
        told: Told | None = None
        try:
            while True:
                step = next(program) if told is None else program.send(told)
                self.steps.append(step)
                assert len(self.steps) < 10_000
                outcome: Any = None
                if isinstance(step, Pause):
                    assert step.seconds >= 0
                    self.now += step.seconds
                elif isinstance(step, Exchange):
                    self.now += TOOK_S
                    outcome = script.pop(0) if len(script) > 1 else script[0]
                elif isinstance(step, Renew):
                    outcome = script.pop(0)
                told = Told(self.now, fraction, outcome)
        except StopIteration as end:
            self.value = end.value
        except errors.ClientError as error:
            self.error = error

    @property
    def asked(self) -> list[str]:
        return [step.address for step in self.steps if isinstance(step, Exchange)]

    @property
    def pauses(self) -> list[float]:
        return [step.seconds for step in self.steps if isinstance(step, Pause)]


def run(request: Request, *script: Any, tries: Tries | None = None, addresses: Addresses | None = None) -> Run:
    tries = tries or Tries(timeout_s=5.0)
    return Run(attempts(request, addresses or Addresses(URLS), tries, 0.0), list(script))


def test_the_next_address_is_asked_at_once_and_the_first_again_after_a_pause() -> None:
    done = run(READ, REFUSED, REFUSED, REFUSED, REFUSED, ok())
    assert done.asked == [*URLS, *URLS[:2]]
    assert [type(step) for step in done.steps].index(Pause) == 3
    assert done.value is not None


def test_the_leader_is_asked_first_once_an_answer_named_it() -> None:
    addresses = Addresses(URLS)
    addresses.answered(URLS[0], {"x-triarch-node": "n1", "x-triarch-leader": "n3"})
    assert addresses.leader is None
    assert addresses.order(0.0)[0] == URLS[0]
    # A node that passed a request on signs beside the leader, whose headers those are.
    addresses.answered(URLS[2], {"x-triarch-node": "n3", "x-triarch-forwarded-by": "n2", "x-triarch-leader": "n3"})
    assert addresses.leader is None
    addresses.answered(URLS[1], {"x-triarch-node": "n3", "x-triarch-leader": "n3"})
    assert addresses.leader == URLS[1]
    assert addresses.order(0.0) == [URLS[1], URLS[0], URLS[2]]
    assert addresses.order(0.0, any_node=True)[0] == URLS[1], "the one that answered last"
    addresses.failed(URLS[1], 0.0)
    assert addresses.leader is None
    assert addresses.order(1.0)[-1] == URLS[1]
    assert addresses.order(60.0) == [URLS[1], URLS[0], URLS[2]], "it is worth asking again"


def test_an_address_rests_longer_the_longer_it_kept_waiting() -> None:
    addresses = Addresses(URLS)
    addresses.answered(URLS[0], {})
    addresses.failed(URLS[0], 1.5, 1.5)  # it hangs
    addresses.failed(URLS[1], 1.5)
    addresses.failed(URLS[2], 1.6, 0.1)  # these two say that nobody leads
    assert addresses.order(2.0) == [URLS[1], URLS[2], URLS[0]], "whose rest is over first"
    assert addresses.order(4.0) == [URLS[1], URLS[2], URLS[0]], "it is not waited for again so soon"
    assert addresses.order(60.0)[0] == URLS[0]
    addresses.failed(URLS[0], 60.0, 1e6)
    assert addresses.order(60.0 + REST_MAX_S)[0] == URLS[0]
    addresses.failed(URLS[0], 100.0, 9.0)
    addresses.answered(URLS[0], {})
    assert addresses.order(100.0)[0] == URLS[0], "an answer ends its rest"


def test_members_are_learned_from_one_address_and_only_by_the_same_scheme() -> None:
    addresses = Addresses(URLS[:1])
    addresses.answered(URLS[0], {"x-triarch-node": "n1", "x-triarch-leader": "n2"})
    members = {"n1": "http://inner:1", "n2": "http://b:1/", "n3": "https://c:1", "n4": "file:///etc"}
    listed = ok(x_triarch_node="n1", x_triarch_leader="n2")
    listed = Answer(
        listed.url,
        200,
        listed.headers,
        json.dumps({"members": [{"id": name, "api": api} for name, api in members.items()]}).encode(),
    )
    done = run(READ, listed, ok(x_triarch_node="n2", x_triarch_leader="n2"), addresses=addresses)
    assert done.asked == [URLS[0], "http://b:1"]
    assert addresses.known == (URLS[0], "http://b:1")
    assert run(READ, ok(), addresses=addresses).asked == ["http://b:1"], "nobody asks for the members again"


def test_a_node_that_does_not_tell_its_members_is_done_without() -> None:
    for listed in (problem(403, "forbidden"), Answer("", 200, {}, b"nonsense"), Answer("", 200, {}, b"[]"), BROKEN):
        addresses = Addresses(URLS[:1])
        addresses.answered(URLS[0], {"x-triarch-node": "n1", "x-triarch-leader": "n2"})
        assert run(READ, listed, ok(), addresses=addresses).value is not None


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (problem(400, "invalid_request"), errors.Invalid),
        (problem(403, "forbidden"), errors.Forbidden),
        (problem(404, "variable_unknown"), errors.NotFound),
        (problem(409, "component_exists"), errors.Conflict),
        (problem(410, "compacted", snapshot="/v1/snapshot", index=7), errors.Compacted),
        (problem(412, "precondition_failed"), errors.Conflict),
        (problem(422, "key_reused"), errors.Invalid),
        (problem(500, "internal"), errors.Unavailable),
        (problem(502, "unreachable"), errors.Unavailable),
        (problem(504, "state_not_reached"), errors.Unavailable),
    ],
    ids=lambda case: str(getattr(case, "status", "")),
)
def test_what_is_refused_is_never_repeated(answer: Answer, kind: type[errors.ClientError]) -> None:
    for request in (READ, WRITE):
        done = run(request, answer)
        assert len(done.asked) == 1
        assert type(done.error) is kind
    if isinstance(done.error, errors.Compacted):
        assert (done.error.snapshot, done.error.index) == ("/v1/snapshot", 7)


def test_some_other_server_at_an_address_is_passed_over() -> None:
    other = Answer("", 404, {}, b"<html>")
    for request in (READ, WRITE):
        assert run(request, other, ok()).asked == list(URLS[:2])
        alone = run(request, other)
        assert alone.asked == list(URLS), "each once: it would say the same again"
        assert isinstance(alone.error, errors.UnexpectedAnswer)
        assert alone.error.status == 404


def test_what_a_deposed_leader_refused_is_asked_of_the_next() -> None:
    done = run(WRITE, problem(409, "fenced"), ok())
    assert (done.asked, done.error) == ([*URLS[:2]], None)
    over = run(WRITE, problem(409, "fenced"))
    assert isinstance(over.error, errors.Conflict), "it was certainly not done"
    assert over.now > 3.0


@pytest.mark.parametrize(
    "answer",
    [problem(421, "host_unknown"), Answer("", 302, {"location": "http://elsewhere:1/"}, b""), Answer("", 301, {}, b"")],
)
def test_an_address_that_sends_away_is_passed_over(answer: Answer) -> None:
    addresses = Addresses(URLS)
    assert run(WRITE, answer, ok(), addresses=addresses).asked == list(URLS[:2])
    assert run(WRITE, ok(), addresses=addresses).asked == [URLS[1]]
    assert run(WRITE, answer).asked == list(URLS), "each once"


def test_after_a_failure_inside_a_node_the_next_call_begins_at_another() -> None:
    addresses = Addresses(URLS)
    assert isinstance(run(READ, problem(500, "internal"), addresses=addresses).error, errors.Unavailable)
    assert run(READ, ok(), addresses=addresses).asked == [URLS[1]]


def test_no_leader_is_waited_for_until_the_time_is_over() -> None:
    done = run(WRITE, problem(503, "no_leader", retry_after="1"))
    assert isinstance(done.error, errors.NoLeader)
    assert all(pause >= 1.0 for pause in done.pauses), "as the nodes ask"
    assert 3.0 < done.now <= 5.0
    assert run(WRITE, problem(503, "no_leader", retry_after="1"), ok()).value is not None


def test_a_person_is_not_kept_waiting_for_what_nobody_began() -> None:
    once = Tries(timeout_s=5.0, rounds=1)
    assert run(WRITE, problem(503, "no_leader", retry_after="1"), tries=once).asked == list(URLS)
    nobody = run(READ, REFUSED, tries=once)
    assert isinstance(nobody.error, errors.NoNode)
    assert all(url in nobody.error.message for url in URLS)
    assert len(run(WRITE, BROKEN, REFUSED, REFUSED, REFUSED, ok(), tries=once).asked) == 5, "it may have been done"


ROUND = Tries(timeout_s=6.0, rounds=1, insists=False, node_s=2.0, to_leader=False, finds_members=False)
"""For what is worth nothing a little later."""


@pytest.mark.parametrize(
    "answer",
    [
        REFUSED,
        BROKEN,
        problem(503, "no_leader", "1"),
        problem(503, "read_timed_out"),
        problem(504, "outcome_unknown"),
        problem(500, "internal"),
        problem(409, "fenced"),
        problem(421, "host_unknown"),
        Answer("", 307, {"location": "http://elsewhere:1/"}, b""),
        Answer("", 400, {}, b"<html>"),
        Answer("", 502, {}, b"<proxy>"),
        Answer("", 504, {}, b"<proxy>"),
    ],
)
def test_what_is_soon_old_is_asked_of_each_node_once_and_without_a_pause(answer: Answer | NoAnswer) -> None:
    done = run(WRITE, answer, answer, ok(), tries=ROUND)
    assert (done.asked, done.pauses, done.error) == ([*URLS], [], None)
    lost = run(WRITE, answer, tries=ROUND)
    assert (lost.asked, lost.pauses) == ([*URLS], [])
    assert lost.error is not None


def test_in_a_round_a_node_that_asks_to_wait_is_left_for_the_next() -> None:
    """What it counts, it counts for itself; and what is soon old is not waited for."""
    for answer in (problem(429, "too_many_requests", "2"), problem(409, "key_in_flight", "1")):
        addresses = Addresses(URLS)
        assert run(WRITE, answer, ok(), tries=ROUND, addresses=addresses).asked == list(URLS[:2])
        assert run(WRITE, ok(), tries=ROUND, addresses=addresses).asked == [URLS[1]]
        done = run(WRITE, answer, tries=ROUND)
        assert (done.asked, done.pauses) == ([*URLS], [])
        assert isinstance(done.error, errors.ApiError)
        assert done.error.status == answer.status


def test_one_node_gets_no_more_than_its_time() -> None:
    patient = Request(method="POST", target="/event", body=b"{}", key="k-1", patience_s=16.0)
    for tries, most in ((ROUND, 2.0), (Tries(timeout_s=5.0, node_s=1.0), 1.0), (Tries(timeout_s=5.0), 5.0)):
        done = run(patient, REFUSED, REFUSED, ok(), tries=tries)
        sent = [step for step in done.steps if isinstance(step, Exchange)]
        assert len(sent) == 3
        assert all(step.silence_s == step.left_s <= most for step in sent)
    impatient = Request(method="GET", target="/v1/x", patience_s=0.5)
    (step,) = run(impatient, ok(), tries=ROUND).steps
    assert isinstance(step, Exchange)
    assert (step.silence_s, step.left_s) == (0.5, 2.0)


def test_who_does_not_need_the_leader_stays_with_the_node_that_answered() -> None:
    addresses = Addresses(URLS)
    leads = {"x-triarch-node": "n3", "x-triarch-leader": "n3"}
    addresses.answered(URLS[2], leads)
    addresses.answered(URLS[1], {"x-triarch-node": "n2", "x-triarch-leader": "n3"})
    assert run(WRITE, ok(), addresses=addresses).asked == [URLS[2]]
    addresses.answered(URLS[1], {"x-triarch-node": "n2", "x-triarch-leader": "n3"})
    assert run(WRITE, ok(), tries=ROUND, addresses=addresses).asked == [URLS[1]]


@pytest.mark.parametrize(
    "first",
    [
        BROKEN,
        problem(503, "read_timed_out", "1"),
        problem(504, "outcome_unknown", idempotency_key="k-1"),
        Answer("", 502, {}, b"<proxy>"),
    ],
)
def test_a_write_whose_outcome_is_unknown_is_repeated_under_its_key(first: Answer | NoAnswer) -> None:
    done = run(WRITE, first, ok())
    assert done.value is not None
    requests = [step.request for step in done.steps if isinstance(step, Exchange)]
    assert requests == [WRITE, WRITE]
    # Whatever is said later, it stays unknown: the first attempt may have arrived.
    lost = run(WRITE, first, problem(503, "no_leader", retry_after="1"))
    assert isinstance(lost.error, errors.OutcomeUnknown)
    assert lost.error.key == "k-1"
    assert "k-1" in str(lost.error)


def test_a_read_without_an_answer_is_asked_elsewhere() -> None:
    assert run(READ, BROKEN, ok()).asked == list(URLS[:2])
    assert isinstance(run(READ, BROKEN).error, errors.NoNode)


@pytest.mark.parametrize("answer", [problem(429, "too_many_requests", "2"), problem(409, "key_in_flight", "2")])
def test_who_is_asked_to_wait_does_not_go_round_by_another_node(answer: Answer) -> None:
    done = run(WRITE, answer, ok(), tries=Tries(timeout_s=5.0, rounds=1))
    assert done.pauses == [2.0]
    assert done.asked == [URLS[0], URLS[0]]
    over = run(WRITE, problem(429, "too_many_requests", "600"))
    assert isinstance(over.error, errors.TooManyRequests)
    assert (over.error.retry_after_s, over.pauses) == (600.0, []), "there is no sense in waiting"


def test_a_new_token_is_fetched_once() -> None:
    denied = problem(401, "unauthorised", reason="expired")
    assert run(READ, denied, True, ok()).asked == [URLS[0], URLS[0]]
    for script in ((denied, False), (denied, True, denied)):
        done = run(READ, *script)
        assert isinstance(done.error, errors.Unauthorised)
        assert done.error.members["reason"] == "expired"


def test_redirects_are_followed_within_the_cluster_alone() -> None:
    def to(location: str) -> Answer:
        return Answer("", 307, {"location": location}, b"")

    assert run(WRITE, to("http://c:1/v1/variables/x"), ok()).asked == [URLS[0], URLS[2]]
    for location in ("http://evil:1/v1", "//evil/x", "", "https://c:1/v1", "http://[bad", "http://c:1@evil:1/"):
        assert run(WRITE, to(location), ok()).asked == list(URLS[:2]), "the next address"
        done = run(WRITE, to(location))
        assert isinstance(done.error, errors.UnexpectedAnswer)
        assert done.asked == list(URLS)
    round_and_round = run(WRITE, to("http://b:1/"))
    assert isinstance(round_and_round.error, errors.UnexpectedAnswer)
    assert round_and_round.error.status == 307


def test_a_certificate_that_is_not_trusted_is_said_at_once() -> None:
    done = run(READ, NoAnswer("CERTIFICATE_VERIFY_FAILED", sent=False, heals=False))
    assert isinstance(done.error, errors.NoNode)
    assert done.asked == list(URLS)


OUTCOMES = st.sampled_from(
    [
        REFUSED,
        BROKEN,
        problem(503, "no_leader", "1"),
        problem(503, "queue_full", "0.5"),
        problem(503, "redis_unavailable", "nonsense"),
        problem(504, "outcome_unknown"),
        problem(409, "key_in_flight"),
        problem(429, "too_many_requests", "1e9"),
        Answer("", 502, {}, b""),
        Answer("", 503, {"retry-after": "Thu, 01 Jan 2026 00:00:00 GMT"}, b""),
    ]
)


@given(
    script=st.lists(OUTCOMES, min_size=1, max_size=40),
    end=st.sampled_from([ok(), problem(404, "variable_unknown")]),
    timeout_s=st.floats(0.01, 30),
    fraction=st.floats(0, 1, exclude_max=True),
    request_=st.sampled_from([READ, WRITE]),
)
def test_every_call_ends_by_its_deadline_and_says_what_is_known(
    script: list[Any], end: Answer, timeout_s: float, fraction: float, request_: Request
) -> None:
    done = Run(attempts(request_, Addresses(URLS), Tries(timeout_s=timeout_s), 0.0), [*script, end], fraction)
    assert done.now <= timeout_s + TOOK_S
    assert all(pause <= RETRY_AFTER_MAX_S for pause in done.pauses)
    sent = [step for step in done.steps if isinstance(step, Exchange)]
    assert all(step.request is request_ and 0 < step.silence_s <= step.left_s <= timeout_s for step in sent)
    seen = [*script, end][: len(sent)]
    last = seen[-1]
    if last is end:
        assert (done.value is end) == (end.status == 200)
    elif request_ is WRITE:
        doubtful = any(one is BROKEN or getattr(one, "status", 0) in (502, 504) for one in seen)
        assert isinstance(done.error, errors.OutcomeUnknown) == doubtful
    else:
        assert done.error is not None


@given(
    script=st.lists(OUTCOMES, min_size=1, max_size=6),
    end=st.sampled_from([ok(), problem(404, "component_unknown"), problem(409, "component_superseded")]),
    rounds=st.integers(1, 3),
    node_s=st.floats(0.1, 5),
    request_=st.sampled_from([READ, WRITE]),
)
def test_a_call_that_does_not_insist_ends_with_its_rounds(
    script: list[Any], end: Answer, rounds: int, node_s: float, request_: Request
) -> None:
    tries = Tries(timeout_s=1e6, rounds=rounds, insists=False, node_s=node_s, to_leader=False)
    done = Run(attempts(request_, Addresses(URLS), tries, 0.0), [*script, end])
    assert len(done.pauses) <= rounds - 1
    assert len(done.asked) <= rounds * len(URLS)
    assert all(done.asked.count(url) <= rounds for url in URLS)
    sent = [step for step in done.steps if isinstance(step, Exchange)]
    assert all(0 < step.silence_s <= step.left_s <= node_s for step in sent)
    seen = [*script, end][: len(sent)]
    assert (done.value is end) == (seen[-1] is end and end.status == 200)
    assert (done.value is None) == (done.error is not None)


@given(rounds=st.integers(1, 10_000), fraction=st.floats(0, 1, exclude_max=True))
def test_pauses_are_spread_and_bounded(rounds: int, fraction: float) -> None:
    assert PAUSE_FIRST_S / 2 <= pause_s(rounds, fraction) <= 2.0
    assert pause_s(rounds, fraction, 7.0) == 7.0
    assert pause_s(rounds, fraction, 1e9) == RETRY_AFTER_MAX_S


# ── Addresses, paths, keys ────────────────


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        ",",
        "ftp://x",
        "localhost:8101",
        "http://",
        "http://x:0",
        "http://x:99999",
        "http://u:p@x:1",
        "http://x/?a=1",
    ],
)
def test_addresses_that_cannot_be(wrong: str) -> None:
    with pytest.raises(errors.SettingsInvalid) as told:
        checked_addresses(wrong)
    assert "u:p" not in str(told.value)


def test_addresses_of_a_list_or_a_text() -> None:
    assert checked_addresses(" http://a:1/, https://b:2 ,http://a:1") == ("http://a:1", "https://b:2")
    assert checked_addresses(["http://[::1]:1/under"]) == ("http://[::1]:1/under",)
    assert checked_addresses("HTTPS://a:1/Under,Http://b:2") == ("https://a:1/Under", "http://b:2")


def test_whose_address_is_written_in_capitals_is_trusted_as_any_other() -> None:
    def trusted(url: str) -> int:
        return context_of(checked_addresses(url), None, None).cert_store_stats()["x509_ca"]

    assert (trusted("HTTPS://a:1"), trusted("HTTP://a:1")) == (trusted("https://a:1"), 0)
    assert trusted("https://a:1") > 0


@given(name=st.text(st.sampled_from("/?#%&. äλ\\\r\n\0ab:;\ud800"), min_size=1))
def test_a_value_stays_one_segment_of_the_path(name: str) -> None:
    if name in (".", "..") or "\ud800" in name:
        with pytest.raises(errors.SettingsInvalid):
            filled("/v1/variables/{name}", {"name": name})
        return
    path = filled("/v1/variables/{name}", {"name": name})
    assert path.count("/") == 3
    assert not set(path) & set("?#\r\n \\")


def test_queries_repeat_lists_and_leave_out_nothing_else() -> None:
    assert (
        query_of({"a": ["x y", "z"], "b": True, "c": None, "d": 0, "e": "ä&"}) == "?a=x%20y&a=z&b=true&d=0&e=%C3%A4%26"
    )
    assert query_of({"a": None, "b": []}) == ""


@pytest.mark.parametrize("key", ["", "a b", "ä", "x" * 201, "a\r\nb"])
def test_keys_that_cannot_be(key: str) -> None:
    with pytest.raises(errors.SettingsInvalid):
        checked_key(key)


def test_only_writes_have_a_key() -> None:
    def request(method: str, **options: Any) -> Request:
        return Call[Any](**options).bound(method, "/v1/x").request("made")

    assert request("GET").key == ""
    assert request("POST").headers["Idempotency-Key"] == "made"
    assert request("POST", key="given").key == "given"
    assert request("GET", query={"consistency": "stale"}).any_node
