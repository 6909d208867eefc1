"""`triarch bench`: each measurement stands beside its ceiling, taken in the same run on the same machine."""

from orchestrator.bench.options import BENCHES, BenchOptions

__all__ = ["BENCHES", "BenchOptions"]
