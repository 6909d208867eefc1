"""What travels: the frame event, its trace context, and the registration of a processor.

Pure and frozen. Every refusal is a `pydantic.ValidationError`; `problems` turns one into (field, reason) pairs,
which is what the API, the producer and the logs show. Unknown fields are refused, so that a misspelt one is not
silently ignored.

Sizes: a frame's metadata is at most 64 KiB of JSON, ids and capabilities are at most 64 characters of `A-Z a-z 0-9
. _ -`, because they become parts of Redis keys and Prometheus labels.
"""

import json
import re
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StrictInt,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from framebuffer.errors import FrameBufferError
from framebuffer.keys import Keys

ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
DEFAULT_CAPABILITY = "default"
METADATA_BYTES_MAX = 64 * 1024
PARTS_MAX = 8
"""Capabilities that one frame may ask for."""

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?[0-9.]+", re.ASCII)

Id = Annotated[str, StringConstraints(strict=True, pattern=ID_PATTERN)]
"""A camera's or a processor's name."""
Capability = Id
"""What a frame asks for and a processor offers, for example `face_detection`."""


class Problem(NamedTuple):
    """One thing wrong with an input: the field's path (`metadata.detection_type`) and the reason in words."""

    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}" if self.field else self.reason


def problems(error: ValidationError) -> list[Problem]:
    """What `error` says, one entry per refused field, without echoing the refused values."""
    found: list[Problem] = []
    for item in error.errors(include_url=False, include_input=False):
        field = ".".join(str(part) for part in item["loc"])
        if any(problem.field.startswith(f"{field}.") for problem in found):
            continue  # follows from a problem inside it: pydantic leaves refused items out and then finds too few
        found.append(Problem(field, item["msg"].removeprefix("Value error, ")))
    return found


class Model(BaseModel):
    """Frozen, closed to unknown fields, with a JSON round trip."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    def to_json(self) -> str:
        return self.model_dump_json()

    @classmethod
    def from_json(cls, data: str | bytes | Mapping[str, Any]) -> Self:
        """Parse JSON text, or a mapping that was parsed already. Raises `ValidationError`."""
        if isinstance(data, (str, bytes)):
            return cls.model_validate_json(data)
        return cls.model_validate(dict(data))


class InvalidTraceparent(FrameBufferError, ValueError):
    """A `traceparent` header that the W3C Trace Context recommendation calls invalid."""

    code = "traceparent_invalid"


def _random_hex(size: int) -> str:
    """`size` random bytes in hex, never all zero: that is W3C's "no such id"."""
    while True:
        text = secrets.token_hex(size)
        if text.strip("0"):
            return text


class TraceContext(Model):
    """W3C trace context: which trace a frame belongs to and which span is its parent."""

    trace_id: Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9a-f]{32}$")]
    span_id: Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9a-f]{16}$")]
    trace_flags: Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9a-f]{2}$")] = "01"

    @field_validator("trace_id", "span_id")
    @classmethod
    def _not_zero(cls, value: str) -> str:
        if not value.strip("0"):
            raise ValueError("must not be all zeros")
        return value

    @property
    def sampled(self) -> bool:
        return bool(int(self.trace_flags, 16) & 1)

    @classmethod
    def new(cls, *, sampled: bool = True) -> "TraceContext":
        """The root of a new trace."""
        return cls._made(_random_hex(16), _random_hex(8), "01" if sampled else "00")

    def child(self) -> "TraceContext":
        """A span below this one: same trace, same flags, new span id."""
        return self._made(self.trace_id, _random_hex(8), self.trace_flags)

    @classmethod
    def _made(cls, trace_id: str, span_id: str, trace_flags: str) -> "TraceContext":
        # The parts are known to be right; validating them again costs more than making them, and this runs for
        # every frame.
        return cls.model_construct(trace_id=trace_id, span_id=span_id, trace_flags=trace_flags)

    @classmethod
    def parse(cls, traceparent: str) -> "TraceContext":
        """From a `traceparent` header. A version above 00 may carry more fields, which are ignored, as W3C asks.

        Raises `InvalidTraceparent`.
        """
        match = _TRACEPARENT.fullmatch(traceparent)
        if match is None:
            raise InvalidTraceparent(
                f"traceparent must look like 00-<32 hex>-<16 hex>-<2 hex>, in lower case; got {traceparent[:80]!r}"
            )
        version, trace_id, span_id, trace_flags, rest = match.groups()
        if version == "ff":
            raise InvalidTraceparent("traceparent version ff is forbidden")
        if version == "00" and rest is not None:
            raise InvalidTraceparent("traceparent version 00 has exactly four fields")
        if not trace_id.strip("0"):
            raise InvalidTraceparent("traceparent has a trace id of zeros")
        if not span_id.strip("0"):
            raise InvalidTraceparent("traceparent has a span id of zeros")
        return cls._made(trace_id, span_id, trace_flags)

    def format(self) -> str:
        """As a `traceparent` header, version 00."""
        return f"00-{self.trace_id}-{self.span_id}-{self.trace_flags}"


def _moment(value: object) -> object:
    # pydantic would take 1700000000 for a time; whether that is seconds or milliseconds would be its guess.
    if isinstance(value, datetime):
        return value
    if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
        return value
    raise ValueError("must be a datetime or an ISO 8601 text with its offset, not a number")


class FrameReadyEvent(Model):
    """A frame has been captured. The payload itself travels beside this, not in it.

    `size_bytes` is the payload's, `width` and `height` are in pixels, `priority` goes from 0 to 10 (first). The
    capability that a processor needs is `metadata["detection_type"]`, `default` where that is absent. With
    `metadata["detection_types"]`, 2 to 8 different ones, the frame is settled when each has worked on it. `metadata` is
    read-only by convention.
    """

    frame_id: Annotated[str, StringConstraints(strict=True, pattern=r"^[\x21-\x7e]{1,128}$")]
    camera_id: Id
    timestamp: Annotated[AwareDatetime, BeforeValidator(_moment)]
    size_bytes: Annotated[StrictInt, Field(ge=0, le=2**40)]
    width: Annotated[StrictInt, Field(gt=0, le=1_000_000)]
    height: Annotated[StrictInt, Field(gt=0, le=1_000_000)]
    format: Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9.+_/-]{0,31}$")]
    trace_context: TraceContext
    priority: Annotated[StrictInt, Field(ge=0, le=10)] = 0
    metadata: dict[str, JsonValue] = {}

    @field_validator("metadata")
    @classmethod
    def _small_json(cls, value: dict[str, JsonValue]) -> dict[str, JsonValue]:
        if not value:
            return value
        try:
            size = len(json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode())
        except UnicodeEncodeError:
            raise ValueError("must be JSON: a text holds half a surrogate pair") from None
        except ValueError:
            raise ValueError("must be JSON: NaN and infinity are not") from None
        if size > METADATA_BYTES_MAX:
            raise ValueError(f"must be at most {METADATA_BYTES_MAX} bytes of JSON, is {size}")
        wanted = value.get("detection_type", DEFAULT_CAPABILITY)
        if not _is_name(wanted):
            raise ValueError(f"detection_type must be a text that matches {ID_PATTERN}")
        several = value.get("detection_types")
        if "detection_types" in value:
            if "detection_type" in value:
                raise ValueError("detection_type and detection_types contradict each other: give one of them")
            if not isinstance(several, list) or not all(_is_name(one) for one in several):
                raise ValueError(f"detection_types must be a list of texts that match {ID_PATTERN}")
            if not 2 <= len(several) <= PARTS_MAX or len(set(map(str, several))) < len(several):
                raise ValueError(f"detection_types must be 2 to {PARTS_MAX} different ones; one is a detection_type")
        return value

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What the frame asks for: one, or each of several."""
        several = self.metadata.get("detection_types")
        return tuple(map(str, several)) if isinstance(several, list) else (self.capability,)

    @property
    def capability(self) -> str:
        """What the frame asks for; where that is several, joined by commas."""
        several = self.metadata.get("detection_types")
        if isinstance(several, list):
            return ",".join(map(str, several))
        return str(self.metadata.get("detection_type", DEFAULT_CAPABILITY))


def _is_name(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(ID_PATTERN, value, re.ASCII) is not None and value[-1] != "\n"


FUTURE_S = 60.0
"""How far a camera's clock may be ahead of the producer's."""
ANCIENT_S = 86_400.0
"""A frame older than this is taken and told about: a recording perhaps, or a camera without a clock."""


def age_s(timestamp: datetime, now: datetime) -> float:
    """Seconds between capture and ``now``. ValueError for a time too far ahead: one of the two clocks is wrong."""
    age = (now - timestamp).total_seconds()
    if age < -FUTURE_S:
        raise ValueError(f"is {-age:.0f} s ahead of this host's clock; at most {FUTURE_S:.0f} s are allowed for")
    return age


def http_url(value: str) -> str:
    """`value` if it is an http or https URL with a host. Raises ValueError."""
    try:
        parts = urlsplit(value)
        port_ok = parts.port is None or parts.port > 0
    except ValueError:
        raise ValueError("must be an http:// or https:// URL") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_ok:
        raise ValueError("must be an http:// or https:// URL")
    return value


def _each_once(value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value))


Capabilities = Annotated[tuple[Capability, ...], Field(min_length=1, max_length=64)]
Capacity = Annotated[StrictInt, Field(ge=1, le=100_000)]
HealthUrl = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=2048)]
Labels = Annotated[
    dict[Id, Annotated[str, StringConstraints(strict=True, max_length=256)]],
    Field(max_length=32),
]


class ProcessorRegistration(Model):
    """A processor offers its service: `capacity` is how many frames its queue may hold before dispatch passes it by."""

    id: Id
    capabilities: Capabilities
    capacity: Capacity
    queue: Annotated[str, Field(validate_default=True)] = ""
    health_url: HealthUrl | None = None
    labels: Labels = {}

    @field_validator("capabilities")
    @classmethod
    def _unique(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _each_once(value)

    @field_validator("queue")
    @classmethod
    def _own_queue(cls, value: str, info: ValidationInfo) -> str:
        own = info.data.get("id")
        if own is None:  # the id was refused already: say that one thing
            return value
        queue = Keys().ready(own)
        if value and value != queue:
            raise ValueError(f"queue belongs to another: {own} must use {queue}")
        return queue

    @field_validator("health_url")
    @classmethod
    def _reachable(cls, value: str | None) -> str | None:
        return None if value is None else http_url(value)

    @property
    def group(self) -> str:
        """The consumer group of its queue."""
        return f"{self.id}-group"

    def can_process(self, capability: str) -> bool:
        return capability in self.capabilities


class ProcessorUpdate(Model):
    """A change of a registration: what is not set stays. `health_url: null` removes it."""

    capabilities: Capabilities | None = None
    capacity: Capacity | None = None
    health_url: HealthUrl | None = None
    labels: Labels | None = None

    @field_validator("capabilities")
    @classmethod
    def _unique(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if value is None else _each_once(value)

    @field_validator("health_url")
    @classmethod
    def _reachable(cls, value: str | None) -> str | None:
        return None if value is None else http_url(value)
