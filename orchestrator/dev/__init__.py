"""`triarch dev`: a whole plant on this machine, in real processes."""

from orchestrator.dev.options import DevOptions

__all__ = ["DevOptions", "supervise"]


def supervise(options: DevOptions) -> int:
    """Run the plant until it is interrupted and return the exit code."""
    from orchestrator.dev.supervisor import main  # start-up of the command line stays short

    return main(options)
