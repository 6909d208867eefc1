"""Ids: of the shape that was promised, never twice, and not shared by processes."""

import os
import re
from concurrent.futures import ThreadPoolExecutor

from orchestrator.ids import AT_ONCE, new_id


def test_ids_are_never_given_twice() -> None:
    with ThreadPoolExecutor(4) as pool:
        found = [each for made in pool.map(lambda _: [new_id() for _ in range(3 * AT_ONCE)], range(8)) for each in made]
    assert len(set(found)) == len(found) == 24 * AT_ONCE
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in found)


def test_a_fork_draws_its_own() -> None:
    new_id()
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        os.write(write, new_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(read, 32).decode()
    os.close(read)
    os.close(write)
    assert len(theirs) == 32
    assert theirs not in {new_id() for _ in range(2 * AT_ONCE)}
