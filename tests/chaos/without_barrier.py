"""A node with a defect planted: it answers linearizable reads as soon as it believes that it leads, without a barrier.

python -m tests.chaos.without_barrier node --config FILE      as `triarch node`, for test_histories
"""

from collections.abc import Callable
from typing import Any

from cluster.applying import Applying
from orchestrator.cli.main import main

_read = Applying.read


def _without_barrier(
    self: Applying,
    query: Callable[[Any], Any],
    consistency: str,
    max_stale: float | None,
    done: Callable[[Any, Any], None],
) -> None:
    _read(self, query, "leader" if consistency == "linearizable" else consistency, max_stale, done)


if __name__ == "__main__":
    Applying.read = _without_barrier  # type: ignore[method-assign]
    main(prog_name="triarch")
