"""Counting what comes out of `frames:results`, apart from the ledger: one result per frame, and what was seen. Pure."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

GAP_EDGE_MS = 250  # a standstill may begin this long before the moment of the fault: frames in hand still settle


class Tally:
    """Results by frame, by kind and by time. One byte a frame: it holds a day of cameras without noticing."""

    def __init__(self) -> None:
        self._results: dict[str, bytearray] = {}
        self._last_ms: int | None = None
        self._gaps: list[tuple[int, int]] = []
        self.results = 0
        self.by_kind: Counter[str] = Counter()
        self.detections_by_kind: Counter[str] = Counter()
        self.unreadable = 0
        self.latest = ""

    @property
    def detections(self) -> int:
        """Things seen on all frames."""
        return self.detections_by_kind.total()

    def add(self, entry_ms: int, result: Mapping[str, Any]) -> None:
        """Take in one result. `entry_ms` is when the server stored it, on the server's clock.

        `result` is the document that a processor published: `camera_id`, `sequence` and `result`.
        """
        camera_id, sequence, found = result.get("camera_id"), result.get("sequence"), result.get("result")
        if (
            not isinstance(camera_id, str)
            or not isinstance(sequence, int)
            or sequence < 0
            or not isinstance(found, dict)
        ):
            self.unreadable += 1
            return
        self.results += 1
        counts = self._results.setdefault(camera_id, bytearray())
        if len(counts) <= sequence:
            counts.extend(bytes(sequence + 1 - len(counts)))
        counts[sequence] = min(255, counts[sequence] + 1)
        self._note_time(entry_ms)
        kind = str(found.get("kind", "unknown"))
        self.by_kind[kind] += 1
        detections = found.get("detections")
        if isinstance(detections, list) and detections:
            self.detections_by_kind[kind] += len(detections)
            self.latest = f"{kind} ×{len(detections)} on {camera_id}"

    def _note_time(self, entry_ms: int) -> None:
        if self._last_ms is not None and entry_ms > self._last_ms:
            self._gaps.append((self._last_ms, entry_ms))
            if len(self._gaps) >= 4_096:  # only long ones are ever asked for
                self._gaps = sorted(self._gaps, key=lambda gap: gap[0] - gap[1])[:1_024]
        self._last_ms = entry_ms if self._last_ms is None else max(self._last_ms, entry_ms)

    def gap_ms(self, fault_ms: int, within_ms: int = 10_000) -> int | None:
        """The longest time without a result that overlaps [fault, fault + within], on the server's clock."""
        near = [
            end - start for start, end in self._gaps if end >= fault_ms - GAP_EDGE_MS and start <= fault_ms + within_ms
        ]
        return max(near, default=None)

    def twice(self) -> list[str]:
        """Frames (`camera/sequence`) with more than one result, at most 20 of them."""
        found = []
        for camera_id, counts in sorted(self._results.items()):
            for sequence, count in enumerate(counts):
                if count > 1:
                    found.append(f"{camera_id}/{sequence}")
                    if len(found) == 20:
                        return found
        return found

    @property
    def duplicates(self) -> int:
        """Results beyond the first of their frame."""
        return sum(count - 1 for counts in self._results.values() for count in counts if count > 1)

    @property
    def frames(self) -> int:
        """Frames with at least one result."""
        return sum(1 for counts in self._results.values() for count in counts if count)
