"""`triarch access bootstrap|whoami|rights|limits`."""

from pathlib import Path

import click

from orchestrator.cli.http import Api, api_options
from orchestrator.cli.limits import limits
from orchestrator.cli.output import emit, emit_rows, output_option
from orchestrator.cli.token import ROLES, expires_option, given, key_option
from orchestrator.cli.token_file import file_option, hand_out, reserved

COLUMNS = {"METHOD": "method", "PATH": "path", "ROLES": "roles", "OWN": "own", "PUBLIC": "public"}


@click.group()
def access() -> None:
    """Who may do what."""


access.add_command(limits)


@access.command(
    epilog="\b\nExamples:\n  triarch access bootstrap --name ada\n"
    "  triarch access bootstrap --name ada --file ada.token"
)
@click.option("--name", default="admin", show_default=True, help="What to call the token.")
@expires_option
@file_option
@key_option
@api_options
@output_option
def bootstrap(
    name: str, expires_s: float | None, path: Path | None, key: str | None, urls: str, timeout_s: float, output: str
) -> None:
    """Make the first admin's token, once. From then on every node asks for a token.

    TRIARCH_TOKEN is the cluster's own token (api.token) here; nodes on loopback that have none ask for nothing.
    """
    with reserved(path) as opened, Api.of(urls, timeout_s) as api:
        made = api.post("/v1/access/bootstrap", given(name=name, expires_in_s=expires_s), key=key)
        hand_out(made, opened, path, output)


@access.command(epilog="\b\nExamples:\n  triarch access whoami\n  triarch access whoami -o json")
@api_options
@output_option
def whoami(urls: str, timeout_s: float, output: str) -> None:
    """Show who the token in TRIARCH_TOKEN is, and until when."""
    with Api.of(urls, timeout_s) as api:
        emit(api.get("/v1/whoami"), output)


@access.command(epilog="\b\nExamples:\n  triarch access rights\n  triarch access rights --role viewer -o json")
@click.option("--role", type=click.Choice(ROLES), help="What this role may.")
@api_options
@output_option
def rights(role: str | None, urls: str, timeout_s: float, output: str) -> None:
    """Show which role may do what: the table by which every node decides."""
    with Api.of(urls, timeout_s) as api:
        rows = [row for row in api.get("/v1/rights") if role is None or role in row["roles"]]
    emit_rows(rows, COLUMNS, output)
