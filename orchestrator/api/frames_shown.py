"""What the reads of frames answer, for the OpenAPI document: each is a struct of `framebuffer`, encoded as it is.

Nothing is validated with these models: `stats` and `ledger` of a large plant have thousands of rows. A test holds real
answers against them.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


def _as(example: dict[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"example": example})


class QueueLength(BaseModel):
    """A processor's queue: `length` counts frames that wait or are in hand, `pending` those in hand."""

    length: int
    pending: int


class CameraCounts(BaseModel):
    """A camera's counters since it was first opened."""

    session: str = Field(description="The beginning of its present producer's token.")
    highest: int = Field(description="Its last sequence; -1 before its first frame.")
    published: int
    settled: int
    dead: int
    dropped: int
    duplicate_publishes: int = Field(description="Repeats that were recognised: harmless.")
    duplicate_settles: int
    results: int = Field(description="More than `settled` where frames have several parts.")
    surplus: int = Field(description="Entries under way beyond one a frame, for the same reason.")
    dropped_by_reason: dict[str, int]


class LeaderRecord(BaseModel):
    """One leader's time at the streams: microseconds of the Redis server's clock, 0 while it has routed nothing."""

    term: int
    index: int
    node: str
    first_us: int
    last_us: int
    frames: int = Field(description="That it has routed.")


class StreamPlace(BaseModel):
    """One stream that holds frames. `oldest_ms`: when the frame that is next was published, the server's clock."""

    length: int
    oldest_ms: int


class FrameStats(BaseModel):
    """All queues and counters of one instant of the Redis server; of several shards, their sum."""

    model_config = _as(
        {
            "capture_len": 2,
            "capture_pending": 0,
            "lanes": {"face": 3},
            "ready": {"faces-1": {"length": 12, "pending": 8}},
            "results_len": 4708,
            "dead_len": 1,
            "cameras": {
                "cam-1": {
                    "session": "5f0c9a1e",
                    "highest": 4725,
                    "published": 4726,
                    "settled": 4708,
                    "dead": 1,
                    "dropped": 0,
                    "duplicate_publishes": 0,
                    "duplicate_settles": 0,
                    "results": 4708,
                    "surplus": 0,
                    "dropped_by_reason": {},
                }
            },
            "fence": {
                "term": 3,
                "index": 17,
                "node": "n1",
                "first_us": 1764000000000000,
                "last_us": 1764000157000000,
                "frames": 4725,
            },
            "leaders": [],
            "results_added": 4708,
            "places": {"lane:face:p5": {"length": 3, "oldest_ms": 1764000156800}},
            "pressure": 0,
            "server_ms": 1764000157010,
            "dead_owed": 1,
        }
    )

    capture_len: int = Field(description="Frames that no dispatch has looked at yet.")
    capture_pending: int
    lanes: dict[str, int] = Field(description="By capability, frames that wait for room at a processor.")
    ready: dict[str, QueueLength] = Field(description="By processor.")
    results_len: int = Field(description="Results that are kept.")
    dead_len: int
    cameras: dict[str, CameraCounts]
    fence: LeaderRecord | None = Field(description="The leader that may route now.")
    leaders: list[LeaderRecord] = Field(description="Those before it, the newest first.")
    results_added: int = Field(description="Results ever written, those that were trimmed since included.")
    places: dict[str, StreamPlace] = Field(description="Every stream that holds frames, by its name.")
    pressure: int = Field(description="The level of backpressure that producers are told: 0 to 3.")
    server_ms: int = Field(description="The Redis server's clock.")
    dead_owed: int = Field(description="Entries that the stream of dead frames must hold.")


class BrokenFrame(BaseModel):
    """A frame that breaks the ledger."""

    camera_id: str
    sequence: int
    reason: str = Field(
        description="`never_arrived` (a gap below the camera's last sequence), `vanished` (published, not ended and "
        "nowhere), `in_flight_twice`, `in_flight_after_final` or `two_results`."
    )


class StuckFrame(BaseModel):
    """A frame that was published long ago and has not ended. `part`: its capability, where it has several parts."""

    camera_id: str
    sequence: int
    place: str = Field(description="Where it waits: `lane:face`, `ready:w1:p5`.")
    age_s: float
    part: str


class CameraShare(BaseModel):
    """One camera's share of the ledger."""

    published: int
    settled: int
    dead: int
    dropped: int
    in_flight: int
    lost: int
    duplicates: int
    duplicate_publishes: int = Field(description="Repeats that were recognised: harmless.")
    duplicate_settles: int
    highest: int = Field(description="Its last sequence; -1 before its first frame.")


_SHARE = {
    "published": 4726,
    "settled": 4708,
    "dead": 1,
    "dropped": 0,
    "in_flight": 16,
    "lost": 1,
    "duplicates": 0,
}


class Ledger(BaseModel):
    """`published = settled + dead + dropped + in_flight + lost`. The counts are exact; the lists name the first 100 of
    each camera, `stuck_frames` the oldest. Frames that are stuck are not lost, and do not make `ledger_ok` false.
    """

    model_config = _as(
        {
            **_SHARE,
            "ledger_ok": False,
            "lost_frames": [{"camera_id": "cam-1", "sequence": 812, "reason": "vanished"}],
            "duplicate_frames": [],
            "cameras": {
                "cam-1": {**_SHARE, "duplicate_publishes": 0, "duplicate_settles": 0, "highest": 4725},
            },
            "problems": ["1 frame is lost"],
            "stuck": 1,
            "stuck_frames": [{"camera_id": "cam-1", "sequence": 4001, "place": "lane:face", "age_s": 61.2, "part": ""}],
        }
    )

    published: int
    settled: int
    dead: int
    dropped: int
    in_flight: int
    lost: int
    duplicates: int
    ledger_ok: bool
    lost_frames: list[BrokenFrame]
    duplicate_frames: list[BrokenFrame]
    cameras: dict[str, CameraShare]
    problems: list[str] = Field(description="Why `ledger_ok` is false, in words.")
    stuck: int
    stuck_frames: list[StuckFrame]


class PlaceLag(BaseModel):
    """A place where frames wait; where there are several shards, its name begins with one (`2/lane:face`)."""

    model_config = _as(
        {"place": "ready:faces-1", "length": 12, "oldest_s": 0.21, "pending": 8, "levels": {"5": 11, "s": 1}}
    )

    place: str = Field(description="`capture`, `lane:CAPABILITY` or `ready:PROCESSOR`.")
    length: int
    oldest_s: float | None = Field(description="Age of the frame that is next; null where there is none.")
    pending: int | None = Field(description="Of a processor's queue: frames in hand.")
    levels: dict[str, int] = Field(description="Frames by priority, `s` for those that failed before.")


class StoryCandidate(BaseModel):
    """A processor that could have got the frame, with its load when the dispatch began."""

    processor_id: str
    outstanding: int
    capacity: int


class StoryStep(BaseModel):
    """One thing that happened to the frame. What does not apply is left out."""

    at_ms: int = Field(description="The Redis server's clock.")
    what: str = Field(
        description="`received`, `dispatched`, `retry`, `settled`, `dead`, `dropped`, `replayed` or `forgotten`."
    )
    capability: str = ""
    priority: int | None = None
    attempts: int | None = None
    processor_id: str = ""
    outstanding: int | None = Field(None, description="Frames that the processor had then.")
    candidates: list[StoryCandidate] = []
    strategy: str = ""
    node: str = Field("", description="The leader that dispatched it, under its `epoch`.")
    epoch: str = ""
    reason: str = ""
    result: Any = None


class StoryWait(BaseModel):
    """Where the frame waits now. `consumer`: who has it in hand, for `idle_ms`; left out while nobody has."""

    place: str
    entry_id: str
    capability: str
    attempts: int
    since_ms: int
    consumer: str = ""
    idle_ms: int = 0


class FrameStory(BaseModel):
    """What became of one frame."""

    model_config = _as(
        {
            "frame_id": "cam-1-42",
            "camera_id": "cam-1",
            "sequence": 42,
            "status": "settled",
            "capability": "face",
            "priority": 5,
            "parts": 1,
            "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
            "received_ms": 1764000000000,
            "steps": [
                {"at_ms": 1764000000000, "what": "received", "capability": "face", "priority": 5},
                {
                    "at_ms": 1764000000004,
                    "what": "dispatched",
                    "capability": "face",
                    "attempts": 0,
                    "processor_id": "faces-1",
                    "outstanding": 3,
                    "candidates": [{"processor_id": "faces-1", "outstanding": 3, "capacity": 16}],
                    "strategy": "least_loaded",
                    "node": "n1",
                    "epoch": "3.17",
                },
                {
                    "at_ms": 1764000000021,
                    "what": "settled",
                    "capability": "face",
                    "attempts": 0,
                    "processor_id": "faces-1",
                    "result": {"faces": 2},
                },
            ],
            "waits": [],
            "unkept": [],
        }
    )

    frame_id: str | None
    camera_id: str
    sequence: int
    status: str = Field(
        description="`in_flight`, `settled`, `dead`, `dropped`, `lost`, or `ended`: how is not kept any more."
    )
    capability: str
    priority: int | None
    parts: int
    trace_id: str
    received_ms: int | None
    steps: list[StoryStep] = Field(description="In the order in which it happened.")
    waits: list[StoryWait]
    unkept: list[str] = Field(description="Holes: what of the story is not kept any more, in words.")


class EndedFrame(BaseModel):
    """A frame that came to its end. `processor_id`, `reason` and `result` are left out where there is none."""

    what: str = Field(description="`settled`, `dead` or `dropped`.")
    at_ms: int
    entry_id: str
    frame_id: str
    camera_id: str
    sequence: int
    capability: str
    priority: int
    attempts: int
    processor_id: str = ""
    reason: str = ""
    result: Any = Field(None, description="As it was published.")


class TailPage(BaseModel):
    """What ended behind the cursor, and the cursor to ask with again."""

    model_config = _as(
        {
            "frames": [
                {
                    "what": "settled",
                    "at_ms": 1764000000021,
                    "entry_id": "1764000000021-0",
                    "frame_id": "cam-1-42",
                    "camera_id": "cam-1",
                    "sequence": 42,
                    "capability": "face",
                    "priority": 5,
                    "attempts": 0,
                    "processor_id": "faces-1",
                    "result": {"faces": 2},
                }
            ],
            "cursor": "1764000000021-0_0-0_0-0",
            "not_kept": {},
        }
    )

    frames: list[EndedFrame]
    cursor: str
    not_kept: dict[str, int | str] = Field(
        default_factory=dict,
        description="By `results` and `dropped`: how many came behind an old cursor and are not kept any more; "
        '"some" where the number is not known.',
    )
