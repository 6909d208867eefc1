"""Frames: streams, ledger, producer and processor SDKs. DESIGN.md beside this file says how they work together.

The names below are loaded when they are first used: ``import framebuffer`` itself costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from framebuffer.connection import connect
    from framebuffer.dispatcher import Dispatcher
    from framebuffer.embedded import EmbeddedServer
    from framebuffer.errors import FrameBufferError
    from framebuffer.gateway import FrameGateway
    from framebuffer.keys import Keys
    from framebuffer.ledger import LedgerReport, verify
    from framebuffer.models import FrameReadyEvent, ProcessorRegistration, TraceContext
    from framebuffer.processor import FrameRejected, FrameReleased, ProcessorClient
    from framebuffer.producer import FrameProducer
    from framebuffer.streams import FrameStreams
    from framebuffer.wire import RoutingRow, RoutingTable, Settlement, TakenFrame

__all__ = [
    "Dispatcher",
    "EmbeddedServer",
    "FrameBufferError",
    "FrameGateway",
    "FrameProducer",
    "FrameReadyEvent",
    "FrameRejected",
    "FrameReleased",
    "FrameStreams",
    "Keys",
    "LedgerReport",
    "ProcessorClient",
    "ProcessorRegistration",
    "RoutingRow",
    "RoutingTable",
    "Settlement",
    "TakenFrame",
    "TraceContext",
    "connect",
    "verify",
]

_HOMES = {
    "connection": ("connect",),
    "dispatcher": ("Dispatcher",),
    "embedded": ("EmbeddedServer",),
    "errors": ("FrameBufferError",),
    "gateway": ("FrameGateway",),
    "keys": ("Keys",),
    "ledger": ("LedgerReport", "verify"),
    "models": ("FrameReadyEvent", "ProcessorRegistration", "TraceContext"),
    "processor": ("FrameRejected", "FrameReleased", "ProcessorClient"),
    "producer": ("FrameProducer",),
    "streams": ("FrameStreams",),
    "wire": ("RoutingRow", "RoutingTable", "Settlement", "TakenFrame"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
