"""The parts that drive executions: effects under way, what is remembered of a run, committing until it is known."""

import asyncio
import logging
import threading
from collections.abc import Iterator

import msgspec
import pytest

from cluster import Applied, CommandTooLarge, NoLeader, NotLeader, OutcomeUnknown, QueueFull
from cluster.commands import Outcome, Position
from orchestrator.errors import StaleEpoch
from orchestrator.playbooks.books import Books, PlaybookUnreadable
from orchestrator.playbooks.committing import Committer
from orchestrator.playbooks.effect import Done, Effect, Failed, Result
from orchestrator.playbooks.effect_pool import EffectPool
from orchestrator.playbooks.execution import ExecutionRow, PlaybookPut, Status, StepRow, StepStatus, TriggersSeen
from orchestrator.playbooks.library import PlaybookLibrary
from orchestrator.playbooks.loading import load_text
from orchestrator.playbooks.models import Playbook
from orchestrator.playbooks.run import Run, concerns, waits_for_components
from tests.support import eventually

pytestmark = pytest.mark.anyio


def effect(path: str = "actions/0", *, key: str = "k1", sends: int = 0, execution: str = "x") -> Effect:
    return Effect(execution, path, "send_command", key, {"component": "io"}, None, sends)


# ── What is remembered of a run ────────────────────────────────


def row(**steps: StepRow) -> ExecutionRow:
    return ExecutionRow(id="x", playbook="p", version=1, status=Status.RUNNING, steps=steps)


def step(path: str, kind: str = "send_command", data: str = "") -> StepRow:
    return StepRow(path=path, type=kind, status=StepStatus.RUNNING, data=data)


def test_an_effect_is_begun_once_and_cancelled_when_nobody_wants_it() -> None:
    run = Run("x")
    one, other = effect("actions/0"), effect("actions/1")
    assert run.settle([one, other]) == ([one, other], [])
    assert run.settle([one, other]) == ([], [])
    assert run.settle([other]) == ([], ["actions/0"])


def test_another_begin_of_the_same_step_takes_the_place_of_the_first() -> None:
    run = Run("x")
    run.settle([effect(sends=0)])
    again = effect(sends=1)
    assert run.settle([again]) == ([again], [])
    assert not run.ended(effect(sends=0), Done())
    assert run.ended(again, Done(1))
    assert run.known_results() == {"actions/0": Done(1)}


def test_a_result_stays_until_a_record_was_made_with_it() -> None:
    run = Run("x")
    run.settle([effect()])
    run.ended(effect(), Done(1))
    assert run.settle([effect()]) == ([], [])
    used = run.known_results()
    run.used(used)
    assert run.known_results() == {}


def test_large_results_have_their_turn_one_after_the_other() -> None:
    run, steps = Run("x"), row(**{name: step(f"actions/{name}", data="d" * 60_000) for name in "abcdef"})
    effects = [effect(path, key=path) for path in steps.steps]
    run.settle(effects)
    for each in effects:
        assert run.ended(each, Done({"result": "r" * 8_000}))
    first = run.known_results(steps)
    assert 1 <= len(first) < 6
    run.used(first)
    assert len(run.known_results(steps)) == 6 - len(first)
    assert not first.keys() & run.known_results(steps).keys()


def test_a_result_of_an_attempt_that_is_over_is_dropped() -> None:
    run = Run("x")
    run.settle([effect(key="k1")])
    run.ended(effect(key="k1"), Done(1))
    fresh, _ = run.settle([effect(key="k2")])
    assert fresh == [effect(key="k2")]
    assert run.known_results() == {}


def test_without_a_result_it_is_as_if_it_had_never_begun() -> None:
    run = Run("x")
    run.settle([effect()])
    assert not run.ended(effect(), None)
    assert run.settle([effect()]) == ([effect()], [])


def test_which_components_an_execution_waits_for() -> None:
    waiting = row(a=step("actions/0", "wait_for_state", '{"targets":["io","press"]}'))
    assert waits_for_components(waiting)
    assert concerns(waiting, "io")
    assert not concerns(waiting, "i")
    assert not waits_for_components(row(a=step("actions/0")))


def test_what_an_earlier_leader_may_have_begun_is_known() -> None:
    assert Run.of(row(a=step("actions/0")), taken_over=True).inherited == {"actions/0"}
    assert Run.of(row(a=step("actions/0")), taken_over=False).inherited == frozenset()
    # What waits for another attempt has nothing under way: that attempt may be made.
    between = msgspec.structs.replace(step("actions/0"), status=StepStatus.RETRYING, next=1.0)
    assert Run.of(row(a=between), taken_over=True).inherited == frozenset()


# ── Effects under way ────────────────────────────────


class Slow:
    """Does an effect when its gate opens."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.gate = asyncio.Event()
        self.ended: list[tuple[str, Result | None]] = []
        self.raises: Exception | None = None

    async def perform(self, effect: Effect) -> Result:
        self.begun.append(effect.path)
        await self.gate.wait()
        if self.raises is not None:
            raise self.raises
        return Done(effect.path)

    def hear(self, effect: Effect, result: Result | None) -> None:
        self.ended.append((effect.path, result))


async def test_so_many_at_once_and_the_others_in_their_turn() -> None:
    slow = Slow()
    pool = EffectPool(slow.perform, slow.hear, at_once=2)
    for number in range(5):
        pool.begin(effect(f"actions/{number}"))
    await eventually(lambda: len(slow.begun) == 2)
    pool.cancel(("x", "actions/3"))
    assert len(pool) == 4
    slow.gate.set()
    await eventually(lambda: len(slow.ended) == 4)
    assert slow.begun == ["actions/0", "actions/1", "actions/2", "actions/4"]
    assert len(pool) == 0


async def test_one_that_is_cancelled_tells_nobody() -> None:
    slow = Slow()
    pool = EffectPool(slow.perform, slow.hear)
    pool.begin(effect())
    await eventually(lambda: slow.begun)
    pool.cancel(("x", "actions/0"))
    pool.begin(effect("actions/1"))
    await eventually(lambda: len(slow.begun) == 2)
    await pool.close()
    assert slow.ended == []
    assert len(pool) == 0


async def test_a_newer_leader_has_spoken_leaves_no_result() -> None:
    slow = Slow()
    slow.gate.set()
    slow.raises = StaleEpoch("2.9 has spoken")
    EffectPool(slow.perform, slow.hear).begin(effect())
    await eventually(lambda: slow.ended == [("actions/0", None)])


async def test_a_defect_fails_the_step_and_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    slow = Slow()
    slow.gate.set()
    slow.raises = ZeroDivisionError()
    EffectPool(slow.perform, slow.hear).begin(effect())
    await eventually(lambda: slow.ended)
    assert isinstance(slow.ended[0][1], Failed)
    assert slow.ended[0][1].code == "internal"
    assert "this is a defect" in caplog.text


# ── Committing ────────────────────────────────

SEEN = TriggersSeen(index=1, at=1.0)


class Log:
    """Answers proposals with what it is given, in turn."""

    def __init__(self, *answers: Exception | str) -> None:
        self.answers: Iterator[Exception | str] = iter(answers)
        self.ids: list[str] = []

    async def propose(self, kind: str, body: msgspec.Struct, command_id: str) -> Applied:
        assert (kind, body) == (SEEN.kind, SEEN)
        self.ids.append(command_id)
        answer = next(self.answers)
        if isinstance(answer, Exception):
            raise answer
        return Applied(Outcome(code=answer), Position(1, 1))


async def test_until_the_outcome_is_known_it_is_the_same_command() -> None:
    log = Log(OutcomeUnknown("i", "slow"), QueueFull(1), NotLeader(None), NoLeader(), "")
    assert (await Committer(log.propose).commit(SEEN.kind, SEEN)).ok
    assert len(log.ids) == 5
    assert len(set(log.ids)) == 1


async def test_a_refusal_is_an_outcome() -> None:
    assert (await Committer(Log("execution_changed").propose).commit(SEEN.kind, SEEN)).code == "execution_changed"


async def test_what_is_too_large_is_not_tried_again() -> None:
    with pytest.raises(CommandTooLarge):
        await Committer(Log(CommandTooLarge(9, 8)).propose).commit(SEEN.kind, SEEN)


async def test_a_deposed_leader_waits_for_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    task = asyncio.create_task(Committer(Log("fenced").propose).commit(SEEN.kind, SEEN))
    await eventually(lambda: "another leader's epoch holds" in caplog.text)
    assert not task.done()
    task.cancel()
    await asyncio.wait([task])


# ── Playbooks as models ────────────────────────────────


def library(*texts: str) -> PlaybookLibrary:
    found = PlaybookLibrary()
    for text in texts:
        found.put(PlaybookPut(name="p", text=text), time=0.0, in_use=())
    return found


def read(text: str) -> Playbook:
    return load_text(text, file="p").playbook


def test_a_version_is_read_once() -> None:
    reads: list[str] = []

    def counted(text: str) -> Playbook:
        reads.append(text)
        return read(text)

    books = Books(library("name: p\nactions: [{type: fail, message: no}]"), counted)
    assert books.version("p", 1) is books.version("p", 1)
    assert len(reads) == 1


def test_a_text_that_cannot_be_read_says_why_and_is_not_there_for_others() -> None:
    shelf = library("name: p\nactions: [{type: teleport}]")
    books = Books(shelf, read)
    with pytest.raises(PlaybookUnreadable, match="version 1 of playbook p cannot be read here"):
        books.version("p", 1)
    with pytest.raises(KeyError):
        books.newest(shelf.rows["p"])


def test_after_a_restore_a_number_may_mean_another_text() -> None:
    there, other = (
        library("name: p\nactions: [{type: delay, duration: 1s}]"),
        library("name: p\nactions: [{type: fail, message: no}]"),
    )
    books = Books(there, read)
    assert books.version("p", 1).actions[0].type == "delay"
    there.restore(other.snapshot())
    assert books.version("p", 1).actions[0].type == "fail"


def test_a_version_that_is_gone() -> None:
    with pytest.raises(PlaybookUnreadable, match="version 9 of playbook p is not kept any more"):
        Books(library(), read).version("p", 9)


async def test_what_was_put_is_read_beside_the_loop_before_it_is_asked_for() -> None:
    threads: list[int] = []

    def noted(text: str) -> Playbook:
        threads.append(threading.get_ident())
        return read(text)

    books = Books(library("name: p\nactions: [{type: fail, message: no}]"), noted)
    await books.prepare()
    await books.prepare()
    assert books.version("p", 1).name == "p"
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()
