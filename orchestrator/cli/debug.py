"""`triarch debug bundle`."""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from orchestrator.cli.connection import credentials
from orchestrator.cli.exits import Exit
from orchestrator.cli.http import Api, addresses, api_options
from orchestrator.cli.output import Failure, emit, leave, note

if TYPE_CHECKING:
    from orchestrator.bundle.archive import Archive
    from orchestrator.config import NodeConfig

NODE_CONFIG = Path("/etc/triarch/node.yaml")
SECRETS = Path("/etc/triarch/secrets")
REQUEST_S = 5.0
OF_NODES: Mapping[str, str] = {
    "healthz.json": "/healthz",
    "readyz.json": "/readyz",
    "cluster.json": "/v1/cluster",
    "health.json": "/health",
    "control.json": "/control/status",
    "metrics.txt": "/metrics",
    "node.json": "/v1/node",
}
"""File of each node, and what it is asked for."""
ANSWERS_503 = frozenset({"readyz.json", "health.json"})
"""Whose refusals are what is wanted."""
OF_PLANT: Mapping[str, str] = {
    "members.json": "/v1/cluster/members?consistency=stale",
    "leaderships.json": "/v1/cluster/leaderships?consistency=stale",
    "alerts.json": "/v1/alerts?state=all&consistency=stale",
    "components.json": "/v1/components?consistency=stale",
    "supervision.json": "/v1/supervision",
    "processors.json": "/v1/processors?consistency=stale",
    "executions.json": "/v1/executions?consistency=stale",
    "frames-stats.json": "/v1/frames/stats",
    "frames-lag.json": "/v1/frames/lag",
    "frames-ledger.json": "/v1/frames/ledger",
    "frames-server.json": "/v1/frames/server",
    "audit-head.json": "/v1/audit/head",
    "limits.json": "/v1/access/limits",
}
"""The first node that answers is asked; what needs a leader is missing where there is none."""


@click.group()
def debug() -> None:
    """What whoever helps needs to see."""


@debug.command(
    epilog="\b\nExamples:\n  triarch debug bundle\n  triarch debug bundle --output /tmp/n2-is-slow.tar.gz --within 30"
)
@click.option(
    "--output",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The new file. [default: triarch-bundle-TIME.tar.gz here]",
)
@click.option(
    "--config",
    "config_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"Settings of the node of this host, to examine the host by. [default: {NODE_CONFIG}, where it can be read]",
)
@click.option(
    "--within",
    "within_s",
    type=click.FloatRange(1, 600),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="What has not answered by then is left out, and said to be.",
)
@click.option(
    "-o",
    "--format",
    "output",
    type=click.Choice(["table", "json", "yaml"]),
    default="table",
    show_default=True,
    help="Form of what is said of it on stdout.",
)
@api_options
def bundle(
    path: Path | None, config_path: Path | None, within_s: float, urls: str, timeout_s: float, output: str
) -> None:
    """Write one file with what all nodes say of themselves, and what this host has of logs. No secret is in it.

    Exits with 0 when all is there, 8 when a node did not answer (the rest is there), 6 when none did.
    """
    from orchestrator.bundle.archive import Archive

    made = time.time()
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(made))
    path = path or Path(f"triarch-bundle-{stamp}.tar.gz")
    config = _config(config_path)
    try:
        archive = Archive(path, f"triarch-bundle-{stamp}", secrets=_secrets(config), made=made)
    except OSError as error:
        raise Failure("not_writable", f"{path}: {error.strerror}: name another file by --output") from None
    collection = _Collection(archive, time.monotonic() + within_s)
    with archive:
        with Api.of(urls, min(timeout_s, within_s)) as api:
            nodes = collection.of_nodes(api, urls)
            if any(row["answered"] for row in nodes):
                collection.of_plant(api)
        collection.of_host(config)
        answered = [row["node"] for row in nodes if row["answered"]]
        silent = [row["node"] for row in nodes if not row["answered"]]
        summary = {
            "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(made)),
            "release": _release(),
            "nodes": nodes,
            "missing": collection.missing,
            "files": list(archive.members),
        }
        archive.add("bundle.json", summary)
    size = path.stat().st_size
    if output == "table":
        click.echo(str(path))
        note(f"{len(archive.members)} files of {', '.join(answered) or 'no node'}, {size / 1024:.0f} kB")
        for row in collection.missing:
            note(f"missing: {row['file']}: {row['reason']}")
    else:
        emit({"path": str(path), "bytes": size, "answered": answered, "silent": silent, **summary}, output)
    leave(Exit.NO_LEADER if not answered else Exit.DEGRADED if silent else Exit.OK)


class _Collection:
    """Goes round and asks. `ends`: monotonic; what is not there by then is missing."""

    def __init__(self, archive: "Archive", ends: float) -> None:
        self._archive = archive
        self._ends = ends
        self.missing: list[dict[str, str]] = []
        """`file` and `reason`"""

    def of_nodes(self, api: Api, urls: str) -> list[dict[str, Any]]:
        """A folder a node. Rows with `node`, `api`, `answered` and `reason`."""
        members = _members(api, urls)
        with ThreadPoolExecutor(max_workers=len(members)) as pool:
            answers = list(pool.map(lambda member: self._of_node(api, member[1]), members))
        rows = []
        for (node_id, base), (said, problems) in zip(members, answers, strict=True):
            for name, content in said.items():
                place = f"nodes/{node_id}/{name}"
                if isinstance(content, str):
                    self._archive.add_text(place, content)
                else:
                    self._archive.add(place, content)
            for name, reason in problems.items():
                self._lacks(f"nodes/{node_id}/{name}", reason)
            reason = "" if said else next(iter(problems.values()), "")
            rows.append({"node": node_id, "api": base, "answered": bool(said), "reason": reason})
        return rows

    def _of_node(self, api: Api, base: str) -> tuple[dict[str, Any], dict[str, str]]:
        """What a node said by name of file, and what it did not, with why."""
        said: dict[str, Any] = {}
        problems: dict[str, str] = {}
        for name, target in OF_NODES.items():
            left = self._ends - time.monotonic()
            if left <= 0:
                problems[name] = "the time was over"
                continue
            try:
                status, body = api.fetch(base, target, min(REQUEST_S, left))
            except Failure as error:
                problems[name] = error.message
                if not said:
                    return said, problems  # it does not answer at all
                continue
            if status == 200 or name in ANSWERS_503:
                said[name] = _data(body)
            else:
                problems[name] = f"answered {status}: {body[:300].decode(errors='replace')}"
        return said, problems

    def of_plant(self, api: Api) -> None:
        """What is true of the whole."""
        from orchestrator.cli.doctor import asked_plant
        from orchestrator.doctor.plant import judge

        for name, target in OF_PLANT.items():
            self._try(f"plant/{name}", lambda target=target: api.get(target))
        self._try("plant/doctor.json", lambda: [finding.shown() for finding in judge(asked_plant(api))])

    def of_host(self, config: "NodeConfig | None") -> None:
        """Of the host that this runs on."""
        from orchestrator.bundle.host import UNITS, journal

        if config is not None:
            from orchestrator.config_secrets import without_secrets
            from orchestrator.doctor.host import examine

            self._archive.add("host/settings.json", without_secrets(config))
            self._try("host/doctor.json", lambda: [finding.shown() for finding in examine(config)])
        for unit in UNITS:
            if time.monotonic() >= self._ends:
                self._lacks(f"host/{unit}.log", "the time was over")
                continue
            text, why = journal(unit)
            if text:
                self._archive.add_text(f"host/{unit}.log", text)
            else:
                self._lacks(f"host/{unit}.log", why)

    def _try(self, name: str, ask: Any) -> None:
        if time.monotonic() >= self._ends:
            self._lacks(name, "the time was over")
            return
        try:
            self._archive.add(name, ask())
        except Failure as error:
            self._lacks(name, f"{error.code}: {error.message}")

    def _lacks(self, name: str, reason: str) -> None:
        self.missing.append({"file": name, "reason": reason})


def _members(api: Api, urls: str) -> Sequence[tuple[str, str]]:
    """(id, API) of all members; where none can say who they are, the addresses that were given."""
    try:
        rows = api.get("/v1/cluster")["members"]
    except Failure:
        return [(urlsplit(url).netloc.replace(":", "-"), url.rstrip("/")) for url in addresses(urls)]
    return [(str(row["id"]), str(row["api"]).rstrip("/")) for row in rows]


def _config(path: Path | None) -> "NodeConfig | None":
    from orchestrator.config import load_config
    from orchestrator.errors import OrchestratorError

    if path is None and not NODE_CONFIG.is_file():
        return None
    try:
        return load_config(path or NODE_CONFIG, {})
    except OrchestratorError as error:
        if path is None:
            note(f"{NODE_CONFIG}: {error.message}; this host is not examined")
            return None
        raise Failure(error.code, error.message) from None


def _secrets(config: "NodeConfig | None") -> set[str]:
    """All that this command knows of, to be taken out wherever it stands."""
    return set(_known(config))


def _known(config: "NodeConfig | None") -> Iterator[str]:
    from orchestrator.bundle.host import secrets_below
    from orchestrator.config_secrets import secrets_in

    yield from secrets_below(SECRETS)
    if config is not None:
        yield from secrets_in(config)
    token = credentials().token
    if isinstance(token, str):
        yield token
    elif token is not None and token.is_file():
        yield token.read_text(errors="replace").strip()


def _data(body: bytes) -> Any:
    """JSON as data, so that it is still JSON without its secrets; anything else as text."""
    import json

    text = body.decode(errors="replace")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _release() -> str:
    from importlib import metadata

    return metadata.version("triarch")
