"""What the leader reaches in a simulation: components, and those who take notifications and requests. Virtual time.

Latencies: a message takes 5 ms each way; an answer is given when the work ends, or after 2 s with the work going on, as
`orchestrator.component` does; no answer for 5 s is an unknown outcome. With a seed, lengths vary by a half either way.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from orchestrator.lifecycle import Command, parse_any_command
from orchestrator.playbooks.engine import Done, Effect, Failed, Result, Unknown
from orchestrator.playbooks.simulation.faults import HTTP, NOTIFY, Fault, FaultKind
from orchestrator.playbooks.simulation.machine import Machine, Work
from orchestrator.playbooks.simulation.plant import WORK_S, SimulatedPlant
from orchestrator.playbooks.simulation.virtual import VirtualTime
from orchestrator.playbooks.world import ComponentFacts

MESSAGE_S = 0.005
ANSWER_WITHIN_S = 2.0
COMMAND_TIMEOUT_S = 5.0
SILENCE_S = 3.0
"""After so long a component that answers nothing is UNRESPONSIVE."""

Answer = Callable[[Result], None]
Tell = Callable[[str], None]


@dataclass(slots=True)
class Flaws:
    """What is scripted to go wrong with one component, or one service, from now on."""

    refuse: set[Command | str | None]
    fail: set[Command | str | None]
    slow_s: float = 0.0
    lose: int = 0


class Devices:
    """All that effects reach. `tell` is called with each thing that happens; `changed` with each change of state."""

    def __init__(
        self,
        plant: SimulatedPlant,
        time: VirtualTime,
        *,
        tell: Tell,
        changed: Callable[[str, str, str], None],
        seed: int | None,
    ) -> None:
        self.machines = {
            name: Machine(name, row.state, mute=row.health == "UNRESPONSIVE" or not row.online)
            for name, row in plant.components.items()
        }
        self.facts: dict[str, ComponentFacts] = plant.facts()
        self.notified: list[dict[str, Any]] = []
        self.requested: list[dict[str, Any]] = []
        self._keys: dict[str, Result] = {}
        self._takes = {name: row.takes for name, row in plant.components.items()}
        self._flaws = {name: Flaws(set(), set()) for name in (*plant.components, HTTP, NOTIFY)}
        self._waiting: dict[str, list[tuple[str, Answer]]] = {name: [] for name in plant.components}
        self._time, self._tell, self._changed = time, tell, changed
        self._random = None if seed is None else Random(seed)  # noqa: S311 - lengths of time, no secrets

    def states(self) -> dict[str, str]:
        """By component: its state, with what is wrong beside."""
        return {
            name: str(machine.state) + ("" if self.facts[name].health == "OK" else f"({self.facts[name].health})")
            for name, machine in self.machines.items()
        }

    def begin(self, effect: Effect, answer: Answer) -> None:
        """The leader has sent something. `answer` is called when, and if, an answer comes."""
        match effect.type:
            case "send_command":
                self._time.after(self._length(MESSAGE_S), lambda: self._command(effect, answer))
            case "send_notification":
                self._serve(NOTIFY, effect, answer, self.notified, None)
            case _:
                self._serve(HTTP, effect, answer, self.requested, {"status": 200, "headers": {}, "body": None})

    # ── Components ────────────────────────────────

    def _command(self, effect: Effect, answer: Answer) -> None:
        name, text = str(effect.data["component"]), str(effect.data["command"])
        machine = self.machines.get(name)
        if machine is None:
            answer(Failed("component_unknown", f"component {name} is not registered"))
            return
        try:
            command = parse_any_command(text)
        except ValueError as error:
            answer(Failed("event_invalid", f"command: {error}"))
            return
        if machine.mute:
            self._unanswered(name, answer)
            return
        flaws = self._flaws[name]
        known = effect.key in machine.memory
        if not known and flaws.refuse & {command, None}:
            self._tell(f"{name} refuses {command}")
            self._later(answer, Failed("command_refused", f"component {name} refuses {command}"))
            return
        machine, refusal = machine.receive(effect.key, command)
        if refusal is not None:
            self._tell(f"{name} refuses {command}: {refusal.message}")
            self._later(answer, refusal)
            return
        self._become(machine, f"{name} takes up {command}" if not known else f"{name} is asked for {command} again")
        if not known:
            work = self._length(float(self._takes[name].get(command, WORK_S))) + flaws.slow_s
            self._time.after(work, lambda: self._end(name, effect.key))
        if flaws.lose:
            flaws.lose -= 1
            self._tell(f"the answer of {name} gets lost")
            self._unanswered(name, answer)
            return
        if self.machines[name].outcome(effect.key) is not Work.WORKING:
            self._give(name, effect.key, answer)
            return
        self._waiting[name].append((effect.key, answer))
        if not effect.data.get("wait"):
            self._time.after(ANSWER_WITHIN_S, lambda: self._give_meanwhile(name, effect.key, answer))

    def _end(self, name: str, key: str) -> None:
        machine = self.machines[name]
        if machine.working != key:
            return
        command = machine.memory[key].command
        if self._flaws[name].fail & {command, None}:
            self._become(machine.fail(f"{command} failed"), f"{name}: {command} failed")
            self._give_all(name)
            return
        self._become(machine.finish(), f"{name} has done {command}")
        self._give_all(name)

    def _give(self, name: str, key: str, answer: Answer) -> None:
        """Answer what is known of the key now; each who waits is answered once."""
        waiting = self._waiting[name]
        self._waiting[name] = [each for each in waiting if each != (key, answer)]
        machine = self.machines[name]
        if machine.mute:
            self._unanswered(name, answer)
            return
        outcome = machine.outcome(key)
        if isinstance(outcome, Failed):
            self._later(answer, outcome)
        else:
            self._later(answer, Done({"state": str(machine.state), "completed": outcome is Work.DONE}))

    def _give_meanwhile(self, name: str, key: str, answer: Answer) -> None:
        if (key, answer) in self._waiting[name]:
            self._give(name, key, answer)

    def _give_all(self, name: str) -> None:
        for key, answer in list(self._waiting[name]):
            if self.machines[name].outcome(key) is not Work.WORKING:
                self._give(name, key, answer)

    def break_down(self, name: str, reason: str) -> None:
        """The component goes into FAULT."""
        self._become(self.machines[name].break_down(reason), f"{name} goes into FAULT: {reason}")
        self._give_all(name)

    def _become(self, machine: Machine, what: str) -> None:
        before = self.machines[machine.id].state
        self.machines[machine.id] = machine
        self._tell(what)
        if machine.mute:
            return  # nobody hears of it
        self.facts[machine.id] = replace(self.facts[machine.id], state=machine.state)
        if machine.state != before:
            self._changed(machine.id, str(machine.state), str(before))

    def _unanswered(self, name: str, answer: Answer) -> None:
        result = Unknown(f"component {name} did not answer; repeat it under the same key")
        self._time.after(COMMAND_TIMEOUT_S, lambda: answer(result))

    # ── Services ────────────────────────────────

    def _serve(self, name: str, effect: Effect, answer: Answer, taken: list[dict[str, Any]], value: Any) -> None:
        flaws = self._flaws[name]
        if flaws.refuse:
            failed = Failed("http_status", "status 400") if name == HTTP else Failed("unreachable", "not delivered")
            self._later(answer, failed)
            return
        if effect.key not in self._keys:
            self._keys[effect.key] = Done(value)
            taken.append(dict(effect.data))
            self._tell(f"{effect.type}: {_short(effect.data)}")
        if flaws.lose:
            flaws.lose -= 1
            self._tell(f"the answer of {name} gets lost")
            result = Unknown("no answer; it may have arrived")
            self._time.after(COMMAND_TIMEOUT_S, lambda: answer(result))
            return
        self._later(answer, self._keys[effect.key])

    # ── What goes wrong ────────────────────────────────

    def harm(self, fault: Fault) -> None:
        """Do what the script says, now."""
        name, flaws = fault.subject, self._flaws[fault.subject]
        match fault.kind:
            case FaultKind.FAULT:
                self.break_down(name, "a failure of its own")
            case FaultKind.UNRESPONSIVE:
                self.machines[name] = replace(self.machines[name], mute=True)
                self._tell(f"{name} answers nothing any more")
                self._time.after(SILENCE_S, lambda: self._judge(name))
            case FaultKind.RECOVER:
                self.machines[name] = replace(self.machines[name], mute=False)
                self._tell(f"{name} answers again")
                self._judge(name)
                self._become(self.machines[name], f"{name} is {self.machines[name].state}")
            case FaultKind.REFUSE:
                flaws.refuse.add(fault.command)
            case FaultKind.FAIL:
                flaws.fail.add(fault.command)
            case FaultKind.SLOW:
                flaws.slow_s = fault.extra_s
            case _:
                flaws.lose += 1

    def _judge(self, name: str) -> None:
        mute = self.machines[name].mute
        health = "UNRESPONSIVE" if mute else "OK"
        before = self.facts[name].health
        if before == health:
            return
        self.facts[name] = replace(self.facts[name], health=health, online=not mute)
        self._tell(f"{name} is {'UNRESPONSIVE' if mute else 'ONLINE'}")
        self._changed(name, health if mute else str(self.machines[name].state), before)

    def _later(self, answer: Answer, result: Result) -> None:
        self._time.after(self._length(MESSAGE_S), lambda: answer(result))

    def _length(self, seconds: float) -> float:
        return seconds if self._random is None else seconds * self._random.uniform(0.5, 1.5)


def _short(data: Mapping[str, Any]) -> str:
    shown = data.get("message") or f"{data.get('method', '')} {data.get('url', '')}"
    return str(shown)[:200]
