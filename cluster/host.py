"""All that a node takes from the host it runs on. The simulation gives it another one."""

import os
import random
from collections.abc import Callable

import msgspec

from cluster.disk import Disk
from cluster.reactor import Reactor


class Host(msgspec.Struct, frozen=True):
    """Besides this there is only `cluster.clock`. `entropy(n)`: n unpredictable bytes, for keys and nonces."""

    disk: Disk
    reactor: Reactor
    random: random.Random
    """for election timeouts"""
    entropy: Callable[[int], bytes] = os.urandom
