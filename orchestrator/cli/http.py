"""The API as the command line asks it: several addresses, the next one when a node does not answer."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click

from orchestrator.cli.output import Failure

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_URLS = "http://127.0.0.1:8101,http://127.0.0.1:8102,http://127.0.0.1:8103"
CONNECT_S = 1.0
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def api_options(command: F) -> F:
    """`--url` and `--timeout`. The token comes from the environment alone: a flag would stand in the process list."""
    for option in (
        click.option("--timeout", "timeout_s", type=click.FloatRange(0.1, 600), default=20.0, show_default=True,
                     metavar="SECONDS", help="How long one node may take to answer."),
        click.option("--url", "urls", envvar="TRIARCH_URL", show_envvar=True, default=DEFAULT_URLS, metavar="URL,…",
                     help="Addresses of the nodes; the first that answers is used. [default: those of `triarch dev`]"),
    ):  # fmt: skip
        command = option(command)
    return command


def addresses(urls: str) -> tuple[str, ...]:
    """The addresses in a comma list. Raises a usage error for one that is not an http URL."""
    found = tuple(url.strip().rstrip("/") for url in urls.split(",") if url.strip())
    for url in found:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise click.BadParameter(f"{url!r} is not an http:// or https:// address", param_hint="--url")
    if not found:
        raise click.BadParameter("no address given", param_hint="--url")
    return found


def trust() -> Any:
    """Whose certificates count: TRIARCH_CA_FILE, and what is shown there, TRIARCH_CERT_FILE and TRIARCH_KEY_FILE."""
    from framebuffer.errors import TrustUnusable
    from framebuffer.trust import trust_of

    try:
        return trust_of()
    except TrustUnusable as error:
        raise Failure(error.code, str(error)) from None


class Api:
    """Asks the nodes in turn. Every failure is a `Failure` whose code the exit code follows from."""

    def __init__(self, urls: Sequence[str], *, token: str | None = None, timeout_s: float = 20.0) -> None:
        import httpx

        headers = {"Authorization": f"Bearer {token}"} if token else {}
        timeout = httpx.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s))
        self._urls = urls
        # Proxies of the environment are for the outside world, not for the cluster.
        self._client = httpx.Client(
            timeout=timeout, headers=headers, follow_redirects=False, trust_env=False, verify=trust()
        )

    @classmethod
    def of(cls, urls: str, timeout_s: float) -> "Api":
        """From the options of `api_options` and `TRIARCH_TOKEN`."""
        import os

        return cls(addresses(urls), token=os.environ.get("TRIARCH_TOKEN") or None, timeout_s=timeout_s)

    def __enter__(self) -> "Api":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, **params: str | Sequence[str]) -> Any:
        """The JSON that is there; a parameter with several values is repeated."""
        return _document(self._ask("GET", path, params=params or None))  # none at all would take the path's own away

    def post(self, path: str, body: Mapping[str, Any] | None = None, *, key: str | None = None) -> Any:
        """The JSON of the answer; `key` makes a repeat safe, one is made when none is given."""
        return _document(self._ask("POST", path, key=key, json=body))

    def download(self, path: str) -> tuple[bytes, Mapping[str, str]]:
        """The bytes that are there, and the headers they came with."""
        answer = self._ask("GET", path)
        return answer.content, answer.headers

    def upload(self, path: str, data: bytes) -> Any:
        """Send `data` as a file; the JSON of the answer."""
        return _document(self._ask("POST", path, content=data))

    def put(
        self, path: str, body: Mapping[str, Any], *, key: str | None = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """As `post`; `headers` hold the condition."""
        return _document(self._ask("PUT", path, json=body, key=key, headers=headers))

    def delete(self, path: str, *, key: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        """As `put`, without a body."""
        self._ask("DELETE", path, key=key, headers=headers)

    def _ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | Sequence[str]] | None = None,
        key: str | None = None,
        json: Mapping[str, Any] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """The successful answer of the first node that gives one."""
        import httpx

        sent = key or uuid.uuid4().hex
        if method in WRITES:
            headers = {**(headers or {}), "Idempotency-Key": sent}
        if content is not None:
            headers = {**(headers or {}), "Content-Type": "application/octet-stream"}
        failures: list[str] = []
        for base in self._urls:
            try:
                answer = self._client.request(
                    method, base + path, params=params, json=json, content=content, headers=headers
                )
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                from framebuffer.trust import distrust

                failures.append(f"{base}: {distrust(error) or error}")
                continue
            except httpx.HTTPError as error:
                if method in WRITES:
                    reason = f"{base} did not answer ({type(error).__name__}), it may have been done"
                    raise Failure("outcome_unknown", f"{reason}; repeat it with --key {sent}") from None
                failures.append(f"{base}: {type(error).__name__}")
                continue
            if answer.is_success:
                return answer
            failure = _failure(answer)
            if failure.code != "no_leader" or base == self._urls[-1]:
                raise failure
            failures.append(f"{base}: {failure.message}")
        raise Failure("no_node", "no node answered:\n  " + "\n  ".join(failures))


def _document(answer: Any) -> Any:
    """The JSON of an answer; None for an empty one."""
    if not answer.content:
        return None
    try:
        return answer.json()
    except ValueError:
        raise Failure("unexpected_answer", f"{answer.url} does not speak JSON; is it a node of Triarch?") from None


def _failure(answer: Any) -> Failure:
    try:
        problem = answer.json()
        code, detail = str(problem["code"]), str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        return Failure("unexpected_answer", f"{answer.url} answered {answer.status_code}", status=answer.status_code)
    key = problem.get("idempotency_key")
    hint = f" (here: --key {key})" if key else ""
    return Failure(code, detail + hint, status=answer.status_code)
