"""Paths of steps: what stands below, beside and after one. Pure. Their forms: `orchestrator.playbooks.execution`."""

from collections.abc import Callable, Iterable, Iterator

HANDLERS = ("on_failure", "on_timeout", "finally")


def below(path: str, above: str) -> bool:
    """Whether `path` is `above` itself or stands under it."""
    return path == above or path.startswith(above + "/")


def ancestors(path: str) -> Iterator[str]:
    """All beginnings of `path`, the longest first, without itself."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def after(path: str, origin: str) -> bool:
    """Whether `path` comes after `origin` in a list of actions that both stand in, at whatever depth.

    Items and branches do not come after one another: each goes its own way.
    """
    for one, other in zip(path.split("/"), origin.split("/"), strict=False):
        if one != other:
            return one.isdecimal() and other.isdecimal() and int(one) > int(other)
    return False


def in_handler(path: str) -> bool:
    """Whether the step belongs to a handler or to `finally`."""
    return any(part in HANDLERS for part in path.split("/"))


def superseded(path: str, attempt_of: Callable[[str], int]) -> bool:
    """Whether the step belongs to an attempt of what it stands in that another attempt has followed.

    `attempt_of`: the number of the last attempt of the step at a path; 1 where no step stands there.
    """
    attempts = ((above, attempt_of(above)) for above in ancestors(path))
    return any(last > 1 and not below(path, f"{above}/~{last}") for above, last in attempts)


def innermost(paths: Iterable[str]) -> list[str]:
    """Those under which no other of them stands."""
    known = sorted(set(paths))
    return [path for path in known if not any(other != path and below(other, path) for other in known)]
