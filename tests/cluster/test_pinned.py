"""Another pysyncobj is refused by name."""

from typing import Any

import pytest
from pysyncobj import SyncObj
from pysyncobj.monotonic import monotonic
from pysyncobj.transport import TCPTransport

from cluster import LibraryMismatch
from cluster.pinned import RELEASE, check


def test_the_pinned_release_has_every_name() -> None:
    check(RELEASE, SyncObj, TCPTransport, monotonic)


def test_another_release_is_refused() -> None:
    with pytest.raises(LibraryMismatch, match=r"0\.3\.18 is installed, exactly 0\.3\.17"):
        check("0.3.18", SyncObj, TCPTransport, monotonic)


def test_missing_names_are_listed() -> None:
    class Changed:
        def __init__(self) -> None:
            self.x: Any = None

    with pytest.raises(LibraryMismatch, match=r"_SyncObj__setState.*_SyncObj__raftLog.*_onIncomingMessageReceived"):
        check(RELEASE, Changed, Changed, monotonic)


def test_another_clock_is_refused() -> None:
    with pytest.raises(LibraryMismatch, match="CLOCK_MONOTONIC_RAW"):
        check(RELEASE, SyncObj, TCPTransport, lambda: monotonic() + 0.5)
