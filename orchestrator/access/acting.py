"""Whose request is being worked on. Set around each request; `Node.propose` puts it into what it replicates."""

from contextvars import ContextVar

from orchestrator.access.principal import Actor

ACTOR: ContextVar[Actor | None] = ContextVar("triarch_actor", default=None)
"""None: nobody's; the node itself."""
