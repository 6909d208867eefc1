"""Whether what an execution is given is what its playbook declares. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.playbooks.models import Input, Playbook

INPUTS_BYTES_MAX = 64 * 1024
"""Of the JSON text of all inputs of one execution."""
_KINDS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "list": (list,),
    "object": (dict,),
}


@dataclass(frozen=True, slots=True)
class InputFault:
    """One input that is wrong. `type` is `missing`, `unknown`, `wrong_type` or `too_large`; `name` is empty for all."""

    name: str
    type: str
    message: str


def checked_inputs(playbook: Playbook, given: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[InputFault, ...]]:
    """What the execution gets, defaults filled in, and all that is wrong with what was given.

    An input that may be left out and has no default is None. `given` is JSON data.
    """
    faults = [
        InputFault(name, "unknown", f"{playbook.name} declares no input {name!r}; {_known(playbook)}")
        for name in given
        if name not in playbook.inputs
    ]
    inputs: dict[str, Any] = {}
    for name, declared in playbook.inputs.items():
        if name in given:
            inputs[name] = given[name]
            if not _fits(given[name], declared):
                found = _kind_of(given[name])
                faults.append(InputFault(name, "wrong_type", f"must be a {declared.type}, not {found}"))
        elif _required(declared):
            faults.append(InputFault(name, "missing", f"{playbook.name} needs it: a {declared.type}"))
        else:
            inputs[name] = declared.default
    if not faults and (size := len(json.dumps(inputs, ensure_ascii=False).encode())) > INPUTS_BYTES_MAX:
        faults.append(
            InputFault("", "too_large", f"the inputs have {size} bytes as JSON, the limit is {INPUTS_BYTES_MAX}")
        )
    return inputs, tuple(faults)


def _required(declared: Input) -> bool:
    return declared.required or "default" not in declared.model_fields_set


def _fits(value: Any, declared: Input) -> bool:
    if declared.type == "any" or (value is None and not _required(declared)):
        return True
    if declared.type == "number" and isinstance(value, bool):
        return False
    return isinstance(value, _KINDS[declared.type])


def _kind_of(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    return next((f"a {kind}" for kind, types in _KINDS.items() if isinstance(value, types)), "no JSON data")


def _known(playbook: Playbook) -> str:
    return f"it knows {', '.join(playbook.inputs)}" if playbook.inputs else "it takes none"
