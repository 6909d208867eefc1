"""What the kernel and a log say of a process: the proofs of faults on this machine."""

from pathlib import Path

from orchestrator.dev.processes import Process

__all__ = ["kernel_state", "refused_write"]


def kernel_state(pid: int) -> str:
    """The kernel's letter for a process: T is stopped, Z ended; "" where there is none, or no /proc."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2][:1]
    except OSError:
        return ""


def refused_write(process: Process, since: int) -> str | None:
    """What a node has said of a write that was refused, in its log from byte `since` on; None while it has not."""
    with process.log.open("rb") as log:
        log.seek(since)
        for line in log.read(1 << 20).decode(errors="replace").splitlines():
            if "File too large" in line or "Errno 27" in line:
                return line.strip()[:300]
    return None
