"""The API as the command line asks it: by `orchestrator.client`, whose errors become failures with an exit code."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from orchestrator.cli.connection import connection_options, credentials
from orchestrator.cli.output import Failure

if TYPE_CHECKING:
    from orchestrator.client import ClientError, Reply

F = TypeVar("F", bound=Callable[..., Any])

PATIENCE_S = 5.0
"""How long a node may say nothing to a read before the next one is asked; more where `--timeout` leaves more."""


def api_options(command: F) -> F:
    """`--timeout`, and the options that say where to ask (`connection`)."""
    timeout = click.option(
        "--timeout", "timeout_s", type=click.FloatRange(0.1, 600), default=20.0, show_default=True,
        metavar="SECONDS", help="How long an answer may take, over all nodes.",
    )  # fmt: skip
    return connection_options(timeout(command))


def addresses(urls: str) -> tuple[str, ...]:
    """The addresses in a comma list. Raises a usage error for one that is not an http URL."""
    from orchestrator.client import SettingsInvalid
    from orchestrator.client.addresses import checked_addresses

    try:
        return checked_addresses(urls)
    except SettingsInvalid as error:
        raise click.BadParameter(error.message, param_hint="--url") from None


def trusted() -> dict[str, Any]:
    """For `Client`: whose certificates count, and which one is shown."""
    given = credentials()
    return {"ca": given.ca, "certificate": given.certificate}


def trust(url: str, given: Mapping[str, Any]) -> Any:
    """What `trusted` gave, for a single request to `url`."""
    from orchestrator.client.tls import context_of

    with failures():
        return context_of([url], **given)


class Api:
    """Asks the nodes. Every failure is a `Failure` whose code the exit code follows from.

    A person sits before it: where no node does anything, all are asked once and it says so. What may have been done is
    repeated under its key until the time is over.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        token: str | Path | None = None,
        timeout_s: float = 20.0,
        ca: str | None = None,
        certificate: tuple[str, str] | None = None,
    ) -> None:
        from orchestrator.client import Client, Tries

        with failures():
            tries = Tries(timeout_s=timeout_s, rounds=1, finds_members=False)
            self.client = Client(urls, token=token, tries=tries, ca=ca, certificate=certificate)
        self._timeout_s = timeout_s
        self._patience_s = min(timeout_s, max(PATIENCE_S, timeout_s / len(urls)))

    @classmethod
    def of(cls, urls: str, timeout_s: float) -> "Api":
        """From the options of `api_options`, the environment and the context."""
        found = credentials()
        return cls(addresses(urls), token=found.token, timeout_s=timeout_s, ca=found.ca, certificate=found.certificate)

    def __enter__(self) -> "Api":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def get(self, path: str, **params: str | Sequence[str]) -> Any:
        """The JSON that is there; a parameter with several values is repeated."""
        return self._data("GET", path, query=params, patience_s=self._patience_s)

    def post(self, path: str, body: Mapping[str, Any] | None = None, *, key: str | None = None) -> Any:
        """The JSON of the answer; `key` makes a repeat safe, one is made when none is given."""
        return self._data("POST", path, body=body, key=key)

    def download(self, path: str) -> tuple[bytes, Mapping[str, str]]:
        """The bytes that are there, and the headers they came with (names in lower case)."""
        reply = self._ask("GET", path, patience_s=self._patience_s)
        return reply.body, reply.headers

    def upload(self, path: str, data: bytes, *, key: str | None = None) -> Any:
        """Send `data` as a file; the JSON of the answer."""
        return self._data("POST", path, content=data, key=key, patience_s=self._timeout_s)

    def put(
        self, path: str, body: Mapping[str, Any], *, key: str | None = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """As `post`; `headers` hold the condition."""
        return self._data("PUT", path, body=body, key=key, headers=headers)

    def delete(self, path: str, *, key: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        """As `put`, without a body."""
        self._ask("DELETE", path, key=key, headers=headers)

    def probe(self, base: str, path: str, timeout_s: float) -> tuple[int, Any, Mapping[str, str], float]:
        """What this one address says, also when it is no success: status, JSON, headers, seconds it took."""
        from orchestrator.client.calls import document_of
        from orchestrator.client.exchanging import NoAnswer
        from orchestrator.client.programs import once

        with failures():
            said, took = self.client.work(lambda began: once(base, path, timeout_s, began))
            if isinstance(said, NoAnswer):
                raise Failure("no_node", f"{base}: {said.reason}")
            document = document_of(said)
        if not isinstance(document, dict):
            raise Failure("unexpected_answer", f"{base}: is it a node of Triarch?")
        return said.status, document, said.headers, took

    def fetch(self, base: str, target: str, timeout_s: float) -> tuple[int, bytes]:
        """What this one address says, as it came, also when it is no success: status and body. Failure: no answer."""
        from orchestrator.client.exchanging import NoAnswer
        from orchestrator.client.programs import once

        with failures():
            said, _ = self.client.work(lambda began: once(base, target, timeout_s, began))
        if isinstance(said, NoAnswer):
            raise Failure("no_node", f"{base}: {said.reason}")
        return said.status, said.body

    def _ask(self, method: str, path: str, **options: Any) -> "Reply":
        with failures():
            return self.client.request(method, path, **options)

    def _data(self, method: str, path: str, **options: Any) -> Any:
        reply = self._ask(method, path, **options)
        with failures():
            return reply.data


@contextmanager
def failures() -> Iterator[None]:
    """Errors of the client as failures of the command."""
    from orchestrator.client import ClientError

    try:
        yield
    except ClientError as error:
        raise failure_of(error) from None


def failure_of(error: "ClientError") -> Failure:
    """What the command says of an error of the client; the key of a write in a form to copy."""
    from orchestrator.client import ApiError, OutcomeUnknown, UnexpectedAnswer

    match error:
        case OutcomeUnknown(reason=reason, key=key):
            hint = f" (here: --key {key})" if key in reason else f"; repeat it with --key {key}"
            return Failure(error.code, reason + hint, status=504)
        case ApiError():
            sent = error.members.get("idempotency_key")
            return Failure(error.code, error.detail + (f" (here: --key {sent})" if sent else ""), status=error.status)
        case UnexpectedAnswer():
            return Failure(error.code, error.message, status=error.status)
    return Failure(error.code, error.message)
