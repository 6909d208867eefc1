"""A file in the data directory that says that tokens are asked for, before the state is read and whatever that says.

A node on loopback may have no token of its own. Until it has caught up after a start it would not know that an admin's
token was made, and would be open meanwhile.
"""

import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)

NAME = "tokens-required"


class TokensNote:
    """Of one node's data directory."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / NAME
        self.written = self._path.exists()

    def write(self) -> None:
        """Once; it is on the disk then. What the disk refuses is logged: the node asks for tokens all the same."""
        if self.written:
            return
        self.written = True
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            opened = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.fsync(opened)
            finally:
                os.close(opened)
            directory = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            log.error("%s cannot be written (%s): after a start this node may be open for a moment", self._path, error)
