"""REST on every node: what only the leader may answer reaches it from any of them."""

from orchestrator.api.app import build_app
from orchestrator.api.view import Duties, NodeView, ProcessorReport

__all__ = ["Duties", "NodeView", "ProcessorReport", "build_app"]
