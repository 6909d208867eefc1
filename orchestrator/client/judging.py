"""What an answer means for the call: it is done, asked again, asked for elsewhere, or refused. Pure.

2xx, 304                                       done
401, once, where the token can be renewed      again with the new token
429, 503 with Retry-After, 409 key_in_flight   again: certainly not done, or being done under the same key
504 outcome_unknown; no answer                 again under the same key: it may have been done
502, 504 of something between                  as no answer
307, 308                                       elsewhere, if that is one of the cluster's addresses
a redirection to anywhere else, 421,           the next address: this one is no node, or not by this name; not again
400 to 499 without a problem document          by itself
409 fenced                                     again: that leader was deposed, nothing was done
anything else                                  refused: never asked again
"""

import json
import math
from dataclasses import dataclass
from typing import Any

from orchestrator.client.errors import ApiError, ClientError, OutcomeUnknown, UnexpectedAnswer, api_error
from orchestrator.client.exchanging import Answer, NoAnswer, Request

RETRY_AFTER_MAX_S = 30.0
DETAIL_CHARS_MAX = 4_000
_OWN = frozenset({"code", "status", "detail"})


@dataclass(frozen=True, slots=True)
class Done:
    answer: Answer


@dataclass(frozen=True, slots=True)
class Again:
    """`unknown`: it may have been done. `wait_s`: as the node asks, None where it does not. `heals`: see NoAnswer."""

    error: ClientError
    reason: str
    unknown: bool = False
    wait_s: float | None = None
    same_node: bool = False
    """The next one would say the same: it is not asked before the pause."""
    heals: bool = True


@dataclass(frozen=True, slots=True)
class Elsewhere:
    location: str
    status: int


@dataclass(frozen=True, slots=True)
class Refused:
    error: ClientError


Verdict = Done | Again | Elsewhere | Refused


def judged(request: Request, outcome: Answer | NoAnswer, address: str) -> Verdict:
    """What came of sending `request` to `address`."""
    if isinstance(outcome, NoAnswer):
        return _unanswered(request, outcome, address)
    if outcome.status < 300 or outcome.status == 304:
        return Done(outcome)
    if outcome.status in (301, 302, 303, 307, 308):
        return Elsewhere(outcome.headers.get("location", ""), outcome.status)
    error = problem_of(outcome)
    if isinstance(error, ApiError):
        return _problem(error, address, request.writes)
    if outcome.status in (502, 504):
        unknown = request.writes
        return Again(error, f"{address}: answered {outcome.status}", unknown=unknown)
    if outcome.status in (429, 503):
        wait_s = retry_after(outcome)
        return Again(error, f"{address}: answered {outcome.status}", wait_s=wait_s, same_node=outcome.status == 429)
    if outcome.status < 500:  # some other server is at this address; the next one may be a node
        return Again(error, f"{address}: answered {outcome.status}, as no node does", heals=False)
    return Refused(error)


def problem_of(answer: Answer) -> ClientError:
    """The error of an answer that is no success."""
    try:
        document: Any = json.loads(answer.body)
        code, detail = str(document["code"]), str(document["detail"])[:DETAIL_CHARS_MAX]
    except (ValueError, KeyError, TypeError, RecursionError):
        return UnexpectedAnswer(f"{answer.url} answered {answer.status}", answer.status)
    members = {name: value for name, value in document.items() if name not in _OWN}
    return api_error(code, answer.status, detail, members, retry_after(answer))


def retry_after(answer: Answer) -> float | None:
    """Seconds that the answer asks to wait. A date is not counted: clocks of two hosts are not compared."""
    try:
        seconds = float(answer.headers.get("retry-after", ""))
    except ValueError:
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _problem(error: ApiError, address: str, writes: bool) -> Verdict:
    reason = f"{address}: {error.detail}"
    wait_s = error.retry_after_s
    if error.code == "outcome_unknown":
        key = str(error.members.get("idempotency_key", ""))
        return Again(OutcomeUnknown(error.detail, key), reason, unknown=True, wait_s=wait_s)
    if error.code == "key_in_flight" or error.status == 429:
        return Again(error, reason, wait_s=wait_s, same_node=True)
    if error.code == "fenced":
        return Again(error, reason, wait_s=wait_s)
    if error.status == 421:
        return Again(error, reason, heals=False)
    if error.status == 503:
        # A write may have been done before what was to be read for its answer could not be.
        return Again(error, reason, unknown=writes and error.code == "read_timed_out", wait_s=wait_s)
    return Refused(error)


def _unanswered(request: Request, outcome: NoAnswer, address: str) -> Verdict:
    reason = f"{address}: {outcome.reason}"
    if outcome.sent and request.writes:
        told = f"{address} did not answer ({outcome.reason}), it may have been done"
        return Again(OutcomeUnknown(told, request.key), reason, unknown=True)
    return Again(UnexpectedAnswer(reason), reason, heals=outcome.heals)
