"""The kinds of runs: which faults strike how often, and under which conditions. Each seed falls to one of them."""

import msgspec


class Scenario(msgspec.Struct, frozen=True):
    """`faults`: their weights, in `kind=weight` words; each is a method of faults.py. `rate`: a second."""

    name: str
    share: int
    """of the seeds"""
    rate: float
    faults: str
    windows: int = 3
    """of turbulence, with calm in between"""
    turbulence_s: tuple[float, float] = (1.0, 2.5)
    """how long such a window is"""
    members: tuple[int, ...] = (3, 3, 3, 3, 5)
    compaction: tuple[int, int] = (20, 60)
    """entries after which the log is compacted"""
    clients: int = 4
    client_gap_s: float = 0.16
    """between two operations of a client, on average"""
    read_share: float = 0.35
    value_bytes: tuple[int, ...] = (0, 0, 40, 3000)
    whom: tuple[int, int, int] = (4, 2, 3)
    """weights of being struck: the leader, a follower, anybody"""

    def weights(self) -> dict[str, float]:
        """The faults' weights."""
        pairs = (word.split("=") for word in self.faults.split())
        return {kind: float(weight) for kind, weight in pairs}


EVERYTHING = """
    crash=3 crash_inside=3 power=2 power_inside=3 power_all=1.5 crash_all=1 pause=3 jump=1
    cut=4 one_way=3 isolate=3 reset=3 late=2 silence=2 delay=2 narrow=1 refuse=1
    full=1 broken=0.7 slow_disk=1 transfer=2.5 compact=3 replace=1.2 add=0.7 remove=0.7
    unheard_transfer=1 minority=0.7 stranded=0.5 forgetful=0.5 amnesia=0.6
"""

SCENARIOS = (
    Scenario("mixed", share=8, rate=2.5, faults=EVERYTHING),
    Scenario(
        "crashes",
        share=3,
        rate=2.5,
        faults="crash=3 crash_inside=4 power=2 power_inside=5 power_all=3 crash_all=2 compact=3 reset=1",
    ),
    Scenario(
        "elections",
        share=3,
        rate=3.0,
        faults="isolate=4 one_way=4 cut=3 transfer=4 pause=4 crash=2 late=2 jump=1 power_inside=2",
    ),
    Scenario(
        "network",
        share=3,
        rate=4.0,
        faults="late=5 reset=5 silence=3 delay=4 narrow=1 cut=3 one_way=3 isolate=2 refuse=1",
    ),
    Scenario(
        "snapshots",
        share=3,
        rate=3.0,
        faults="isolate=5 crash=3 power=3 compact=5 crash_inside=3 power_inside=4 reset=3 narrow=2 power_all=2",
        compaction=(8, 24),
        client_gap_s=0.07,
    ),
    Scenario(
        "members",
        share=2,
        rate=2.5,
        faults="replace=5 amnesia=4 add=4 remove=4 isolate=3 transfer=3 crash=2 power=1 reset=1 pause=1 crash_inside=1",
    ),
    Scenario(
        "disks",
        share=2,
        rate=2.5,
        faults="full=4 broken=3 slow_disk=3 power_inside=10 power_all=2 power=2 crash_inside=2 compact=2",
        value_bytes=(1500, 3000),
    ),
    # A leader that is cut off while clients write to it, with a log that it must give up afterwards.
    Scenario(
        "deposed",
        share=3,
        rate=2.5,
        faults="isolate=8 one_way=3 compact=3 pause=3 crash=2 transfer=1 reset=1",
        turbulence_s=(1.5, 3.0),
        compaction=(8, 30),
        client_gap_s=0.08,
    ),
    # What seldom meets by chance: who still believes what, shortly after leadership has moved.
    Scenario(
        "handovers",
        share=2,
        rate=2.0,
        faults="unheard_transfer=8 transfer=3 delay=1",
        turbulence_s=(1.5, 3.0),
        client_gap_s=0.06,
        read_share=0.5,
    ),
    Scenario(
        "minorities",
        share=2,
        rate=1.0,
        faults="minority=6 transfer=1",
        windows=2,
        turbulence_s=(2.0, 3.0),
        members=(5,),
        clients=8,
        client_gap_s=0.06,
    ),
    Scenario(
        "bursts",
        share=1,
        rate=2.0,
        faults="reset=5 late=3 narrow=3 isolate=2 crash=2 transfer=1",
        turbulence_s=(0.5, 1.0),
        clients=8,
        client_gap_s=0.03,
        read_share=0.1,
        value_bytes=(600,),
    ),
    # One member goes away and comes back, and nothing else happens: nobody may be deposed for that.
    Scenario(
        "returns",
        share=2,
        rate=0.6,
        faults="isolate=5 one_way=2 pause=1",
        turbulence_s=(3.0, 4.0),
        whom=(0, 1, 0),
    ),
    Scenario("votes", share=1, rate=1.0, faults="forgetful=5 crash=1 isolate=1", members=(3,)),
    Scenario(
        "learners",
        share=1,
        rate=1.0,
        faults="stranded=5 remove=2 isolate=1",
        turbulence_s=(2.0, 3.0),
        client_gap_s=0.08,
    ),
)
