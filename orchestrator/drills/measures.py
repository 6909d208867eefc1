"""From what was seen of a drill to its figures. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from orchestrator.drills.recorded import Beat, Effect, Epoch, LedgerCounts, Recorded, Sighting

__all__ = [
    "Figures",
    "longest_gap",
    "measure",
    "rate",
    "shared_epochs",
    "stale_and_double",
    "takeover",
    "where_longest",
]


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What is judged. Seconds and counts; None where there is nothing to measure it by.

    `takeover_s`: from the fault to the first answer of a node that it leads under a new epoch. The gaps: the longest
    time between two frames that reached a processor, two publish calls that were acknowledged, from the fault on;
    `…_before_s`: the same before the fault, with nothing done. `recovery_s`: from healing until the plant is as before.
    `lost`: frames that the ledger misses, and frames a camera was told are stored that it does not know, camera by
    camera. `unconfirmed`: frames that the ledger has of a camera which was not told so. `dead`, `dropped`, `settled`:
    of the drill's cameras, in the drill's time; `in_flight`: of theirs, when the drill stopped waiting for them.
    `ordered_effects`: of runs that succeeded.
    """

    takeover_s: float | None
    dispatch_gap_s: float
    publish_gap_s: float
    dispatch_gap_before_s: float
    publish_gap_before_s: float
    recovery_s: float | None
    lost: int | None
    duplicates: int | None
    unconfirmed: int | None
    dead: int | None
    dropped: int | None
    in_flight: int | None
    settled: int | None
    ordered_effects: int
    stale_effects: int
    double_effects: int
    missing_effects: int
    unfinished_runs: int
    leadership_changes: int
    shared_epochs: tuple[str, ...]
    linearizable: bool | None


def measure(seen: Recorded) -> Figures:
    """All figures of one drill."""
    new = new_epochs(seen)
    stale, double = stale_and_double(seen.effects)
    done = {effect.tag for effect in seen.effects}
    lost, duplicates, unconfirmed = _ledger(seen)
    own = ledger_since(seen)
    return Figures(
        takeover_s=takeover(seen),
        dispatch_gap_s=longest_gap(seen.arrived, seen.at, seen.ended),
        publish_gap_s=longest_gap(seen.published, seen.at, seen.ended),
        dispatch_gap_before_s=longest_gap(seen.arrived, seen.began, seen.at),
        publish_gap_before_s=longest_gap(seen.published, seen.began, seen.at),
        recovery_s=None if seen.settled is None else seen.settled - seen.healed,
        lost=lost,
        duplicates=duplicates,
        unconfirmed=unconfirmed,
        dead=None if own is None else own.dead,
        dropped=None if own is None else own.dropped,
        in_flight=None if own is None else own.in_flight,
        settled=None if own is None else own.settled,
        ordered_effects=len(set(seen.wanted)),
        stale_effects=stale,
        double_effects=double,
        missing_effects=len(set(seen.wanted) - done),
        unfinished_runs=len(seen.unfinished),
        leadership_changes=len(new),
        shared_epochs=shared_epochs([*seen.leaderships, *_led(seen.sightings)]),
        linearizable=seen.linearizable,
    )


def longest_gap(beats: Sequence[Beat], since: float, until: float) -> float:
    """Length of `where_longest`."""
    start, end = where_longest(beats, since, until)
    return end - start


def where_longest(beats: Sequence[Beat], since: float, until: float) -> tuple[float, float]:
    """(start, end) of the longest time without a beat that ends after `since` and begins before `until`; one that is
    open at either side is counted as far as it is known. `beats` need no order.
    """
    longest, last = (since, since), None
    for beat in sorted(beats):
        start = since if last is None else last
        if beat.first > since and start < until:
            longest = max(longest, (start, min(beat.first, until)), key=_length)
        last = beat.last if last is None else max(last, beat.last)
    return max(longest, (since if last is None else last, until), key=_length)


def _length(gap: tuple[float, float]) -> float:
    return gap[1] - gap[0]


def rate(beats: Iterable[Beat], since: float, until: float) -> float:
    """Happenings a second between two times."""
    inside = sum(beat.number for beat in beats if since <= beat.first < until)
    return inside / (until - since) if until > since else 0.0


def takeover(seen: Recorded) -> float | None:
    """Seconds from the fault to the first leader of an epoch that none had claimed before it; None: there was none."""
    old = _epoch_before(seen)
    for sighting in sorted(seen.sightings):
        if sighting.at > seen.at and sighting.epoch is not None and sighting.state == "leads" and sighting.epoch > old:
            return sighting.at - seen.at
    return None


def new_epochs(seen: Recorded) -> list[Epoch]:
    """Epochs after the fault, by whoever knows of them."""
    old = _epoch_before(seen)
    known = {epoch for epoch, _ in [*seen.leaderships, *_led(seen.sightings)]}
    return sorted(epoch for epoch in known if epoch > old)


def _epoch_before(seen: Recorded) -> Epoch:
    before = _led(one for one in seen.sightings if one.at <= seen.at)
    return max((epoch for epoch, _ in before), default=(0, 0))


def _led(sightings: Iterable[Sighting]) -> list[tuple[Epoch, str]]:
    return [(one.epoch, one.node) for one in sightings if one.state == "leads" and one.epoch is not None]


def shared_epochs(leaders: Iterable[tuple[Epoch, str]]) -> tuple[str, ...]:
    """Epochs that more than one node led under, each with the nodes: `4.17: n1, n2`. There must be none."""
    nodes: dict[Epoch, set[str]] = defaultdict(set)
    for epoch, node in leaders:
        nodes[epoch].add(node)
    return tuple(
        f"{epoch[0]}.{epoch[1]}: {', '.join(sorted(found))}" for epoch, found in sorted(nodes.items()) if len(found) > 1
    )


def stale_and_double(effects: Sequence[Effect]) -> tuple[int, int]:
    """(effects under an older epoch than one carried out before, effects beyond the first of their tag).

    `effects` in the order in which they were carried out.
    """
    stale, newest = 0, (0, 0)
    for effect in effects:
        stale += effect.epoch < newest
        newest = max(newest, effect.epoch)
    return stale, sum(number - 1 for number in Counter(effect.tag for effect in effects).values())


def _ledger(seen: Recorded) -> tuple[int | None, int | None, int | None]:
    """(lost, with two results, unconfirmed); None where the ledger could not be read at the end."""
    after, before = seen.after, seen.before
    if after is None:
        return None, None, None
    own = _since(after, before)
    missed = max(0, after.lost - before.lost)
    # Camera by camera: what one of them lost is not made up for by another's surplus.
    names = {*own.cameras, *seen.confirmed}
    differences = [seen.confirmed.get(name, 0) - own.cameras.get(name, 0) for name in names]
    # The ledger does not count what it misses as published: what it misses and a camera was told is lost once.
    unknown = max(0, sum(one for one in differences if one > 0) - missed)
    unconfirmed = -sum(one for one in differences if one < 0)
    return missed + unknown, max(0, after.duplicates - before.duplicates), unconfirmed


def _since(after: LedgerCounts, before: LedgerCounts) -> LedgerCounts:
    """What has come since `before`; in flight as it is now."""
    return msgspec.structs.replace(
        after,
        published=after.published - before.published,
        settled=after.settled - before.settled,
        dead=after.dead - before.dead,
        dropped=after.dropped - before.dropped,
        cameras={name: number - before.cameras.get(name, 0) for name, number in after.cameras.items()},
    )


def ledger_since(seen: Recorded) -> LedgerCounts | None:
    """The drill's own share of the ledger; None where it could not be read at the end."""
    return None if seen.after is None else _since(seen.after, seen.before)
