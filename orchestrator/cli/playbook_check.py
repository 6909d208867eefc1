"""`triarch playbook check`."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from orchestrator.cli.exits import Exit
from orchestrator.cli.output import Failure, emit, leave, note, output_option, printable
from orchestrator.cli.playbook_files import called_by, event_of, inputs_of, plant_in, playbooks_in
from orchestrator.errors import OrchestratorError

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(
    epilog="\b\nExamples:\n  triarch playbook check playbooks/*.yaml\n"
    "  triarch playbook check startup.yaml --plant plant.yaml --faults 2\n"
    "  triarch playbook check startup.yaml -o json | jq '.[].defects[].kind'"
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=_FILE)
@click.option("--plant", type=_FILE, help="The plant, as YAML. [default: what the playbook names, in three states]")
@click.option("--input", "inputs", multiple=True, metavar="NAME=VALUE", help="An input; the value is YAML. Repeatable.")
@click.option("--event", metavar="TYPE:SOURCE:JSON", help="An event that starts it, instead of its triggers.")
@click.option("--faults", type=click.IntRange(0, 5), default=1, show_default=True, help="Failures in one run.")
@click.option("--takeovers", type=click.IntRange(0, 5), default=1, show_default=True, help="Takeovers in one run.")
@click.option(
    "--bound", type=click.IntRange(1, 10_000_000), default=20_000, show_default=True, help="States looked at."
)
@click.option("--depth", type=click.IntRange(1, 10_000), default=200, show_default=True, help="Moves of one run.")
@output_option
def check(
    files: tuple[Path, ...],
    plant: Path | None,
    inputs: tuple[str, ...],
    event: str | None,
    faults: int,
    takeovers: int,
    bound: int,
    depth: int,
    output: str,
) -> None:
    """Look for runs in which a playbook deadlocks, never ends, breaks an invariant or leaves a component half way.

    Every order of answers, failures, deadlines and takeovers within the bounds is tried on the real engine. Of each
    kind the shortest run is printed. Exits with 1 when there is a defect.
    """
    from orchestrator.playbooks.checker.search import Report, check, lines
    from orchestrator.playbooks.checker.starts import Wanted

    asked, called = playbooks_in(files)
    where, given = plant_in(plant), inputs_of(inputs)
    trigger = None if event is None else {**event_of(event), "id": "event-1", "time": 0.0}
    wanted = Wanted(where, given, trigger, faults=faults, takeovers=takeovers)
    reports: list[Report] = []
    for playbook in asked:
        others = called_by(playbook, [*asked, *called])
        try:
            report = check(playbook, others, wanted, bound=bound, depth=depth)
        except OrchestratorError as error:
            raise Failure(error.code, f"{playbook.name}: {error.message}") from None
        reports.append(report)
        if output == "table":
            click.echo(printable("\n".join(lines(report))))
    if output != "table":
        emit([_document(report) for report in reports], output)
    wrong = sum(not report.ok for report in reports)
    if wrong:
        note(f"{wrong} of {len(reports)} playbooks have defects")
        leave(Exit.FAILED)


def _document(report: Any) -> dict[str, Any]:
    return {"ok": report.ok, **asdict(report)}
