"""No endpoint changes anything that the audit does not hear of."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from fastapi.routing import APIRoute, APIRouter

import orchestrator.api

NOTHING_TO_ENTER = {
    "events.event": "an event: `event.accepted` is entered where a person has sent it",
    "events.heartbeats": "reports of machines",
    "processors.heartbeat": "a report of a machine",
    "playbook_drafts.validate": "changes nothing",
    "playbook_runs.plan_playbook": "changes nothing",
    "audit.note": "enters what it is given",
}


def unsafe() -> Iterator[tuple[ModuleType, APIRoute]]:
    for found in pkgutil.iter_modules(orchestrator.api.__path__):
        module = importlib.import_module(f"orchestrator.api.{found.name}")
        routers = [each for each in vars(module).values() if isinstance(each, APIRouter)]
        for route in [route for router in routers for route in router.routes]:
            if (
                isinstance(route, APIRoute)
                and (route.methods or set()) - {"GET", "HEAD"}
                and route.endpoint.__module__ == module.__name__
            ):
                yield module, route


def enters(function: Callable[..., Any], module: ModuleType) -> bool:
    """Whether it proposes, or notes, by itself or by a function of its module."""
    source = inspect.getsource(function)
    if "ask.propose(" in source or "ask.noted(" in source:
        return True
    helpers = {name for name in re.findall(r"await (\w+)\(", source) if inspect.isfunction(getattr(module, name, None))}
    return any(enters(getattr(module, name), module) for name in helpers)


ROUTES = {
    f"{module.__name__.rpartition('.')[2]}.{route.endpoint.__name__}": (module, route) for module, route in unsafe()
}


@pytest.mark.parametrize("name", sorted(ROUTES))
def test_what_is_no_read_is_proposed_or_noted(name: str) -> None:
    module, route = ROUTES[name]
    assert enters(route.endpoint, module) != (name in NOTHING_TO_ENTER), (
        f"{route.methods} {route.path} is neither a replicated change (`ask.propose`) nor noted (`ask.noted`)"
    )


def test_reading_everything_is_noted() -> None:
    from orchestrator.api import backup

    assert "ask.noted(" in inspect.getsource(backup.snapshot)


def test_there_are_endpoints_to_look_at() -> None:
    assert len(ROUTES) > 40
    assert set(NOTHING_TO_ENTER) <= set(ROUTES)
