"""What the tests of process pools send there: functions and a class of a module, as a pool needs them."""

import os
import signal
import sys
from typing import Any

from framebuffer.processor import ProcessorClient, current_trace
from framebuffer.wire import TakenFrame


def where(frame: TakenFrame) -> dict[str, Any]:
    """In which process it ran, under which span; the payload `die` kills that process."""
    if frame.payload == b"die":
        os.kill(os.getpid(), signal.SIGKILL)
    if frame.payload == b"exit":
        sys.exit("bye")
    if frame.payload == b"next":
        next(iter(()))
    span = current_trace()
    return {"pid": os.getpid(), "span": span and span.span_id}


class Scaling(ProcessorClient):
    """A processor with a setting of its own, which its copies in other processes have too."""

    def __init__(self, *arguments: Any, factor: int, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.factor = factor

    def process_frame(self, frame: TakenFrame) -> dict[str, Any]:
        return {"pid": os.getpid(), "size": len(frame.payload) * self.factor, "id": self.id}
