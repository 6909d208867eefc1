"""What a snapshot and the live figures answer, for the OpenAPI document. Both are encoded elsewhere, piece by piece."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.api.health import PRESSURE_EXAMPLE, Pressure

FIGURES_EXAMPLE: dict[str, Any] = {
    "node": "n2",
    "leader": "n1",
    "epoch": "3.17",
    "index": 4711,
    "state_age_s": 0.031,
    "figures_of": "n1",
    "staleness_s": 0.412,
    "members": [{"id": "n1", "role": "leader", "reachable": True, "lag": None}],
    "frames": {
        "published_s": 240.0,
        "dispatched_s": 239.6,
        "settled_s": 240.2,
        "capture": 0,
        "lanes": {"faces": 3},
        "queues": {"faces-1": {"length": 12, "pending": 8}},
        "dead_letters": 0,
        "ledger": {"published": 72000, "settled": 71985, "dead": 0, "dropped": 0, "in_flight": 15},
        "backpressure": PRESSURE_EXAMPLE,
        "dispatch_p95_s": 0.004,
        "oldest_frame_s": {"capture": 0.0, "lane": 0.2, "ready": 0.1},
        "lost": 0,
    },
    "cameras": [
        {
            "id": "cam-1",
            "sequence": 7199,
            "rate": 24.0,
            "published": 7200,
            "settled": 7198,
            "dead": 0,
            "dropped": 0,
            "in_flight": 2,
        }
    ],
    "processors": {
        "faces-1": {
            "in_flight": 8,
            "settled": 7198,
            "settled_s": 24.0,
            "errors": 0,
            "breaker": "CLOSED",
            "silence_s": 0.4,
        }
    },
    "components": {
        "total": 2,
        "offline": 0,
        "states": {"STARTED": 2},
        "health": {"OK": 2},
        "silence_s": {"press-1": 1.2, "plc-1": 0.3},
    },
}
SNAPSHOT_EXAMPLE: dict[str, Any] = {
    "index": 4711,
    "subjects": {
        "variables": {
            "line-a.speed": {
                "name": "line-a.speed",
                "value": {"mm_s": 120},
                "revision": 42,
                "time": 1767225600.0,
            }
        }
    },
}


class Snapshot(BaseModel):
    """All rows at one index of the log: by subject and id, as the lists show them."""

    model_config = ConfigDict(json_schema_extra={"example": SNAPSHOT_EXAMPLE})

    index: int = Field(description="`GET /v1/watch?after=INDEX` tells what changes from there on.")
    subjects: dict[str, dict[str, Any]]


class FiguresMember(BaseModel):
    """A node, as the one that answers sees it."""

    id: str
    role: str | None
    reachable: bool
    lag: int | None


class FiguresQueue(BaseModel):
    """A processor's queue: `length` counts frames that wait or are in hand, `pending` those in hand."""

    length: int
    pending: int


class FiguresLedger(BaseModel):
    """Sums over all cameras, since each was first opened."""

    published: int
    settled: int
    dead: int
    dropped: int
    in_flight: int


class FramesFigures(BaseModel):
    """Rates are frames a second, null until there are two readings."""

    published_s: float | None
    dispatched_s: float | None
    settled_s: float | None
    capture: int
    lanes: dict[str, int]
    queues: dict[str, FiguresQueue]
    dead_letters: int
    ledger: FiguresLedger
    backpressure: Pressure | None
    dispatch_p95_s: float | None
    oldest_frame_s: dict[str, float] | None = Field(description="By kind of place: `capture`, `lane`, `ready`.")
    lost: float | None


class CameraFigures(BaseModel):
    """`rate`: frames a second that it publishes."""

    id: str
    sequence: int
    rate: float | None
    published: int
    settled: int
    dead: int
    dropped: int
    in_flight: int


class ProcessorFigures(BaseModel):
    """What the leader knows of a processor by its heartbeats; null where it says nothing of it."""

    in_flight: int | None
    settled: int | None
    settled_s: float | None
    errors: int | None
    breaker: str
    silence_s: float | None


class ComponentsFigures(BaseModel):
    """How many there are, and for how many seconds each was silent. Empty where no leader has been asked yet."""

    total: int = 0
    offline: int = 0
    states: dict[str, int] = {}
    health: dict[str, int] = {}
    silence_s: dict[str, float] = {}


class PlantFigures(BaseModel):
    """The figures of the leader (`figures_of`), `staleness_s` old, and what the node that answers knows itself.

    With `own=true` only what the leader works out, and its age as `age_s`: so the other nodes ask for it.
    """

    model_config = ConfigDict(json_schema_extra={"example": FIGURES_EXAMPLE})

    leader: str | None
    epoch: str | None
    frames: FramesFigures | None = Field(description="Null while Redis does not answer.")
    cameras: list[CameraFigures]
    processors: dict[str, ProcessorFigures]
    components: ComponentsFigures
    node: str = Field("", description="Who answers; it is left out with `own=true`, as are those that follow.")
    index: int = Field(0, description="How far its state is.")
    state_age_s: float | None = Field(None, description="Seconds since it heard the leader.")
    figures_of: str | None = None
    staleness_s: float | None = None
    members: list[FiguresMember] = []
    age_s: float = Field(0.0, description="With `own=true` alone.")
