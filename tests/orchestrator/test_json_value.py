"""JSON on the command line: what it means, and what of it cannot be sent."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.cli.json_value import Unsendable, json_value

DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("text", ["", "{", "T4", "NaN", "[-Infinity]", "'a'", "01", "[" * 100_000])
def test_what_is_no_json(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as caught:
        json_value(text)
    assert not isinstance(caught.value, Unsendable)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1e999", "too large for a number"),
        ('{"a": [-1e400]}', "too large for a number"),
        ('"\\ud800"', "half of a surrogate pair"),
        ('{"\\udfff": 1}', "half of a surrogate pair"),
    ],
)
def test_what_cannot_be_sent_says_why(text: str, said: str) -> None:
    with pytest.raises(Unsendable, match=said) as caught:
        json_value(text)
    assert len(str(caught.value)) < 200


@given(DATA)
def test_a_value_comes_as_it_was_written_or_is_refused(value: Any) -> None:
    """What is taken can be sent, and is the same on the other side."""
    text = json.dumps(value)
    try:
        taken = json_value(text)
    except ValueError:
        return
    assert msgspec.json.decode(msgspec.json.encode(taken)) == taken == json.loads(text)
