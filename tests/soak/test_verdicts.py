"""A verdict that cannot fail proves nothing: each is shown what it must find."""

import msgspec
import pytest

from cluster import Position
from framebuffer.wire import FenceRecord
from orchestrator.bench.tally import State, Tallies, Verdict, command, judge
from tests.soak import frame_kills, fuzz_cases, million, overload
from tests.soak.bounded import MEMORY_GROWTH_BYTES, growing
from tests.soak.fuzz_cases import Document, Request
from tests.soak.fuzz_sending import Sending
from tests.soak.isolated import BOUND_MS, late
from tests.soak.rejoin import deposed
from tests.soak.report import page


def applied(*numbers: int, client: str = "c") -> State:
    machine = Tallies()
    for index, number in enumerate(numbers, 2):
        machine.apply(command(client, number, at=0.0), Position(1, index))
    return machine.state


def verdict(*states: State, acknowledged: int = 3) -> Verdict:
    return judge({"c": acknowledged}, {f"n{number}": state for number, state in enumerate(states, 1)})


def test_everything_once_on_every_member_is_right() -> None:
    found = verdict(applied(0, 1, 2), applied(0, 1, 2))
    assert (found.ok, found.acknowledged, found.lost, found.twice) == (True, 3, 0, 0)


def test_a_command_whose_answer_was_lost_may_be_there() -> None:
    assert verdict(applied(0, 1, 2, 3), applied(0, 1, 2, 3)).ok


@pytest.mark.parametrize(
    ("numbers", "lost", "twice", "said"),
    [
        ((0, 1), 1, 0, "1 of 3 acknowledged commands of c are lost"),
        ((0, 2), 1, 0, "1 of 3 acknowledged commands of c are lost"),
        ((), 3, 0, "3 of 3 acknowledged"),
        ((0, 1, 1, 2), 0, 1, "1 commands of c were applied again"),
        ((0, 1, 2, 0), 0, 1, "applied again"),
        ((0, 1, 2, 3, 4), 0, 0, "5 commands of c were applied, 3 were sent"),
    ],
)
def test_what_is_lost_doubled_or_made_up_is_found(numbers: tuple[int, ...], lost: int, twice: int, said: str) -> None:
    found = verdict(applied(*numbers), applied(*numbers))
    assert (found.ok, found.lost, found.twice) == (False, lost, twice)
    assert said in found.problems[0]


def test_a_loss_on_one_member_alone_is_found() -> None:
    found = verdict(applied(0, 1, 2), applied(0, 1))
    assert (found.ok, found.lost) == (False, 1)
    assert any("n2 differs from n1" in problem for problem in found.problems)


def test_another_order_is_another_state() -> None:
    first, second = Tallies(), Tallies()
    one, two = command("a", 0, at=0.0), command("b", 0, at=0.0)
    for machine, order in ((first, (one, two)), (second, (two, one))):
        for index, each in enumerate(order, 2):
            machine.apply(each, Position(1, index))
    assert not judge({"a": 1, "b": 1}, {"n1": first.state, "n2": second.state}).ok


def test_nobody_to_ask_is_no_success() -> None:
    assert not judge({}, {}).ok


def test_a_state_survives_its_snapshot() -> None:
    machine, other = Tallies(), Tallies()
    machine.state = applied(0, 1, 1, 3)
    other.restore(machine.snapshot())
    assert other.state == machine.state
    assert msgspec.json.decode(msgspec.json.encode(machine.state), type=State) == machine.state


def test_another_leader_or_term_is_found() -> None:
    assert deposed(("n1", 4), {("n1", 4)}) == []
    assert deposed(("n1", 4), {("n1", 4), ("n2", 5)}) == ["n1 led in term 4, then n2 in term 5"]
    assert deposed(("n1", 4), {(None, 5)}) == ["n1 led in term 4, then nobody in term 5"]
    assert deposed(("n1", 4), {(None, 4)}) == []


def test_growth_is_found_in_files_and_in_memory() -> None:
    saw = [(size << 20, 50 << 20) for size in (1, 4, 1, 4, 1, 5, 1, 3)]
    assert growing("n1", saw) == []
    assert "its files grew from 40000000 to 80000000" in growing("n1", [(n * 10_000_000, 0) for n in range(1, 9)])[0]
    assert "its memory grew" in growing("n1", [(1, n * MEMORY_GROWTH_BYTES) for n in range(1, 9)])[0]
    assert "too few" in growing("n1", [(1, 1)])[0]


def test_answers_after_the_bound_are_found() -> None:
    assert late({"leader": [0.0, BOUND_MS]}) == []
    assert "run 2: leader reads were answered for 500.1 ms" in late({"leader": [3.0, 500.1]})[0]


def test_a_gap_is_measured_between_leaders_that_moved_frames() -> None:
    reigns = [FenceRecord(3, 9, "n3", 5_000, 6_000, 2), FenceRecord(2, 5, "n2"), FenceRecord(1, 2, "n1", 100, 2_000, 9)]
    assert frame_kills.gap_ms((1, 2), reigns) == 3.0
    assert frame_kills.gap_ms((3, 9), reigns) is None
    assert frame_kills.too_long([100.0, 200.0], 2) == []
    assert "1 gaps were measured for 2 kills" in frame_kills.too_long([100.0], 2)[0]
    assert [problem.split(" ")[0] for problem in frame_kills.too_long([800.0, 1600.0], 2)] == ["half", "the"]


def test_growth_of_a_process_is_found() -> None:
    mib = 1 << 20
    assert million.growing("w1", [50 * mib] * 20) == []
    assert "grew" in million.growing("w1", [50 * mib] * 10 + [67 * mib] * 10)[0]
    assert million.growing(million.SERVER, [50 * mib] * 10 + [67 * mib] * 10) == []
    assert "too few" in million.growing("w1", [mib] * 10)[0]


def test_the_way_back_to_normal_is_timed_by_the_last_late_frame() -> None:
    seen = [overload.Seen(at, took, "c") for at, took in ((900, 999), (1100, 80), (1400, 20), (1500, 70), (2500, 10))]
    assert overload.back_after_s(seen, 1000, 50) == 0.5
    assert overload.back_after_s(seen, 1000, 90) == 0.0
    assert overload.back_after_s(seen[:4], 1000, 50) is None
    calm = [overload.Seen(2500 + at, 10, "c") for at in range(200)]
    stragglers = [overload.Seen(at, 70, "c") for at in (2100, 2150)]
    assert overload.back_after_s([*seen, *calm, *stragglers], 1000, 50) == 0.5
    assert overload.back_after_s([*seen, *calm, *stragglers, stragglers[0]], 1000, 50) == 1.1
    assert overload.p99(range(1, 201)) == 198


def test_a_page_shows_what_broke() -> None:
    origin = {"command": "c", "commit": "f" * 40, "at": "t", "python": "3", "pysyncobj": "0", "system": "s", "cores": 2}
    report = {"campaign": "calm", "problems": ["an election"], "origin": {**origin, "load_average": [0.5]}, "lost": 0}
    broken = page({**report, "ok": False})
    assert "**Broken:** an election" in broken
    assert "| `lost` | 0 |" in broken
    assert "Every promise held." in page({**report, "ok": True, "problems": []})


LIMITS = ("put", "/v1/access/limits")
READY = ("get", "/v1/ready")


@pytest.fixture
def sending() -> Sending:
    """One that sends nothing: two operations, one of which answers with a row."""
    row = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}
    document = {
        "openapi": "3.1.0",
        "info": {"title": "t", "version": "1"},
        "components": {"schemas": {"Row": row}},
        "paths": {
            READY[1]: {
                "get": {
                    "responses": {
                        "200": {
                            "description": "d",
                            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Row"}}},
                        }
                    }
                }
            },
            LIMITS[1]: {"put": {"responses": {"200": {"description": "d"}, "422": {"description": "d"}}}},
        },
    }
    home = "http://127.0.0.1:1"
    return Sending([], Document(document, home), 0, "", seed=1, small=True, seconds=1)


@pytest.mark.parametrize(
    ("operation", "status", "body", "said"),
    [
        (READY, 200, b'{"id": "n1"}', ""),
        (READY, 200, b'{"id": 1}', "$.id: 1 is not of type 'string'"),
        (READY, 200, b"{", "no JSON"),
        (READY, 200, None, ""),
        (READY, 404, None, "404, which is not documented"),
        (READY, 502, None, "answered 502 unreachable"),
        (READY, 504, None, "answered 504 unreachable"),
        (READY, None, None, "no answer"),
        (LIMITS, 422, None, ""),
        (LIMITS, 200, None, "answered 200 to what has to be refused"),
    ],
)
def test_what_a_node_must_not_answer_is_found(
    sending: Sending, operation: tuple[str, str], status: int | None, body: bytes | None, said: str
) -> None:
    request = Request(b"", operation, sound=False, mutable=False)
    sending._judge(b"", request, status, "unreachable", body)
    assert bool(sending.problems) == bool(said)
    assert not said or said in sending.problems[0]


def test_only_what_must_be_refused_is_sent_to_what_would_change_the_cluster() -> None:
    def refused(operation: tuple[str, str], url: str, content: bytes) -> bool:
        return fuzz_cases.TO_BE_REFUSED[operation](url, content)

    assert refused(LIMITS, LIMITS[1], b'{"token_burst": 0}')
    assert not refused(LIMITS, LIMITS[1], b'{"token_burst": "5"}')  # no schema has it, and it is taken
    assert not refused(LIMITS, LIMITS[1], b"{}")
    transfer = ("post", "/v1/cluster/transfer")
    assert refused(transfer, transfer[1], b'{"to": 1}')
    assert not refused(transfer, transfer[1], b"")
    assert not refused(transfer, transfer[1], b"null")
    member = ("delete", "/v1/cluster/members/{member_id}")
    assert refused(member, "/v1/cluster/members/n9", b"")
    assert not refused(member, "/v1/cluster/members/%6e1", b"")
