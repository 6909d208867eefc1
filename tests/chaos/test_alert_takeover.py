"""The leader is killed while an alert fires that somebody has acknowledged, and another one is silenced."""

import signal
from typing import Any

import pytest

from orchestrator.dev.local import LocalPlant
from tests.chaos.insisting import insist
from tests.support import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.campaign, pytest.mark.timeout(90)]

FAULTY = {"id": "press", "address": "http://127.0.0.1:9", "state": "FAULT", "incarnation": "i", "sequence": 0}
SLOW = {"condition": {"kind": "state", "values": ["FAULT"]}, "severity": "info", "for_s": 600}


async def asked(plant: LocalPlant, path: str) -> Any:
    answer = await insist(plant, "GET", path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def of_rule(plant: LocalPlant, rule: str, state: str) -> dict[str, Any]:
    """The one alert of a rule in this state, once there is one."""

    async def found() -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = await asked(plant, f"/v1/alerts?rule={rule}&state={state}")
        return rows

    row: dict[str, Any]
    (row,) = await eventually(found, deadline_s=15)
    return row


async def everything(plant: LocalPlant) -> dict[str, Any]:
    """What has to survive."""
    return {
        "alerts": sorted(await asked(plant, "/v1/alerts?state=firing"), key=lambda row: str(row["id"])),
        "silences": await asked(plant, "/v1/silences"),
        "rule": await asked(plant, "/v1/alert-rules/slow"),
    }


async def test_alerts_acknowledgements_and_silences_survive_the_leader(plant: LocalPlant) -> None:
    first = await plant.current_leader(5)
    assert (await insist(plant, "PUT", "/v1/alert-rules/slow", SLOW)).status_code == 201
    assert (await insist(plant, "POST", "/v1/components", FAULTY)).status_code == 201
    fault = await of_rule(plant, "component-fault", "firing")
    silent = await of_rule(plant, "component-unresponsive", "firing")
    path = f"/v1/alerts/{fault['id']}/acknowledge"
    told = await insist(plant, "POST", path, {"by": "Ada", "note": "on my way"})
    assert told.status_code == 200, told.text
    silence = {"rule": "component-unresponsive", "subject": "press", "for_s": 600, "by": "Ada", "reason": "belt change"}
    made = await insist(plant, "POST", "/v1/silences", silence)
    assert made.status_code == 201, made.text
    waiting = await of_rule(plant, "slow", "pending")
    held = await everything(plant)
    assert {row["id"] for row in held["alerts"]} == {fault["id"], silent["id"]}

    async def fires_within(seconds: float) -> bool:
        return bool((await of_rule(plant, "slow", "pending"))["fires_in_s"] <= seconds)

    await eventually(lambda: fires_within(waiting["fires_in_s"] - 4), deadline_s=20)
    assert await plant.kill(first.node_id) == -signal.SIGKILL
    second = await plant.other_leader(first)
    assert second.node_id != first.node_id
    again = await of_rule(plant, "slow", "pending")
    assert waiting["fires_in_s"] - 4 < again["fires_in_s"] <= 600, "what was pending begins anew"
    # The new leader has looked several times by then, and has heard no heartbeat yet.
    await eventually(lambda: fires_within(596), deadline_s=20)
    assert await everything(plant) == held
    (acknowledged,) = [row for row in held["alerts"] if row["id"] == fault["id"]]
    assert acknowledged["acknowledged"]["note"] == "on my way"
    (silenced,) = [row for row in held["alerts"] if row["id"] == silent["id"]]
    assert silenced["silenced_by"] == [made.json()["id"]]

    # The killed node comes back, from its disk, with the same.
    await plant.restart(first.node_id)
    await plant.wait_ready(first.node_id)

    async def caught_up() -> bool:
        answer = await plant.ask(first.node_id, "/v1/alerts?state=firing&consistency=stale")
        return answer is not None and {row["id"] for row in answer.json()} == {fault["id"], silent["id"]}

    await eventually(caught_up, deadline_s=10)


async def test_who_leads_again_still_has_the_history_from_before(plant: LocalPlant) -> None:
    """A takeover begins a new history and says since when; the node that led before has its own when it leads again."""
    names = [node.id for node in plant.topology.nodes]
    first = await plant.current_leader(5)
    other = next(name for name in names if name != first.node_id)
    assert (await insist(plant, "POST", "/v1/components", {**FAULTY, "state": "STARTED"})).status_code == 201
    sequence = 0

    async def beat(cpu: float) -> None:
        nonlocal sequence
        sequence += 1
        report = {"state": "STARTED", "incarnation": "i", "sequence": sequence, "cpu": cpu, "memory": 1}
        body = {"type": "component.heartbeat", "source": "press", "payload": report}

        async def taken() -> bool:
            answer = await plant.call("POST", "/event", json=body)
            return answer.status_code in (202, 204)

        await eventually(taken, deadline_s=10)

    async def kept() -> tuple[str, float, float]:
        """The node whose history it is, the least and the greatest value in it."""
        found = await asked(plant, "/v1/components/press/metrics?name=cpu")
        points = found["metrics"][0]["points"]
        return found["node"], min(each["least"] for each in points), max(each["greatest"] for each in points)

    async def lead(node_id: str) -> None:
        async def leads() -> bool:
            leader = await plant.current_leader(10)
            if leader.node_id != node_id:
                await plant.call("POST", "/v1/cluster/transfer", json={"to": node_id})
            return leader.node_id == node_id

        await eventually(leads, deadline_s=20)

    await beat(0.5)
    assert await kept() == (first.node_id, 0.5, 0.5)
    await lead(other)
    await beat(0.75)
    assert await kept() == (other, 0.75, 0.75)
    await lead(first.node_id)
    await beat(0.25)
    assert await kept() == (first.node_id, 0.25, 0.5)
