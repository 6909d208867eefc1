"""One walk over an execution: which steps have ended, which go on, which begin. Pure.

The walk reads what is recorded and repeats no decision that is: an ended step is passed over, an open one is looked at,
and the first that was never begun begins. What it changes is collected for one record.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from orchestrator.errors import TemplateFailed
from orchestrator.playbooks import context
from orchestrator.playbooks.actions import Action, Step
from orchestrator.playbooks.effect import Effect, Result, shortened
from orchestrator.playbooks.execution import (
    EFFECTS,
    OPEN_STEP,
    STEPS_KEPT_MAX,
    VALUE_BYTES_MAX,
    ExecutionRow,
    JournalEntry,
    Start,
    Status,
    StepRow,
    StepStatus,
    VariableSet,
    given_up,
)
from orchestrator.playbooks.paths import HANDLERS
from orchestrator.playbooks.values import readable, templated
from orchestrator.playbooks.verdict import StepFailed, TooManySteps, Verdict
from orchestrator.playbooks.world import Templates, World

BEGUN_AT_ONCE_MAX = 200
"""Steps that one walk begins; the next goes on. It bounds the record."""
BEGUN_BYTES_MAX = 256 * 1024
"""Of what one walk has collected: behind that it begins nothing more."""
KEY_CHARS_MAX = 200

APPLIED = frozenset({"execute_scenario", "set_variable"})
"""What may be refused only when the record is applied: then the step has failed without `close`."""
ONCE = frozenset({"approve", "fail"})
"""What another attempt cannot change."""

Scope = Mapping[str, Any]
"""`item`, `index`, `error`: what expressions see here beside the names at the top."""


Turn = Callable[["Walk", Any, StepRow, Scope], StepRow]
"""What begins a step, or looks at an open one: (walk, action, its row, scope) → its row, stored. StepFailed."""


@dataclass
class Walk:
    """The walk's view and what it has collected. `halted` > 0: nothing begins, what is open is closed."""

    row: ExecutionRow
    world: World
    now: float
    templates: Templates
    results: Mapping[str, Result]
    begin: "Turn"
    progress: "Turn"
    steps: dict[str, StepRow] = field(init=False)
    variables: dict[str, str] = field(init=False)
    changed: dict[str, StepRow] = field(default_factory=dict)
    set_here: dict[str, str] = field(default_factory=dict)
    starts: list[Start] = field(default_factory=list)
    sets: list[VariableSet] = field(default_factory=list)
    cancels: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    journal: list[JournalEntry] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    waiting: dict[str, str] = field(default_factory=dict)
    barriers: set[str] = field(default_factory=set)
    wake: float | None = None
    halted: int = 0
    begun: int = 0
    stored: int = 0
    cause: StepRow | None = None
    """the step that the walk failed by"""

    def __post_init__(self) -> None:
        self.steps = dict(self.row.steps)
        self.variables = dict(self.row.variables)

    @property
    def paused(self) -> bool:
        return self.row.status == Status.PAUSED

    # ── Lists and steps ────────────────────────────────

    def actions(self, actions: Sequence[Action], path: str, scope: Scope) -> Verdict:
        """One after another. FAILED: `cause` is the step that it failed by."""
        for number, action in enumerate(actions):
            verdict = self.step(action, f"{path}/{number}", scope)
            if verdict is not Verdict.OK:
                return verdict
        return Verdict.OK

    def step(self, action: Step, path: str, scope: Scope) -> Verdict:
        """One step with its handlers."""
        row = self.steps.get(path)
        if row is None:
            if self.halted:
                return Verdict.STOPPED
            if self.paused or self.begun >= BEGUN_AT_ONCE_MAX or self.weight() > BEGUN_BYTES_MAX:
                return Verdict.OPEN
            row = self._begin(action, path, scope)
            if path in self.barriers:
                return Verdict.OPEN
        if row.status in OPEN_STEP:
            row = self._progress(action, row, scope)
        elif self._refused(action, row):
            row = self.close(action, replace(row, ended=None), row.status, row.code, row.error)
        if row.status in OPEN_STEP or path in self.barriers:
            return Verdict.OPEN
        if row.status in (StepStatus.SUCCEEDED, StepStatus.SKIPPED):
            return Verdict.OK
        if row.status == StepStatus.CANCELLED:
            return Verdict.STOPPED
        return self._failed(action, row, scope)

    def _refused(self, action: Step, row: StepRow) -> bool:
        """Whether the step failed when its record was applied, and has attempts left."""
        left = action.retry is not None and row.attempt < action.retry.attempts and not self.halted
        # What the playbook does at its end, or about a failure, has begun: none of its actions begins anew beside that.
        over = row.path.startswith("actions/") and any(f"{name}/0" in self.steps for name in HANDLERS)
        handled = over or row.tolerated or f"{row.path}/on_failure/0" in self.steps
        return left and row.type in APPLIED and row.status == StepStatus.FAILED and not handled

    def _failed(self, action: Step, row: StepRow, scope: Scope) -> Verdict:
        timed_out = row.status == StepStatus.TIMED_OUT and bool(action.on_timeout)
        name, handler = ("on_timeout", action.on_timeout) if timed_out else ("on_failure", action.on_failure)
        error = {"step": row.id or row.path, "code": row.code, "message": row.error}
        handled = self.actions(handler, f"{row.path}/{name}", {**scope, "error": error})
        if handled in (Verdict.OPEN, Verdict.STOPPED):
            return handled
        if handled is Verdict.OK and action.after_failure == "continue":
            self.store(replace(row, tolerated=True))
            return Verdict.OK
        self.cause = row
        return Verdict.FAILED

    def _begin(self, action: Step, path: str, scope: Scope) -> StepRow:
        self.begun += 1
        if len(self.steps) >= STEPS_KEPT_MAX - BEGUN_AT_ONCE_MAX:
            raise TooManySteps(path)
        row = StepRow(
            path=path,
            type=action.type,  # type: ignore[attr-defined]
            id=action.id or "",
            status=StepStatus.RUNNING,
            key=self.row.spent.get(path, 0) + 1,
            started=self.now,
            deadline=None if action.timeout_s is None else self.now + action.timeout_s,
        )
        try:
            if action.when is not None and not self.holds(action.when, scope):
                return self.store(replace(row, status=StepStatus.SKIPPED, ended=self.now, deadline=None))
            return self.store(self.begin(self, action, row, scope))
        except StepFailed as failure:
            return self.close(action, row, StepStatus.FAILED, failure.code, failure.message)

    def _progress(self, action: Step, row: StepRow, scope: Scope) -> StepRow:
        """An open step: looked at, closed when it has ended, begun again when its time has come."""
        if row.status == StepStatus.RETRYING:
            if self.halted:
                return self.cancelled(row)
            if self.paused or not self.due(row.next):
                return (self._expired(action, row) if row.again else None) or row
            if not row.again:  # an attempt of its own, its time counts anew
                key = row.key if row.code == "outcome_unknown" else row.key + 1
                deadline = None if action.timeout_s is None else self.now + action.timeout_s
                row = replace(row, attempt=row.attempt + 1, key=key, sends=0, deadline=deadline, data="")
            row = self.store(replace(row, status=StepStatus.RUNNING, next=None))
            try:
                if not row.again:
                    row = self.store(self.begin(self, action, replace(row, code="", error=""), scope))
                    if row.path in self.barriers or row.status not in OPEN_STEP:
                        return row
                else:
                    row = self.store(replace(row, again=False))
            except StepFailed as failure:
                return self.close(action, row, StepStatus.FAILED, failure.code, failure.message)
        try:
            row = self.progress(self, action, row, scope)
        except StepFailed as failure:
            return self.close(action, row, StepStatus.FAILED, failure.code, failure.message)
        if row.status in OPEN_STEP:
            return self._expired(action, row) or row
        return row

    def _expired(self, action: Step, row: StepRow) -> StepRow | None:
        """The step when its attempt has run out of time, with whatever is open below it."""
        if self.paused or not self.due(row.deadline):
            return None
        self.effects = [effect for effect in self.effects if effect.path != row.path]
        self.halt_below(row)
        code = "outcome_unknown" if row.type in EFFECTS and row.data else "timeout"
        said = f"; {row.error}" if row.error else ""
        waited = f" ({self.waiting.pop(row.path)})" if row.path in self.waiting else ""
        message = f"not done within {(row.deadline or 0) - row.started:g} s{waited}{said}"
        return self.close(action, row, StepStatus.TIMED_OUT, code, message)

    def halt_below(self, row: StepRow) -> None:
        """Close what is open under a step that ends before it has."""
        for path, step in list(self.steps.items()):
            if step.status in OPEN_STEP and path.startswith(row.path + "/"):
                self.cancelled(step)
                self.effects = [effect for effect in self.effects if effect.path != path]
                self.waiting.pop(path, None)
        if row.type == "execute_scenario":
            self.abandon(row)

    def weight(self) -> int:
        """About how many bytes the record will have."""
        lines = sum(len(line.data) + len(line.message) for line in self.journal)
        starts = sum(len(each.inputs) + sum(map(len, each.variables.values())) for each in self.starts)
        sets = sum(map(len, self.set_here.values())) + sum(len(each.value) for each in self.sets)
        return self.stored + lines + starts + sets

    # ── What steps are made of ────────────────────────────────

    def store(self, row: StepRow) -> StepRow:
        """Keep a step's row for the record."""
        if self.steps.get(row.path) != row:
            self.steps[row.path] = self.changed[row.path] = row
            self.stored += len(row.data) + len(row.value) + len(row.error)
        return row

    def succeed(self, action: Step, row: StepRow, value: Any = None) -> StepRow:
        """The step has ended well; its value is kept where the playbook says so.

        What cannot be kept is left out, and says so: the step has done its work, and must not be tried again for that.
        """
        try:
            text = self.json(value, f"the outcome of {row.path}")
        except StepFailed as failure:
            text = self.json({"left_out": failure.message}, "what was left out")
        if action.register_as is not None:
            self.set_variable(action.register_as, text)
        done = replace(row, status=StepStatus.SUCCEEDED, ended=self.now, next=None, value=text, code="", error="")
        return self.store(replace(done, again=False))

    def close(self, action: Step, row: StepRow, status: StepStatus, code: str, message: str) -> StepRow:
        """An attempt has failed: another one comes, or the step has failed for good."""
        retry, unknown = action.retry, code == "outcome_unknown"
        if unknown and not getattr(action, "safe", True):
            retry = None  # the receiver knows no keys: to ask again could do it twice
        row = replace(row, code=readable(code), error=readable(message[:1000]), again=False)
        if retry is not None and row.attempt < retry.attempts and not self.halted and row.type not in ONCE:
            following = self.now + retry.wait_s(row.attempt)
            self.wake_at(following)
            return self.store(replace(row, status=StepStatus.RETRYING, next=following))
        return self.store(replace(row, status=status, ended=self.now, next=None, again=unknown))

    def again(self, row: StepRow, code: str, message: str) -> StepRow:
        """The effect's outcome is not known: it goes again under the same key."""
        following = self.now + min(5.0, 0.1 * 2 ** min(row.sends, 10))
        self.wake_at(following)
        return self.store(
            replace(
                row,
                status=StepStatus.RETRYING,
                next=following,
                sends=row.sends + 1,
                again=True,
                code=readable(code),
                error=readable(message[:1000]),
            )
        )

    def cancelled(self, row: StepRow) -> StepRow:
        if row.type == "execute_scenario":
            self.abandon(row)
        return self.store(given_up(row, self.now))

    def abandon(self, row: StepRow) -> None:
        """The execution that this step waits for is cancelled with it."""
        child = (context.decoded(row.data) or {}).get("execution")
        if child is not None and child in self.world.executions:
            self.cancels.append(child)

    def effect(self, row: StepRow) -> None:
        """The step's effect has to be under way."""
        key = f"{self.row.id}/{row.path}/{row.key}"
        self.effects.append(
            Effect(
                execution=self.row.id,
                path=row.path,
                type=row.type,
                key=key if len(key) <= KEY_CHARS_MAX else shortened(key),
                data=context.decoded(row.data),
                deadline=row.deadline,
                sends=row.sends,
            )
        )

    def due(self, time: float | None) -> bool:
        """Whether the time has come; else the walk has to be taken again then."""
        if time is None:
            return False
        if self.now >= time:
            return True
        if not self.paused:
            self.wake_at(time)
        return False

    def wake_at(self, time: float) -> None:
        self.wake = time if self.wake is None else min(self.wake, time)

    # ── Templates and JSON ────────────────────────────────

    def _context(self, scope: Scope) -> dict[str, Any]:
        return {**context.context(self.row, self.steps, self.variables, self.world), **scope}

    def render(self, value: Any, scope: Scope) -> Any:
        """StepFailed: `template_failed`."""
        if not templated(value):
            return value
        try:
            return self.templates.render(value, self._context(scope))
        except TemplateFailed as error:
            raise StepFailed("template_failed", str(error)) from None

    def holds(self, expression: str, scope: Scope) -> bool:
        try:
            return self.templates.holds(expression, self._context(scope))
        except TemplateFailed as error:
            raise StepFailed("template_failed", str(error)) from None

    def json(self, value: Any, what: str, limit: int = VALUE_BYTES_MAX) -> str:
        try:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            size = len(text.encode())
        except (TypeError, ValueError, RecursionError) as error:
            raise StepFailed("value_invalid", f"{what} is no JSON data: {error}") from None
        if size > limit:
            raise StepFailed("value_too_large", f"{what} has {size} bytes as JSON, the limit is {limit}")
        return text

    def set_variable(self, name: str, text: str) -> None:
        self.variables[name] = self.set_here[name] = text
