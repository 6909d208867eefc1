"""What may happen next in a situation. Pure.

Without cost: a component takes up a command, finishes one, or refuses what the lifecycle's table has no row for; a
request or notification arrives; a person approves or rejects; a signal is sent; time passes to the next deadline when
nothing is under way.

Each of these takes one of the *faults* that a run may have: a component goes into FAULT or falls silent, at any time;
it refuses what it could do; an answer gets lost; time passes to the next deadline although something is under way (an
answer that is late). A takeover takes one of the *takeovers*.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from orchestrator.errors import CommandRefused
from orchestrator.lifecycle import State, parse_any_command
from orchestrator.playbooks.checker.situation import Flight, Situation, Slot
from orchestrator.playbooks.effect import Done, Failed, Result, Unknown
from orchestrator.playbooks.execution import Control
from orchestrator.playbooks.simulation.machine import Machine, Work


@dataclass(frozen=True, slots=True)
class Move:
    """`what` happened, in words, and the situation after it. `changed`: the component whose state is another now."""

    what: str
    after: Situation
    changed: str = ""


def good(situation: Situation) -> Iterator[Move]:
    """What happens when nothing goes wrong."""
    for slot, flight in situation.flights.items():
        yield from _answers(situation, slot, flight)
    for machine in situation.machines.values():
        if machine.working and not machine.mute:
            yield _finished(situation, machine)
    for execution, path in situation.approvals():
        yield _decided(situation, execution, path, approved=True)
    for execution, name in situation.signals():
        yield _signalled(situation, execution, name)
    if situation.wake is not None and not busy(situation):
        yield _waited(situation)


def all_moves(situation: Situation) -> Iterator[Move]:
    """What may happen, the good first."""
    yield from good(situation)
    for execution, path in situation.approvals():
        yield _decided(situation, execution, path, approved=False)
    if situation.faults > 0:
        yield from _harm(situation)
    if situation.takeovers > 0 and situation.flights:
        yield from _takeovers(situation)


def busy(situation: Situation) -> bool:
    """Whether something is under way that will come to its end by itself."""
    works = any(machine.working and not machine.mute for machine in situation.machines.values())
    return works or any(_heard(situation, flight) for flight in situation.flights.values())


def _heard(situation: Situation, flight: Flight) -> bool:
    if flight.effect.type != "send_command":
        return True
    machine = situation.machines.get(str(flight.effect.data["component"]))
    return machine is None or not machine.mute


# ── Good ────────────────────────────────


def _answers(situation: Situation, slot: Slot, flight: Flight) -> Iterator[Move]:
    effect = flight.effect
    if effect.type != "send_command":
        yield _ended(situation, slot, Done(None if effect.type == "send_notification" else _OK), _says(flight, "done"))
        return
    name = str(effect.data["component"])
    machine = situation.machines.get(name)
    if machine is None:
        unknown = Failed("component_unknown", f"component {name} is not registered")
        yield _ended(situation, slot, unknown, f"there is no component {name}")
        return
    if machine.mute or flight.delivered:
        return
    after, result = _delivered(machine, flight)
    what = f"{name} takes up {effect.data['command']}"
    if isinstance(result, Failed | Unknown):
        what = f"{name} is {machine.state} and refuses {effect.data['command']} ({result.code})"
    elif effect.key in machine.memory:
        what = f"{name} is asked for {effect.data['command']} again"
    moved = situation.fork()
    moved.machines[name] = after
    if result is None:
        moved.flights[slot] = replace(flight, delivered=True)
        moved.settle()
    else:
        del moved.flights[slot]
        moved.settle({effect.execution: {effect.path: result}})
    yield Move(what, moved, name if after.state != machine.state else "")


_OK = {"status": 200, "headers": {}, "body": None}


def _delivered(machine: Machine, flight: Flight) -> tuple[Machine, Result | None]:
    """The component after it has heard the command, and its answer; None while it works and that is waited for."""
    effect = flight.effect
    try:
        command = parse_any_command(str(effect.data["command"]))
    except ValueError as error:
        return machine, Failed("event_invalid", f"command: {error}")
    after, refusal = machine.receive(effect.key, command)
    if refusal is not None:
        return after, refusal
    outcome = after.outcome(effect.key)
    if isinstance(outcome, Failed):
        return after, outcome
    if outcome is Work.WORKING and effect.data.get("wait"):
        return after, None
    return after, Done({"state": str(after.state), "completed": outcome is Work.DONE})


def _finished(situation: Situation, machine: Machine) -> Move:
    command = machine.memory[machine.working].command
    moved = situation.fork()
    after = moved.machines[machine.id] = machine.finish()
    moved.settle(_answered(moved, machine.working, Done({"state": str(after.state), "completed": True})))
    return Move(f"{machine.id} has done {command}", moved, machine.id)


def _answered(situation: Situation, key: str, result: Result) -> dict[str, dict[str, Result]]:
    """The result for whoever waits for the key; it is not under way any more."""
    found: dict[str, dict[str, Result]] = {}
    for slot, flight in list(situation.flights.items()):
        if flight.effect.key == key and flight.delivered:
            del situation.flights[slot]
            found.setdefault(flight.effect.execution, {})[flight.effect.path] = result
    return found


def _ended(situation: Situation, slot: Slot, result: Result, what: str, *, fault: bool = False) -> Move:
    moved = situation.fork()
    effect = moved.flights.pop(slot).effect
    if fault:
        moved.faults, moved.provoked = moved.faults - 1, True
    moved.settle({effect.execution: {effect.path: result}})
    return Move(what, moved)


def _decided(situation: Situation, execution: str, path: str, *, approved: bool) -> Move:
    moved = situation.fork()
    action = "approve" if approved else "reject"
    moved.records.commit(Control(id=execution, action=action, path=path, who="a person", at=moved.now), moved.now)
    moved.provoked = moved.provoked or not approved
    moved.settle()
    return Move(f"a person {action}s {path}", moved)


def _signalled(situation: Situation, execution: str, name: str) -> Move:
    moved = situation.fork()
    moved.records.commit(Control(id=execution, action="signal", name=name, value="true", at=moved.now), moved.now)
    moved.settle()
    return Move(f"the signal {name} is sent", moved)


def _waited(situation: Situation, *, fault: bool = False) -> Move:
    moved = situation.fork()
    seconds = (situation.wake or 0.0) - situation.now
    moved.now = max(situation.wake or 0.0, situation.now)
    what = f"{seconds:g} s pass"
    if fault:
        moved.faults, moved.provoked = moved.faults - 1, True
        late = {str(flight.effect.data.get("component", "")) for flight in situation.flights.values()}
        late |= {machine.id for machine in situation.machines.values() if machine.working}
        moved.harmed |= late
        what += f", {', '.join(sorted(filter(None, late))) or 'an answer'} still under way"
    elif situation.approvals() or situation.signals():
        moved.provoked = True
        what += ", nobody has decided"
    moved.settle()
    return Move(what, moved)


# ── Harm ────────────────────────────────


def _harm(situation: Situation) -> Iterator[Move]:
    for machine in situation.machines.values():
        if machine.state is not State.FAULT and not machine.mute:
            yield _broken(situation, machine)
        if not machine.mute:
            yield _silent(situation, machine)
    for slot, flight in situation.flights.items():
        yield from _bad_answers(situation, slot, flight)
    if situation.wake is not None and busy(situation):
        yield _waited(situation, fault=True)


def _broken(situation: Situation, machine: Machine) -> Move:
    moved = _harmed(situation, machine.id)
    moved.machines[machine.id] = machine.break_down("a failure of its own")
    failed = Failed("command_failed", f"component {machine.id}: a failure of its own")
    moved.settle(_answered(moved, machine.working, failed) if machine.working else {})
    return Move(f"{machine.id} goes into FAULT", moved, machine.id)


def _silent(situation: Situation, machine: Machine) -> Move:
    moved = _harmed(situation, machine.id)
    moved.machines[machine.id] = replace(machine, mute=True)
    moved.settle()
    return Move(f"{machine.id} falls silent", moved)


def _bad_answers(situation: Situation, slot: Slot, flight: Flight) -> Iterator[Move]:
    effect = flight.effect
    if effect.type != "send_command":
        yield _ended(situation, slot, Failed("http_status", "status 400"), _says(flight, "refused"), fault=True)
        lost: Result = Unknown("no whole answer came")
        if not effect.data.get("safe", True):
            lost = Failed("outcome_unknown", "no whole answer came; not repeated, as the receiver knows no keys")
        yield _ended(situation, slot, lost, _says(flight, "done, the answer is lost"), fault=True)
        return
    name, command = str(effect.data["component"]), effect.data["command"]
    machine = situation.machines.get(name)
    if machine is None or machine.mute or flight.delivered:
        return
    after, result = _delivered(machine, flight)
    if isinstance(result, Failed | Unknown) or effect.key in machine.memory:
        return
    refused = _harmed(situation)
    del refused.flights[slot]
    refused.settle({effect.execution: {effect.path: Failed(CommandRefused.code, f"{name} refuses {command}")}})
    yield Move(f"{name} refuses {command}, which it could do", refused)
    lost_answer = _harmed(situation)
    lost_answer.machines[name] = after
    del lost_answer.flights[slot]
    lost_answer.settle({effect.execution: {effect.path: Unknown(f"component {name} did not answer")}})
    changed = name if after.state != machine.state else ""
    yield Move(f"{name} takes up {command}, the answer is lost", lost_answer, changed)


def _harmed(situation: Situation, *names: str) -> Situation:
    """`names`: the components that are not to be judged any more. One whose answer was lost is sound itself."""
    moved = situation.fork()
    moved.faults, moved.provoked, moved.harmed = moved.faults - 1, True, moved.harmed.union(names)
    return moved


def _takeovers(situation: Situation) -> Iterator[Move]:
    """Another leader: nothing that was under way had arrived, or all of it had, and the answers are lost."""
    moved = situation.fork()
    moved.takeovers -= 1
    moved.flights = {}
    moved.settle()
    yield Move("another leader takes over; what was under way had not arrived", moved)
    arrived = situation.fork()
    arrived.takeovers -= 1
    some = False
    for flight in situation.flights.values():
        machine = arrived.machines.get(str(flight.effect.data.get("component", "")))
        if machine is not None and not machine.mute and not flight.delivered:
            arrived.machines[machine.id], _ = _delivered(machine, flight)
            some = True
        if not flight.effect.data.get("safe", True):
            arrived.provoked = True
    if some:
        arrived.flights = {}
        arrived.settle()
        yield Move("another leader takes over; what was under way had arrived, unanswered", arrived)


def _says(flight: Flight, what: str) -> str:
    return f"{flight.effect.type} of {flight.effect.path}: {what}"
