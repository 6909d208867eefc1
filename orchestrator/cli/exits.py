"""Exit codes, and the one table that maps the stable codes of problems and errors to them."""

from enum import IntEnum


class Exit(IntEnum):
    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    REFUSED = 4
    CONFLICT = 5
    NO_LEADER = 6
    UNKNOWN = 7
    DEGRADED = 8


_CODES: dict[Exit, tuple[str, ...]] = {
    Exit.FAILED: (
        *("internal", "snapshot_unreadable", "address_in_use", "port_in_use", "address_unusable"),
        *("data_dir_unwritable", "data_dir_unreadable", "server_missing", "server_failed", "node_failed"),
    ),
    Exit.USAGE: ("config_invalid", "usage"),
    Exit.NOT_FOUND: ("not_found", "component_unknown", "processor_unknown", "member_unknown"),
    Exit.REFUSED: (
        *("invalid_request", "unauthorised", "method_not_allowed", "body_too_large", "command_too_large"),
        *("queue_full", "too_stale", "fenced", "stale_epoch", "registry_full", "refused_insecure"),
        *("command_refused", "command_failed", "component_busy", "component_stopping", "key_reused"),
        *("event_invalid", "unknown_event", "event_too_large", "transfer_failed", "unknown_command"),
    ),
    Exit.CONFLICT: (
        *("processor_exists", "processor_changed", "component_exists", "component_superseded", "component_changed"),
        *("data_dir_in_use", "data_dir_foreign"),
    ),
    Exit.NO_LEADER: ("no_leader", "not_leader", "no_node"),
    Exit.UNKNOWN: ("outcome_unknown", "read_timed_out"),
    Exit.DEGRADED: (
        *("unreachable", "redis_unavailable", "redis_unsupported", "redis_refused", "redis_failure"),
        *("not_ready", "node_stopped"),
    ),
}
EXITS: dict[str, Exit] = {code: exit_code for exit_code, codes in _CODES.items() for code in codes}

_STATUSES: dict[int, Exit] = {
    401: Exit.REFUSED,
    403: Exit.REFUSED,
    404: Exit.NOT_FOUND,
    409: Exit.CONFLICT,
    413: Exit.REFUSED,
    422: Exit.REFUSED,
    429: Exit.REFUSED,
    503: Exit.DEGRADED,
    504: Exit.UNKNOWN,
}


def exit_of(code: str, status: int | None = None) -> Exit:
    """The exit code of a problem; one whose code is not listed is judged by its status."""
    return EXITS.get(code) or _STATUSES.get(status or 0, Exit.FAILED)
