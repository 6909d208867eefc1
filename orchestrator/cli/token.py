"""`triarch token create|list|show|rotate|revoke`."""

import time
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from orchestrator.cli.durations import Duration
from orchestrator.cli.http import Api, api_options
from orchestrator.cli.output import emit, emit_rows, output_option
from orchestrator.cli.token_file import file_option, hand_out, reserved

ROLES = ("viewer", "operator", "admin", "component", "processor")
COLUMNS = {
    "ID": "id",
    "NAME": "name",
    "ROLE": "role",
    "SUBJECT": "subject",
    "STATE": "state",
    "CREATED": "created",
    "EXPIRES": "expires",
}

key_option = click.option("--key", help="Repeat an earlier attempt whose outcome is unknown: it is done once.")
expires_option = click.option(
    "--expires", "expires_s", type=Duration(), metavar="DURATION", help="How long it is valid: 90s, 12h, 30d."
)


@click.group()
def token() -> None:
    """Tokens of people, components and processors."""


@token.command(
    epilog="\b\nExamples:\n  triarch token create ada --role operator --expires 30d\n"
    "  triarch token create press-1 --role component --subject press-1 --file press-1.token"
)
@click.argument("name", metavar="NAME")
@click.option("--role", type=click.Choice(ROLES), required=True)
@click.option("--subject", metavar="ID", help="The component or processor that it is for; machines' tokens need it.")
@expires_option
@file_option
@key_option
@api_options
@output_option
def create(
    name: str,
    role: str,
    subject: str | None,
    expires_s: float | None,
    path: Path | None,
    key: str | None,
    urls: str,
    timeout_s: float,
    output: str,
) -> None:
    """Make a token and show its text, this once."""
    body = given(name=name, role=role, subject=subject, expires_in_s=expires_s)
    with reserved(path) as opened, Api.of(urls, timeout_s) as api:
        hand_out(api.post("/v1/tokens", body, key=key), opened, path, output)


@token.command("list", epilog="\b\nExamples:\n  triarch token list\n  triarch token list --role admin -o json")
@click.option("--role", type=click.Choice(ROLES), help="Of this role only.")
@api_options
@output_option
def list_(role: str | None, urls: str, timeout_s: float, output: str) -> None:
    """Show all tokens, without their texts; those that are over for thirty days more."""
    with Api.of(urls, timeout_s) as api:
        rows = [row for row in api.get("/v1/tokens") if role in (None, row["role"])]
    emit_rows([_told(row) for row in rows] if output == "table" else rows, COLUMNS, output, empty="there is no token")


@token.command(epilog="\b\nExamples:\n  triarch token show k3vq7x2mzd")
@click.argument("token_id", metavar="ID")
@api_options
@output_option
def show(token_id: str, urls: str, timeout_s: float, output: str) -> None:
    """Show one token, without its text."""
    with Api.of(urls, timeout_s) as api:
        row = api.get(_path(token_id))
    emit(_told(row) if output == "table" else row, output)


@token.command(
    epilog="\b\nExamples:\n  triarch token rotate k3vq7x2mzd --grace 1h\n"
    "  triarch token rotate k3vq7x2mzd --expires 90d --file ada.token"
)
@click.argument("token_id", metavar="ID")
@click.option(
    "--grace", "grace_s", type=Duration(), default=0.0, metavar="DURATION", help="How long the old text is taken still."
)
@expires_option
@file_option
@key_option
@api_options
@output_option
def rotate(
    token_id: str,
    grace_s: float,
    expires_s: float | None,
    path: Path | None,
    key: str | None,
    urls: str,
    timeout_s: float,
    output: str,
) -> None:
    """Give the token ID a new text and show that, this once. Id, role and subject stay."""
    with reserved(path) as opened, Api.of(urls, timeout_s) as api:
        made = api.post(_path(token_id, "/rotate"), given(grace_s=grace_s, expires_in_s=expires_s), key=key)
        hand_out(made, opened, path, output)


@token.command(epilog="\b\nExamples:\n  triarch token revoke k3vq7x2mzd")
@click.argument("token_id", metavar="ID")
@key_option
@api_options
@output_option
def revoke(token_id: str, key: str | None, urls: str, timeout_s: float, output: str) -> None:
    """Revoke the token ID: every node refuses it within a second, and its streams end."""
    with Api.of(urls, timeout_s) as api:
        api.delete(_path(token_id), key=key)
    emit({"id": token_id, "revoked": True}, output)


def given(**members: Any) -> dict[str, Any]:
    """Those that were given."""
    return {name: value for name, value in members.items() if value is not None}


def _path(token_id: str, rest: str = "") -> str:
    return f"/v1/tokens/{urllib.parse.quote(token_id, safe='')}{rest}"


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    """For people: times as such, and whether it is valid by the clock here."""
    over = row["expires"] is not None and row["expires"] <= time.time()
    state = "revoked" if row["revoked"] is not None else "expired" if over else "valid"
    times = {name: _time(row[name]) for name in ("created", "expires", "rotated", "grace_until", "revoked")}
    return {**row, "state": state, **times}


def _time(value: float | None) -> str | None:
    return None if value is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(value))
