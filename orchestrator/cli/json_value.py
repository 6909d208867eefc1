"""JSON that a person has written on the command line, as it can be sent."""

import json
import math
from typing import Any, NoReturn


class Unsendable(ValueError):
    """It is JSON, and holds what cannot be sent as it stands."""


def json_value(text: str) -> Any:
    """The value of this text. Raises ValueError that says in words why it is no JSON; Unsendable."""
    try:
        value = json.loads(text, parse_float=_float, parse_constant=_constant)
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Unsendable("half of a surrogate pair is no character") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise Unsendable(f"{digits[:40]} is too large for a number")
    return value


def _constant(name: str) -> NoReturn:
    raise ValueError(f"JSON has no {name}")
