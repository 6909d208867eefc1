"""What happens in a run, drawn from its seed alone: conditions, faults and clients' operations, as plain data.

A fault carries its own end, and names members by slot (0, 1, 2 …) or as LEADER or FOLLOWER of the moment, so that any of
them can be left out and the rest still makes sense: that is how a failing plan is made shorter.
"""

from random import Random
from typing import Any

import msgspec

LEADER, FOLLOWER = -1, -2
"""whoever leads when the fault strikes, and somebody who does not"""

OPERATIONS = ("write", "compare_and_set", "read")


class Step(msgspec.Struct, frozen=True):
    """Something that happens at a virtual time."""

    at: float
    kind: str
    args: tuple[Any, ...]

    def __str__(self) -> str:
        return f"{self.at:8.4f}  {self.kind} {' '.join(_text(argument) for argument in self.args)}"


class Conditions(msgspec.Struct, frozen=True):
    """What stays the same for the whole run. Durations in seconds."""

    members: int
    clients: int
    compaction_entries: int
    heartbeat_s: float
    election_min_s: float
    election_max_s: float
    step_down_s: float
    connection_timeout_s: float
    delay_s: tuple[float, float]
    """a message's shortest and longest way"""
    sync_s: float
    """how long an fsync takes"""
    drift: float
    """how far the hosts' clocks run apart: the fastest by so much, the slowest as much the other way"""
    value_bytes: int
    """what some commands carry besides their value"""
    command_bytes_max: int
    batch_entries: int
    """entries in one message"""
    batch_bytes: int
    """bytes in one encrypted record of messages"""
    chunk_bytes: int
    """bytes in one part of a snapshot"""


class Plan(msgspec.Struct, frozen=True):
    """A run. `heal_at`: when every fault ends; the members must then agree within `CALM_S` (see world.py)."""

    seed: int
    scenario: str
    conditions: Conditions
    steps: tuple[Step, ...]
    heal_at: float


class Scenario(msgspec.Struct, frozen=True):
    """How often which fault strikes: faults a second of turbulence, and their weights."""

    name: str
    share: int
    """of the seeds"""
    rate: float
    weights: dict[str, float]
    client_gap_s: float = 0.12
    """between two operations of a client, on average"""
    compaction: tuple[int, int] = (20, 60)
    turbulence_s: tuple[float, float] = (1.0, 2.5)
    windows: int = 3
    members: tuple[int, ...] = (3, 3, 3, 3, 5)
    read_share: float = 0.35
    value_bytes: tuple[int, ...] = (0, 0, 40, 3000)
    clients: int = 4
    whom: tuple[int, int, int] = (4, 2, 3)
    """weights: the leader, a follower, anybody"""


_ALL: dict[str, float] = {
    "crash": 3, "crash_inside": 3, "power": 2, "power_inside": 3, "power_all": 1.5, "crash_all": 1, "pause": 3, "jump": 1,
    "cut": 4, "one_way": 3, "isolate": 3, "reset": 3, "late": 2, "silence": 2, "delay": 2, "narrow": 1, "refuse": 1,
    "full": 1, "broken": 0.7, "slow_disk": 1, "transfer": 2.5, "compact": 3, "replace": 1.2, "add": 0.7, "remove": 0.7,
    "unheard_transfer": 1, "minority": 0.7, "stranded": 0.5, "forgetful": 0.5,
}  # fmt: skip


def _only(**weights: float) -> dict[str, float]:
    return weights


SCENARIOS = (
    Scenario("mixed", 8, 2.5, _ALL),
    Scenario("crashes", 3, 2.5, _only(crash=3, crash_inside=4, power=2, power_inside=5, power_all=3, crash_all=2, compact=3, reset=1)),
    Scenario("elections", 3, 3.0, _only(isolate=4, one_way=4, cut=3, transfer=4, pause=4, crash=2, late=2, jump=1, power_inside=2)),
    Scenario("network", 3, 4.0, _only(late=5, reset=5, silence=3, delay=4, narrow=1, cut=3, one_way=3, isolate=2, refuse=1)),
    Scenario(
        "snapshots", 3, 3.0, _only(isolate=5, crash=3, power=3, compact=5, crash_inside=3, power_inside=4, reset=3, narrow=2, power_all=2),
        client_gap_s=0.07, compaction=(8, 24),
    ),
    Scenario("members", 2, 2.5, _only(replace=5, add=4, remove=4, isolate=3, transfer=3, crash=2, power=1, reset=1, pause=1, crash_inside=1)),
    Scenario(
        "disks", 2, 2.5, _only(full=4, broken=3, slow_disk=3, power_inside=7, power_all=3, power=2, crash_inside=2, compact=2),
        value_bytes=(600, 3000),
    ),
    # A leader that is cut off while clients write to it, again and again, with a log that it must give up afterwards.
    Scenario(
        "deposed", 3, 2.5, _only(isolate=8, one_way=3, compact=3, pause=3, transfer=1, reset=1), client_gap_s=0.08, compaction=(8, 30),
        turbulence_s=(1.5, 3.0),
    ),
    # What proves little by chance: who still believes what, shortly after leadership has moved.
    Scenario("handovers", 2, 2.0, _only(unheard_transfer=8, transfer=3, delay=1), client_gap_s=0.06, turbulence_s=(1.5, 3.0), read_share=0.5),
    Scenario(
        "minorities", 2, 1.0, _only(minority=6, transfer=1), client_gap_s=0.06, turbulence_s=(2.0, 3.0), members=(5,), clients=8,
        windows=2,
    ),
    Scenario(
        "bursts", 1, 2.0, _only(reset=5, late=3, narrow=3, isolate=2, crash=2, transfer=1), client_gap_s=0.03, turbulence_s=(0.5, 1.0),
        clients=8, value_bytes=(600,), read_share=0.1,
    ),
    Scenario("returns", 2, 0.6, _only(isolate=5, one_way=2, pause=1), whom=(0, 1, 0), turbulence_s=(3.0, 4.0)),
    Scenario("votes", 1, 1.0, _only(forgetful=5, crash=1, isolate=1), members=(3,)),
    Scenario("learners", 1, 1.0, _only(stranded=5, remove=2, isolate=1), client_gap_s=0.08, turbulence_s=(2.0, 3.0)),
)  # fmt: skip


def draw(seed: int, scenario: str | None = None) -> Plan:
    """The plan of a seed, of the scenario that the seed falls to unless one is named."""
    random = Random(f"plan {seed}")
    chosen = random.choices(SCENARIOS, [entry.share for entry in SCENARIOS])[0]
    if scenario is not None:
        chosen = next(entry for entry in SCENARIOS if entry.name == scenario)
    conditions = _conditions(random, chosen)
    steps: list[Step] = []
    at = 1.0 + random.random() * 0.5  # time for a first leader
    for _ in range(chosen.windows):
        until = at + random.uniform(*chosen.turbulence_s)
        while True:
            at += random.expovariate(chosen.rate)
            if at >= until:
                break
            steps.append(_fault(random, at, chosen, conditions))
        at = until + random.uniform(0.8, 1.6)
    steps += _operations(random, chosen, at)
    steps.sort(key=lambda step: step.at)
    return Plan(seed, chosen.name, conditions, tuple(steps), at)


def _conditions(random: Random, scenario: Scenario) -> Conditions:
    heartbeat = random.choice((0.05, 0.07, 0.09))
    shortest = random.choice((0.0001, 0.0005, 0.002))
    election = heartbeat * random.uniform(4.0, 6.0)
    return Conditions(
        members=random.choice(scenario.members),
        clients=scenario.clients,
        compaction_entries=random.randint(*scenario.compaction),
        heartbeat_s=heartbeat,
        election_min_s=election,
        election_max_s=election * 2,
        step_down_s=election * random.uniform(0.9, 1.2),
        connection_timeout_s=random.choice((1.2, 1.2, 2.5)),
        delay_s=(shortest, shortest * random.choice((2, 5, 8))),
        sync_s=random.choice((0.0, 0.0002, 0.001, 0.004)),
        drift=random.choice((0.0, 0.0002, 0.01)),
        value_bytes=random.choice(scenario.value_bytes),
        command_bytes_max=random.choice((8192, 1 << 20)),
        batch_entries=random.choice((1, 3, 10_000)),
        batch_bytes=random.choice((500, 1 << 18)),
        chunk_bytes=random.choice((1000, 8000, 1 << 18)),
    )


def _who(random: Random, scenario: Scenario, conditions: Conditions) -> int:
    return random.choices((LEADER, FOLLOWER, random.randrange(conditions.members)), scenario.whom)[0]


def _two(random: Random, conditions: Conditions) -> tuple[int, int]:
    if random.random() < 0.6:
        return (LEADER, FOLLOWER) if random.random() < 0.5 else (FOLLOWER, LEADER)
    one, other = random.sample(range(conditions.members), 2)
    return one, other


def _short(random: Random) -> float:
    return round(random.choice((0.02, 0.1, 0.2, 0.4, 0.9)) * random.uniform(0.5, 1.5), 4)


def _fault(random: Random, at: float, scenario: Scenario, conditions: Conditions) -> Step:  # noqa: C901 - one table
    kind = random.choices(list(scenario.weights), list(scenario.weights.values()))[0]
    who, lasts = _who(random, scenario, conditions), _short(random)
    args: tuple[Any, ...]
    if kind in ("crash", "power", "pause", "isolate", "refuse", "full"):
        args = (who, lasts)
    elif kind in ("crash_inside", "power_inside"):
        # Most of a member's disk calls are for single entries: aim at the rarer ones, too.
        after = random.choice(("", "", "snapshot", "journal", "vote"))
        args = (who, random.randrange(12 if after == "snapshot" else 7), after, lasts)
    elif kind in ("crash_all", "power_all"):
        args = (tuple(round(random.uniform(0.02, 0.4), 4) for _ in range(conditions.members)),)
    elif kind == "jump":
        args = (who, random.choice((0.0, 0.05, 0.5, 5.0, 3600.0)), random.choice((-7200.0, -1.0, 0.0, 1.0, 86400.0)))
    elif kind == "cut":
        slots = list(range(conditions.members))
        random.shuffle(slots)
        border = random.randint(1, conditions.members - 1)
        args = (tuple(sorted(slots[:border])), tuple(sorted(slots[border:])), lasts)
    elif kind == "one_way":
        args = (*_two(random, conditions), lasts)
    elif kind in ("reset", "late", "silence", "delay", "narrow"):
        args = (*_two(random, conditions), *_of_streams(random, kind, lasts))
    elif kind == "broken":
        args = (who,)
    elif kind == "slow_disk":
        args = (who, random.choice((0.01, 0.05, 0.2)), lasts)
    elif kind == "transfer":
        args = (random.choice((FOLLOWER, random.randrange(conditions.members))),)
    elif kind == "compact":
        args = (random.choice((LEADER, FOLLOWER, random.randrange(conditions.members))),)
    elif kind == "unheard_transfer":
        args = (FOLLOWER, random.choice((0.0, 0.001, 0.003)), round(random.uniform(0.1, 0.5), 3), round(random.uniform(0.2, 0.7), 3))
    elif kind == "minority":
        args = (round(random.uniform(1.0, 1.8), 3),)
    elif kind == "forgetful":
        args = (round(random.uniform(1.0, 2.0), 3), round(random.uniform(0.02, 0.1), 3))
    elif kind == "stranded":
        args = (0, round(random.uniform(0.1, 0.4), 3), round(random.uniform(0.6, 1.5), 3))
    else:
        args = (random.randrange(conditions.members),)  # replace, add, remove
    return Step(round(at, 4), kind, args)


def _of_streams(random: Random, kind: str, lasts: float) -> tuple[Any, ...]:
    if kind == "reset":
        return (random.randrange(4),)
    if kind == "late":
        return (random.choice((0.05, 0.2, 0.5, 1.0)), random.choice((0.0, 0.01, 0.1, 0.3)))
    if kind == "silence":
        return (random.random() < 0.5,)
    if kind == "delay":
        return (random.choice((0.005, 0.03, 0.1, 0.4)), lasts)
    return (random.choice((20_000.0, 100_000.0)), lasts)


def _operations(random: Random, scenario: Scenario, until: float) -> list[Step]:
    steps = []
    value = 0
    for client in range(scenario.clients):
        at = 0.4 + random.random() * 0.3
        while at < until:
            value += 1
            key = random.choice("abc")
            luck = random.randrange(1 << 30)
            at = round(at, 4)
            drawn = random.random()
            if drawn < scenario.read_share:
                consistency = random.choices(("linearizable", "leader", "stale"), (6, 2, 2))[0]
                steps.append(Step(at, "read", (client, key, consistency, luck)))
            elif drawn < scenario.read_share + 0.25:
                steps.append(Step(at, "compare_and_set", (client, key, value, luck)))
            else:
                steps.append(Step(at, "write", (client, key, value, luck)))
            at += random.expovariate(1 / scenario.client_gap_s)
    return steps


def _text(argument: Any) -> str:
    if argument == LEADER and not isinstance(argument, bool | float):
        return "LEADER"
    return "FOLLOWER" if argument == FOLLOWER and not isinstance(argument, float) else str(argument)
