"""The loss certificate: every frame that was published is settled, dead, dropped or in flight, and none twice.

Two ways that do not share a mistake are held against each other. By number, at one instant of the server: published
minus final frames against the lengths of capture, lanes and queues, counters against the bits of the bitmaps, settled
frames against results ever written. By name: the published bits are read first, then capture, lanes and queues in the
order in which frames travel, then the final bits. Frames that move backwards meanwhile (a returned queue, a retry) can
slip through such a reading, so suspects are read again until what is left stays the same.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator

import msgspec

from framebuffer import bitmaps
from framebuffer.streams import FrameStreams
from framebuffer.wire import CameraCounters, StreamStats

__all__ = ["CameraReport", "LedgerReport", "NamedFrame", "verify"]

Frame = tuple[str, int]
Part = tuple[str, int, str]  # camera, sequence, capability where the frame is one of several parts
Entry = tuple[str, str]  # stream, entry id

_PAGE = 1000
_STABLE_ROUNDS = 3
_INSTANT_MAX = 1000  # suspects that are looked for in one call
_ROUND_PAUSE_S = 0.05


class NamedFrame(msgspec.Struct, frozen=True):
    """A frame that breaks the ledger.

    ``reason``: ``never_arrived`` (a gap below the camera's highest sequence), ``vanished`` (published, not final and
    nowhere), ``in_flight_twice``, ``in_flight_after_final`` or ``two_results``.
    """

    camera_id: str
    sequence: int
    reason: str


class CameraReport(msgspec.Struct, frozen=True):
    """One camera's share of the report."""

    published: int
    settled: int
    dead: int
    dropped: int
    in_flight: int
    lost: int
    duplicates: int
    duplicate_publishes: int  # repeats that the server recognised: harmless
    duplicate_settles: int
    highest: int


class LedgerReport(msgspec.Struct, frozen=True):
    """``published = settled + dead + dropped + in_flight`` + the vanished among ``lost``. Frames are counted exactly;
    the lists name the first ones of each camera. ``problems`` says in words why ``ledger_ok`` is false.
    """

    published: int
    settled: int
    dead: int
    dropped: int
    in_flight: int
    lost: int
    duplicates: int
    ledger_ok: bool
    lost_frames: list[NamedFrame]
    duplicate_frames: list[NamedFrame]
    cameras: dict[str, CameraReport]
    problems: list[str]


async def verify(streams: FrameStreams, *, named_max: int = 100) -> LedgerReport:
    """Read the whole ledger; traffic may go on. Errors: RedisUnavailable, RedisRefused.

    ``named_max``: frames named per camera and kind. Cost: the frames in flight and the results kept are read once,
    more often only while there are suspects.
    """
    problems: list[str] = []
    vanished, twice = await _settled_suspects(streams)
    two_results = await _two_results(streams)
    stats = await streams.stats()
    lost_frames: list[NamedFrame] = []
    duplicate_frames = [NamedFrame(*frame, reason) for frame, reason in sorted({**twice, **two_results}.items())]
    cameras: dict[str, CameraReport] = {}
    for camera, counters in sorted(stats.cameras.items()):
        own = sorted(frame for frame in vanished if frame[0] == camera)
        gaps = counters.highest + 1 - counters.published
        if gaps > 0:
            names = await _gaps(streams, camera, named_max)
            lost_frames += [NamedFrame(camera, sequence, "never_arrived") for sequence in names]
        lost_frames += [NamedFrame(*frame, "vanished") for frame in own[:named_max]]
        duplicates = sum(frame.camera_id == camera for frame in duplicate_frames)
        cameras[camera] = _camera(counters, len(own), max(gaps, 0), duplicates)
        problems += await _disagreements(streams, camera)
    problems += _by_number(stats, len(vanished), [frame for frame in duplicate_frames if frame.reason != "two_results"])
    lost = sum(camera.lost for camera in cameras.values())
    duplicates = max(len(duplicate_frames), stats.results_added - _total(stats, "results"))
    if lost:
        problems.insert(0, f"{lost} frames are lost")
    if duplicates:
        problems.insert(0, f"{duplicates} frames are there twice")
    return LedgerReport(
        published=_total(stats, "published"),
        settled=_total(stats, "settled"),
        dead=_total(stats, "dead"),
        dropped=_total(stats, "dropped"),
        in_flight=sum(camera.in_flight for camera in cameras.values()),
        lost=lost,
        duplicates=duplicates,
        ledger_ok=not problems,
        lost_frames=lost_frames,
        duplicate_frames=_bounded(duplicate_frames, named_max),
        cameras=cameras,
        problems=problems,
    )


def _camera(counters: CameraCounters, vanished: int, gaps: int, duplicates: int) -> CameraReport:
    return CameraReport(
        published=counters.published,
        settled=counters.settled,
        dead=counters.dead,
        dropped=counters.dropped,
        in_flight=counters.in_flight - vanished,
        lost=vanished + gaps,
        duplicates=duplicates,
        duplicate_publishes=counters.duplicate_publishes,
        duplicate_settles=counters.duplicate_settles,
        highest=counters.highest,
    )


def _total(stats: StreamStats, name: str) -> int:
    return sum(getattr(counters, name) for counters in stats.cameras.values())


def _bounded(frames: list[NamedFrame], named_max: int) -> list[NamedFrame]:
    seen: dict[str, int] = defaultdict(int)
    kept = []
    for frame in frames:
        seen[frame.camera_id] += 1
        if seen[frame.camera_id] <= named_max:
            kept.append(frame)
    return kept


# -- by number ------------------------------------------------------------------------------------------------------


def _by_number(stats: StreamStats, vanished: int, extra: list[NamedFrame]) -> list[str]:
    """What the numbers of one instant say, beyond the frames that were named already."""
    problems = []
    owed = sum(counters.in_flight + counters.surplus for counters in stats.cameras.values())
    if stats.in_flight != owed and not vanished and not extra:
        problems.append(f"{owed} frames should be in flight, capture, lanes and queues hold {stats.in_flight}")
    results = _total(stats, "results")
    if stats.results_added < results:
        problems.append(f"{results} results were counted, but only {stats.results_added} were ever written")
    if stats.dead_len != stats.dead_owed:
        problems.append(f"{stats.dead_owed} dead frames should be kept, {stats.dead_len} are")
    return problems


async def _disagreements(streams: FrameStreams, camera: str) -> list[str]:
    """Counters against bitmaps, both of one instant."""
    ledger = await streams.camera_ledger(camera)
    published, *final = ledger.counters
    problems = []
    published_bits = ledger.complete * ledger.segment_size + sum(bitmaps.count(one) for one, _ in ledger.bits)
    final_bits = ledger.complete * ledger.segment_size + sum(bitmaps.count(one) for _, one in ledger.bits)
    if published != published_bits:
        problems.append(f"camera {camera}: counted {published} published, the bits say {published_bits}")
    if sum(final) != final_bits - ledger.replaying:
        problems.append(f"camera {camera}: counted {sum(final)} final, the bits say {final_bits - ledger.replaying}")
    return problems


# -- by name --------------------------------------------------------------------------------------------------------


async def _settled_suspects(streams: FrameStreams) -> tuple[set[Frame], dict[Frame, str]]:
    """Vanished frames, and those in flight that should not be (with the reason), once they stay the same."""
    vanished, twice = await _suspects(streams)
    stable = 1
    while (vanished or twice) and stable < _STABLE_ROUNDS:
        await asyncio.sleep(_ROUND_PAUSE_S)
        again_vanished, again_twice = await _suspects(streams)
        still = vanished & again_vanished
        still_twice = {frame: again_twice[frame] for frame in twice.keys() & again_twice.keys()}
        # One that is new belongs to a move of this round; one that is truly lost shows up in every round.
        stable = stable + 1 if (still, still_twice.keys()) == (vanished, twice.keys()) else 1
        vanished, twice = still, still_twice
    # Frames that keep moving backwards can slip through every reading: the last word is that of one instant.
    return await streams.missing(sorted(vanished)[:_INSTANT_MAX]) | set(sorted(vanished)[_INSTANT_MAX:]), twice


async def _suspects(streams: FrameStreams) -> tuple[set[Frame], dict[Frame, str]]:
    owed: set[Frame] = set()
    finals: dict[tuple[str, int], bytes | None] = {}  # None: the segment is complete
    sizes: dict[str, int] = {}
    again: set[Frame] = set()  # dead once, under way again: their final bits do not count
    stats = await streams.stats()
    for camera in stats.cameras:
        ledger = await streams.camera_ledger(camera)
        sizes[camera] = ledger.segment_size
        if ledger.replaying:
            again |= {(camera, sequence) for sequence in await streams.replaying(camera)}
        for segment in ledger.live:
            bits = await streams.segment_bits(camera, segment, ledger.segment_size)
            finals[camera, segment] = None if bits.complete else bits.final
            open_bits = bitmaps.and_not(bits.published, bits.final)
            offset = segment * ledger.segment_size
            owed.update((camera, sequence) for sequence in bitmaps.sequences(open_bits, offset))

    seen: dict[Frame, dict[str, list[Entry]]] = defaultdict(dict)
    async for (camera, sequence, part), entry in _in_flight(streams):
        seen[camera, sequence].setdefault(part, []).append(entry)

    vanished = await _still_open(streams, owed - seen.keys(), sizes)
    for camera in {camera for camera, _ in again - seen.keys()}:
        vanished |= {(camera, sequence) for sequence in await streams.replaying(camera)} & (again - seen.keys())

    twice: dict[Frame, str] = {}
    for frame, parts in seen.items():
        camera, sequence = frame
        known = sizes.get(camera)  # none: the camera was opened after the ledger was read
        if any([len(one) > 1 and sum(await streams.existing(one)) > 1 for one in parts.values()]):
            twice[frame] = "in_flight_twice"
        elif (
            known
            and _was_final(finals, camera, sequence, known, stats.cameras[camera])
            and frame not in again
            and not await _is_replayed(streams, frame)
        ):
            twice[frame] = "in_flight_after_final"
    return vanished, twice


async def _still_open(streams: FrameStreams, missing: set[Frame], sizes: dict[str, int]) -> set[Frame]:
    """Those of the frames that have not become final meanwhile."""
    by_segment: dict[tuple[str, int], set[Frame]] = defaultdict(set)
    for camera, sequence in missing:
        by_segment[camera, sequence // sizes[camera]].add((camera, sequence))
    found: set[Frame] = set()
    for (camera, segment), frames in by_segment.items():
        size = sizes[camera]
        bits = await streams.segment_bits(camera, segment, size)
        if not bits.complete:
            found |= {frame for frame in frames if not _is_set(bits.final, frame[1] - segment * size)}
    return found


async def _is_replayed(streams: FrameStreams, frame: Frame) -> bool:
    """Whether the frame was sent on its way again after the ledger was read."""
    return frame[1] in await streams.replaying(frame[0])


def _was_final(
    finals: dict[tuple[str, int], bytes | None], camera: str, sequence: int, size: int, counters: CameraCounters
) -> bool:
    """Whether the frame was final before the streams were read."""
    segment = sequence // size
    if (camera, segment) not in finals:
        # Above what was known at the time: a new frame. Below: its segment was complete.
        return sequence <= counters.highest
    final = finals[camera, segment]
    return final is None or _is_set(final, sequence - segment * size)


def _is_set(bits: bytes, position: int) -> bool:
    byte = position // 8
    return byte < len(bits) and bool(bits[byte] & (0x80 >> position % 8))


async def _in_flight(streams: FrameStreams) -> AsyncIterator[tuple[Part, Entry]]:
    """Every frame of capture, then lanes, then queues: the way frames go, so that none overtakes the reading.

    Which streams there are is asked anew at each step: a frame may just have opened one.
    """
    for kind in ("capture", "lane:", "ready:"):
        for place in sorted((await streams.stats()).places):
            if place.startswith(kind):
                async for found in _entries(streams, place):
                    yield found


async def _entries(streams: FrameStreams, stream: str) -> AsyncIterator[tuple[Part, Entry]]:
    after = ""
    while page := await streams.scan(stream, after, count=_PAGE):
        for one in page:
            if one.sequence >= 0:  # else it is not a frame
                yield (one.camera_id, one.sequence, one.part), (stream, one.entry_id)
        after = page[-1].entry_id


async def _two_results(streams: FrameStreams) -> dict[Frame, str]:
    """Frames with more than one result among those that are kept. Older ones are covered by number."""
    seen: set[Part] = set()
    twice: dict[Frame, str] = {}
    async for part, _ in _entries(streams, "results"):
        if part in seen:
            twice[part[0], part[1]] = "two_results"
        seen.add(part)
    return twice


async def _gaps(streams: FrameStreams, camera: str, named_max: int) -> list[int]:
    """The first sequences that never arrived, below the highest that did."""
    ledger = await streams.camera_ledger(camera)
    names: list[int] = []
    for segment in ledger.live:
        bits = await streams.segment_bits(camera, segment, ledger.segment_size)
        if bits.complete:
            continue
        offset = segment * ledger.segment_size
        expected = bitmaps.first(min(ledger.segment_size, ledger.highest + 1 - offset))
        for sequence in bitmaps.sequences(bitmaps.and_not(expected, bits.published), offset):
            names.append(sequence)
            if len(names) == named_max:
                return names
    return names
