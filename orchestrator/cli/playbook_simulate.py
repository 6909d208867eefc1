"""`triarch playbook simulate`."""

import json
from pathlib import Path
from typing import Any

import click

from orchestrator.cli.exits import Exit
from orchestrator.cli.output import Failure, emit, emit_rows, leave, note, output_option
from orchestrator.cli.playbook_files import event_of, inputs_of, plant_in, playbooks_in
from orchestrator.errors import OrchestratorError

COLUMNS = {"TIME": "time", "EXECUTION": "execution", "STEP": "step", "WHAT": "what", "COMPONENTS": "components"}
_EXITS = {"SUCCEEDED": Exit.OK, "TIMED_OUT": Exit.UNKNOWN}
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(
    epilog="\b\nExamples:\n  triarch playbook simulate playbooks/startup.yaml\n"
    "  triarch playbook simulate startup.yaml --plant plant.yaml --fail io:FAULT@2s --fail leader:TAKEOVER@3s\n"
    "  triarch playbook simulate playbooks/camera_lost.yaml --event camera.lost:hall-1:{} -o json\n"
    "\b\nFailures:\n"
    "  io:FAULT@12s  io:UNRESPONSIVE@5s  io:RECOVER@40s  io:REFUSE:CMD_START  io:FAIL:CMD_START  io:SLOW:30s\n"
    "  io:LOSE_ANSWER@3s  leader:TAKEOVER@3s  notify:REFUSE  http:REFUSE  http:LOSE_ANSWER@3s"
)
@click.argument("file", type=_FILE)
@click.option("--plant", type=_FILE, help="The plant, as YAML. [default: what the playbook names, all READY]")
@click.option("--input", "inputs", multiple=True, metavar="NAME=VALUE", help="An input; the value is YAML. Repeatable.")
@click.option("--event", metavar="TYPE:SOURCE:JSON", help="An event that starts it, instead of a person.")
@click.option("--fail", "faults", multiple=True, metavar="WHO:WHAT@WHEN", help="What goes wrong. Repeatable.")
@click.option("--await-trigger", is_flag=True, help="Do not start it: what goes wrong has to.")
@click.option(
    "--approvals",
    type=click.Choice(["approve", "reject", "never"]),
    default="approve",
    show_default=True,
    help="What people answer, one second after they are asked.",
)
@click.option("--signal", "signals", multiple=True, metavar="NAME[=JSON]@WHEN", help="A signal to send. Repeatable.")
@click.option("--seed", type=int, help="Let lengths of time vary, by this number. [default: they are exact]")
@output_option
def simulate(
    file: Path,
    plant: Path | None,
    inputs: tuple[str, ...],
    event: str | None,
    faults: tuple[str, ...],
    await_trigger: bool,
    approvals: Any,
    signals: tuple[str, ...],
    seed: int | None,
    output: str,
) -> None:
    """Run a playbook over simulated components, in virtual time, and print what happened when.

    The engine is the real one. Playbooks that it calls are read from the same directory. Exits with 0 when it ended
    SUCCEEDED, 7 when it TIMED_OUT, else with 1.
    """
    from orchestrator.playbooks.simulation import Simulator, parse_fault, plant_for
    from orchestrator.playbooks.templates import Templates

    asked, called = playbooks_in([file])
    trigger = None if event is None else event_of(event)
    given = inputs_of(inputs)
    try:
        script = [parse_fault(text) for text in faults]
        where = plant_in(plant) or plant_for(
            [*asked, *called],
            Templates(),
            {"trigger": trigger or {}, "inputs": given},
            also=[fault.subject for fault in script],
        )
        simulator = Simulator([*asked, *called], where, approvals=approvals, seed=seed)
        name = asked[0].name
        if trigger is not None:
            simulator.script(script)
            simulator.arm(name)
            runs = simulator.send_event(trigger["type"], trigger["source"], trigger["payload"], inputs=given)
        elif await_trigger:
            simulator.arm(name)
            runs = simulator.await_triggers(script, inputs=given)
        else:
            runs = [simulator.run(name, given, faults=script, signals=[_signal(each) for each in signals])]
    except OrchestratorError as error:
        raise Failure(error.code, error.message) from None
    run = next((each for each in runs if each.playbook == name), None)
    if output == "table":
        emit_rows(list(simulator.timeline.lines()), COLUMNS, output)
    else:
        emit(
            {
                "playbook": name,
                "status": None if run is None else run.status,
                "code": "" if run is None else run.code,
                "error": "" if run is None else run.error,
                "seconds": None if run is None else run.seconds,
                "components": simulator.devices.states(),
                "timeline": simulator.timeline.rows(),
            },
            output,
        )
    if run is None:
        raise Failure("failed", f"nothing started {name}: its triggers did not fit what happened")
    note(f"{name}: {run.status} after {run.seconds:g} s" + (f": {run.error}" if run.error else ""))
    leave(_EXITS.get(run.status, Exit.FAILED))


def _signal(text: str) -> tuple[float, str, Any]:
    from orchestrator.playbooks.durations import parse_duration

    what, at, when = text.rpartition("@")
    name, equals, value = what.partition("=")
    try:
        return parse_duration(when), name, json.loads(value) if equals else None
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not NAME[=JSON]@WHEN: {error}", param_hint="--signal") from None
    finally:
        if not at or not name:
            raise click.BadParameter(f"{text!r} is not NAME[=JSON]@WHEN", param_hint="--signal")
