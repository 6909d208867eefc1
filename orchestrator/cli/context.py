"""`triarch context list|show|use|set|delete`, and `triarch login`."""

import sys
from typing import Any

import click
import msgspec

from orchestrator.cli.connection import CA_VARIABLE, DEFAULT_URLS, context_name
from orchestrator.cli.contexts import Entry, changing, load
from orchestrator.cli.http import Api, addresses
from orchestrator.cli.output import Failure, emit, emit_rows, note, output_option

COLUMNS = {"NAME": "name", "CURRENT": "current", "ADDRESSES": "urls", "TOKEN": "token", "CA": "ca"}
DEFAULT_NAME = "default"
TOKEN_BYTES_MAX = 8_192


@click.group()
def context() -> None:
    """Places that commands ask, by name: addresses, token, authorities."""


@context.command("list", epilog="\b\nExamples:\n  triarch context list\n  triarch context list -o json")
@output_option
def list_(output: str) -> None:
    """Show all contexts. Tokens are never shown."""
    found = load()
    rows = [entry.shown(name, found.current) for name, entry in sorted(found.contexts.items())]
    emit_rows(rows, COLUMNS, output, empty="there is no context; make one by triarch context set, or triarch login")


@context.command(epilog="\b\nExamples:\n  triarch context show\n  triarch context show plant -o json")
@click.argument("name", required=False, metavar="[NAME]")
@output_option
def show(name: str | None, output: str) -> None:
    """Show one context, that in use by default."""
    found = load()
    wanted = name or context_name()
    if not wanted:
        raise Failure("context_unknown", "no context is in use; name one, or choose it by triarch context use")
    emit(found.get(wanted).shown(wanted, found.current), output)


@context.command(epilog="\b\nExamples:\n  triarch context use plant")
@click.argument("name", metavar="NAME")
@output_option
def use(name: str, output: str) -> None:
    """Use this context where no other is named."""
    with changing() as held:
        entry = held[0].get(name)
        held[0] = msgspec.structs.replace(held[0], current=name)
    emit(entry.shown(name, name), output)


@context.command(
    "set",
    epilog="\b\nExamples:\n  triarch context set plant --url https://10.0.0.1:8101,https://10.0.0.2:8101 --ca ca.pem\n"
    "  triarch context set plant --token-file ~/ada.token --use\n  triarch context set ci --token-env PLANT_TOKEN",
)
@click.argument("name", metavar="NAME")
@click.option("--url", "urls", metavar="URL,…", help="Addresses of the nodes.")
@click.option("--token-file", metavar="FILE", help="The token stands in this file.")
@click.option("--token-env", metavar="NAME", help="The token stands in this variable of the environment.")
@click.option("--no-token", is_flag=True, help="No token, also none that is kept now.")
@click.option("--ca", metavar="FILE", help="Authorities that are trusted.")
@click.option("--certificate", metavar="FILE", help="The client's own certificate, with --key.")
@click.option("--key", metavar="FILE", help="The key of --certificate.")
@click.option("--use", "used", is_flag=True, help="Use it from now on.")
@output_option
def set_(
    name: str,
    urls: str | None,
    token_file: str | None,
    token_env: str | None,
    no_token: bool,
    ca: str | None,
    certificate: str | None,
    key: str | None,
    used: bool,
    output: str,
) -> None:
    """Make a context, or change what is given of one. A token itself is kept by triarch login."""
    if sum(map(bool, (token_file, token_env, no_token))) > 1:
        raise click.UsageError("one of --token-file, --token-env and --no-token")
    changed: dict[str, Any] = {}
    if urls is not None:
        changed["urls"] = list(addresses(urls))
    if token_file or token_env or no_token:
        changed |= {"token": "", "token_file": token_file or "", "token_env": token_env or ""}
    given = {"ca": ca, "certificate": certificate, "key": key}
    changed |= {member: value for member, value in given.items() if value is not None}
    with changing() as held:
        before = held[0].contexts.get(name)
        if before is None and urls is None:
            raise click.UsageError(f"--url: the context {name} is a new one and needs addresses")
        entry = msgspec.structs.replace(before or Entry(urls=[]), **changed)
        held[0] = held[0].with_entry(name, entry, use=used)
        current = held[0].current
    emit(entry.shown(name, current), output)


@context.command(epilog="\b\nExamples:\n  triarch context delete plant")
@click.argument("name", metavar="NAME")
@output_option
def delete(name: str, output: str) -> None:
    """Forget a context, with the token that is kept in it."""
    with changing() as held:
        held[0] = held[0].without(name)
    emit({"name": name, "deleted": True}, output)


@click.command(
    epilog="\b\nExamples:\n  triarch login\n  triarch login --context plant --url https://10.0.0.1:8101 --ca ca.pem\n"
    "  triarch login --context ci < token.txt"
)
@click.option("--context", "name", envvar="TRIARCH_CONTEXT", show_envvar=True, metavar="NAME",
              help="Keep it there. [default: the context in use, or `default`]")  # fmt: skip
@click.option("--url", "urls", envvar="TRIARCH_URL", show_envvar=True, metavar="URL,…",
              help="Addresses of the nodes. [default: those of the context, or of `triarch dev`]")  # fmt: skip
@click.option("--ca", envvar=CA_VARIABLE, show_envvar=True, metavar="FILE", help="Authorities that are trusted.")
@click.option("--timeout", "timeout_s", type=click.FloatRange(0.1, 600), default=20.0, show_default=True,
              metavar="SECONDS", help="How long the answer may take.")  # fmt: skip
@output_option
def login(name: str | None, urls: str | None, ca: str | None, timeout_s: float, output: str) -> None:
    """Keep a token in a context, after a node has said whose it is.

    The token is read from the terminal, or from standard input where there is none. A context that is not there yet is
    made, and used from now on where no other is.
    """
    found = load()
    name = name or found.current or DEFAULT_NAME
    entry = found.contexts.get(name) or Entry(urls=DEFAULT_URLS.split(","))
    if urls is not None:
        entry = msgspec.structs.replace(entry, urls=list(addresses(urls)))
    entry = msgspec.structs.replace(entry, ca=ca or entry.ca, token=_token(), token_file="", token_env="")
    found.with_entry(name, entry, use=False)  # what cannot be is said before anything is sent
    authorities, certificate = entry.trusted()
    with Api(entry.urls, token=entry.token, timeout_s=timeout_s, ca=authorities, certificate=certificate) as api:
        who = api.get("/v1/whoami")
    with changing() as held:
        held[0] = held[0].with_entry(name, entry, use=False)
    emit({"context": name, **who}, output)
    note(f"the token is kept in the context {name}")


def _token() -> str:
    """The token that is typed or piped. A usage error for none, or what is none."""
    if sys.stdin.isatty():
        text = click.prompt("Token", hide_input=True, err=True)
    else:
        text = sys.stdin.read(TOKEN_BYTES_MAX + 2)
    found = text.strip()
    if not found:
        raise click.UsageError("no token on standard input: pipe it in, or call this in a terminal")
    return str(found)
