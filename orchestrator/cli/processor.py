"""`triarch processor list`."""

import click

from orchestrator.cli.http import Api, api_options
from orchestrator.cli.output import emit_rows, output_option

COLUMNS = {
    "ID": "id",
    "HEALTHY": "healthy",
    "CAPABILITIES": "capabilities",
    "CAPACITY": "capacity",
    "QUEUE": "queue",
    "REASON": "reason",
}


@click.group()
def processor() -> None:
    """Processors of frames."""


@processor.command(
    "list",
    epilog="\b\nExamples:\n  triarch processor list\n  triarch processor list --capability face_detection -o yaml",
)
@click.option("--capability", help="Only those that offer it.")
@api_options
@output_option
def list_(capability: str | None, urls: str, timeout_s: float, output: str) -> None:
    """Show all processors."""
    params = {"capability": capability} if capability else {}
    with Api.of(urls, timeout_s) as api:
        rows = api.get("/v1/processors", **params)
    offers = f" that offers {capability}" if capability else ""
    emit_rows(rows, COLUMNS, output, empty=f"no processor{offers} is registered")
