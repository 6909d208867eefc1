"""A real Prometheus, started with what the role triarch_prometheus would write, over nodes of this machine."""

import asyncio
import json
import re
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import jinja2
import yaml

from tests.support import free_port

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "deploy" / "ansible" / "roles" / "triarch_prometheus"
RULES = ROOT / "deploy" / "prometheus" / "triarch.rules.yml"


def program() -> str | None:
    """Where Prometheus is."""
    return shutil.which("prometheus")


def rendered(name: str, variables: Mapping[str, Any]) -> str:
    """A template of the role, with its defaults below `variables`."""
    environment = jinja2.Environment(  # noqa: S701 (YAML, not HTML)
        loader=jinja2.FileSystemLoader(ROLE / "templates"), trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["to_json"] = json.dumps
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    return environment.get_template(name).render({"ansible_managed": "managed", **defaults, **variables})


class Prometheus:
    """Over `targets` (id, host:port), looking every second. Alerts that wait ten seconds wait one here; with `at_once`
    none waits: each fires as soon as what it asks is so.
    """

    def __init__(
        self, directory: Path, targets: Sequence[tuple[str, str]], *, token: str, at_once: bool = False
    ) -> None:
        self._directory = directory
        self._port = free_port()
        self._process: asyncio.subprocess.Process | None = None
        variables = {
            "triarch_prometheus_folder": str(directory),
            "triarch_prometheus_targets": [{"id": name, "address": address} for name, address in targets],
            "triarch_prometheus_interval_s": 1,
            # Those of the defaults that the inventory says: there is none here.
            "triarch_prometheus_cluster": "plant",
            "triarch_prometheus_scheme": "http",
            "triarch_prometheus_ca_file": "",
        }
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "token").write_text(token)
        rules = RULES.read_text()
        rules = re.sub(r"(?m)^ +for: \S+\n", "", rules) if at_once else rules.replace("for: 10s", "for: 1s")
        (directory / "triarch.rules.yml").write_text(rules)
        (directory / "prometheus.yml").write_text(rendered("prometheus.yml.j2", variables))
        self._http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self._port}/api/v1/", trust_env=False)

    async def __aenter__(self) -> Self:
        with (self._directory / "prometheus.log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                str(program()),
                f"--config.file={self._directory / 'prometheus.yml'}",
                f"--storage.tsdb.path={self._directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{self._port}",
                stdout=log,
                stderr=log,
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()
        if self._process is not None:
            if self._process.returncode is None:
                self._process.send_signal(signal.SIGKILL)
            await self._process.wait()

    def log(self) -> str:
        """What it said."""
        return (self._directory / "prometheus.log").read_text()

    async def _get(self, path: str, **parameters: str) -> Any:
        """The data of an answer; None while it does not answer."""
        try:
            answer = await self._http.get(path, params=parameters)
        except httpx.TransportError:
            return None
        return answer.json()["data"] if answer.status_code == 200 else None

    async def health(self) -> dict[str, str]:
        """`up`, `down` or `unknown` by instance."""
        data = await self._get("targets")
        return {one["labels"]["instance"]: one["health"] for one in (data or {}).get("activeTargets", [])}

    async def rules(self) -> dict[str, str]:
        """`ok` or what is wrong, by name of alert or recorded series."""
        data = await self._get("rules")
        return {rule["name"]: rule["health"] for group in (data or {}).get("groups", []) for rule in group["rules"]}

    async def evaluated(self) -> dict[str, str]:
        """When each group of rules was looked at last."""
        data = await self._get("rules")
        return {group["name"]: group["lastEvaluation"] for group in (data or {}).get("groups", [])}

    async def told(self) -> set[str]:
        """Names of all figures that the nodes tell, also of those that have no value yet."""
        return set(await self._get("metadata") or {})

    async def firing(self) -> set[str]:
        """Names of the alerts that fire."""
        data = await self._get("alerts")
        return {one["labels"]["alertname"] for one in (data or {}).get("alerts", []) if one["state"] == "firing"}

    async def value(self, question: str) -> list[float]:
        """What a question is answered with now."""
        data = await self._get("query", query=question)
        return [float(one["value"][1]) for one in (data or {}).get("result", [])]
