"""Every key of the frame streams, built in this one place (the Lua library builds the same from its first key).

A prefix with a hash tag (``frames{0}``) puts all keys of one shard into one slot of a Redis Cluster.
"""

import re

import msgspec

from framebuffer.errors import InvalidName

__all__ = ["CAPTURE_GROUP", "DEFAULT_SEGMENT", "PRIORITY_LEVELS", "SUSPECT_LEVEL", "Keys", "check_name"]

CAPTURE_GROUP = "frame-buffer"
DEFAULT_SEGMENT = 65_536
"""Sequences per ledger segment: 8 KiB of bits."""

PRIORITY_LEVELS: tuple[str, ...] = tuple(str(level) for level in range(11))
SUSPECT_LEVEL = "s"
"""In a queue: frames that failed before, which are handed out alone."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_name(kind: str, name: object) -> str:
    """Return ``name`` if it may be part of a key. Errors: InvalidName."""
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise InvalidName(kind, name)
    return name


class Keys(msgspec.Struct, frozen=True):
    """The keys under one prefix."""

    prefix: str = "frames"

    @property
    def capture(self) -> str:
        """Stream of frames that no leader has looked at yet."""
        return f"{self.prefix}:capture"

    @property
    def lanes(self) -> str:
        """Set of the capabilities whose lane holds frames."""
        return f"{self.prefix}:lanes"

    @property
    def queues(self) -> str:
        """Set of the processors that have a queue."""
        return f"{self.prefix}:queues"

    @property
    def results(self) -> str:
        """Stream of results, trimmed to the newest."""
        return f"{self.prefix}:results"

    @property
    def dead(self) -> str:
        """Stream of frames that are given up, with the reason."""
        return f"{self.prefix}:dead"

    @property
    def malformed(self) -> str:
        """Stream of entries that somebody wrote past ``publish``, trimmed to the newest."""
        return f"{self.prefix}:malformed"

    @property
    def wake(self) -> str:
        """Stream that wakes a waiting dispatcher when capacity became free while frames wait in lanes."""
        return f"{self.prefix}:wake"

    @property
    def fence(self) -> str:
        """Hash: the epoch in force and when its leader dispatched first and last (the server's time)."""
        return f"{self.prefix}:fence"

    @property
    def leaders(self) -> str:
        """List of closed fence records, newest first."""
        return f"{self.prefix}:leaders"

    @property
    def dropped(self) -> str:
        """Stream of frames that their producers gave up, with the reason, trimmed to the newest."""
        return f"{self.prefix}:dropped"

    @property
    def story(self) -> str:
        """Stream of what became of frames on their way, a record a dispatch call, trimmed to the newest."""
        return f"{self.prefix}:story"

    @property
    def sampled(self) -> str:
        """Stream of routed frames whose traces are recorded, until the leader's spans of them are exported."""
        return f"{self.prefix}:sampled"

    @property
    def table(self) -> str:
        """The routing table that the leader lends to ``publish``, as msgpack."""
        return f"{self.prefix}:table"

    @property
    def hand(self) -> str:
        """Says which server's memory of frames in hand is right (functions/processor.lua)."""
        return f"{self.prefix}:hand"

    @property
    def depths(self) -> str:
        """Hash: frames in each processor's queue."""
        return f"{self.prefix}:depths"

    @property
    def affinity(self) -> str:
        """Hash: the processor that a camera's frames of a capability go to, with that strategy."""
        return f"{self.prefix}:affinity"

    @property
    def pressure(self) -> str:
        """Text: the backpressure that the leader has set, such as ``1 face=3``."""
        return f"{self.prefix}:pressure"

    @property
    def format(self) -> str:
        """The format of keys and entries; an older library refuses to touch a newer one."""
        return f"{self.prefix}:format"

    @property
    def rotation(self) -> str:
        """Hash: how far ties have rotated, per capability."""
        return f"{self.prefix}:rotation"

    def ready(self, processor_id: str) -> str:
        """Stream: the queue of one processor."""
        return f"{self.prefix}:ready:{processor_id}"

    def ready_group(self, processor_id: str) -> str:
        """The consumer group on that queue."""
        return f"{processor_id}-group"

    def lane(self, capability: str) -> str:
        """Stream: frames that wait for a processor with this capability."""
        return f"{self.prefix}:lane:{capability}"

    def payload(self, camera_id: str, sequence: int) -> str:
        """The bytes of a frame that is too large to travel in the streams."""
        return f"{self.prefix}:payload:{camera_id}:{sequence}"

    def picture(self, camera_id: str) -> str:
        """The last picture that a camera's producer left; it expires by itself (see ``framebuffer.pictures``)."""
        return f"{self.prefix}:picture:{camera_id}"

    @property
    def ledgers(self) -> str:
        """Hash: the record of each camera that was ever opened (msgpack: counters and watermarks)."""
        return f"{self.prefix}:ledger"

    @property
    def sessions(self) -> str:
        """Hash: who may publish as each camera, and who might before (two tokens)."""
        return f"{self.prefix}:sessions"

    def bits(self, camera_id: str, segment: int) -> str:
        """A bit per sequence that is settled, dead or dropped."""
        return f"{self.prefix}:ledger:{camera_id}:{segment}"

    def ragged(self, camera_id: str, segment: int) -> str:
        """A bit per sequence that was published beyond a gap."""
        return f"{self.prefix}:ledger:{camera_id}:{segment}:p"

    def complete(self, camera_id: str) -> str:
        """Set of completely final segments above the watermark; their bits are gone."""
        return f"{self.prefix}:ledger:{camera_id}:complete"

    def replayed(self, camera_id: str) -> str:
        """Set of sequences that were dead and are under way again."""
        return f"{self.prefix}:ledger:{camera_id}:replayed"

    def drops(self, camera_id: str) -> str:
        """Hash: frames that the camera's producer gave up, by reason."""
        return f"{self.prefix}:ledger:{camera_id}:drops"

    def parts(self, camera_id: str, sequence: int) -> str:
        """Hash: the state of each capability that a frame for several asks for, until all are done."""
        return f"{self.prefix}:parts:{camera_id}:{sequence}"

    @staticmethod
    def level(base: str, level: str) -> str:
        """The stream of one priority of a place (capture, a lane, a queue): "0" is the place's own key."""
        return base if level == "0" else f"{base}:p{level}"
