"""`triarch plan`: what would be done, before anything moves."""

import click

from orchestrator.cli.group import related_option, to_option
from orchestrator.cli.http import Api, api_options
from orchestrator.cli.output import output_option
from orchestrator.cli.wanted import show_plan


@click.command(
    epilog="\b\nExamples:\n  triarch plan --group line-a --to STARTED\n  triarch plan --group @all --to STOPPED\n"
    "  triarch plan --component kds --to STARTED --related -o json"
)
@click.option("--group", "groups", multiple=True, metavar="NAME", help="May be repeated; @all is everybody.")
@click.option("--component", "components", multiple=True, metavar="ID", help="May be repeated.")
@to_option
@related_option
@api_options
@output_option
def plan(
    groups: tuple[str, ...],
    components: tuple[str, ...],
    target: str,
    related: bool,
    urls: str,
    timeout_s: float,
    output: str,
) -> None:
    """Show in which order components would move, and what each is told; nothing moves.

    Those of one wave go side by side. Exits with 8 when one that was selected does not get there.
    """
    if not groups and not components:
        raise click.UsageError("--group or --component is needed; --group @all is everybody")
    with Api.of(urls, timeout_s) as api:
        show_plan(api, output, target, groups=groups, components=components, related=related)
