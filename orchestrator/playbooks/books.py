"""Playbooks as models, read once each: what is replicated is their text."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from orchestrator.errors import OrchestratorError
from orchestrator.playbooks.library import PlaybookLibrary, PlaybookRow
from orchestrator.playbooks.models import Playbook

__all__ = ["READ_MAX", "Books", "PlaybookUnreadable"]

READ_MAX = 1_000
"""Playbooks kept as models; the one that was not used for longest is forgotten first."""

Read = Callable[[str], Playbook]
"""Reads a YAML text. Raises what says why it cannot be read."""


class PlaybookUnreadable(OrchestratorError):
    """This release cannot read a text that was accepted once, or the text is gone."""

    code = "playbook_unreadable"


class Books:
    """The playbooks of a library, by name and version. For one thread."""

    def __init__(self, library: PlaybookLibrary, read: Read) -> None:
        self._library = library
        self._read = read
        self._kept: OrderedDict[tuple[str, int], tuple[str, Playbook | PlaybookUnreadable]] = OrderedDict()
        """with the text that was read: after a restore from a backup a number may mean another one"""

    def version(self, name: str, version: int) -> Playbook:
        """One version, also of a deleted playbook that executions run under. PlaybookUnreadable."""
        text = self._library.text(name, version)
        if text is None:
            raise PlaybookUnreadable(f"version {version} of playbook {name} is not kept any more")
        kept = self._kept.get((name, version))
        if kept is None or kept[0] != text:
            found = self._keep(name, version, text, self._found(name, version, text))
        else:
            self._kept.move_to_end((name, version))
            found = kept[1]
        if isinstance(found, PlaybookUnreadable):
            raise found
        return found

    async def prepare(self) -> None:
        """Read the newest versions that were not read yet, beside the loop: a large one takes a tenth of a second."""
        for row in list(self._library.rows.values()):
            name, version, text = row.name, row.newest.version, row.newest.text
            kept = self._kept.get((name, version))
            if not row.deleted and (kept is None or kept[0] != text):
                found = await asyncio.to_thread(self._found, name, version, text)
                self._keep(name, version, text, found)

    def newest(self, row: PlaybookRow) -> Playbook:
        """The newest version of a row. KeyError where it cannot be read: to others it is not there."""
        try:
            return self.version(row.name, row.newest.version)
        except PlaybookUnreadable as error:
            raise KeyError(row.name) from error

    def _found(self, name: str, version: int, text: str) -> "Playbook | PlaybookUnreadable":
        try:
            return self._read(text)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told to whoever asks for the playbook
            reason = str(error).strip().splitlines() or [type(error).__name__]
            return PlaybookUnreadable(f"version {version} of playbook {name} cannot be read here: {reason[0][:500]}")

    def _keep(
        self, name: str, version: int, text: str, found: "Playbook | PlaybookUnreadable"
    ) -> "Playbook | PlaybookUnreadable":
        self._kept[name, version] = (text, found)
        if len(self._kept) > READ_MAX:
            self._kept.popitem(last=False)
        return found
