"""Waiting until a component is in a state, without holding anybody else up."""

import asyncio
from collections.abc import Awaitable, Callable

from orchestrator.components import ComponentRegistry, ComponentRow
from orchestrator.errors import ComponentUnknown, StateNotReached
from orchestrator.lifecycle import State

POLL_S = 0.02
"""The registry changes in the thread of the agreement; looking is cheaper than being woken from there."""


async def wait_for_state(
    registry: ComponentRegistry,
    component_id: str,
    target: State,
    *,
    timeout_s: float,
    on_timeout: Callable[[ComponentRow], Awaitable[None]] | None = None,
) -> ComponentRow:
    """The component's row once it is in `target`, at once where it is already.

    After `timeout_s` seconds `on_timeout` is called with the row as it is then, and StateNotReached is raised, which
    says in which state the component is and why. ComponentUnknown when it is not registered, or not any more.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while True:
        row = registry.get(component_id)
        if row is None:
            raise ComponentUnknown(f"component {component_id} is not registered")
        if row.state == target:
            return row
        left = deadline - loop.time()
        if left <= 0:
            break
        await asyncio.sleep(min(POLL_S, left))
    if on_timeout is not None:
        await on_timeout(row)
    why = f" ({row.reason})" if row.reason else ""
    health = "" if row.health == "OK" else f", {row.health}: {row.health_reason}"
    raise StateNotReached(
        f"component {component_id} is not {target} after {timeout_s:g} s: it is {row.state}{why}{health}",
        state=row.state,
    )
