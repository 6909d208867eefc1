"""The errors of this package.

::

    FrameBufferError
    ├── InvalidCursor           invalid_cursor            where to go on is not what an earlier answer said
    ├── InvalidFrame            invalid_frame             a frame failed validation; names the field
    ├── InvalidName             invalid_name              an id of a camera, processor or capability is malformed
    ├── InvalidRegistration     invalid_registration      a processor's registration failed validation
    ├── RegistrationRefused     processor_exists          the id is taken by another registration
    ├── ProcessorUnknown        processor_unknown         the orchestrator does not know this processor
    ├── OrchestratorUnavailable orchestrator_unavailable  no node of the orchestrator answered
    ├── SettlementRefused       settlement_refused        what was said of a frame is nothing that the server knows
    ├── Fenced                  fenced                    a newer leader has taken over
    ├── CameraSuperseded        camera_superseded         a newer producer has opened this camera
    ├── NotDurable              not_durable               written, but fewer replicas than asked for have confirmed
    ├── ProducerClosed          producer_closed           the producer was closed; says what is in no ledger
    ├── FrameUnknown            frame_unknown             no such frame, or nothing of it is kept any more
    ├── TelemetryInvalid        telemetry_invalid         the variables that ask for spans make no sense
    ├── TelemetryMissing        telemetry_missing         spans cannot be exported: the extra is not installed
    ├── TrustUnusable           trust_unusable            a file of authorities, or a certificate to show, is no use
    ├── RedisFailure            redis_failure
    │   ├── RedisUnavailable    redis_unavailable         worth another try: connection, failover, loading, full
    │   ├── RedisUnsupported    redis_unsupported         the server is too old, or lacks what is needed
    │   └── RedisRefused        redis_refused             password, permission, or data of an unexpected type
    └── EmbeddedFailure         embedded_failure
        ├── ServerMissing       server_missing            no server binary was found
        ├── PortInUse           port_in_use               something else listens on the port
        └── ServerFailed        server_failed             the server ended, or never became ready

Every error has a stable ``code``: the API and the CLI map from it, never from the text.
"""

from collections.abc import Sequence
from typing import ClassVar

__all__ = [
    "CameraSuperseded",
    "EmbeddedFailure",
    "Fenced",
    "FrameBufferError",
    "FrameUnknown",
    "InvalidCursor",
    "InvalidFrame",
    "InvalidName",
    "InvalidRegistration",
    "NotDurable",
    "OrchestratorUnavailable",
    "PortInUse",
    "ProcessorUnknown",
    "ProducerClosed",
    "RedisFailure",
    "RedisRefused",
    "RedisUnavailable",
    "RedisUnsupported",
    "RegistrationRefused",
    "ServerFailed",
    "ServerMissing",
    "SettlementRefused",
    "TelemetryInvalid",
    "TelemetryMissing",
    "TrustUnusable",
]


class FrameBufferError(Exception):
    """Root of the package's errors."""

    code: ClassVar[str] = "framebuffer"


class InvalidCursor(FrameBufferError, ValueError):
    """A position in a stream that no answer can have given."""

    code = "invalid_cursor"

    def __init__(self, cursor: str, why: str = "is no position that an earlier answer gave") -> None:
        super().__init__(f"{cursor[:80]!r} {why}")


class InvalidFrame(FrameBufferError):
    """A frame failed validation: ``field`` is the offending field, ``reason`` a sentence for people."""

    code = "invalid_frame"

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class InvalidName(FrameBufferError, ValueError):
    """A name that cannot be part of a key."""

    code = "invalid_name"

    def __init__(self, kind: str, name: object) -> None:
        super().__init__(f"{kind} {name!r} must match [A-Za-z0-9][A-Za-z0-9._-]{{0,63}}")
        self.kind = kind
        self.name = name


class InvalidRegistration(FrameBufferError):
    """A processor's registration failed validation."""

    code = "invalid_registration"

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class RegistrationRefused(FrameBufferError):
    """The processor id is taken by another registration."""

    code = "processor_exists"


class ProcessorUnknown(FrameBufferError):
    """The orchestrator does not know this processor (any more): register again."""

    code = "processor_unknown"


class OrchestratorUnavailable(FrameBufferError):
    """No node of the orchestrator answered."""

    code = "orchestrator_unavailable"


class SettlementRefused(FrameBufferError, ValueError):
    """``status`` is none that the server knows: the frame ``entry_id`` is still in hand, and no attempt has failed.

    ``outcomes``: what became of each frame of the call.
    """

    code = "settlement_refused"

    def __init__(self, entry_id: str, status: str, outcomes: Sequence[str]) -> None:
        super().__init__(f"frame {entry_id}: {status!r} is none of ok, error, dead and release; it is still in hand")
        self.entry_id = entry_id
        self.status = status
        self.outcomes = list(outcomes)


class Fenced(FrameBufferError):
    """A leader with a newer epoch has written the fence: this leader's time is over.

    ``current`` is the epoch (term, index) in force, ``node_id`` whose it is.
    """

    code = "fenced"

    def __init__(self, current: tuple[int, int], node_id: str) -> None:
        super().__init__(f"fenced by epoch {current[0]}.{current[1]} of {node_id}")
        self.current = current
        self.node_id = node_id


class CameraSuperseded(FrameBufferError):
    """The camera's session is not ``session`` but ``current`` (empty: the server knows of none)."""

    code = "camera_superseded"

    def __init__(self, camera_id: str, session: str, current: str) -> None:
        super().__init__(f"camera {camera_id}: another producer has opened it")
        self.camera_id = camera_id
        self.session = session
        self.current = current


class NotDurable(FrameBufferError):
    """The frames are written, but only ``confirmed`` of ``wanted`` replicas said so in time.

    Publishing them again is safe: what is already there answers "duplicate" and waits for the replicas once more.
    """

    code = "not_durable"

    def __init__(self, wanted: int, confirmed: int) -> None:
        super().__init__(f"{confirmed} of {wanted} replicas confirmed the write in time")
        self.wanted = wanted
        self.confirmed = confirmed


class FrameUnknown(FrameBufferError):
    """No frame is known by this name."""

    code = "frame_unknown"

    def __init__(self, frame: str, reason: str) -> None:
        super().__init__(f"frame {frame}: {reason}")
        self.frame = frame


class ProducerClosed(FrameBufferError):
    """The producer is closed. ``unsent``: frames accepted but never confirmed by the server. ``unrecorded``: frames
    given up, by the policy or as the server refused them, and never confirmed as dropped.
    """

    code = "producer_closed"

    def __init__(self, camera_id: str, unsent: int = 0, unrecorded: int = 0) -> None:
        given_up = f", {unrecorded} that were given up are not in the ledger" if unrecorded else ""
        super().__init__(f"producer of camera {camera_id} is closed, {unsent} frames were not sent{given_up}")
        self.camera_id = camera_id
        self.unsent = unsent
        self.unrecorded = unrecorded


class TelemetryInvalid(FrameBufferError, ValueError):
    """What the environment says of spans makes no sense: ``variable`` is the one, ``reason`` says why."""

    code = "telemetry_invalid"

    def __init__(self, variable: str, reason: str) -> None:
        super().__init__(f"{variable}: {reason}")
        self.variable = variable


class TelemetryMissing(FrameBufferError):
    """Spans are to be exported, and what exports them is not installed."""

    code = "telemetry_missing"

    def __init__(self, missing: str) -> None:
        super().__init__(
            f"spans cannot be exported ({missing}): install the extra, `pip install 'triarch[telemetry]'`, "
            "or leave telemetry.otlp_endpoint out"
        )


class RedisFailure(FrameBufferError):
    """Root of what the server, or the way to it, can do to a call."""

    code = "redis_failure"


class RedisUnavailable(RedisFailure):
    """The call may or may not have had its effect; it is worth another try.

    ``reason`` is one of a few stable words: connection, timeout, loading, read_only, busy, no_replicas, master_down,
    out_of_memory, not_persisting, cluster_down, no_primary (a failover is under way), moved (another server has the
    keys), library_missing.
    """

    code = "redis_unavailable"

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason


class RedisUnsupported(RedisFailure):
    """The server cannot do what is needed: it is too old, or functions are disabled."""

    code = "redis_unsupported"


class RedisRefused(RedisFailure):
    """The server answered with an error that another try does not heal."""

    code = "redis_refused"


class EmbeddedFailure(FrameBufferError):
    """Root of what can go wrong with the embedded server."""

    code = "embedded_failure"


class ServerMissing(EmbeddedFailure):
    """No Valkey or Redis server binary was found."""

    code = "server_missing"


class PortInUse(EmbeddedFailure):
    """Another process listens on the port."""

    code = "port_in_use"

    def __init__(self, host: str, port: int) -> None:
        super().__init__(f"port {port} on {host} is in use by another process")
        self.host = host
        self.port = port


class ServerFailed(EmbeddedFailure):
    """The server process ended, or did not become ready in time."""

    code = "server_failed"


class TrustUnusable(FrameBufferError):
    """Says which file, and why."""

    code = "trust_unusable"
