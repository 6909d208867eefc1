"""Expressions and templates: what they give, what they say when they cannot, and that nothing hostile costs much."""

import json
import sys
import tracemalloc
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import TemplateFailed
from orchestrator.playbooks.expressions import EXPRESSION_MAX, SANDBOX
from orchestrator.playbooks.filters import FILTERS, TESTS
from orchestrator.playbooks.templates import CACHED_MAX, Templates
from orchestrator.playbooks.values import TEXT_MAX

CONTEXT: dict[str, Any] = {
    "trigger": {
        "source": "io",
        "value": 4.5,
        "payload": {"items": [1, 2], "error_code": "E7", "on": True, "gone": None},
    },
    "vars": {
        "names": ["b", "a", "b"],
        "long": "x" * 60_000,
        "empty": [],
        "many": list(range(9_000)),
        "quotes": '"' * 30_000,
    },
    "components": {
        "io": {"id": "io", "state": "FAULT", "groups": ["line"], "metrics": {"load": 0.75}},
        "cam": {"id": "cam", "state": "STARTED", "groups": [], "metrics": {"load": 0.25}},
    },
    "item": "{{ trigger.source }}",
}


TEMPLATES = Templates()


def render(value: Any, context: Mapping[str, Any] = CONTEXT) -> Any:
    return TEMPLATES.render(value, context)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("plain text", "plain text"),
        ("{{ trigger.source }}", "io"),
        ("  {{ trigger.payload.items }}\n", [1, 2]),
        ("{{ trigger['source'] }}", "io"),
        ("{{ trigger.payload['items'][-1] }}", 2),
        ("{{ trigger.value }}", 4.5),
        ("{{ trigger.payload.on }}", True),
        ("{{ trigger.payload.gone }}", None),
        ("{{ trigger.payload }}", CONTEXT["trigger"]["payload"]),
        ("at {{ trigger.value }}, {{ trigger.payload.on }}, {{ trigger.payload.gone }}", "at 4.5, true, null"),
        ("{{ trigger.payload.items }} of {{ trigger.source }}", "[1, 2] of io"),
        ("{{ 'a' ~ 1 ~ true ~ [1] }}", "a1true[1]"),
        ("{{ '}}' }}", "}}"),
        ("{{ trigger.value * 2 + 1 }}", 10.0),
        ("{{ 1e30 }}", 1e30),
        ("{{ 7 // 2 }}", 3),
        ("{{ 7 % 4 }}", 3),
        ("{{ -7 / 2 }}", -3.5),
        ("{{ 'a' + 'b' }}", "ab"),
        ("{{ [1] + [2] }}", [1, 2]),
        ("{{ {'a': [1, {'b': none}]} }}", {"a": [1, {"b": None}]}),
        ("{{ [1, 2, 3, 4][1:3] }}", [2, 3]),
        ("{{ 'high' if trigger.value > 4 else 'low' }}", "high"),
        ("{{ 1 < 2 < 3 and not (2 == 3) or false }}", True),
        ("{{ 'io' in components }}", True),
        ("{{ 3 not in trigger.payload['items'] }}", True),
        ("{{ trigger.payload.nothing.at.all | default('none') }}", "none"),
        ("{{ nobody | default(3) }}", 3),
        ("{{ vars.empty | default('none', true) }}", "none"),
        ("{{ vars.empty | first | default('none') }}", "none"),
        ("{{ nobody is defined }}", False),
        ("{{ trigger.source is defined and trigger.nothing is undefined }}", True),
        ("{{ trigger.payload.gone is none }}", True),
        ("{{ vars.names | sort | unique | join(', ') }}", "a, b"),
        ("{{ vars.names | length }}", 3),
        ("{{ 'Abc' | upper ~ ('Abc' | lower) ~ (' x ' | trim) }}", "ABCabcx"),
        ("{{ 'a-b' | replace('-', '_') }}", "a_b"),
        ("{{ '12' | int + ('1.5' | float) }}", 13.5),
        ("{{ 'many' | int(0) }}", 0),
        ("{{ 2.567 | round(1) }}", 2.6),
        ("{{ 2.5 | round }}", 2),
        ("{{ -3 | abs }}", 3),
        ("{{ [3, 1, 2] | max - ([3, 1, 2] | min) }}", 2),
        ("{{ trigger.payload | tojson }}", json.dumps(CONTEXT["trigger"]["payload"])),
        ("{{ components | keys }}", ["io", "cam"]),
        ("{{ components | values | map(attribute='state') | first }}", "FAULT"),
        ("{{ components | values | selectattr('state', 'eq', 'STARTED') | map('id') }}", ["cam"]),
        ("{{ components | values | rejectattr('groups') | length }}", 1),
        ("{{ components | values | sort(attribute='id') | last }}", CONTEXT["components"]["io"]),
        ("{{ components | values | map(attribute='metrics') | map(attribute='load') | sum }}", 1.0),
        ("{{ trigger | length }}", 3),
        ({"to": "{{ trigger.source }}", "{{ trigger.source }}": [1, "{{ trigger.value }}", None]}, None),
        ("{{ item }}", "{{ trigger.source }}"),  # what a value holds is not rendered again
    ],
)
def test_render(template: Any, expected: Any) -> None:
    if isinstance(template, dict):
        expected = {"to": "io", "io": [1, 4.5, None]}
    found = render(template)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ trigger.paylod.x }}", ["trigger.paylod.x", "no 'paylod'", "payload", "source"]),
        ("{{ triger.source }}", ["'triger' is not known here", "trigger", "vars"]),
        ("{{ trigger.payload['items'][7] }}", ["no item 7", "its length is 2"]),
        ("{{ trigger.source.upper }}", ["a text has no members"]),
        ("{{ nobody == 3 }}", ["'nobody' is not known here"]),
        ("{{ not nobody }}", ["'nobody' is not known here"]),
        ("x {{ nobody }}", ["'nobody' is not known here"]),
        ("{{ [nobody] }}", ["'nobody' is not known here"]),
        ("{{ nobody + 1 }}", ["'nobody' is not known here"]),
        ("{{ nobody | upper }}", ["'nobody' is not known here"]),
        ("{{ nobody | length }}", ["'nobody' is not known here"]),
        ("{{ nobody | keys }}", ["'nobody' is not known here"]),
        ("{{ nobody | int }}", ["'nobody' is not known here"]),
        ("{{ nobody ~ 'a' }}", ["'nobody' is not known here"]),
        ("{{ vars.empty | max }}", ["it is empty"]),
        ("{{ trigger.value / 0 }}", ["division by zero"]),
        ("{{ 1 < 'a' }}", ["'<' not supported"]),
        ("{{ 1 + 'a' }}", ["+ is not possible for a number and a text", "~ joins texts"]),
        ("{{ true + 1 }}", ["+ is not possible for true or false and a number"]),
        ("{{ 'many' | int }}", ["invalid literal"]),
        ("{{ 3 | upper }}", ["a text is needed here, not a number"]),
        ("{{ trigger | first }}", ["a list is needed here, not a mapping", "keys and values"]),
        ("{{ 'a' | lenth }}", ["no filter 'lenth'", "did you mean `length`?"]),
        ("{{ 3 is evn }}", ["no test 'evn'", "did you mean `even`?"]),
        ("{{ 'a' | round(1, 2, 3) }}", ["filter round", "too many"]),
        ("{{ 'a' | replace }}", ["filter replace", "missing"]),
        ("{{ vars.names | selectattr('x', 'like', 3) }}", ["no test 'like'"]),
        ("{{ 1 + }}", ["1 +", "unexpected"]),
        ("{{ a b }}", ["unexpected b"]),
        ("{{ }}", ["no expression"]),
        ("{{ a", ["{{ without }}"]),
        ("{% if a %}x{% endif %}", ["only {{ expression }}"]),
        ("{% raw %}x{% endraw %}", ["only {{ expression }}"]),
        ("x {# note #}", ["comments"]),
        ("{{ {1: 2} }}", ["the names in a mapping are text"]),
        ("{{ {[]: 2} }}", ["unhashable"]),
    ],
)
def test_a_failure_names_the_expression_and_what_is_there(template: str, said: list[str]) -> None:
    with pytest.raises(TemplateFailed) as caught:
        render(template)
    assert caught.value.code == "template_failed"
    assert [part for part in said if part not in caught.value.message] == [], caught.value.message


_A = "a" * 60
HOSTILE = [
    # internals of Python
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''['__class__'] }}",
    "{{ '' | attr('__class__') }}",
    "{{ trigger.__init__.__globals__ }}",
    "{{ trigger.payload['items'].append(1) }}",
    "{{ trigger.payload.update({'a': 1}) }}",
    "{{ self }}",
    "{{ self.__init__ }}",
    "{{ __builtins__ }}",
    "{{ 'a'.format(1) }}",
    "{{ '{0.__class__}' % 1 }}",
    "{{ vars.names | map('__class__') }}",
    "{{ vars.names | sort(attribute='__class__') }}",
    "{{ components | values | selectattr('__class__') | map('__init__') }}",
    "{{ '' | string | attr('x') }}",
    # Jinja's globals, and what is not deterministic
    *(
        "{{ range(9) }}",
        "{{ cycler('a') }}",
        "{{ lipsum() }}",
        "{{ joiner() }}",
        "{{ namespace() }}",
        "{{ dict(a=1) }}",
    ),
    *("{{ now() }}", "{{ [1, 2] | random }}", "{{ 'a' | random }}", "{{ lipsum }}", "{{ request.application }}"),
    "{{ loop.cycle }}",
    "{{ caller() }}",
    "{{ varargs }}",
    "{% import 'os' as os %}",
    "{% include '/etc/passwd' %}",
    "{% set x = 1 %}",
    "{% for i in range(1000000000) %}{% endfor %}",
    "{{ ''|safe }}",
    "{{ x.y() if false else z() }}",
    # much work or memory from little text
    "{{ 2 ** 99999999 }}",
    "{{ 10 ** 10 ** 10 }}",
    "{{ 'a' * 999999999 }}",
    "{{ 999999999 * [1] }}",
    "{{ '%999999999d' % 1 }}",
    "{{ ('%s' * 3) % 1 }}",
    "{{ vars.long ~ vars.long }}",
    "{{ vars.long + vars.long }}",
    "{{ vars.long | replace('x', vars.long) }}",
    "{{ vars.many | join(vars.long) }}",
    "{{ vars.many + vars.many }}",
    "{{ " + " ~ ".join(["vars.long"] * 100) + " }}",
    "{{ [" + ", ".join(["vars.long"] * 100) + "] }}",
    "{{ [" + ", ".join(["vars.long"] * 100) + "] | unique }}",
    "{{ vars.long }}" * 50,
    "{{ vars.quotes | tojson | tojson }}",
    "{{ '" + "x" * (EXPRESSION_MAX + 1) + "' }}",
    "{{ " + "9" * 1_900 + " }}",
    "{{ 9223372036854775807 + 1 }}",
    "{{ 1e308 * 10 }}",
    "{{ '1e999' | float }}",
    "{{ 1e999 }}",
    "{{ " + "(" * 900 + "1" + ")" * 900 + " }}",
    "{{ " + "[" * 900 + "]" * 900 + " }}",
    "{{ " + "not " * 400 + "1 }}",
    "{{ " + "-" * 1_500 + "1 }}",
    "{{ " + "+".join("1" * 900) + " }}",
    "{{ trigger" + ".a" * 800 + " }}",
    "{{ trigger" + "[0]" * 600 + " }}",
    "{{ " + "1 if 1 else " * 160 + "1 }}",
    "{{ 1" + " | abs" * 300 + " }}",
    "{{ a }}" * 150,
    "{{ vars.many" + " | map('x')" * 150 + " | length }}",
    "{{ vars.many" + " | sort" * 300 + " | length }}",
    "{{ components" + " | values | map('state') | unique" * 60 + " }}",
    "{{ " + " and ".join(["vars.many | sum > 0"] * 70) + " }}",
    "{{ 'a' | center(999999999) }}",
    "{{ 'a' | indent(999999999) }}",
    "{{ 1 | round(999999999) }}",
    "{{ 'a' | batch(999) }}",
    "{{ " + " and ".join(["1"] * 600) + " }}",
    "{{" * 1_000,
    "{{ '" * 1_000,
    "{{ " + "{'a':" * 300 + "1" + "}" * 300 + " }}",
    "{{ *[1] }}",
    "{{ [1] | join(*[1]) }}",
    "{{ a := 1 }}",
]
CALLS_MAX = 400_000
"""Of Python functions, parsing and compiling included. A hundred characters of an honest template take about 2,000."""
BYTES_MAX = 8 << 20


class Meter:
    """Counts calls and memory of what is done inside."""

    def __init__(self) -> None:
        self.calls = 0
        self.bytes = 0

    def __enter__(self) -> "Meter":
        tracemalloc.start()
        sys.setprofile(self._count)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        self.bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

    def _count(self, _frame: object, event: str, _argument: object) -> None:
        self.calls += event in ("call", "c_call")


@pytest.mark.parametrize("template", HOSTILE, ids=lambda text: text[:40])
def test_hostile_templates_are_refused_and_cost_little(template: str) -> None:
    meter = Meter()
    with pytest.raises(TemplateFailed) as caught, meter:
        render(template)
    assert len(caught.value.message) < 3_000
    assert meter.calls < CALLS_MAX, meter.calls
    assert meter.bytes < BYTES_MAX, meter.bytes


def test_what_a_whole_value_gives_is_bounded() -> None:
    each = {f"m{number}": ["{{ vars.long }}"] for number in range(3)}
    with pytest.raises(TemplateFailed, match="over 65536 characters"):
        render(each)
    with pytest.raises(TemplateFailed, match="two members come to have the name 'io'"):
        render({"io": 1, "{{ trigger.source }}": 2})


def test_methods_of_python_are_not_members() -> None:
    """What a mapping or a text is made of is no member of it; only what is in it."""
    for name in ("keys", "items", "update", "get", "upper", "append", "copy", "real"):
        values: tuple[Any, ...] = ({}, "text", [], 3, None, True)
        for value in values:
            assert Templates().holds(f"value.{name} is undefined", {"value": value})
    assert render("{{ trigger.payload.items }}") == [1, 2]


def test_a_context_of_foreign_objects_gives_only_data() -> None:
    class Foreign:
        secret = "s3cret"

    with pytest.raises(TemplateFailed, match="no JSON data: Foreign"):
        render("{{ value }}", {"value": Foreign()})
    with pytest.raises(TemplateFailed, match="no members"):
        render("{{ value.secret }}", {"value": Foreign()})
    assert render("{{ value }}", {"value": MappingProxyType({"a": (1, 2)})}) == {"a": [1, 2]}


class Counting(Mapping[str, Any]):
    """Says which members were looked at."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getitem__(self, key: str) -> Any:
        self.asked.append(key)
        return {"state": "STARTED"}

    def __iter__(self) -> Iterator[str]:
        return iter(["io", "cam"])

    def __len__(self) -> int:
        return 2


def test_only_what_is_named_is_looked_at() -> None:
    components = Counting()
    assert render("{{ components.io.state }}", {"components": components}) == "STARTED"
    assert components.asked == ["io"]


@pytest.mark.parametrize(
    ("expression", "truth"),
    [
        ("trigger.value > 4", True),
        ("{{ trigger.value > 5 }}", False),
        ("  {{ trigger.payload.gone }} ", False),
        ("vars.empty", False),
        ("trigger.source", True),
        ("'false'", True),
        ("0", False),
        ("components.io.state == 'FAULT' and components.cam.metrics.load < 0.5", True),
    ],
)
def test_holds(expression: str, truth: bool) -> None:
    assert Templates().holds(expression, CONTEXT) is truth


def test_a_condition_is_one_expression() -> None:
    for text in ("{{ trigger.value }} > 4", "{{ 1 }}{{ 2 }}", "a {{ 1 }}", "{% if 1 %}", ""):
        with pytest.raises(TemplateFailed):
            Templates().holds(text, CONTEXT)
    with pytest.raises(TemplateFailed, match="'nobody' is not known here"):
        Templates().holds("nobody", CONTEXT)


def test_check_finds_unknown_names_before_anything_runs() -> None:
    roots = {"trigger": None, "inputs": {"speed"}, "vars": set[str]()}
    check = Templates().check
    assert check("{{ trigger.anything.at.all }} {{ inputs.speed }} {{ inputs[trigger.x] }}", roots) == ()
    assert check("no template", roots) == ()
    faults = check("{{ inputs.sped ~ triger.x ~ vars.y }}", roots)
    assert [(fault.message, fault.hint) for fault in faults] == [
        ("'inputs.sped' is declared nowhere", "did you mean `speed`?"),
        ("'triger' is not known here", "did you mean `trigger`?"),
        ("'vars.y' is declared nowhere", "declare it under variables:, or keep an outcome as it with register:"),
    ]
    assert [fault.message for fault in check("{{ 1 + }}", roots)] == ["`1 +`: unexpected 'end of template'"]
    assert "around the whole expression" in check("{{ a }} == 1", roots, bare=True)[0].message


def test_constants_are_known_without_a_context() -> None:
    constant = Templates().constant
    assert (constant("false"), constant("{{ 1 == 1 }}"), constant("1 / 0"), constant("trigger.x")) == (
        *(False, True, None, None),
    )


def test_compiled_templates_are_kept_up_to_a_bound() -> None:
    templates = Templates()
    for number in range(CACHED_MAX + 50):
        templates.render(f"{{{{ {number} }}}}", {})
    assert len(templates._compiled) == CACHED_MAX
    compiled = templates._compiled[f"{{{{ {CACHED_MAX} }}}}", False]
    templates.render(f"{{{{ {CACHED_MAX} }}}}", {})
    assert templates._compiled[f"{{{{ {CACHED_MAX} }}}}", False] is compiled
    long = "{{ 1 }}" + "x" * 5_000
    templates.render(long, {})
    assert (long, False) not in templates._compiled


def test_jinja_brings_nothing_of_its_own() -> None:
    assert SANDBOX.globals == {}
    assert set(SANDBOX.filters) - {" concat"} == set(FILTERS)
    assert set(SANDBOX.tests) == set(TESTS)
    assert not SANDBOX.extensions


# ── Properties ──────────────────────────────────────────────────────────────────────────────────────────

_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_PIECES = st.sampled_from(
    [
        *(
            "trigger",
            "vars",
            "nobody",
            ".",
            "a",
            "b",
            "[",
            "]",
            "(",
            ")",
            "{",
            "}",
            "{{",
            "}}",
            "'",
            '"',
            "1",
            "0",
            "2.5",
        ),
        *(
            "+",
            "-",
            "*",
            "/",
            "//",
            "%",
            "**",
            "~",
            "|",
            "==",
            "<",
            ">",
            " and ",
            " or ",
            " not ",
            " in ",
            " is ",
            " if ",
        ),
        *(" else ", ",", ":", "=", " ", "{%", "%}", "{#", "#}", "\n", "__class__", "none", "true", "\\", "ł", "\0"),
        *FILTERS,
        *TESTS,
    ]
)


@settings(deadline=None)
@given(value=_JSON)
def test_a_value_comes_through_as_it_is(value: Any) -> None:
    found = render("{{ value }}", {"value": value})
    assert (found, json.dumps(found)) == (value, json.dumps(value))


@settings(deadline=None)
@given(value=_JSON)
def test_data_without_templates_is_not_changed(value: Any) -> None:
    if "{" not in json.dumps(value, ensure_ascii=False).replace("{}", "").replace('{"', ""):
        assert render({"a": [value]}, {}) == {"a": [value]}


@settings(max_examples=150, deadline=None)
@given(pieces=st.lists(_PIECES, max_size=14), context=st.dictionaries(st.sampled_from(["trigger", "vars"]), _JSON))
def test_whatever_is_written_gives_data_or_is_refused(pieces: list[str], context: dict[str, Any]) -> None:
    text = "".join(pieces)
    templates = TEMPLATES
    for template in (text, "{{" + text + "}}"):
        try:
            found = templates.render(template, context)
        except TemplateFailed:
            continue
        assert len(json.dumps(found, allow_nan=False)) <= 8 * TEXT_MAX
        assert templates.render(template, context) == found  # the same every time
    for wanted in (text, "{{" + text + "}}"):
        templates.check(wanted, {"trigger": None}, bare=True)


@settings(deadline=None)
@given(text=st.text(max_size=200))
def test_any_text_gives_data_or_is_refused(text: str) -> None:
    try:
        assert isinstance(render("x" + text, CONTEXT), str)
    except TemplateFailed:
        refused = True
    else:
        refused = False
    assert not refused or "{" in text


@settings(deadline=None)
@given(left=st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False), data=st.data())
def test_arithmetic_stays_within_64_bits(left: float, data: st.DataObject) -> None:
    right = data.draw(st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False))
    operator = data.draw(st.sampled_from(["+", "-", "*", "/", "//", "%"]))
    try:
        found = render(f"{{{{ a {operator} b }}}}", {"a": left, "b": right})
    except TemplateFailed:
        return
    assert isinstance(found, float) or -(2**63) <= found < 2**63
