"""Three systemd hosts on one machine: `python -m tests.lab.hosts up | down | status`. See docs/lab.md."""

from tests.lab.hosts.lab import Lab
from tests.lab.hosts.running import LabFailed

__all__ = ["Lab", "LabFailed"]
