"""The dashboard in Chromium before three nodes: first paint, memory under 60 updates a second, deaths of the leader.

Size: seconds of updates. The page shows the map of 50 components, which 60 changes a second concern; after each tenth
the browser collects its garbage, and what is left is the figure. Flat means: the largest of the second half is at most
4 MiB above the largest of the first half. Then the leader, which serves the page, is killed `KILLS` times.
"""

import asyncio
import itertools
import shutil
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import Browser, CDPSession, Page, async_playwright

from orchestrator.dev.local import LocalPlant
from orchestrator.dev.topology import on_free_ports
from orchestrator.dev.waiting import until
from tests.browser.conftest import ARGUMENTS, NAMES

SIZE = 600
UPDATES_A_SECOND = 60
COMPONENTS = 50
OPENED = 10
KILLS = 10
GROWTH_MAX_MIB = 4.0
LIVE_S = 60.0
MARKS = "Object.fromEntries(performance.getEntriesByType('mark').map((m) => [m.name, m.startTime]))"


async def run(directory: Path, size: float) -> dict[str, Any]:
    """`size` seconds of updates."""
    executable = next((path for name in NAMES if (path := shutil.which(name))), None)
    if executable is None:
        return {"problems": ["no Chromium: apt install chromium"]}
    async with LocalPlant(on_free_ports(directory)) as plant, async_playwright() as playwright:
        await plant.wait_ready()
        browser = await playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        try:
            await _register(plant)
            paints = [await _paint(browser, plant) for _ in range(OPENED)]
            page = await browser.new_page()
            await _open(page, plant.topology.apis[0] + "/#/components")
            heap, updates, seen = await _updates(page, plant, size)
            backs = [await _death(browser, plant) for _ in range(KILLS)]
        finally:
            await browser.close()
    half = len(heap) // 2
    problems = []
    if half and max(heap[half:]) > max(heap[:half]) + GROWTH_MAX_MIB:
        problems.append(f"the page's heap grows: {heap} MiB")
    if seen < updates:
        problems.append(f"{updates} changes were made, and the page came to {seen} indexes more only")
    return {
        "opened": OPENED,
        "first_paint_s": _spread([paint for paint, _ in paints]),
        "live_s": _spread([live for _, live in paints]),
        "seconds": round(size, 1),
        "updates": updates,
        "heap_by_tenth_mib": heap,
        "heap_first_half_mib": max(heap[:half], default=0.0),
        "heap_second_half_mib": max(heap[half:], default=0.0),
        "kills_of_the_leader": KILLS,
        "stream_back_s": _spread([stream for stream, _ in backs]),
        "new_leader_shown_s": _spread([leader for _, leader in backs]),
        "problems": problems,
    }


def _spread(values: list[float]) -> str:
    ordered = sorted(values)
    return f"median {ordered[len(ordered) // 2]:.3f}, most {ordered[-1]:.3f}" if ordered else "none"


async def _register(plant: LocalPlant) -> None:
    """Components that are no processes: what is said of them changes, not what they are."""
    for number in range(COMPONENTS):
        body = {"id": f"cell-{number:02}", "address": "http://127.0.0.1:9", "groups": [f"bay-{number % 6}"]}
        (await plant.call("POST", "/v1/components", json=body)).raise_for_status()


async def _open(page: Page, url: str) -> None:
    await page.goto(url)
    await page.locator("main[data-live=yes] h1").wait_for(timeout=LIVE_S * 1000)


async def _paint(browser: Browser, plant: LocalPlant) -> tuple[float, float]:
    """Seconds from the navigation's begin to the first contentful paint, and to a live stream; nothing is cached."""
    context = await browser.new_context()
    page = await context.new_page()
    await _open(page, plant.topology.apis[0] + "/#/")
    paint = await page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    marks = await page.evaluate(MARKS)
    await context.close()
    return paint / 1000, marks["triarch:live"] / 1000


async def _updates(page: Page, plant: LocalPlant, seconds: float) -> tuple[list[float], int, int]:
    """Heap after each tenth in MiB, how many changes were made, by how many indexes the page went on."""
    session = await page.context.new_cdp_session(page)
    index = "Number(document.querySelector('tri-app').shadowRoot.querySelector('tri-status').dataset.index)"
    before = await page.evaluate(index)
    heap: list[float] = []
    made = 0
    numbers = itertools.count()
    async with httpx.AsyncClient(base_url=plant.topology.apis[1], timeout=15.0, trust_env=False) as http:
        for _ in range(10):
            ends = time.monotonic() + seconds / 10
            while (begins := time.monotonic()) < ends:
                batch = [_change(http, next(numbers)) for _ in range(UPDATES_A_SECOND // 4)]
                await asyncio.gather(*batch)
                made += len(batch)
                await asyncio.sleep(max(0.0, begins + 0.25 - time.monotonic()))
            heap.append(await _heap(session))

    async def arrived() -> bool:
        return bool(await page.evaluate(index) - before >= made)

    await until(arrived, seconds=LIVE_S, what="all changes in the page")
    return heap, made, int(await page.evaluate(index)) - before


async def _change(http: httpx.AsyncClient, number: int) -> None:
    """One change, repeated under its key until it is done: the machine may be too busy for a steady leader."""
    path = f"/v1/components/cell-{number % COMPONENTS:02}/maintenance"
    ends = (number // COMPONENTS) % 2 == 1
    body = None if ends else {"reason": f"round {number // COMPONENTS}", "by": "soak"}
    headers = {"Idempotency-Key": uuid.uuid4().hex}

    async def done() -> bool:
        answer = await http.request("DELETE" if ends else "PUT", path, json=body, headers=headers)
        if answer.status_code not in (503, 504):
            answer.raise_for_status()
        return answer.is_success

    await until(done, seconds=LIVE_S, what=f"{path} is done")


async def _heap(session: CDPSession) -> float:
    await session.send("HeapProfiler.collectGarbage")
    used = await session.send("Runtime.getHeapUsage")
    return round(float(used["usedSize"]) / (1 << 20), 2)


async def _death(browser: Browser, plant: LocalPlant) -> tuple[float, float]:
    """Seconds from the leader's death, as the page counts them, to another node's stream, and to a new leader."""
    leader = (await plant.wait_ready()).node_id
    page = await browser.new_page()
    await _open(page, plant.topology.node(leader).api + "/#/")
    killed = await page.evaluate("performance.clearMarks(), performance.now()")
    await plant.kill(leader)

    async def back() -> dict[str, float] | None:
        marks: dict[str, float] = await page.evaluate(MARKS)
        return marks if {"triarch:live", "triarch:leader"} <= set(marks) else None

    marks = await until(back, seconds=LIVE_S, what="the page back at another node, with a leader")
    await page.close()
    await plant.restart(leader)
    return (marks["triarch:live"] - killed) / 1000, (marks["triarch:leader"] - killed) / 1000
