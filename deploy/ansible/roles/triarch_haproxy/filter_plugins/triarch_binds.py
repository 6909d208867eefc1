"""Whether HAProxy can listen where it is told to, decided from what listens already. Pure."""

import re
from collections.abc import Callable, Iterator, Sequence

ANY = ("", "*", "0.0.0.0", "::")  # noqa: S104 (compared, not bound)
OWN = "haproxy"
_PLACE = re.compile(r"^(?:ipv[46]@)?(?P<address>[^@]*):(?P<port>\d+)$")
_OWNER = re.compile(r'"([^"]*)",pid=(\d+)')


def triarch_taken_binds(listening: Sequence[str], binds: Sequence[str]) -> list[str]:
    """Where HAProxy would listen and another program does, a line each.

    Args:
        listening: lines of ``ss -H -l -t -n -p``.
        binds: as HAProxy writes them: `:8100`, `192.0.2.1:80,192.0.2.1:81 ssl crt FILE`; "" is none. Sockets with a
            path, file descriptors and ranges of ports are not looked at.
    """
    return list(_taken(listening, binds))


def _taken(listening: Sequence[str], binds: Sequence[str]) -> Iterator[str]:
    for bind in binds:
        for place in bind.split()[0].split(",") if bind.strip() else ():
            wanted = _PLACE.match(place)
            if wanted is None:
                continue
            for line in listening:
                fields = line.split()
                theirs = _PLACE.match(fields[3]) if len(fields) > 3 else None
                if theirs is None or theirs["port"] != wanted["port"]:
                    continue
                owner = _OWNER.search(line)
                if _meet(wanted["address"], theirs["address"]) and not (owner and owner[1] == OWN):
                    who = f"{owner[1]} (pid {owner[2]})" if owner else "a program that cannot be seen"
                    yield f"{place} is taken by {who}, which listens on {fields[3]}"
                    break


def _meet(one: str, other: str) -> bool:
    """Whether two addresses on one port are in each other's way."""
    # ss adds the device of an address that is bound to one.
    first, second = (address.strip("[]").partition("%")[0] for address in (one, other))
    return first == second or first in ANY or second in ANY


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        return {"triarch_taken_binds": triarch_taken_binds}
