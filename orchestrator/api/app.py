"""The HTTP interface of a node, put together.

AnswerHeaders           what browsers go by: no sniffing, no caching, which pages may ask
  Envelope              who answers, problem documents, figures by route
    Admission           paths and headers that make no sense, pages of other sites; where the request came from first
      Dashboard         its files, which need no token
      BadTokens         429 for an address that shows one after the other
      Authorise         401 and 403 before anything else is looked at
      RateLimits        429 for who asks more than the policy allows
        Intake          the body, bounded; the Idempotency-Key
          OwnBody       what a machine says of itself in the body
            EventDesk           events, before a route is looked for
              ForwardToLeader   one hop, or answered here
                QuickReads      what is asked for all the time
                  routes
"""

import asyncio
import importlib.metadata
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from orchestrator.access.rights import methods_of
from orchestrator.api import (
    access,
    alert_rules,
    alerts,
    audit,
    cameras,
    cluster,
    component_metrics,
    components,
    events,
    executions,
    frames,
    groups,
    health,
    journal,
    limits,
    metrics,
    node_facts,
    plans,
    playbook_drafts,
    playbook_runs,
    playbooks,
    policies,
    processors,
    variables,
    watch,
)
from orchestrator.api.admission import Admission
from orchestrator.api.answering import AnswerHeaders
from orchestrator.api.dashboard import Dashboard
from orchestrator.api.envelope import Envelope, Intake, RequestFigures
from orchestrator.api.event_desk import EventDesk
from orchestrator.api.following import Following
from orchestrator.api.forward import ForwardToLeader, new_link
from orchestrator.api.gate import Gate
from orchestrator.api.keys import Keys
from orchestrator.api.limiting import BadTokens, Limiter, RateLimits
from orchestrator.api.noting import Notes
from orchestrator.api.openapi import document
from orchestrator.api.parameters import known_parameters
from orchestrator.api.playbook_texts import Shelf
from orchestrator.api.problems import problem_of, respond
from orchestrator.api.quick import QuickReads
from orchestrator.api.security import Authorise, OwnBody
from orchestrator.api.view import NodeView
from orchestrator.api.watch_figures import Figures
from orchestrator.api.watch_hub import Hub
from orchestrator.api.watch_rows import Rows
from orchestrator.put_off import without_old_models

DESCRIPTION = """
Any node answers. Changes, and reads with `consistency=leader` (the default) or `linearizable`, are passed on to
the leader; `?redirect` answers `307` with its address instead. `X-Triarch-Node`, `-Leader`, `-Epoch` and `-Index`
say who answered and how far its state is. A change may carry an `Idempotency-Key`: after `504 outcome_unknown`, the
same request under the same key is done at most once. Another request under that key is refused with `422 key_reused`,
the same one while the first is still being answered with `409 key_in_flight`. Every refusal is a problem document
(RFC 9457) with a `code`.
"""


def build_app(node: NodeView, trust: ssl.SSLContext | None = None) -> FastAPI:
    """The ASGI application of `node`. Its lifespan closes the connections to the other nodes.

    `trust`: whose certificates those may have; the public authorities' without it.
    """
    with without_old_models():
        return _built(node, trust)


def _built(node: NodeView, trust: ssl.SSLContext | None) -> FastAPI:
    link = new_link(trust)
    listener = events.NodeListener(node)
    gate = Gate(node)
    limiter = Limiter(node)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await link.aclose()

    app = FastAPI(
        title="Triarch",
        version=_version(),
        description=DESCRIPTION,
        docs_url=None,  # the page that FastAPI has comes from elsewhere; docs/api.md is ours
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # else it is looked for with every request
        dependencies=[Depends(known_parameters)],
        lifespan=lifespan,
        generate_unique_id_function=_operation_id,
        middleware=[
            Middleware(AnswerHeaders, node=node),
            Middleware(Envelope, node=node, figures=RequestFigures(node.registry)),
            Middleware(Admission, node=node),
            Middleware(Dashboard, node=node),
            Middleware(BadTokens, limiter=limiter),
            Middleware(Authorise, gate=gate, node_id=node.config.node.id),
            Middleware(RateLimits, limiter=limiter),
            Middleware(Intake, body_s=node.config.api.body_timeout_s),
            Middleware(OwnBody),
            Middleware(EventDesk, node=node, listener=listener, link=link),
            Middleware(ForwardToLeader, node=node, link=link),
            Middleware(Keys, node=node),
            Middleware(QuickReads, node=node),
        ],
        exception_handlers={HTTPException: _refused, RequestValidationError: _refused},
    )
    app.state.node = node
    app.state.gate = gate
    app.state.following = Following(node, gate)
    app.state.shelf = Shelf(node)
    app.state.retrying = asyncio.Lock()
    app.state.watching = Hub(node, Rows(node, app.state.shelf))
    app.state.figures = Figures(node, link)
    app.state.watching.live = app.state.figures.shown
    app.state.watching.still_valid = gate.still_valid
    app.state.listener = listener
    app.state.exports = audit.exports()
    app.state.notes = Notes(node, link)
    app.state.parameters = {}
    app.include_router(health.router)
    app.include_router(metrics.router)
    app.include_router(node_facts.router)
    app.include_router(access.router)
    app.include_router(limits.router)
    app.include_router(processors.router)
    app.include_router(processors.router, prefix="/v1")
    app.include_router(cluster.router)
    app.include_router(components.router)
    app.include_router(policies.router)
    app.include_router(groups.router)
    app.include_router(plans.router)
    app.include_router(events.router)
    app.include_router(events.router, prefix="/v1")
    app.include_router(events.between)
    app.include_router(executions.router)
    app.include_router(cameras.router)
    app.include_router(frames.router)
    app.include_router(journal.router)
    app.include_router(playbook_drafts.router)
    app.include_router(playbooks.router)
    app.include_router(playbook_runs.router)
    app.include_router(variables.router)
    app.include_router(component_metrics.router)
    app.include_router(alerts.router)
    app.include_router(alert_rules.router)
    app.include_router(audit.router)
    app.include_router(watch.router)
    document(app, node)
    return app


async def _refused(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code == 405 and (allowed := methods_of(request.scope["path"])):
        # Theirs has the methods of one route; a path has a route for each.
        error.headers = {**(error.headers or {}), "Allow": ", ".join(sorted(allowed))}
    return respond(problem_of(error), request.scope["path"])


def _operation_id(route: APIRoute) -> str:
    prefix = "frame_api" if route.path.startswith("/processors") else str(route.tags[0])
    suffix = "_v1" if route.path == "/v1/event" else ""  # beside the older path, whose names stay
    return f"{prefix}_{route.name}{suffix}"


def _version() -> str:
    try:
        return importlib.metadata.version("triarch")
    except importlib.metadata.PackageNotFoundError:
        return "0"
