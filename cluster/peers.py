"""Whom this node has met: of each member its incarnation and its level, kept on disk.

A node that lost its disk has forgotten its votes and what it had acknowledged. If it came back under its id, it could
vote twice in a term, or help to elect a leader that lacks what it had acknowledged. Every data directory therefore has
an incarnation, drawn when it is made, and whoever has met a member refuses another incarnation under the same id.
"""

import msgspec

from cluster.disk import Disk, put
from cluster.errors import DataDirUnreadable

FILE = "peers"


class Met(msgspec.Struct, frozen=True):
    """`level`: which kinds of commands that member knows, see Machine.level; `release`: for people."""

    incarnation: str
    level: int = 1
    release: str = ""


class Peers:
    """The file. DataDirUnreadable; DiskFailed: the node must stop."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        data = disk.read(FILE)
        try:
            self.met = {} if data is None else msgspec.json.decode(data, type=dict[str, Met])
        except msgspec.MsgspecError as error:
            raise DataDirUnreadable(
                disk.path(FILE),
                f"the members met so far cannot be read ({error}); remove the file if no member lost its disk since",
            ) from error

    def incarnations(self) -> dict[str, str]:
        """Of every member met."""
        return {member: met.incarnation for member, met in self.met.items()}

    def meet(self, member: str, met: Met) -> str | None:
        """Remember, on disk when this returns. Or why this is not the member that was met before."""
        before = self.met.get(member)
        if before == met:
            return None
        if before is not None and before.incarnation != met.incarnation:
            return (
                f"{member} comes with another data directory than before (incarnation {met.incarnation}, was "
                f"{before.incarnation}): its votes are lost, so it must not vote under this id again; remove the "
                "member, then add it under a new id with an empty data_dir"
            )
        self.met[member] = met
        put(self._disk, FILE, msgspec.json.encode(self.met) + b"\n")
        return None

    def pin(self, incarnations: dict[str, str]) -> None:
        """What the membership says of members that were never met here."""
        new = {member: Met(incarnation) for member, incarnation in incarnations.items() if member not in self.met}
        if new:
            self.met |= new
            put(self._disk, FILE, msgspec.json.encode(self.met) + b"\n")

    def forget(self, member: str) -> None:
        """It was removed; the membership remembers its id."""
        if self.met.pop(member, None) is not None:
            put(self._disk, FILE, msgspec.json.encode(self.met) + b"\n")
