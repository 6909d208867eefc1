"""The log, term and vote, as pysyncobj asks for them. The commit index is not kept: it would be a guess (R6)."""

from typing import Any

from cluster.applying import NO_OP
from cluster.ballot import Ballot, Vote
from cluster.disk import Disk
from cluster.errors import DataDirUnreadable
from cluster.snapshot_codec import Entry
from cluster.wal import WriteAheadLog

RECORD_SPARE = 1 << 16
"""A record may be larger than the largest command by so much: a membership, the frame."""


class RaftLog:
    """Give it to SyncObj instead of its journal. `tail`: entries before a snapshot that stay for members that lag."""

    def __init__(self, disk: Disk, *, command_bytes_max: int, tail: int) -> None:
        self._ballot = Ballot(disk)
        self._tail = tail
        self.wal = WriteAheadLog(disk, record_bytes_max=command_bytes_max + RECORD_SPARE)
        if len(self.wal) == 0:
            if self._ballot.vote.term > 0 or disk.read("snapshot") is not None:
                self.wal.close()
                raise DataDirUnreadable(
                    disk.path("journal"),
                    "the log is gone, and with it what this node has acknowledged: it must not vote; remove this "
                    "member, then add it under a new id with an empty data_dir",
                )
            self.wal.add(NO_OP, 1, 0)  # the same on every node
            self.wal.sync()

    def __getitem__(self, position: Any) -> Any:
        return self.wal[position]

    def __len__(self) -> int:
        return len(self.wal)

    def add(self, data: bytes, index: int, term: int) -> None:
        """Append an entry."""
        self.wal.add(data, index, term)

    def deleteEntriesFrom(self, position: int) -> None:  # noqa: N802
        """Cut the tail."""
        self.wal.cut_from(position)

    def deleteEntriesTo(self, position: int) -> None:  # noqa: N802
        """Cut the head, after a snapshot."""
        if position > self._tail:
            self.wal.begin_at(position - self._tail)

    def replace(self, *entries: Entry) -> None:
        """Begin anew behind a snapshot."""
        self.wal.replace(entries)

    def _destroy(self) -> None:
        self.wal.close()

    def setCurrentTerm(self, term: int, voted_for: str | None) -> None:  # noqa: N802
        """On disk when it returns."""
        self._ballot.store(Vote(term, voted_for))

    def getCurrentTerm(self) -> int:  # noqa: N802
        """The latest."""
        return self._ballot.vote.term

    def getVotedForNodeId(self) -> str | None:  # noqa: N802
        """In that term."""
        return self._ballot.vote.voted_for

    def setRaftCommitIndex(self, index: int) -> None:  # noqa: N802
        """Not kept."""

    def getRaftCommitIndex(self) -> int:  # noqa: N802
        """What every log has committed."""
        return 1

    def onOneSecondTimer(self) -> None:  # noqa: N802
        """Nothing is written late."""
