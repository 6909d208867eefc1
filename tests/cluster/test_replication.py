"""Log matching. Pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster import LogDiverged
from cluster.replication import Accept, Refuse, match
from cluster.snapshot_codec import Entry


def entries(first: int, *terms: int) -> list[Entry]:
    return [(b"", first + position, term) for position, term in enumerate(terms)]


def test_a_gap_is_refused_with_where_to_send_from() -> None:
    assert match(entries(1, 1, 1), 1, 5, 1, []) == Refuse(3)
    assert match(entries(1, 1, 1), 1, 3, 1, []) == Refuse(3)


def test_a_conflict_steps_over_its_whole_term_but_not_below_the_commit_index() -> None:
    log = entries(1, 1, 2, 2, 2)
    assert match(log, 1, 4, 3, []) == Refuse(2)
    assert match(log, 2, 4, 3, []) == Refuse(3)


def test_new_entries_are_appended() -> None:
    new = entries(3, 2, 2)
    assert match(entries(1, 1, 1), 1, 2, 1, new) == Accept(None, new, 4)


def test_entries_sent_again_cut_nothing() -> None:
    log = entries(1, 1, 1, 1, 1)
    assert match(log, 1, 1, 1, entries(2, 1, 1)) == Accept(None, (), 3)
    assert match(log, 1, 2, 1, []) == Accept(None, (), 2)


def test_only_the_first_real_conflict_is_cut() -> None:
    new = entries(2, 1, 3, 3)
    assert match(entries(1, 1, 1, 2, 2), 1, 1, 1, new) == Accept(3, new[1:], 4)


def test_what_is_committed_here_is_matched_without_looking_and_never_cut() -> None:
    log = entries(5, 2, 2, 2)  # 1 to 4 are in a snapshot
    assert match(log, 6, 2, 1, entries(3, 1, 1, 2, 2)) == Accept(None, (), 6)
    assert match(log, 6, 1, 9, []) == Accept(None, (), 6)
    with pytest.raises(LogDiverged, match="index 6"):
        match(log, 6, 5, 2, entries(6, 3))


logs = st.lists(st.integers(0, 2), min_size=1, max_size=8).map(
    lambda steps: [sum(steps[: position + 1]) for position in range(len(steps))]
)


@given(mine=logs, theirs=logs, common=st.integers(1, 8), commit=st.integers(1, 8), data=st.data())
def test_after_acceptance_the_log_is_the_leaders_up_to_matched(
    mine: list[int], theirs: list[int], common: int, commit: int, data: st.DataObject
) -> None:
    """Both logs share a prefix and differ in every term after it; what is committed lies in the prefix."""
    prefix = [1] * common
    mine_log = entries(1, *prefix, *(2 * term + 2 for term in mine))
    leader_log = entries(1, *prefix, *(2 * term + 3 for term in theirs))
    commit = min(commit, common)
    prev = data.draw(st.integers(1, len(leader_log)))
    count = data.draw(st.integers(0, len(leader_log) - prev))
    sent = leader_log[prev : prev + count]
    result = match(mine_log, commit, prev, leader_log[prev - 1][2], sent)
    if isinstance(result, Refuse):
        assert commit < result.next_index <= max(prev, len(mine_log) + 1)
        assert prev > common
        return
    after = list(mine_log)
    if result.cut_from is not None:
        assert result.cut_from > common >= commit
        del after[result.cut_from - 1 :]
    after += result.add
    assert result.matched >= max(commit, prev + count)
    assert after[: result.matched] == leader_log[: result.matched]
    assert [entry[1] for entry in after] == list(range(1, len(after) + 1))
    again = match(after, commit, prev, leader_log[prev - 1][2], sent)
    assert again == Accept(None, (), result.matched)
