"""Runs what failed in the last run of pytest once more, alone: on a busy machine tests disturb each other.

A fault of the product fails again. What passes alone is named: it is a defect as well, of the test, or of the product
on a busy machine. Many failures are no disturbance: then nothing is run again, and neither where that run broke off or
could not collect all tests, as others were not run then. Exit status: 0 only if all passed.
"""

import json
import subprocess
import sys
from pathlib import Path

LAST_FAILED = Path(".pytest_cache/v/cache/lastfailed")
MANY = 4
TESTS_FAILED = "1"
"""Exit status of pytest: it went through all tests, and some failed."""


def main() -> int:
    """Arguments: the exit status of that run, then those of pytest."""
    status, *arguments = sys.argv[1:]
    failed = sorted(json.loads(LAST_FAILED.read_text())) if LAST_FAILED.exists() else []
    if status != TESTS_FAILED or not 0 < len(failed) < MANY:
        return 1
    sys.stdout.write(f"\n--- once more, alone: {', '.join(failed)}\n")
    sys.stdout.flush()
    command = [sys.executable, "-m", "pytest", "-q", *arguments, *failed]
    again = subprocess.run(command, check=False).returncode
    if again == 0:
        sys.stdout.write(
            f"--- FAILED BESIDE OTHERS, PASSED ALONE: {', '.join(failed)}\n--- find out why: see CONTRIBUTING.md\n"
        )
    return int(again != 0)


if __name__ == "__main__":
    sys.exit(main())
