"""Counting results where a frame may ask for several capabilities: each of them gets one, and nobody else any. Pure."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.demo.tally import Tally

NAMED = 20


class PartsTally(Tally):
    """`asked`: of a camera what its frames ask for, by turns from sequence 0; a camera that is not in it asks for one
    capability a frame, whichever. Keeps an entry a result, so it is for thousands of frames, not for millions.
    """

    def __init__(self, asked: Mapping[str, Sequence[Sequence[str]]]) -> None:
        super().__init__()
        self._asked = asked
        self._found: defaultdict[tuple[str, int], Counter[str]] = defaultdict(Counter)

    def add(self, entry_ms: int, result: Mapping[str, Any]) -> None:
        """Take in one result, as the tally does; its `kind` is the capability."""
        before = self.results
        super().add(entry_ms, result)
        if self.results > before:
            self._found[result["camera_id"], result["sequence"]][str(result["result"].get("kind"))] += 1

    def twice(self) -> list[str]:
        """Results (`camera/sequence/capability`) beyond the first, or that nobody asked for; at most 20 of them."""
        return self._surplus()[:NAMED]

    @property
    def duplicates(self) -> int:
        """Results beyond one for each capability that the frame asks for."""
        return len(self._surplus())

    @property
    def frames(self) -> int:
        """Frames with a result for each capability that they ask for."""
        return sum(self._of(*frame, found) <= set(found) for frame, found in self._found.items())

    def _surplus(self) -> list[str]:
        return [
            f"{camera}/{sequence}/{kind}"
            for (camera, sequence), found in sorted(self._found.items())
            for kind, number in sorted(found.items())
            for _ in range(number - (kind in self._of(camera, sequence, found)))
        ]

    def _of(self, camera: str, sequence: int, found: Counter[str]) -> set[str]:
        turns = self._asked.get(camera)
        return set(turns[sequence % len(turns)]) if turns else {next(iter(found))}
