"""Commands of a component's own, such as RECALIBRATE: what each takes, in which states it may, and what it gives."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from orchestrator.errors import CommandRefused
from orchestrator.events import REASON_CHARS_MAX, CommandAnswer, Frozen, invalid_event
from orchestrator.lifecycle import Command, State, parse_any_command
from orchestrator.listener import Answer

RESULT_BYTES_MAX = 16 * 1024
"""Of what a command gives back, as JSON."""


class NoParams(Frozen):
    """Of a command that takes none."""


@dataclass(frozen=True, slots=True)
class OwnCommand:
    """One of them. Raises ValueError when made with a name that is none, or without states."""

    name: str
    params: type[BaseModel]
    handle: Callable[[Any], Awaitable[Answer]]
    states: tuple[State, ...]
    idempotent: bool

    def __post_init__(self) -> None:
        if parse_any_command(self.name) in tuple(Command):
            raise ValueError(f"{self.name} is a command of the lifecycle; override its hook")
        if not self.states:
            raise ValueError(f"{self.name}: name the states in which it is possible")

    def read(self, params: Mapping[str, Any]) -> BaseModel:
        """What came with it. Raises EventInvalid that names each field at fault."""
        try:
            return self.params.model_validate(params)
        except ValidationError as error:
            raise invalid_event(error, prefix="payload.params") from None

    def check(self, state: State) -> None:
        """Raises CommandRefused that names the states in which it is possible."""
        if state not in self.states:
            needed = " or ".join(self.states)
            raise CommandRefused(f"{self.name} is not possible in {state}: {self.name} needs {needed}", state=state)


def params_digest(params: Mapping[str, Any]) -> str:
    """Tells two commands of one name apart; empty for no params."""
    if not params:
        return ""
    text = json.dumps(params, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def with_result(answer: CommandAnswer, given: Answer) -> CommandAnswer:
    """The work is done, so a result that cannot be sent does not undo it: the answer says what became of it."""
    if given is None:
        return answer
    try:
        result = given.model_dump(mode="json") if isinstance(given, BaseModel) else dict(given)
        size = len(json.dumps(result, allow_nan=False).encode())
    except (TypeError, ValueError) as error:
        return answer.model_copy(update={"message": f"done; its result is no JSON object: {error}"[:REASON_CHARS_MAX]})
    if size > RESULT_BYTES_MAX:
        text = f"done; its result has {size} bytes as JSON, at most {RESULT_BYTES_MAX} are sent"
        return answer.model_copy(update={"message": text})
    return answer.model_copy(update={"result": result})
