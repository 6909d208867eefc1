"""Talking to the plant through the API of any node: who is registered, and commands to components."""

import asyncio
import uuid
from collections.abc import Iterable
from typing import Any

import httpx

from orchestrator.dev.errors import NotReached, PlantError
from orchestrator.dev.local import LocalPlant
from orchestrator.dev.waiting import until

COMMAND_S = 15.0
LOOK_S = 0.1


async def healthy_processors(plant: LocalPlant, wanted: Iterable[str], seconds: float) -> None:
    """Wait until these processors are registered and healthy. Raises NotReached, ProcessDied."""
    await _registered(plant, "/v1/processors", set(wanted), "healthy", True, seconds)


async def online_components(plant: LocalPlant, wanted: Iterable[str], seconds: float) -> None:
    """Wait until these components are registered and ONLINE. Raises NotReached, ProcessDied."""
    await _registered(plant, "/v1/components", set(wanted), "presence", "ONLINE", seconds)


async def _registered(
    plant: LocalPlant, path: str, wanted: set[str], field: str, value: object, seconds: float
) -> None:
    async def look() -> bool:
        for name in wanted:
            if name in plant.processes and not plant.processes[name].running:
                raise plant.processes[name].ended()
        return wanted <= {row["id"] for row in await rows(plant, path) if row.get(field) == value}

    await until(look, seconds=seconds, what=f"{path} with {', '.join(sorted(wanted))}", interval=LOOK_S)


async def rows(plant: LocalPlant, path: str) -> list[dict[str, Any]]:
    """Return the rows of a listing, none while no node can answer."""
    try:
        answer = await plant.call("GET", path)
    except (PlantError, httpx.HTTPError):
        return []
    found = answer.json() if answer.status_code == 200 else []
    return list(found) if isinstance(found, list) else []


async def state_of(plant: LocalPlant, component_id: str) -> str:
    """Return the lifecycle state of a component as the leader knows it, `UNKNOWN` while nobody can say."""
    try:
        answer = await plant.call("GET", f"/v1/components/{component_id}")
    except (PlantError, httpx.HTTPError):
        return "UNKNOWN"
    return str(answer.json().get("state", "UNKNOWN")) if answer.status_code == 200 else "UNKNOWN"


async def command(plant: LocalPlant, component_id: str, name: str, state: str, node_id: str | None = None) -> None:
    """Send one command, by way of `node_id` or any node, and wait until the component is in `state`.

    The same idempotency key is used again where the outcome is unknown. Raises PlantError, NotReached.
    """
    key = uuid.uuid4().hex

    async def send() -> bool:
        try:
            answer = await plant.call(
                "POST", f"/v1/components/{component_id}/commands", json={"command": name}, node_id=node_id, key=key
            )
        except (PlantError, httpx.HTTPError):
            return False
        if answer.status_code in (502, 503, 504):
            return False
        if answer.is_error:
            raise PlantError(f"{component_id} {name}: {answer.status_code} {answer.text[:300]}")
        return True

    async def arrived() -> bool:
        return await state_of(plant, component_id) == state

    await until(send, seconds=COMMAND_S, what=f"{name} to {component_id}", interval=LOOK_S)
    await until(arrived, seconds=COMMAND_S, what=f"{component_id} in {state}", interval=LOOK_S)


async def start_components(plant: LocalPlant, component_ids: Iterable[str]) -> None:
    """Initialise and start each component; each by way of another node. Raises PlantError, NotReached."""
    nodes = plant.topology.nodes

    async def one(position: int, component_id: str) -> None:
        node_id = nodes[position % len(nodes)].id
        await command(plant, component_id, "CMD_INITIALIZE", "INIT_COMPLETE", node_id)
        await command(plant, component_id, "CMD_START", "STARTED", node_id)

    await asyncio.gather(*(one(position, component_id) for position, component_id in enumerate(component_ids)))


async def stop_components(plant: LocalPlant, component_ids: Iterable[str]) -> dict[str, str]:
    """Stop each component and return the state that each one ended in."""

    async def one(component_id: str) -> tuple[str, str]:
        try:
            await command(plant, component_id, "CMD_STOP", "STOPPED")
        except (PlantError, NotReached):
            return component_id, await state_of(plant, component_id)
        return component_id, "STOPPED"

    return dict(await asyncio.gather(*(one(component_id) for component_id in component_ids)))
