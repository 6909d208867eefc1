"""`python -m tests.lab.hosts up | down | status | image | possible`. Exit status 0, or 1 with what failed."""

import argparse
import sys

from orchestrator.drills.lab_file import LabFileInvalid
from tests.lab.hosts.image import ready_image
from tests.lab.hosts.lab import Lab
from tests.lab.hosts.running import LabFailed, why_not


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.lab.hosts", description="Three systemd hosts on one machine."
    )
    parser.add_argument(
        "verb",
        choices=("up", "down", "status", "image", "possible"),
        help="image: only build what hosts stand on; possible: say why no lab can be made here",
    )
    parser.add_argument("--number", type=int, default=0, metavar="N", help="which lab, 0 to 9 (default: 0)")
    parser.add_argument(
        "--keep", action="store_true", help="up: go on with the hosts that are there; down: keep their disks"
    )
    given = parser.parse_args()
    if given.verb == "possible":
        print(reason := why_not())
        return 1 if reason else 0
    try:
        return _do(given.verb, given.number, keep=given.keep)
    except (LabFailed, LabFileInvalid) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


def _do(verb: str, number: int, *, keep: bool) -> int:
    if reason := why_not():
        raise LabFailed(reason)
    lab = Lab(number)
    if verb == "image":
        image = ready_image()
        print(
            f"{image.directory}: {'built now' if image.fresh else 'was there, whole'}; its build took {image.built_s} s"
        )
    elif verb == "up":
        seconds = lab.up(keep=keep)
        print(f"lab {number} is up: {lab.file}  ({', '.join(f'{step} {took:g} s' for step, took in seconds.items())})")
    elif verb == "down":
        print(f"lab {number} is down after {lab.down(keep=keep):.1f} s")
    else:
        remains = lab.remains()
        for line in remains.lines():
            print(line)
        if not remains:
            print(f"lab {number}: nothing of it is on this machine")
            return 0
        if lab.file.exists():
            for host in lab.hosts():
                print(f"{host.name} {host.address}: {'answers ssh' if host.reachable() else 'does not answer'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
