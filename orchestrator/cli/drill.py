"""`triarch drill`: do a fault to a plant under load on purpose, and judge what it cost."""

from pathlib import Path
from typing import Any

import click

from orchestrator.cli.output import Failure, emit_rows, output_option
from orchestrator.drills.options import TARGETS, DrillOptions
from orchestrator.drills.target import DrillError, Fault

_FILE = click.Path(dir_okay=False, path_type=Path)
_DIRECTORY = click.Path(file_okay=False, path_type=Path)
ALL = "all"

_WHAT = {
    Fault.LEADER_KILL: "SIGKILL of the node that leads",
    Fault.LEADER_PAUSE: "SIGSTOP of the node that leads; later it goes on, and still believes",
    Fault.LEADER_ISOLATED: "the leader's Raft is cut off from its peers, in both directions",
    Fault.ONE_WAY_CUT: "what the leader sends to its peers is lost; it hears them",
    Fault.PRIMARY_KILL: "SIGKILL of the Redis primary",
    Fault.PRIMARY_ISOLATED: "the Redis primary is cut off from everybody",
    Fault.HOST_POWER_OFF: "a host ends without a word: the leader's, and every second time the primary's",
    Fault.DISK_FULL: "the leader cannot write to its disk",
    Fault.CLOCK_JUMP: "a host's clock jumps",
    Fault.ROLLING_RESTART: "each node is restarted in turn, in order",
    Fault.QUORUM_LOSS: "two of three nodes end; later they come back",
}
_NAMES = (ALL, *(str(fault) for fault in Fault))
_LOCAL = set(Fault) - {Fault.HOST_POWER_OFF, Fault.CLOCK_JUMP}


@click.group()
def drill() -> None:
    """Do a fault to a plant under load on purpose, and judge what it cost."""


@drill.command(
    "run",
    epilog="\b\nExamples:\n  triarch drill run leader-kill\n  triarch drill run all --report drills\n"
    "  triarch drill run primary-kill --budget budget.yaml --repeat 5\n"
    "\b\nExit codes: 0 passed, 1 failed or not proven, 2 could not be run.",
)
@click.argument("names", nargs=-1, required=True, metavar="NAME…", type=click.Choice(_NAMES))
@click.option("--target", type=click.Choice(TARGETS), default="local", show_default=True, help="Which plant.")
@click.option("--lab", type=_FILE, help="lab.json of a lab that is up; for --target lab.")
@click.option("--inventory", type=click.Path(path_type=Path), help="Of the hosts; for --target ansible.")
@click.option("--operator", is_flag=True, help="A person pulls the plug for host-power-off; for --target ansible.")
@click.option("--budget", type=_FILE, help="YAML: what each figure may be, by drill.")
@click.option("--cameras", type=int, default=4, show_default=True)
@click.option("--fps", type=float, default=25.0, show_default=True, help="Frames a second of each camera.")
@click.option("--repeat", type=int, default=1, show_default=True, help="How often each drill is run.")
@click.option("--hold", "hold_s", type=float, help="Seconds that a fault lasts at least. [default: what suits it]")
@click.option("--report", type=_DIRECTORY, help="Where the reports go. [default: the directory of the run]")
@click.option("--directory", type=_DIRECTORY, help="Data and logs. [default: a new one below .triarch/]")
def run(names: tuple[str, ...], **flags: Any) -> None:
    """Run the drills NAME…, or `all` that the target can do, each under cameras, processors, playbooks and clients.

    Of `local` the plant is made for the drill and thrown away after it; hosts are healed and left as they were.
    """
    from orchestrator.drills.running import main

    chosen = tuple(dict.fromkeys(Fault(name) for name in names if name != ALL))
    if ALL in names:
        chosen = tuple(fault for fault in Fault if fault in _LOCAL or flags["target"] != "local")
    try:
        options = DrillOptions(chosen, **flags)
    except ValueError as error:
        name, colon, reason = str(error).partition(": ")
        raise click.BadParameter(reason if colon else str(error), param_hint=f"--{name}" if colon else None) from None
    click.get_current_context().exit(main(options))


@drill.command("list", epilog="\b\nExamples:\n  triarch drill list\n  triarch drill list -o json")
@click.option("--budget", type=_FILE, help="YAML: what each figure may be, by drill.")
@output_option
def list_(budget: Path | None, output: str) -> None:
    """The drills, what each does, where it can be run, and what it may cost."""
    import msgspec

    from orchestrator.drills.running import read_budgets

    try:
        allowed = read_budgets(budget)
    except DrillError as error:
        raise Failure(error.code, str(error)) from None
    rows = []
    for fault in Fault:
        limits = {name: value for name, value in msgspec.structs.asdict(allowed[fault]).items() if value is not None}
        shown = [f"{name} {value:g}" for name, value in limits.items() if name.endswith(("_s", "_max"))]
        targets = [name for name in TARGETS if name != "local" or fault in _LOCAL]
        rows.append(
            {
                "name": str(fault),
                "what": _WHAT[fault],
                "targets": targets,
                "budget": limits,
                "limits": ", ".join(shown),
            }
        )
    emit_rows(rows, {"NAME": "name", "WHAT": "what", "TARGETS": "targets", "BUDGET": "limits"}, output)


@drill.command("report", epilog="\b\nExamples:\n  triarch drill report drills/leader-kill.json")
@click.argument("files", nargs=-1, required=True, metavar="FILE…", type=_FILE)
def report(files: tuple[Path, ...]) -> None:
    """Draw the page of each report FILE (the .json of a drill) again, beside it."""
    from orchestrator.drills.running import draw
    from orchestrator.errors import OrchestratorError

    for file in files:
        try:
            click.echo(str(draw(file)))
        except OrchestratorError as error:
            raise Failure(error.code, str(error)) from None
