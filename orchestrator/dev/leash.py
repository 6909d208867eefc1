"""Runs a program that ends when its parent ends, however the parent ends.

    python -I -S leash.py PARENT_PID PROGRAM ARGUMENT…

On Linux the kernel is told to kill this process when its parent is gone (PR_SET_PDEATHSIG), and this process then
becomes the program: same process id, no process in between. Elsewhere it only becomes the program. It is a file of its
own, run before the program, because the alternative, code between fork and exec, is unsafe in a process with threads.
"""

import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(argv: list[str]) -> None:
    """Bind this process to its parent, then become the program."""
    parent, program, *arguments = argv
    if sys.platform.startswith("linux"):
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != int(parent):  # it ended before the line above: nobody would tell us any more
            raise SystemExit(1)
    os.execv(program, [program, *arguments])  # noqa: S606  that is the purpose


if __name__ == "__main__":
    main(sys.argv[1:])
