"""How Python itself works in a node: when it looks for garbage, how its threads take turns, and how it ends."""

import atexit
import contextlib
import gc
import os
import sys
from typing import NoReturn

SWITCH_S = 0.001
"""How long a thread that has work waits at most for the one that computes.

A node has two that matter: the event loop, which computes, and Raft's, which waits for the disk and for the others
again and again. Each wait of Raft's ends with its asking for its turn, several times in one write; with Python's own
5 ms that was most of what a write took on the leader while its loop was busy.
"""


def settle() -> None:
    """Called once everything is loaded: what is there by then is not gone through again for garbage.

    A node keeps hundreds of thousands of objects that live long (rows, components); a full collection goes through all
    of them and holds up every request meanwhile. With 1,000 components that was a third of the slowest reads' time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
    sys.setswitchinterval(SWITCH_S)


def leave(code: int) -> NoReturn:
    """End the process once everything has been stopped in order: what is to be done at its end, and nothing else.

    Python would take each of its objects apart first, while the node's successor waits for this process to be gone:
    a twentieth of a second without a plant, and more with one.
    """
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream is None:
            continue  # it was closed before Python started
        with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
            stream.flush()
    os._exit(code)
