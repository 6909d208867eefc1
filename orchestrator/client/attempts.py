"""One call from its first attempt to its end: as a generator of steps, which somebody else carries out. Pure.

an address after the other ─┬ done, refused ─────────────────▶ over
                            └ not possible there ─▶ the next ─▶ after the last: a pause ─▶ the first again
the deadline ─┬ some attempt may have been done ─▶ OutcomeUnknown
              └ none was ───────────────────────▶ the last refusal, or NoNode
"""

import json
from collections.abc import Generator
from dataclasses import dataclass, replace

from orchestrator.client.addresses import Addresses, origin_of
from orchestrator.client.errors import ApiError, NoNode, OutcomeUnknown, Unauthorised, UnexpectedAnswer
from orchestrator.client.exchanging import Answer, Exchange, NoAnswer, Pause, Renew, Request, Step, Told
from orchestrator.client.judging import RETRY_AFTER_MAX_S, Again, Done, Elsewhere, Refused, judged

PAUSE_FIRST_S = 0.1
PAUSE_MAX_S = 2.0
REDIRECTS_MAX = 3
REASONS_MAX = 16
MEMBERS = Request(
    method="GET", target="/v1/cluster?consistency=stale", patience_s=1.0, answer_bytes_max=1 << 20, any_node=True
)


@dataclass(frozen=True, slots=True)
class Tries:
    """How long a call goes on.

    Args:
        timeout_s: all of it.
        rounds: how often all addresses are asked in turn while nothing was done; None: until the time is over.
        insists: whether a call that may have been done, or that a node wants to be asked again, is repeated until the
            time is over whatever `rounds` says. Without it, whatever another node may answer better goes to the next
            address (an unknown outcome, a limit of this node, a failure inside it), and ends with the last round: for
            what is worth nothing a little later.
        node_s: how long one node gets for an answer, at most.
        to_leader: whether the leader is asked first. Otherwise it is the node that answered last: for what every node
            takes, and what would be too much for one.
        finds_members: whether the members are asked for while the leader's address is not known.
    """

    timeout_s: float = 20.0
    rounds: int | None = None
    insists: bool = True
    node_s: float | None = None
    to_leader: bool = True
    finds_members: bool = True

    def within(self, timeout_s: float) -> "Tries":
        return replace(self, timeout_s=timeout_s)


def pause_s(rounds: int, fraction: float, asked_s: float | None = None) -> float:
    """Seconds before the next round: doubled each time, spread by `fraction`, bounded; not less than a node asks."""
    backoff = min(PAUSE_MAX_S, PAUSE_FIRST_S * 2.0 ** min(rounds, 10)) * (0.5 + fraction / 2)
    return backoff if asked_s is None else max(backoff, min(asked_s, RETRY_AFTER_MAX_S))


class _Story:
    """What came of the attempts so far."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.last: Again | None = None
        self.unknown: Again | None = None
        self.asked: list[float] = []
        self.hopeless = True

    def note(self, again: Again) -> None:
        self.last = again
        if again.unknown:
            self.unknown = again
        if again.wait_s is not None:
            self.asked.append(again.wait_s)
        self.hopeless = self.hopeless and not again.heals
        if again.reason not in self.reasons:
            self.reasons = [*self.reasons[-(REASONS_MAX - 1) :], again.reason]


def attempts(request: Request, addresses: Addresses, tries: Tries, began: float) -> Generator[Step, Told, Answer]:
    """The successful answer. Raises ClientError. `began`: monotonic seconds."""
    now, rounds, story, renewed, redirects = began, 0, _Story(), False, 0
    left_over = tries.rounds
    deadline = began + tries.timeout_s
    any_node = request.any_node or not tries.to_leader
    if tries.finds_members and addresses.asks_members(now):
        now = yield from _members(addresses, now, deadline)
    while True:
        story.asked, story.hopeless, redirects = [], True, 0
        waiting = addresses.order(now, any_node=any_node)
        fraction, asks_to_wait = 0.0, False
        while waiting and now < deadline:
            address = waiting.pop(0)
            asked, left = now, deadline - now if tries.node_s is None else min(deadline - now, tries.node_s)
            told = yield Exchange(address, request, min(left, request.patience_s), left)
            now, fraction = told.now, told.fraction
            outcome: Answer | NoAnswer = told.outcome
            if isinstance(outcome, Answer):
                addresses.answered(address, outcome.headers)
            verdict = judged(request, outcome, address)
            match verdict:
                case Done(answer):
                    return answer
                case Refused(Unauthorised() as error) if not renewed:
                    renewed = True
                    told = yield Renew()
                    now = told.now
                    if not told.outcome:
                        raise error
                    waiting.insert(0, address)
                case Refused(error):
                    failing = isinstance(outcome, Answer) and outcome.status >= 500
                    if failing:  # the next call begins at another node
                        addresses.failed(address, now, now - asked)
                    if tries.insists or not failing:
                        raise error
                    story.note(Again(error, f"{address}: {error}", unknown=request.writes))
                case Elsewhere(location, status):
                    try:
                        waiting.insert(0, _target(location, addresses, address, status, redirects))
                        redirects += 1
                    except UnexpectedAnswer as error:
                        story.note(Again(error, error.message, heals=False))
                        addresses.failed(address, now, now - asked)
                case Again():
                    story.note(verdict)
                    if verdict.same_node and tries.insists:
                        asks_to_wait = True
                        break
                    addresses.failed(address, now, now - asked)
        if left_over is not None and not asks_to_wait:
            left_over -= 1
        rounds += 1
        wait = pause_s(rounds, fraction, min(story.asked) if story.asked else None)
        given_up = story.hopeless or left_over == 0
        bound = story.unknown is None or not tries.insists
        if now + wait >= deadline or (bound and given_up):
            raise _end(request, story, tries.timeout_s)
        told = yield Pause(wait)
        now = told.now


def _end(request: Request, story: _Story, timeout_s: float) -> Exception:
    if story.unknown is not None:
        error = story.unknown.error
        reason = error.reason if isinstance(error, OutcomeUnknown) else story.unknown.reason
        if request.writes:
            return OutcomeUnknown(reason, request.key)
        return error
    if story.last is not None and isinstance(story.last.error, ApiError):
        return story.last.error
    if story.last is not None and isinstance(story.last.error, UnexpectedAnswer) and story.last.error.status:
        return story.last.error
    if not story.reasons:
        return NoNode(f"no time to ask any node: {timeout_s:g} s")
    return NoNode("no node answered:\n  " + "\n  ".join(story.reasons))


def _target(location: str, addresses: Addresses, asked: str, status: int, redirects: int) -> str:
    """The address that a redirection leads to. Raises UnexpectedAnswer where the token must not go."""
    wanted = origin_of(location)
    for url in addresses.known:
        if wanted and origin_of(url) == wanted and redirects < REDIRECTS_MAX:
            return url
    why = "it goes on and on" if redirects >= REDIRECTS_MAX else "no address of the cluster that is known here"
    raise UnexpectedAnswer(f"{asked} redirects to {location[:200]!r}: not followed, {why}", status)


def _members(addresses: Addresses, now: float, deadline: float) -> Generator[Step, Told, float]:
    """Learn the members' addresses from the node that answered last. What it does not tell is done without."""
    address = addresses.order(now, any_node=True)[0]
    told = yield Exchange(address, MEMBERS, MEMBERS.patience_s, min(MEMBERS.patience_s, deadline - now))
    outcome = told.outcome
    if isinstance(outcome, Answer) and outcome.status == 200:
        try:
            document = json.loads(outcome.body)
            members = {str(member["id"]): str(member["api"]) for member in document["members"] if member.get("api")}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return told.now
        addresses.learn(members)
    return told.now
