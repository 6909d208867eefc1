"""Exit codes, and which stable code of a problem or an error leads to which.

The errors of this package carry theirs (`orchestrator.errors`). The table here holds those that come from elsewhere:
errors of the other packages, outcomes of replicated commands, and the command line itself.
"""

from enum import IntEnum

from orchestrator.errors import BY_CODE


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


_ELSEWHERE: dict[Exit, tuple[str, ...]] = {
    Exit.FAILED: (
        "audit_broken",
        *("internal", "port_in_use", "address_unusable", "data_dir_unwritable", "data_dir_unreadable"),
        *("disk_failed", "library_mismatch", "state_machine_failed", "entry_unreadable", "log_diverged"),
        *("server_missing", "server_failed", "node_failed", "telemetry_missing"),
    ),
    Exit.USAGE: (
        *("usage", "client_invalid", "context_invalid", "telemetry_invalid", "invalid_router", "trust_unusable"),
        *("drill_failed", "fault_not_possible", "target_unusable", "budget_invalid", "report_unreadable"),
    ),
    Exit.NOT_FOUND: (
        "context_unknown",
        "processor_unknown",
        "member_unknown",
        "variable_unknown",
        "frame_unknown",
        "playbook_unknown",
        "execution_unknown",
        "step_unknown",
        *("token_unknown", "camera_unknown", "picture_unknown", "audit_unknown"),
        *("metric_unknown", "alert_unknown", "silence_unknown", "alert_rule_unknown", "policy_unknown"),
    ),
    Exit.REFUSED: (
        "context_exposed",
        *("invalid_request", "method_not_allowed", "body_too_large", "command_too_large", "queue_full", "too_stale"),
        *("fenced", "registry_full", "transfer_failed", "unknown_command", "too_many_variables", "variables_full"),
        *("member_change_refused", "kind_unsupported", "restore_refused", "restore_too_large", "data_dir_exposed"),
        *("invalid_cursor", "compacted", "forbidden"),
        *("playbook_cycle", "playbook_unreadable", "playbook_too_large", "too_many_playbooks"),
        *("group_cycle", "group_in_use", "too_many_groups", "nothing_to_acknowledge"),
        *("component_in_maintenance", "supervision_changed"),
        *("playbooks_full", "inputs_invalid", "execution_skipped", "executions_full", "execution_ended"),
        *("execution_not_ended", "execution_succeeded", "execution_not_running", "execution_not_paused"),
        *("step_not_waiting", "too_many_signals"),
        *("path_invalid", "target_too_long", "headers_too_large", "host_unknown", "cross_site"),
        *("unsupported_media_type", "too_many_requests", "too_many_connections", "identity_provider_unavailable"),
        *("alert_resolved", "too_many_silences", "too_many_alert_rules"),
        *("path_invalid", "target_too_long", "headers_too_large", "host_unknown", "cross_site"),
        *("token_over", "too_many_tokens", "last_admin", "already_bootstrapped"),
    ),
    Exit.CONFLICT: (
        *("processor_exists", "processor_changed", "component_changed", "data_dir_in_use", "data_dir_foreign"),
        *("restore_interrupted", "precondition_failed", "execution_exists", "key_in_flight"),
        *("token_exists", "token_made"),
    ),
    Exit.NO_LEADER: ("not_leader", "no_node"),
    Exit.UNKNOWN: ("read_timed_out", "request_timed_out"),
    Exit.DEGRADED: (
        *("redis_unavailable", "redis_unsupported", "redis_refused", "redis_failure", "not_ready", "node_stopped"),
        *("too_many_followers",),
    ),
}
EXITS: dict[str, Exit] = {code: Exit(kind.exit_code) for code, kind in BY_CODE.items()} | {
    code: exit_code for exit_code, codes in _ELSEWHERE.items() for code in codes
}

_STATUSES: dict[int, Exit] = {
    401: Exit.REFUSED,
    403: Exit.REFUSED,
    404: Exit.NOT_FOUND,
    409: Exit.CONFLICT,
    412: Exit.CONFLICT,
    413: Exit.REFUSED,
    422: Exit.REFUSED,
    429: Exit.REFUSED,
    503: Exit.DEGRADED,
    504: Exit.UNKNOWN,
}


def exit_of(code: str, status: int | None = None) -> Exit:
    """The exit code of a problem; one whose code is not listed is judged by its status."""
    return EXITS.get(code) or _STATUSES.get(status or 0, Exit.FAILED)
