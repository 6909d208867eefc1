"""Elections and claims become Gained and Lost. Pure."""

from hypothesis import given
from hypothesis import strategies as st

from cluster import Epoch, Gained, Lost
from cluster.leadership import Leadership, LeadershipChange, LeadershipFeed


def test_an_election_won_is_not_leadership_yet() -> None:
    leadership = Leadership("n1")
    assert leadership.elected(3) == ()
    assert leadership.epoch is None
    assert leadership.claimed("n1", Epoch(3, 7)) == (Gained(Epoch(3, 7)),)
    assert leadership.epoch == Epoch(3, 7)


def test_a_replayed_claim_of_an_earlier_term_gives_nothing() -> None:
    leadership = Leadership("n1")
    assert leadership.claimed("n1", Epoch(2, 5)) == ()
    leadership.elected(3)
    assert leadership.claimed("n1", Epoch(2, 5)) == ()
    assert leadership.claimed("n2", Epoch(2, 6)) == ()
    assert leadership.epoch is None


def test_stepping_down_loses_it_with_the_reason() -> None:
    leadership = Leadership("n1")
    leadership.elected(3)
    leadership.claimed("n1", Epoch(3, 7))
    assert leadership.deposed("no majority") == (Lost(Epoch(3, 7), "no majority"),)
    assert leadership.deposed("again") == ()
    assert leadership.claimed("n1", Epoch(3, 8)) == ()


def test_another_nodes_claim_loses_it() -> None:
    leadership = Leadership("n1")
    leadership.elected(3)
    leadership.claimed("n1", Epoch(3, 7))
    assert leadership.claimed("n2", Epoch(4, 9)) == (Lost(Epoch(3, 7), "the claim of n2 was applied"),)


def test_lost_and_won_again_at_once_is_lost_then_gained() -> None:
    leadership = Leadership("n1")
    leadership.elected(3)
    leadership.claimed("n1", Epoch(3, 7))
    assert leadership.elected(4) == (Lost(Epoch(3, 7), "elected anew in term 4"),)
    assert leadership.claimed("n1", Epoch(4, 9)) == (Gained(Epoch(4, 9)),)
    assert leadership.claimed("n1", Epoch(4, 10)) == (Lost(Epoch(4, 9), "claimed anew"), Gained(Epoch(4, 10)))


def test_a_consumer_that_never_heard_of_a_leadership_is_spared_it() -> None:
    feed = LeadershipFeed(None)
    feed.push(Gained(Epoch(1, 2)))
    feed.push(Lost(Epoch(1, 2), "x"))
    assert feed.pop() is None


def test_a_feed_begins_with_the_leadership_that_holds() -> None:
    feed = LeadershipFeed(Epoch(1, 2))
    assert feed.pop() == Gained(Epoch(1, 2))
    assert feed.pop() is None


moves = st.lists(
    st.one_of(
        st.tuples(st.just("elected"), st.integers(1, 3)),
        st.tuples(st.just("deposed"), st.just(0)),
        st.tuples(st.just("own"), st.integers(1, 3)),
        st.tuples(st.just("other"), st.integers(1, 3)),
        st.tuples(st.just("read"), st.just(0)),
    )
)


@given(moves)
def test_changes_alternate_and_a_slow_consumer_never_misses_a_loss(moves: list[tuple[str, int]]) -> None:
    leadership, feed = Leadership("n1"), LeadershipFeed(None)
    heard: list[LeadershipChange] = []
    for index, (move, term) in enumerate(moves):
        changes: tuple[LeadershipChange, ...] = ()
        if move == "elected":
            changes = leadership.elected(term)
        elif move == "deposed":
            changes = leadership.deposed("x")
        elif move == "read":
            change = feed.pop()
            if change is not None:
                heard.append(change)
        else:
            changes = leadership.claimed("n1" if move == "own" else "n2", Epoch(term, index))
        for change in changes:
            feed.push(change)
    while (change := feed.pop()) is not None:
        heard.append(change)
    holding: Epoch | None = None
    for change in heard:
        if isinstance(change, Gained):
            assert holding is None
            holding = change.epoch
        else:
            assert holding == change.epoch
            holding = None
    assert holding == leadership.epoch
