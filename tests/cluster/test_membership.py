"""Who the members are, purely: majorities of two memberships in a row always meet, and no id is given twice."""

from itertools import combinations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster import MemberChangeRefused
from cluster.membership import (
    REMOVED_MAX,
    MemberRecord,
    Membership,
    decode_membership,
    encode_membership,
    initial,
)

THREE = initial((f"n{number}", f"10.0.0.{number}:7101", f"http://n{number}") for number in (1, 2, 3))


def record(number: int) -> MemberRecord:
    return MemberRecord(f"n{number}", f"10.0.0.{number}:7101")


def test_the_first_members_all_vote() -> None:
    assert THREE.voters == THREE.members
    assert THREE.majority == 2
    assert THREE.get("n2") == MemberRecord("n2", "10.0.0.2:7101", "http://n2")
    assert THREE.get("n4") is None


def test_a_new_member_learns_first_and_then_votes() -> None:
    four = THREE.add(record(4))
    assert four.members[:3] == THREE.members
    assert four.voters == THREE.voters
    assert four.majority == 2
    voting = four.promote("n4")
    assert [member.id for member in voting.voters] == ["n1", "n2", "n3", "n4"]
    assert voting.majority == 3
    assert THREE.get("n4") is None  # nothing changes in place


def test_what_is_added_as_a_voter_is_a_learner_all_the_same() -> None:
    added = THREE.add(msgspec.structs.replace(record(4), voter=True)).get("n4")
    assert added is not None
    assert not added.voter


def test_changes_that_cannot_be_are_refused_with_the_reason() -> None:
    with pytest.raises(MemberChangeRefused, match=r"n2 is a member already, at 10\.0\.0\.2:7101"):
        THREE.add(record(2))
    with pytest.raises(MemberChangeRefused, match=r"10\.0\.0\.2:7101 is the address of n2; remove that member first"):
        THREE.add(MemberRecord("n9", "10.0.0.2:7101"))
    with pytest.raises(MemberChangeRefused, match=r"n9 is not a member .n1, n2, n3."):
        THREE.remove("n9")
    with pytest.raises(
        MemberChangeRefused, match=r"n2 was a member and has been removed.*new id and an empty data_dir"
    ):
        THREE.remove("n2").add(record(2))
    alone = THREE.remove("n1").remove("n2")
    with pytest.raises(MemberChangeRefused, match="n3 is the only member that votes"):
        alone.add(record(4)).remove("n3")
    assert alone.add(record(4)).remove("n4").voters == alone.voters


def test_ids_that_were_removed_are_remembered_up_to_a_bound() -> None:
    membership = THREE
    for number in range(4, REMOVED_MAX + 10):
        membership = membership.add(record(number)).remove(f"n{number}")
    assert len(membership.removed) == REMOVED_MAX
    assert membership.removed[-1] == f"n{REMOVED_MAX + 9}"


def test_an_incarnation_once_known_stays() -> None:
    known = THREE.known_as({"n1": "aa", "n9": "bb"})
    assert [member.incarnation for member in known.members] == ["aa", "", ""]
    assert [member.incarnation for member in known.known_as({"n1": "cc", "n2": "dd"}).members] == ["aa", "dd", ""]


def test_its_bytes() -> None:
    membership = THREE.add(record(4)).remove("n1").known_as({"n2": "aa"})
    assert decode_membership(encode_membership(membership)) == membership
    for damaged in (b"", b"\xc1", b"\x91\xc0", msgspec.msgpack.encode([["n1"]])):
        with pytest.raises(msgspec.MsgspecError):
            decode_membership(damaged)


steps = st.lists(st.tuples(st.sampled_from(["add", "promote", "remove"]), st.integers(1, 9)), min_size=1, max_size=25)


def stepped(membership: Membership, step: str, number: int) -> Membership:
    try:
        match step:
            case "add":
                return membership.add(record(number))
            case "remove":
                return membership.remove(f"n{number}")
            case _:
                return membership.promote(f"n{number}")
    except MemberChangeRefused:
        return membership


def majorities(membership: Membership) -> list[set[str]]:
    return [set(some) for some in combinations([member.id for member in membership.voters], membership.majority)]


@given(steps)
def test_any_majority_before_a_change_and_any_after_it_have_a_member_in_common(changes: list[tuple[str, int]]) -> None:
    membership = THREE
    for step, number in changes:
        changed = stepped(membership, step, number)
        assert changed.voters
        for before in majorities(membership):
            for after in majorities(changed):
                assert before & after
        membership = changed


@given(steps)
def test_no_id_and_no_address_is_ever_given_twice(changes: list[tuple[str, int]]) -> None:
    membership, lives, ended = THREE, {"n1", "n2", "n3"}, set[str]()
    for step, number in changes:
        membership = stepped(membership, step, number)
        now = {member.id for member in membership.members}
        ended |= lives - now
        assert not now & ended
        assert ended <= set(membership.removed)
        lives = now
        addresses = [member.address for member in membership.members]
        assert len(set(addresses)) == len(addresses) == len(now)
        assert decode_membership(encode_membership(membership)) == membership
