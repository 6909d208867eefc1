"""What happens in a run, drawn from its seed alone: conditions, faults and clients' operations, as plain data.

A fault carries its own end, and names members by slot (0, 1, 2 …) or as LEADER or FOLLOWER of the moment, so that any
of them can be left out and the rest still makes sense: that is how a failing plan is made shorter.
"""

from random import Random
from typing import Any

import msgspec

from tests.simulation.scenarios import SCENARIOS, Scenario

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
        at = until + random.uniform(0.5, 1.1)
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


def _fault(random: Random, at: float, scenario: Scenario, conditions: Conditions) -> Step:
    weights = scenario.weights()
    kind = random.choices(list(weights), list(weights.values()))[0]
    who, lasts = _who(random, scenario, conditions), _short(random)
    args: tuple[Any, ...]
    if kind in ("crash", "power", "pause", "isolate", "refuse", "full"):
        args = (who, lasts)
    elif kind in ("crash_inside", "power_inside"):
        # Most of a member's disk calls are for single entries: aim at the rarer ones, too.
        after = random.choice(("", "", "snapshot", "journal", "vote"))
        only = "" if after else random.choice(("", "journal", "journal"))
        # The log is written and synced in turn: the odd calls leave a whole write in the cache.
        call = random.choice((0, 1, 1, 1, 3, 5)) if only else random.randrange(12 if after == "snapshot" else 7)
        args = (who, call, after, only, lasts)
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
        args = (
            FOLLOWER,
            random.choice((0.0, 0.001, 0.003)),
            round(random.uniform(0.1, 0.5), 3),
            round(random.uniform(0.2, 0.7), 3),
        )
    elif kind == "minority":
        args = (round(random.uniform(1.0, 1.8), 3),)
    elif kind == "forgetful":
        args = (round(random.uniform(1.0, 2.0), 3), round(random.uniform(0.02, 0.1), 3))
    elif kind == "amnesia":
        args = (random.randrange(conditions.members), round(random.uniform(0.3, 1.5), 3))
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
