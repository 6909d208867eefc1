"""What a path does not have is refused: parameters in the query, since a misspelt filter would be answered with all;
conditions of a change, since it would be done whatever is there now.
"""

from collections.abc import Iterable, Iterator, Sequence

from fastapi.dependencies.models import Dependant
from fastapi.requests import HTTPConnection
from fastapi.routing import APIRoute

from orchestrator.api.envelope import SAFE_METHODS
from orchestrator.api.problems import Problem

ANYWHERE = frozenset({"consistency", "max_stale", "redirect"})
"""They are looked at before a route is, so they may stand in every query."""
NAMED_MAX = 5
CONDITIONS = {b"if-match": "If-Match", b"if-none-match": "If-None-Match"}


async def known_parameters(request: HTTPConnection) -> None:
    """A dependency of every route. Raises the `Problem` `invalid_request`, which names those that the path has.

    A WebSocket's, too, for which it lets all pass: the parameters are the GET's, whose documents say which there are.
    """
    route = request.scope.get("route")
    if not isinstance(route, APIRoute):
        return
    if request.scope.get("method", "GET") not in SAFE_METHODS and (found := conditions(request.scope["headers"])):
        declared = set(_headers(route.dependant))
        refuse_conditions([name for name in found if name.lower() not in declared])
    if not request.scope["query_string"]:
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


def conditions(headers: Iterable[tuple[bytes, bytes]]) -> list[str]:
    """Names of the conditions among a request's headers, each once."""
    return list(dict.fromkeys(CONDITIONS[name] for name, _ in headers if name in CONDITIONS))


def refuse_conditions(names: Sequence[str]) -> None:
    """Raises the `Problem` `invalid_request` for conditions that an operation does not go by, if there are any."""
    if names:
        reason = "this change goes by no such condition, and would be done whatever is there now; leave it out"
        errors = [{"location": f"header.{name}", "message": reason, "type": "unknown"} for name in names]
        raise Problem("invalid_request", f"{errors[0]['location']}: {reason}", errors=errors)


def _headers(dependant: Dependant) -> Iterator[str]:
    yield from (field.alias for field in dependant.header_params)
    for inner in dependant.dependencies:
        yield from _headers(inner)


def _names(route: APIRoute) -> Iterator[str]:
    yield from _of(route.dependant)
    for parameter in (route.openapi_extra or {}).get("parameters", ()):
        if parameter["in"] == "query":
            yield parameter["name"]


def _of(dependant: Dependant) -> Iterator[str]:
    yield from (field.alias for field in dependant.query_params)
    for inner in dependant.dependencies:
        yield from _of(inner)
