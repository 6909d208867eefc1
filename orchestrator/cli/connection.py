"""Where a command asks, and as whom: flags before the environment, that before the context, that before what is usual.

The token of a context goes to the context's own addresses, and elsewhere only where the flag `--context` says so.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from orchestrator.cli.contexts import Entry

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_URLS = "http://127.0.0.1:8101,http://127.0.0.1:8102,http://127.0.0.1:8103"
CA_VARIABLE = "TRIARCH_CA_FILE"
_META = "orchestrator.cli.connection"


@dataclass(slots=True)
class _Chosen:
    """What the options of this command came to. `own_urls`: the addresses are the context's."""

    context: str = ""
    by_flag: bool = False
    entry: "Entry | None" = None
    looked: bool = False
    own_urls: bool = False
    ca: str = ""


@dataclass(frozen=True, slots=True)
class Credentials:
    """As `orchestrator.client` takes them."""

    token: str | Path | None = None
    ca: str | None = None
    certificate: tuple[str, str] | None = None


def connection_options(command: F) -> F:
    """`--url`, `--context`, `--ca`. A token is never a flag: it would stand in the process list."""
    for option in (
        click.option("--ca", envvar=CA_VARIABLE, show_envvar=True, metavar="FILE", expose_value=False, is_eager=True,
                     callback=_ca_given, help="Authorities that are trusted, for https. [default: the system's]"),
        click.option("--context", envvar="TRIARCH_CONTEXT", show_envvar=True, metavar="NAME", expose_value=False,
                     is_eager=True, callback=_context_given, help="Addresses, token and authorities by this name."),
        click.option("--url", "urls", envvar="TRIARCH_URL", show_envvar=True, metavar="URL,…", callback=_urls_given,
                     help="Addresses of the nodes. [default: those of the context, or of `triarch dev`]"),
    ):  # fmt: skip
        command = option(command)
    return command


def urls_now() -> str:
    """The addresses of the environment, the context, or what is usual: where no option said anything."""
    given = os.environ.get("TRIARCH_URL")
    entry = _entry(_chosen())
    return given or (",".join(entry.urls) if entry is not None else DEFAULT_URLS)


def credentials() -> Credentials:
    """Those of the command that runs. Failure for a context that cannot be used."""
    chosen = _chosen()
    entry = _entry(chosen) if chosen.own_urls or chosen.by_flag else None
    token: str | Path | None = os.environ.get("TRIARCH_TOKEN") or None
    shown = _certificate()
    if entry is None:
        return Credentials(token, chosen.ca or os.environ.get(CA_VARIABLE) or None, shown)
    ca, certificate = entry.trusted()
    return Credentials(token or entry.source(chosen.context), chosen.ca or ca, shown or certificate)


def _certificate() -> tuple[str, str] | None:
    """The certificate that is shown, and its key, of the environment. Failure where only one of them is named."""
    from orchestrator.cli.output import Failure

    certificate, key = (os.environ.get(f"TRIARCH_{name}_FILE") or "" for name in ("CERT", "KEY"))
    if bool(certificate) != bool(key):
        raise Failure("trust_unusable", "TRIARCH_CERT_FILE and TRIARCH_KEY_FILE belong together; one is not set")
    return (certificate, key) if certificate else None


def of_a_machine(urls: str | None) -> tuple[str, str | None]:
    """Addresses and the text of the token for a process that keeps a link of its own; `urls`: what its option says."""
    from orchestrator.cli.http import failures
    from orchestrator.client.tokens import Token

    if urls:
        return urls, os.environ.get("TRIARCH_TOKEN") or None
    found = credentials()
    with failures():
        return urls_now(), Token(found.token).text()


def context_name() -> str:
    """The context that is used, "" for none."""
    chosen = _chosen()
    _entry(chosen)
    return chosen.context


def _chosen() -> _Chosen:
    ctx = click.get_current_context(silent=True)
    if ctx is None:
        return _Chosen(context=os.environ.get("TRIARCH_CONTEXT", ""), own_urls="TRIARCH_URL" not in os.environ)
    found: _Chosen = ctx.meta.setdefault(_META, _Chosen(own_urls="TRIARCH_URL" not in os.environ))
    return found


def _entry(chosen: _Chosen) -> "Entry | None":
    """The context that applies, None for none. Failure for a name that is not there."""
    if not chosen.looked:
        from orchestrator.cli import contexts  # only now: most commands of most users need none

        if chosen.context or contexts.path().exists():
            found = contexts.load()
            chosen.context = chosen.context or found.current
            chosen.entry = found.get(chosen.context) if chosen.context else None
        chosen.looked = True
    return chosen.entry


def _context_given(ctx: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value and not ctx.resilient_parsing:
        chosen = _chosen()
        chosen.context = value
        chosen.by_flag = ctx.get_parameter_source("context") is click.core.ParameterSource.COMMANDLINE


def _ca_given(ctx: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value and not ctx.resilient_parsing:
        _chosen().ca = value


def _urls_given(ctx: click.Context, _parameter: click.Parameter, value: str | None) -> str:
    chosen = _chosen()
    chosen.own_urls = not value
    if value or ctx.resilient_parsing:
        return value or ""
    entry = _entry(chosen)
    return ",".join(entry.urls) if entry is not None else DEFAULT_URLS
