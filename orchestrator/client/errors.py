"""Everything that a call by the client can end in, as one tree. Each has a stable `code`.

ClientError
├── SettingsInvalid     client_invalid      an address, a token or a certificate that cannot be used: a ValueError
├── NoNode              no_node             no node answered; certainly not done
├── OutcomeUnknown      outcome_unknown     may have been done; repeat it under `key`
├── TimeOver            time_over           the time given is over; nothing failed
├── UnexpectedAnswer    unexpected_answer   it does not speak as a node does
└── ApiError            the problem's       refused, or not possible now: `code`, `status`, `detail`, `members`
    ├── Unauthorised        401             `members["reason"]` says why, where the node does
    ├── Forbidden           403
    ├── NotFound            404
    ├── Conflict            409, 412
    ├── Compacted           410             `snapshot` (a path) and `index` to start from
    ├── Invalid             other 4xx
    ├── TooManyRequests     429             `retry_after_s`
    ├── NoLeader            503 no_leader   certainly not done
    └── Unavailable         other 5xx
"""

from collections.abc import Mapping
from typing import Any


class ClientError(Exception):
    """Root of the tree."""

    code = "failed"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class SettingsInvalid(ClientError, ValueError):
    code = "client_invalid"


class NoNode(ClientError):
    code = "no_node"


class OutcomeUnknown(ClientError):
    """`key`: the Idempotency-Key under which the call may be repeated; what was done is not done again."""

    code = "outcome_unknown"

    def __init__(self, reason: str, key: str) -> None:
        super().__init__(f"{reason}; repeat it under the key {key}")
        self.reason = reason
        self.key = key


class TimeOver(ClientError):
    code = "time_over"


class UnexpectedAnswer(ClientError):
    """`status`: of the answer, None where none came so far."""

    code = "unexpected_answer"

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class ApiError(ClientError):
    """A node's problem document. `members`: what it holds beside `code`, `status` and `detail`."""

    def __init__(
        self,
        code: str,
        status: int,
        detail: str,
        members: Mapping[str, Any] | None = None,
        *,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.status = status
        self.detail = detail
        self.members: dict[str, Any] = dict(members or {})
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"{self.code} ({self.status}): {self.detail}"


class Unauthorised(ApiError):
    pass


class Forbidden(ApiError):
    pass


class NotFound(ApiError):
    pass


class Conflict(ApiError):
    pass


class Compacted(ApiError):
    """The log is not held so far back any more: begin from the state at `index`, which `snapshot` gives."""

    @property
    def snapshot(self) -> str:
        return str(self.members.get("snapshot", ""))

    @property
    def index(self) -> int | None:
        index = self.members.get("index")
        return index if isinstance(index, int) else None


class Invalid(ApiError):
    pass


class TooManyRequests(ApiError):
    pass


class NoLeader(ApiError):
    pass


class Unavailable(ApiError):
    pass


_BY_STATUS: Mapping[int, type[ApiError]] = {
    401: Unauthorised,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Compacted,
    412: Conflict,
    429: TooManyRequests,
}


def api_error(
    code: str, status: int, detail: str, members: Mapping[str, Any], retry_after_s: float | None = None
) -> ApiError:
    """The error of a problem document."""
    if code in ("no_leader", "not_leader"):
        kind: type[ApiError] = NoLeader
    else:
        kind = _BY_STATUS.get(status, Unavailable if status >= 500 else Invalid)
    return kind(code, status, detail, members, retry_after_s=retry_after_s)
