"""The Raft thread tells its end, whatever it ends with."""

from cluster.ticker import Ticker


class Broken:
    """Raises when ticked, when closed, or both."""

    def __init__(self, *broken: str) -> None:
        self._broken = broken

    def tick(self) -> None:
        if "tick" in self._broken:
            raise RuntimeError("tick")

    def wake(self) -> None:
        """Never waits."""

    def close(self, error: Exception | None = None) -> None:
        if "close" in self._broken:
            raise RuntimeError("close") from error


def end_of(*broken: str) -> list[str]:
    """What `failed` was told."""
    told: list[str] = []

    def failed(error: Exception) -> None:
        told.append(str(error))

    ticker = Ticker(Broken(*broken), name="test", failed=failed)
    ticker.start()
    if "tick" not in broken:
        ticker.stop()
    assert ticker.join(5)
    return told


def test_a_failure_to_close_does_not_hide_why_it_closed() -> None:
    assert end_of("tick") == ["tick"]
    assert end_of("tick", "close") == ["tick"]
    assert end_of("close") == ["close"]
    assert end_of() == []
