"""The log of a node: lines of JSON of a real process, and what a line says it is about."""

import asyncio
import json
import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from orchestrator.logs import EXCEPTION_CHARS_MAX, MESSAGE_CHARS_MAX, JsonLines, RecentLines, about, subject
from tests.orchestrator.api_nodes import settings
from tests.support import eventually, free_port

log = logging.getLogger("orchestrator.tests.logs")


class Lines(logging.Handler):
    """Keeps each record as the line it makes, in the context in which it was logged."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        assert "\n" not in text
        self.lines.append(json.loads(text))


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    handler = Lines(JsonLines("n1", lambda: "3.21"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield handler.lines
    log.removeHandler(handler)


@pytest.mark.parametrize("formatter", [logging.Formatter("%(message)s"), JsonLines("n1", lambda: None)])
def test_bytes_that_are_no_text_are_shown_escaped(formatter: logging.Formatter) -> None:
    """As on stderr: what a client sent may come with them, in the words of a library."""
    recent = RecentLines()
    recent.setFormatter(formatter)
    said = b"keep-aliv\x8a \xc3\xa9".decode("utf-8", "surrogateescape")
    recent.emit(log.makeRecord(log.name, logging.WARNING, __file__, 1, "sent %s", (said,), None))
    (line,) = recent.lines()
    assert r"keep-aliv\udc8a é" in line
    line.encode()


def test_a_line_says_what_it_is_about(lines: list[dict[str, Any]]) -> None:
    log.info("outside")
    with about(execution="e-1", trace="ab" * 16):
        log.info("begun")
        with about(component="press-1"):
            log.warning("sent %s", "CMD_START")
        log.info("done")
    assert subject() == {}
    known = {"execution": "e-1", "trace": "ab" * 16}
    shown = [{name: line[name] for name in line if name in ("execution", "trace", "component")} for line in lines]
    assert shown == [{}, known, {**known, "component": "press-1"}, known]
    assert (lines[2]["message"], lines[2]["level"], lines[2]["logger"]) == ("sent CMD_START", "warning", log.name)
    assert (lines[2]["node"], lines[2]["epoch"]) == ("n1", "3.21")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", lines[2]["time"])


@pytest.mark.anyio
async def test_a_task_inherits_it_and_does_not_hand_it_on(lines: list[dict[str, Any]]) -> None:
    async def work(name: str) -> None:
        with about(component=name):
            await asyncio.sleep(0)
            log.info(name)

    with about(execution="e-1"):
        await asyncio.gather(*(asyncio.create_task(work(name)) for name in "abc"))
    assert [(line["execution"], line["component"]) for line in lines] == [("e-1", name) for name in "abc"]
    assert subject() == {}


def test_everything_is_bounded_and_on_one_line(lines: list[dict[str, Any]]) -> None:
    with about(execution="x" * 10_000):
        try:
            raise ValueError("y" * 100_000 + "\n\x1b[31m")
        except ValueError:
            log.exception("%s\n", "z" * 100_000)
    (line,) = lines
    assert len(line["execution"]) == 200
    assert len(line["message"]) < MESSAGE_CHARS_MAX + 50
    assert "(100001 characters)" in line["message"]
    assert len(line["exception"]) < EXCEPTION_CHARS_MAX + 50
    assert "Traceback" in line["exception"]


@pytest.mark.anyio
async def test_a_node_logs_json_when_it_is_told_to(tmp_path: Path) -> None:
    """A real process, without Redis: what it logs while it comes to lead, and as it stops."""
    api = free_port()
    tree = settings(0, [(free_port(), api)], tmp_path, free_port(), node={"log_format": "json"})
    path = tmp_path / "n1.yaml"
    path.write_text(yaml.safe_dump(tree))
    with (tmp_path / "log").open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "orchestrator.cli.main", "node", "--config", str(path)), stderr=file
        )

    def logged() -> list[dict[str, Any]]:
        return [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]

    def of(message: str) -> list[dict[str, Any]]:
        return [line for line in logged() if message in line["message"]]

    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{api}", trust_env=False) as http:

            async def leads() -> bool:
                try:
                    return bool((await http.get("/v1/cluster")).json().get("epoch"))
                except httpx.TransportError:
                    return False

            await eventually(leads, deadline_s=20)
        await eventually(lambda: of("leading since epoch"), deadline_s=10)
    finally:
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 20) == 0
    assert all({"time", "level", "logger", "node", "message"} <= line.keys() for line in logged())
    assert {line["node"] for line in logged()} == {"n1"}
    (took_up,) = of("leading since epoch")
    assert took_up["epoch"] in took_up["message"]
    (ended,) = of("node n1 has stopped")
    assert "epoch" not in ended, "it leads no more"
