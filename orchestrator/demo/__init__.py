"""`triarch demo`: three nodes, real frames, a kill in the middle, and a report that proves what became of each frame."""

from orchestrator.demo.options import DemoOptions

__all__ = ["DemoOptions", "run"]


def run(options: DemoOptions) -> int:
    """Run the demo and return its exit code: 0 only when every promise of the run held."""
    from orchestrator.demo.drill import main  # noqa: PLC0415  start-up of the command line stays short

    return main(options)
