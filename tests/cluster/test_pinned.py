"""Another pysyncobj is refused by name."""

import types
from typing import Any

import pysyncobj.syncobj
import pytest
from pysyncobj import SyncObj

from cluster import LibraryMismatch
from cluster.pinned import RELEASE, check


def test_the_pinned_release_has_every_name() -> None:
    check(RELEASE, SyncObj, pysyncobj.syncobj)


def test_another_release_is_refused() -> None:
    with pytest.raises(LibraryMismatch, match=r"0\.3\.18 is installed, exactly 0\.3\.17"):
        check("0.3.18", SyncObj, pysyncobj.syncobj)


def test_missing_names_are_listed() -> None:
    class Changed:
        def __init__(self) -> None:
            self.x: Any = None

    with pytest.raises(LibraryMismatch, match=r"_SyncObj__setState.*_SyncObj__raftLog.*monotonicTime"):
        check(RELEASE, Changed, types.ModuleType("changed"))
