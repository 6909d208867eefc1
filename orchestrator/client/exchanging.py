"""What the client asks for and what comes of it, as values. Pure.

What decides (`attempts`, `following`) is a generator of steps; what acts (`synchronous`, `asynchronous`) carries each
out and sends back what came of it. So there is one set of decisions, and neither way of acting is a copy of the other.

    Exchange, Open, Read, Pause, Renew  ──▶  acting  ──▶  Told(now, fraction, outcome)
    Emit                                ──▶  the caller's loop
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ANSWER_BYTES_MAX = 256 << 20
"""More than a snapshot of the whole state holds, which is the largest answer."""
READ_PATIENCE_S = 5.0
"""How long a node may say nothing to a read before the next one is asked."""
WRITE_PATIENCE_S = 16.0
"""The same for a write: a node that passes one on waits up to 15 s for the leader, and then says what it knows."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, the same at every node. `target`: path and query. `key`: of a write, whose repeat it makes safe."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    key: str = ""
    patience_s: float = READ_PATIENCE_S
    answer_bytes_max: int = ANSWER_BYTES_MAX
    any_node: bool = False
    """Whether each node answers it from what it has; otherwise the leader's address is asked first."""

    @property
    def writes(self) -> bool:
        return self.method not in SAFE_METHODS


@dataclass(frozen=True, slots=True)
class Answer:
    """`headers` have names in lower case."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """`sent`: the request may have arrived. `heals`: asking again may help."""

    reason: str
    sent: bool
    heals: bool = True


@dataclass(frozen=True, slots=True)
class Opened:
    """A stream has begun; `headers` as in `Answer`."""

    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Exchange:
    """Send the request to the node at `address`. → Answer | NoAnswer"""

    address: str
    request: Request
    silence_s: float
    """How long nothing may come."""
    left_s: float
    """How long all of it may take."""


@dataclass(frozen=True, slots=True)
class Open:
    """Ask for a stream. → Opened for 200, otherwise Answer | NoAnswer"""

    address: str
    request: Request
    silence_s: float
    left_s: float | None = None
    """When it is cut, whatever comes."""


@dataclass(frozen=True, slots=True)
class Read:
    """The next bytes of the stream that is open, b"" at its end. → bytes | NoAnswer"""


@dataclass(frozen=True, slots=True)
class Pause:
    seconds: float


@dataclass(frozen=True, slots=True)
class Renew:
    """Take the token anew from where it comes. → bool: it is another one"""


@dataclass(frozen=True, slots=True)
class Emit:
    item: Any


Step = Exchange | Open | Read | Pause | Renew | Emit


@dataclass(frozen=True, slots=True)
class Told:
    """`now`: monotonic seconds. `fraction`: even in [0, 1), to spread pauses by."""

    now: float
    fraction: float
    outcome: Any = None
