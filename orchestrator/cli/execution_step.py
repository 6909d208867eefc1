"""Which step of an execution a person means by the id that the playbook gave it. Pure.

In a loop several steps have one id. Meant is the one that can be decided on (`approve`, `reject`) or gone on from
(`retry`), of the last attempt of what it stands in.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.playbooks.paths import superseded

OPEN = ("RUNNING", "RETRYING")
FAILED = ("FAILED", "TIMED_OUT", "CANCELLED")


def paths_meant(steps: Sequence[Mapping[str, Any]], step_id: str, action: str) -> list[str]:
    """The paths of the steps that may be meant, none where no step has this id. `steps`: as the API shows them."""
    attempts = {each["path"]: each["attempt"] for each in steps}
    named = [each for each in steps if each["id"] == step_id]
    last = [each for each in named if not superseded(each["path"], lambda above: attempts.get(above, 1))] or named
    if action == "retry":
        fitting = [each for each in last if each["status"] in FAILED] or last
    else:
        # Where none waits, the node says so, and names those that do.
        fitting = [each for each in last if each["status"] in OPEN] or last[-1:]
    return [str(each["path"]) for each in fitting]
