"""The authorities that a node trusts as a client (`api.ca_file`), exchanged while it runs.

file changes, or SIGHUP ─▶ read and checked ─┬ good ─▶ the next handshakes trust what it holds, and nothing else
                                            └ not ──▶ nothing changes, and the log says why

So an authority can be exchanged without a restart: the new one is added everywhere, then certificates are exchanged,
then the old one is taken out. Connections that are open go on.

OpenSSL takes nothing away from a context that is in use. So clients hold a `Trust`, which begins each handshake with
the context of the moment. What clients ask of the `Trust` itself (httpx: ALPN) has no effect: HTTP/1.1 is spoken.
"""

import asyncio
import logging
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from framebuffer.errors import TrustUnusable
from framebuffer.trust import trusting
from orchestrator.errors import CertificateUnusable
from orchestrator.file_watch import FileWatch

log = logging.getLogger(__name__)


class Trust(ssl.SSLContext):
    """A client's context whose handshakes go by the one that was made last. It is given to clients once, and kept.

    Args:
        make: reads the files. What it raises is raised here, and by `renew`.
        put_off: it is called by `load`, or by the first handshake, and not here.
    """

    def __new__(cls, *_: Any, **__: Any) -> Self:  # SSLContext takes a protocol there
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, make: Callable[[], ssl.SSLContext], *, put_off: bool = False) -> None:
        self._make = make
        self._renewing = threading.Lock()  # two watches may renew it at once: what was read last is to hold
        self._made = None if put_off else make()

    def load(self) -> ssl.SSLContext:
        """The context of the moment. Where it was put off it is made now: that blocks for tens of milliseconds."""
        if (made := self._made) is not None:
            return made
        with self._renewing:
            if self._made is None:
                self._made = self._make()
            return self._made

    def renew(self) -> None:
        """Go by what the files hold now. Blocks for tens of milliseconds. When it raises, nothing has changed."""
        with self._renewing:
            self._made = self._make()

    def wrap_bio(self, *arguments: Any, **named: Any) -> ssl.SSLObject:
        """As of the context of the moment: what asyncio begins a handshake with."""
        return self.load().wrap_bio(*arguments, **named)

    def wrap_socket(self, *arguments: Any, **named: Any) -> ssl.SSLSocket:
        """As of the context of the moment: what blocking clients begin a handshake with."""
        return self.load().wrap_socket(*arguments, **named)


def also_trusting(ca_file: Path | None) -> Trust:
    """Trusts the authorities in `ca_file` beside the public ones. Blocks. Raises TrustUnusable.

    Without `ca_file` nothing can be wrong with it: then it is put off until it is loaded.
    """
    return Trust(lambda: trusting(ca_file, public_too=True), put_off=ca_file is None)


class TrustWatch:
    """Of one node. `trusts`: those of its clients, which have read `path` already."""

    def __init__(self, path: Path, trusts: Sequence[Trust]) -> None:
        self._path = path
        self._trusts = tuple(trusts)
        self._file = FileWatch([path])

    def ask(self) -> None:
        """Have the file read now, whether it looks changed or not."""
        self._file.ask()

    async def run(self) -> None:
        """Look at the file until cancelled."""
        while True:
            await self._file.changed()
            await self._reload()

    async def _reload(self) -> None:
        try:
            await asyncio.to_thread(self._read)
        except CertificateUnusable as error:
            hint = f" ({error.hint})" if error.hint else ""
            log.error("api.%s: %s%s; who was trusted before still is", error.setting, error.message, hint)
        except (TrustUnusable, OSError, ValueError) as error:  # ssl.SSLError too
            log.error("api.ca_file: %s cannot be used: %s; who was trusted before still is", self._path, error)
        except Exception:  # what nobody has foreseen must not end the node
            log.exception("api.ca_file: %s cannot be used; who was trusted before still is", self._path)
        else:
            log.info("the authorities in %s were read again: they are trusted from now on", self._path)

    def _read(self) -> None:
        from orchestrator.certificates import authorities  # loads much, which a start need not wait for

        authorities(self._path, "ca_file", time.time())
        for trust in self._trusts:
            trust.renew()
