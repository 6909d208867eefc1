"""What a bundle has of the host it is made on: the last lines of the units' journal. Blocks, for seconds at most."""

import shutil
import subprocess
from pathlib import Path

__all__ = ["UNITS", "journal", "secrets_below"]

UNITS = ("triarch-node", "triarch-redis", "triarch-sentinel", "triarch-firewall", "prometheus")
LINES = 5_000
WITHIN_S = 15.0
FILES_MAX, SECRET_BYTES_MAX = 100, 4096


def journal(unit: str) -> tuple[str, str]:
    """(the last lines of a unit, why there are none). One of them is empty."""
    program = shutil.which("journalctl")
    if program is None:
        return "", "no journalctl on this host"
    arguments = [program, "--unit", unit, "--lines", str(LINES), "--no-pager", "--output", "short-iso", "--quiet"]
    try:
        done = subprocess.run(  # noqa: S603
            arguments, capture_output=True, text=True, errors="replace", timeout=WITHIN_S, check=False
        )
    except subprocess.TimeoutExpired:
        return "", f"journalctl did not end within {WITHIN_S:g} s"
    except OSError as error:
        return "", f"journalctl: {error.strerror}"
    if done.returncode:
        return "", done.stderr.strip()[:500] or f"journalctl ended with {done.returncode}"
    return (done.stdout, "") if done.stdout.strip() else ("", "the journal has nothing of it")


def secrets_below(folder: Path) -> list[str]:
    """What the files in a folder of secrets hold, so that it can be taken out wherever it turns up."""
    try:
        files = [path for path in sorted(folder.iterdir())[:FILES_MAX] if path.is_file()]
        return [path.read_text(errors="replace").strip() for path in files if path.stat().st_size <= SECRET_BYTES_MAX]
    except OSError:
        return []  # whoever may not read them cannot give them away either
