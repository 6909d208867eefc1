"""Whether what an execution is given is what its playbook declares. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import VariableInvalid
from orchestrator.playbooks.models import Input, Playbook
from orchestrator.variables import json_text

_KINDS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "list": (list,),
    "object": (dict,),
}


@dataclass(frozen=True, slots=True)
class InputFault:
    """One input that is wrong: `missing`, `unknown` or `wrong_type`.

    `inputs_invalid` and `inputs_too_large` are said of all together: then `name` is empty.
    """

    name: str
    type: str
    message: str


def checked_inputs(playbook: Playbook, given: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[InputFault, ...]]:
    """What the execution gets, defaults filled in, and all that is wrong with what was given.

    One that is not given is its default, or None where it has none. `given` is JSON data, of at most 16 KiB in all.
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
        elif declared.required:
            faults.append(InputFault(name, "missing", f"{playbook.name} needs it: a {declared.type}"))
        else:
            inputs[name] = declared.default
    if not faults:
        try:
            json_text(inputs)
        except VariableInvalid as error:
            faults.append(InputFault("", error.code.replace("variable", "inputs"), f"all together: {error.message}"))
    return inputs, tuple(faults)


def _fits(value: Any, declared: Input) -> bool:
    if declared.type == "any" or (value is None and not declared.required):
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
