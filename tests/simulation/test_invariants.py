"""Each invariant is broken by what it forbids, and by nothing else."""

import pytest

from tests.simulation.invariants import Invariants, LogShadow, Violation


class Disk:
    """Holds the first `size` bytes of a log for certain."""

    def __init__(self, size: int) -> None:
        self.size = size

    def holds(self, size: int) -> bool:
        return size <= self.size


def a_log(*terms: int) -> LogShadow:
    """Entries 1, 2, … of these terms, ten bytes each."""
    log = LogShadow([(b"", 1, 0)], 0)
    for number, term in enumerate(terms):
        log.add(term, 10 * (number + 1))
    return log


def test_one_leader_a_term_also_over_a_restart() -> None:
    invariants = Invariants()
    invariants.leads("n1", 1, 5, a_log(5))
    invariants.leads("n1", 1, 5, a_log(5))
    invariants.leads("n2", 1, 6, a_log(5))
    with pytest.raises(Violation, match="election safety: n2 leads term 5, which n1 led"):
        invariants.leads("n2", 1, 5, a_log(5))
    with pytest.raises(Violation, match="n1 leads term 5, which n1 led before it was restarted"):
        invariants.leads("n1", 2, 5, a_log(5))


def test_an_index_and_a_term_name_one_entry_behind_one_entry() -> None:
    invariants = Invariants()
    invariants.added("n1", (b"a", 2, 1), 0)
    invariants.added("n2", (b"a", 2, 1), 0)
    invariants.added("n3", (b"a", 2, 1), None)  # its log begins there
    invariants.added("n1", (b"b", 2, 2), 0)
    with pytest.raises(Violation, match="log matching: n2 holds other data for entry 2 of term 1"):
        invariants.added("n2", (b"x", 2, 1), 0)
    invariants.added("n1", (b"c", 3, 2), 2)
    with pytest.raises(Violation, match="n2 has entry 3 of term 2 behind term 1, others behind term 2"):
        invariants.added("n2", (b"c", 3, 2), 1)


def test_an_entry_is_committed_when_a_majority_has_it_on_disk() -> None:
    invariants = Invariants()
    logs = {"n1": (a_log(1, 1), Disk(20)), "n2": (a_log(1, 1), Disk(10)), "n3": (a_log(1), Disk(10))}
    voters = [["n1", "n2", "n3"]]
    invariants.took_for_committed("n1", 2, 1, logs, voters)
    with pytest.raises(Violation, match=r"n1 takes entry 3 of term 1 for committed, but of n1, n2, n3 only n1 has it"):
        invariants.took_for_committed("n1", 3, 2, logs, voters)
    logs["n2"][1].size = 20
    invariants.took_for_committed("n1", 3, 2, logs, voters)
    assert invariants.committed == 3


def test_a_committed_entry_never_becomes_another_one_and_is_never_cut() -> None:
    invariants = Invariants()
    logs = {"n1": (a_log(1), Disk(10)), "n2": (a_log(1), Disk(10)), "n3": (a_log(2), Disk(10))}
    voters = [["n1", "n2", "n3"]]
    invariants.took_for_committed("n1", 2, 1, logs, voters)
    with pytest.raises(Violation, match="n3 takes entry 2 of term 2 for committed, n1 one of term 1"):
        invariants.took_for_committed("n3", 2, 1, logs, voters)
    invariants.cut("n3", 2, 2)  # another entry: that is what cutting is for
    with pytest.raises(Violation, match="n2 cuts entry 2 of term 1, which is committed"):
        invariants.cut("n2", 2, 1)


def test_a_new_leader_has_every_committed_entry() -> None:
    invariants = Invariants()
    logs = {"n1": (a_log(1, 1), Disk(20)), "n2": (a_log(1, 1), Disk(20)), "n3": (a_log(1), Disk(10))}
    invariants.took_for_committed("n1", 3, 1, logs, [["n1", "n2", "n3"]])
    invariants.leads("n2", 1, 2, logs["n2"][0])
    with pytest.raises(Violation, match="leader completeness: n3 leads term 3, but entry 3 of term 1 is committed"):
        invariants.leads("n3", 1, 3, logs["n3"][0])


def test_states_and_effects() -> None:
    invariants = Invariants()
    invariants.applied("n1", 5, b"state", "c1")
    invariants.applied("n2", 5, b"state", "c1")
    invariants.restored("n3", 5, b"state")
    with pytest.raises(Violation, match="equal states"):
        invariants.applied("n3", 5, b"other", "c1")
    with pytest.raises(Violation, match="equal states: n3's snapshot"):
        invariants.restored("n3", 5, b"other")
    with pytest.raises(Violation, match="once: n1 applied command c1 at entry 6 and at entry 5"):
        invariants.applied("n1", 6, b"later", "c1")
    invariants.acknowledged("c1", 5, 1)
    with pytest.raises(Violation, match="acknowledged: command c2"):
        invariants.acknowledged("c2", 7, 1)


def test_a_shadow_follows_cuts_and_compactions() -> None:
    log = a_log(1, 1, 2)
    log.cut_from(4)
    log.add(3, 50)
    assert [log.term(index) for index in range(1, 6)] == [0, 1, 1, 3, None]
    log.replace([(b"", 3, 1), (b"", 4, 3)], 20)
    assert (log.first, log.last, log.term(2), log.end(4)) == (3, 4, 1, 20)
    log.replace([(b"", 9, 4), (b"", 10, 4)], 20)
    assert (log.first, log.last, log.term(4)) == (9, 10, None), "a snapshot that it does not lead up to"
