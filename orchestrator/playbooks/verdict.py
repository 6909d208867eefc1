"""What a walk finds of one step, and what ends it early. Pure."""

import enum

from orchestrator.playbooks.values import readable


class Verdict(enum.Enum):
    """Of a step or a list of them. STOPPED: it was not brought to its end, as it was cancelled."""

    OPEN = "open"
    OK = "ok"
    FAILED = "failed"
    STOPPED = "stopped"


class StepFailed(Exception):
    """A step cannot begin, or go on."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = readable(message[:1000])


class TooManySteps(Exception):
    """The execution has come to the bound of its steps, at this path."""
