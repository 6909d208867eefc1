"""Parameters in the query that a path lacks are refused: a misspelt filter would be answered with everything."""

from collections.abc import Iterator

from fastapi.dependencies.models import Dependant
from fastapi.requests import HTTPConnection
from fastapi.routing import APIRoute

from orchestrator.api.problems import Problem

ANYWHERE = frozenset({"consistency", "max_stale", "redirect"})
"""They are looked at before a route is, so they may stand in every query."""
NAMED_MAX = 5


async def known_parameters(request: HTTPConnection) -> None:
    """A dependency of every route. Raises the `Problem` `invalid_request`, which names those that the path has.

    A WebSocket's, too, for which it lets all pass: the parameters are the GET's, whose documents say which there are.
    """
    route = request.scope.get("route")
    if not request.scope["query_string"] or not isinstance(route, APIRoute):
        return
    known: dict[int, frozenset[str]] = request.app.state.parameters
    names = known.get(id(route))  # routes live as long as their application, and cannot be hashed
    if names is None:
        names = known[id(route)] = frozenset(_names(route))
    unknown = sorted(set(request.query_params) - names - ANYWHERE)
    if not unknown:
        return
    has = f"it has {', '.join(sorted(names | ANYWHERE))}"
    errors = [
        {"location": f"query.{name[:100]}", "message": f"this path has no such parameter; {has}", "type": "unknown"}
        for name in unknown[:NAMED_MAX]
    ]
    raise Problem("invalid_request", f"{errors[0]['location']}: {errors[0]['message']}", errors=errors)


def _names(route: APIRoute) -> Iterator[str]:
    yield from _of(route.dependant)
    for parameter in (route.openapi_extra or {}).get("parameters", ()):
        if parameter["in"] == "query":
            yield parameter["name"]


def _of(dependant: Dependant) -> Iterator[str]:
    yield from (field.alias for field in dependant.query_params)
    for inner in dependant.dependencies:
        yield from _of(inner)
