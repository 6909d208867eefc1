"""The lifecycle's table, each pair of it."""

import itertools

import pytest

from orchestrator.lifecycle import ALIASES, PASSAGES, Command, Refusal, Signal, State, parse_command, transition

# Written out here once more, from the requirements and not from the code.
EXPECTED: dict[tuple[str, str], str] = {
    ("READY", "CMD_INITIALIZE"): "INITIALIZING",
    ("INITIALIZING", "done"): "INIT_COMPLETE",
    ("INIT_COMPLETE", "CMD_START"): "STARTED",
    ("INIT_COMPLETE", "CMD_GRACEFUL_STOP"): "STOPPING",
    ("STARTED", "CMD_GRACEFUL_STOP"): "STOPPING",
    ("STOPPING", "done"): "STOPPED",
    ("STOPPED", "CMD_RESET"): "READY",
    ("FAULT", "CMD_RESET"): "READY",
    ("READY", "failed"): "FAULT",
    ("INITIALIZING", "failed"): "FAULT",
    ("INIT_COMPLETE", "failed"): "FAULT",
    ("STARTED", "failed"): "FAULT",
    ("STOPPING", "failed"): "FAULT",
    ("STOPPED", "failed"): "FAULT",
    ("FAULT", "failed"): "FAULT",
}
PAIRS = list(itertools.product(State, [*Command, *Signal]))


@pytest.mark.parametrize(("state", "trigger"), PAIRS, ids=[f"{state}-{trigger}" for state, trigger in PAIRS])
def test_each_pair_of_state_and_trigger(state: State, trigger: Command | Signal) -> None:
    expected = EXPECTED.get((state, trigger))
    found = transition(state, trigger)
    if expected is not None:
        assert found == State(expected)
        return
    assert isinstance(found, Refusal)
    assert set(found.allowed) == {name for source, name in EXPECTED if source == state and name.startswith("CMD_")}
    assert set(found.states) == {source for source, name in EXPECTED if name == trigger}
    assert state in found.reason
    assert trigger in found.reason


def test_from_fault_only_a_reset_leads_out() -> None:
    ways = {
        trigger
        for trigger in [*Command, *Signal]
        if isinstance(target := transition(State.FAULT, trigger), State) and target is not State.FAULT
    }
    assert ways == {Command.RESET}


def test_every_state_is_reached_from_ready() -> None:
    reached = {State.READY}
    while (
        new := {
            target
            for state, trigger in itertools.product(reached, [*Command, *Signal])
            if isinstance(target := transition(state, trigger), State)
        }
        - reached
    ):
        reached |= new
    assert reached == set(State)


def test_a_passage_takes_no_command_and_is_left_when_its_work_ends() -> None:
    assert {State.INITIALIZING, State.STOPPING} == PASSAGES
    for state in PASSAGES:
        assert all(isinstance(transition(state, command), Refusal) for command in Command)
        assert isinstance(transition(state, Signal.DONE), State)


def test_a_refusal_says_what_is_possible() -> None:
    refused = transition(State.READY, Command.START)
    assert isinstance(refused, Refusal)
    assert refused.reason == (
        "CMD_START is not possible in READY: READY takes CMD_INITIALIZE; CMD_START needs INIT_COMPLETE"
    )
    busy = transition(State.STOPPING, Command.RESET)
    assert isinstance(busy, Refusal)
    assert "STOPPING takes no command; CMD_RESET needs STOPPED or FAULT" in busy.reason


def test_commands_by_name_and_alias() -> None:
    assert [parse_command(command.value) for command in Command] == list(Command)
    assert parse_command("CMD_STOP") is Command.GRACEFUL_STOP
    assert not set(ALIASES) & {command.value for command in Command}


@pytest.mark.parametrize("text", ["", "cmd_start", "START", "CMD_START ", "INITIALIZING"])
def test_an_unknown_command_is_refused_with_the_known_ones(text: str) -> None:
    with pytest.raises(ValueError, match="CMD_INITIALIZE, CMD_START, CMD_GRACEFUL_STOP, CMD_RESET, CMD_STOP"):
        parse_command(text)


def test_the_message_does_not_grow_with_what_was_sent() -> None:
    with pytest.raises(ValueError, match="unknown command") as caught:
        parse_command("x" * 100_000)
    assert len(str(caught.value)) < 300
