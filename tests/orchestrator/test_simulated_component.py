"""A simulated component answers as a real one does: both get the same commands, and what they answer is compared."""

import random

import httpx
import pytest

from cluster import Epoch
from orchestrator.commanding import CommandSender
from orchestrator.component import Component
from orchestrator.components import ComponentRow
from orchestrator.errors import KeyReused, Refused
from orchestrator.events import Frozen
from orchestrator.lifecycle import Command, State, parse_any_command
from orchestrator.playbooks.effect import Failed, Unknown
from orchestrator.playbooks.simulation.machine import Machine, Work

pytestmark = pytest.mark.anyio

STEPS = 400
NAMES = (*Command, "CMD_STOP", "POLISH")


class Nothing(Frozen):
    """No params."""


class Real(Component):
    """Does everything at once; fails what it is told to."""

    failing = False

    async def _work_now(self) -> None:
        if self.failing:
            raise RuntimeError("told to fail")

    on_initialize = on_start = on_stop = on_reset = _work_now

    def ready(self) -> "Real":
        """With a command of its own."""

        async def polish(_: Nothing) -> None:
            await self._work_now()

        self.on_command("POLISH", Nothing, polish)
        return self


def row_of(component: Component) -> ComponentRow:
    return ComponentRow(
        id=component.id,
        name="",
        address="http://component",
        groups=(),
        state=component.state,
        online=True,
        reason="",
        incarnation="",
        sequence=None,
        registered_time=0.0,
        position=(1, 1),
    )


def simulated(machine: Machine, key: str, name: str, *, fails: bool) -> tuple[Machine, str]:
    """The machine after the command, whose work ends at once, and the code of its answer."""
    known = key in machine.memory
    machine, refusal = machine.receive(key, parse_any_command(name))
    if refusal is not None:
        assert isinstance(refusal, Failed | Unknown)
        return machine, refusal.code
    if not known:
        machine = machine.fail("told to fail") if fails else machine.finish()
    outcome = machine.outcome(key)
    return machine, outcome.code if isinstance(outcome, Failed) else "" if outcome is Work.DONE else "working"


async def test_the_same_commands_get_the_same_answers() -> None:
    chance = random.Random(5)
    real, machine = Real("io", orchestrator_url="http://127.0.0.1:9").ready(), Machine("io")
    reached: set[tuple[State, str]] = set()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(real)) as http:
        sender = CommandSender(http, Epoch(term=1, index=1), timeout_s=10.0)
        for number in range(STEPS):
            real.failing = chance.random() < 0.15
            key = f"k{number if chance.random() < 0.8 else chance.randrange(number + 1)}"
            name = str(chance.choice(NAMES))
            machine, wanted = simulated(machine, key, name, fails=real.failing)
            try:
                code = str((await sender.send(row_of(real), name, key)).code)
            except (Refused, KeyReused) as refusal:
                code = refusal.code
            assert (code, real.state) == (wanted, machine.state), (number, name, key)
            reached.add((machine.state, code))
    assert {state for state, _ in reached} >= {State.READY, State.STARTED, State.FAULT, State.STOPPED}
    assert {code for _, code in reached} >= {"", "command_refused", "command_failed", "key_reused"}
