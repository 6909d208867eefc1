"""One process of a peer: `python -m benchmarks.peers.part PEER ROLE …`, in the environment that has its packages.

The producer prints that it has prepared, waits for the file `go`, publishes, waits until nothing is outstanding and
all workers together have processed every event, and prints how long that took.
"""

import argparse
import importlib
import importlib.metadata
import time
from pathlib import Path

from benchmarks.peers.catalogue import CATALOGUE, Entry
from benchmarks.peers.peer import Peer, Place, say, tallied

POLL_S = 0.01
GO_S = 120.0


def load(entry: Entry, place: Place) -> Peer:
    """The peer of an entry of the catalogue."""
    module, _, name = entry.code.partition(":")
    peer: Peer = getattr(importlib.import_module(f"benchmarks.peers.{module}"), name)(place)
    return peer


def versions(entry: Entry) -> dict[str, str]:
    """Of the packages that the peer consists of, as installed here."""
    return {name: importlib.metadata.version(name) for name in entry.packages}


def produce(entry: Entry, place: Place, seconds: float) -> None:
    """The producer: publish all, then wait until all is done, for `seconds` at most."""
    peer = load(entry, place)
    peer.prepare()
    say(prepared=True, versions=versions(entry))
    go, deadline = place.directory / "go", time.monotonic() + GO_S
    while not go.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"nobody made {go} within {GO_S:g} s")
        time.sleep(POLL_S)
    began = time.monotonic()
    peer.publish()
    published = time.monotonic()
    while True:
        outstanding = peer.outstanding()
        now = time.monotonic()
        # Some systems take an event off one list before it is on the next: nothing is outstanding for an instant.
        if (outstanding == 0 and tallied(place.directory, place.events)[0] == 0) or now - began > seconds:
            break
        time.sleep(POLL_S)
    say(elapsed_s=now - began, publish_s=published - began, outstanding=outstanding)


def main() -> None:
    """Run one process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("peer", choices=sorted(CATALOGUE))
    parser.add_argument("role")
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--redis", required=True)
    parser.add_argument("--nats", default="", help="servers, comma-separated")
    parser.add_argument("--number", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=60.0)
    arguments = parser.parse_args()
    entry = CATALOGUE[arguments.peer]
    servers = tuple(arguments.nats.split(",")) if arguments.nats else ()
    place = Place(arguments.directory, arguments.events, arguments.redis, servers, arguments.number)
    if arguments.role == "produce":
        produce(entry, place, arguments.seconds)
    else:
        getattr(load(entry, place), arguments.role)()


if __name__ == "__main__":
    main()
