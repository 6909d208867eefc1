"""The virtual network delivers in order or closes, and breaks in every way that real ones do."""

from random import Random

import pytest

from cluster.errors import PortInUse
from cluster.reactor import Receiver, Stream
from tests.simulation.agenda import Agenda, HostClock
from tests.simulation.network import Network
from tests.simulation.reactor import SimReactor


class Ear(Receiver):
    """Remembers what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def opened(self) -> None:
        self.heard.append("opened")

    def received(self, data: bytes) -> None:
        self.heard.append(data.decode())

    def closed(self, reason: str) -> None:
        self.heard.append(f"closed: {reason}")


class Listener:
    """Accepts, and remembers the streams with who hears of them."""

    def __init__(self) -> None:
        self.streams: list[tuple[Stream, Ear]] = []

    def accepted(self, stream: Stream) -> Receiver:
        ear = Ear()
        self.streams.append((stream, ear))
        return ear


class Pair:
    """Host a, connected to host b."""

    def __init__(self, seed: int = 1) -> None:
        self.agenda = Agenda()
        self.network = Network(self.agenda, Random(seed), delay_s=(0.001, 0.01))
        self.a, self.b = self.process("a"), self.process("b")
        self.listener, self.ear = Listener(), Ear()
        self.b.listen("b:1", self.listener)
        self.stream: Stream = self.a.dial("b:1", self.ear)
        self.run()
        self.far, self.far_ear = self.listener.streams[0]

    def process(self, host: str) -> SimReactor:
        clock = HostClock(self.agenda, begin=0.0, wall=0.0, rate=1.0)
        reactor: SimReactor

        def ring() -> None:
            self.agenda.after(0.0, reactor.run_arrived)

        reactor = SimReactor(self.network, host, clock, ring)
        return reactor

    def run(self, seconds: float = 1.0) -> None:
        self.agenda.run(self.agenda.now + seconds)


def test_a_stream_delivers_in_order() -> None:
    pair = Pair()
    for number in range(50):
        pair.stream.send(b"%d" % number)
    pair.far.send(b"back")
    pair.run()
    assert pair.far_ear.heard == [str(number) for number in range(50)]
    assert pair.ear.heard == ["opened", "back"]


def test_nobody_listens() -> None:
    pair = Pair()
    ear = Ear()
    pair.a.dial("b:2", ear)
    pair.run()
    assert ear.heard == ["closed: refused"]
    with pytest.raises(PortInUse):
        pair.process("b").listen("b:1", pair.listener)


def test_what_is_sent_before_a_close_arrives_and_then_its_news() -> None:
    pair = Pair()
    pair.stream.send(b"last words")
    pair.stream.close()
    pair.run()
    assert pair.far_ear.heard == ["last words", "closed: closed by the other side"]
    assert pair.ear.heard == ["opened"], "who closes hears nothing any more"


@pytest.mark.parametrize("lose", [0, 1, 2, 3])
def test_a_reset_loses_what_is_under_way_on_the_sides_that_it_names(lose: int) -> None:
    pair = Pair()
    pair.stream.send(b"there")
    pair.far.send(b"back")
    assert pair.network.reset("a", "b", lose=lose) == 1
    pair.run()
    assert pair.far_ear.heard == ([] if lose & 1 else ["there"]) + ["closed: reset"]
    assert pair.ear.heard == ["opened", *([] if lose & 2 else ["back"]), "closed: reset"]


def test_a_cut_holds_one_direction_until_it_heals_or_breaks_the_stream() -> None:
    outcomes = set()
    for seed in range(30):
        pair = Pair(seed)
        pair.network.cut("a", "b")
        pair.stream.send(b"one")
        pair.stream.send(b"two")
        pair.far.send(b"back")
        pair.run()
        assert (pair.far_ear.heard, pair.ear.heard) == ([], ["opened", "back"])
        pair.network.heal("a", "b")
        pair.run()
        outcomes.add(tuple(pair.far_ear.heard))
    assert outcomes == {("one", "two"), ("closed: reset",)}


def test_a_host_that_cannot_be_reached_is_dialled_until_the_kernel_gives_up() -> None:
    pair = Pair()
    pair.network.cut("b", "a")
    early, late = Ear(), Ear()
    pair.a.dial("b:1", early)
    pair.run(5.0)
    assert early.heard == ["closed: timed out"]
    pair.a.dial("b:1", late)
    pair.run(0.5)
    pair.network.heal("b", "a")
    pair.run(0.5)
    assert late.heard == ["opened"]


def test_a_host_without_power_says_nothing_and_forgets_its_streams() -> None:
    pair = Pair()
    pair.network.off.add("b")
    pair.network.end_process(pair.b, power=True)
    pair.stream.send(b"anybody?")
    pair.run()
    assert pair.ear.heard == ["opened"]
    pair.network.off.discard("b")
    pair.stream.send(b"anybody now?")
    pair.run()
    assert pair.ear.heard == ["opened", "closed: reset"]


def test_a_killed_process_has_its_streams_closed_by_its_kernel() -> None:
    pair = Pair()
    pair.far.send(b"last words")
    pair.network.end_process(pair.b, power=False)
    pair.run()
    assert pair.ear.heard == ["opened", "last words", "closed: reset"]


def test_a_half_open_stream_swallows_what_is_sent() -> None:
    pair = Pair()
    assert pair.network.silence("a", "b", both=False) == 1
    pair.stream.send(b"lost")
    pair.far.send(b"heard")
    pair.run()
    assert (pair.far_ear.heard, pair.ear.heard) == ([], ["opened", "heard"])


def test_old_data_arrives_after_the_other_side_has_dialled_anew() -> None:
    pair = Pair()
    (end,) = pair.network.lag("a", "b", 0.5)
    pair.stream.send(b"old")
    pair.network.abandon(end)
    anew = Ear()
    stream = pair.a.dial("b:1", anew)
    pair.run(0.1)
    stream.send(b"new")
    pair.run(0.1)
    assert pair.ear.heard == ["opened", "closed: timed out"]
    assert (pair.listener.streams[1][1].heard, pair.far_ear.heard) == (["new"], [])
    pair.run(1.0)
    assert pair.far_ear.heard == ["old", "closed: reset"]


def test_who_does_not_read_lets_it_pile_up_at_the_sender() -> None:
    agenda_pair = Pair()
    agenda_pair.network.cut("a", "b")
    for _ in range(20):
        agenda_pair.stream.send(bytes(20_000))
    assert agenda_pair.stream.unsent == 400_000 - (128 << 10)


def test_a_narrow_link_takes_its_time() -> None:
    pair = Pair()
    pair.network.link("a", "b").bytes_per_s = 1000.0
    pair.stream.send(b"x" * 500)
    pair.run(0.4)
    assert pair.far_ear.heard == []
    pair.run(0.2)
    assert len(pair.far_ear.heard) == 1
