"""Ids that nobody can guess and that never meet, as `uuid.uuid4().hex`, without a system call for each of them."""

import os
from collections import deque

ID_BYTES = 16
AT_ONCE = 256
"""Drawn together: asking the system costs as much for one as for all of these, and lets other threads in meanwhile."""

_drawn: deque[str] = deque()


def new_id() -> str:
    """128 random bits, as 32 digits of hex. From any thread, and on both sides of a fork."""
    try:
        return _drawn.popleft()
    except IndexError:
        text = os.urandom(ID_BYTES * AT_ONCE).hex()
        size = 2 * ID_BYTES
        ids = [text[at : at + size] for at in range(0, len(text), size)]
        _drawn.extend(ids[1:])
        return ids[0]


os.register_at_fork(after_in_child=_drawn.clear)
