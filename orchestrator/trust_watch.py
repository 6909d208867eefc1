"""The authorities that a node trusts as a client (`api.ca_file`), added to while it runs.

file changes, or SIGHUP ─▶ read and checked ─┬ good ─▶ the next handshakes trust what it holds, beside what they trusted
                                            └ not ──▶ nothing changes, and the log says why

So an authority can be exchanged without a restart: the new one is added everywhere, then certificates are exchanged.
OpenSSL takes nothing away from a context that is in use: what left the file is trusted until the node starts again.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import Sequence
from pathlib import Path

from orchestrator.certificate_watch import LOOK_S, Facts, facts_of
from orchestrator.certificates import authorities
from orchestrator.errors import CertificateUnusable

log = logging.getLogger(__name__)


class TrustWatch:
    """Of one node. `contexts`: those of its clients, which have been given what is in `path` already."""

    def __init__(self, path: Path, contexts: Sequence[ssl.SSLContext]) -> None:
        self._path = path
        self._contexts = tuple(contexts)
        self._seen = facts_of(path)
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Have the file read now, whether it looks changed or not."""
        self._asked.set()

    async def run(self) -> None:
        """Look at the file until cancelled."""
        while True:
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._asked.wait()
            except TimeoutError:
                pass
            asked = self._asked.is_set()
            self._asked.clear()
            facts = await asyncio.to_thread(facts_of, self._path)
            if asked or facts != self._seen:
                await self._reload(facts)

    async def _reload(self, facts: Facts) -> None:
        self._seen = facts  # once only, as with certificates
        try:
            await asyncio.to_thread(self._read)
        except CertificateUnusable as error:
            hint = f" ({error.hint})" if error.hint else ""
            log.error("api.%s: %s%s; who was trusted before still is", error.setting, error.message, hint)
        except Exception:  # what nobody has foreseen must not end the node
            log.exception("api.ca_file: %s cannot be used; who was trusted before still is", self._path)
        else:
            log.info("the authorities in %s were read again", self._path)

    def _read(self) -> None:
        authorities(self._path, "ca_file", time.time())
        for context in self._contexts:
            context.load_verify_locations(self._path)
