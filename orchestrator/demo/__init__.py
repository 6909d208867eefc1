"""`triarch demo`: three nodes, real frames, a kill in the middle, a report that says what became of every frame."""

from orchestrator.demo.options import DemoOptions

__all__ = ["DemoOptions", "run"]


def run(options: DemoOptions) -> int:
    """Run the demo and return its exit code: 0 only when every promise of the run held."""
    from orchestrator.demo.drill import main  # start-up of the command line stays short

    return main(options)
