"""`triarch access limits show|set`."""

from typing import Any

import click

from orchestrator.cli.http import Api, api_options
from orchestrator.cli.output import emit, output_option

PATH = "/v1/access/limits"


@click.group()
def limits() -> None:
    """How much anybody may ask of the cluster's API."""


@limits.command(epilog="\b\nExamples:\n  triarch access limits show\n  triarch access limits show -o json")
@api_options
@output_option
def show(urls: str, timeout_s: float, output: str) -> None:
    """Show the limits that hold."""
    with Api.of(urls, timeout_s) as api:
        emit(api.get(PATH), output)


@limits.command(
    "set",
    epilog="\b\nExamples:\n  triarch access limits set --token-per-second 500 --token-burst 1000\n"
    "  triarch access limits set --off\n  triarch access limits set --on --failures-per-minute 10 --if-revision 42",
)
@click.option("--on/--off", "enabled", default=None, help="Whether any limit holds.")
@click.option("--token-per-second", type=click.FloatRange(0.1), metavar="N", help="By one token, in the long run.")
@click.option("--token-burst", type=click.IntRange(1), metavar="N", help="By one token, at once.")
@click.option(
    "--address-per-second", type=click.FloatRange(0.1), metavar="N", help="From one address, in the long run."
)
@click.option("--address-burst", type=click.IntRange(1), metavar="N", help="From one address, at once.")
@click.option("--failures-per-minute", type=click.IntRange(1), metavar="N", help="Refused tokens from one address.")
@click.option("--if-revision", type=click.IntRange(min=0), metavar="N", help="Only while they have this revision.")
@click.option("--key", help="Repeat an earlier attempt whose outcome is unknown: it is done once.")
@api_options
@output_option
def set_(urls: str, timeout_s: float, output: str, key: str | None, if_revision: int | None, **wanted: Any) -> None:
    """Change some limits; the others stay as they are."""
    changes = {name: value for name, value in wanted.items() if value is not None}
    if not changes:
        raise click.UsageError("nothing to change was given")
    with Api.of(urls, timeout_s) as api:
        now = api.get(PATH, consistency="linearizable")
        revision = now.pop("revision")
        # What is left out would have its default, so the rest goes along, at the revision that it was read at.
        headers = {"If-Match": f'"{revision if if_revision is None else if_revision}"'}
        emit(api.put(PATH, {**now, **changes}, key=key, headers=headers), output)
