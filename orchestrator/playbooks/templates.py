"""Templates: text with `{{ expression }}` in it. Deterministic, strict on undefined names, at bounded cost. Pure.

    Templates().render({"to": "{{ trigger.source }}"}, {"trigger": {"source": "io"}})  ->  {"to": "io"}
    Templates().holds("trigger.value > 3", {"trigger": {"value": 4}})                  ->  True

Text that is one expression alone keeps the expression's type; inside other text a text stands as it is and all else as
JSON (`true`, `null`, `[1, 2]`). What is and is not possible in an expression: `orchestrator.playbooks.expressions`.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError, TemplateSyntaxError

from orchestrator.errors import TemplateFailed
from orchestrator.playbooks.expressions import SANDBOX, Expression, compile_expression
from orchestrator.playbooks.suggestions import did_you_mean
from orchestrator.playbooks.values import DEPTH_MAX, TEXT_MAX, Room, known, plain, shown

EXPRESSIONS_MAX = 100
"""In one text."""
CACHED_MAX = 1_000
CACHED_TEXT_MAX = 4_000

Roots = Mapping[str, Collection[str] | None]
"""Name → its members; None: what it holds is not known beforehand."""
_REFUSED = {
    "block": "statements ({% … %}) are not possible, only {{ expression }}",
    "raw": "statements ({% … %}) are not possible, only {{ expression }}",
    "comment": "comments ({# … #}) are not possible; YAML has its own",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a template before it is rendered."""

    message: str
    hint: str = ""


class Templates:
    """Renders and checks templates; keeps up to 1,000 of them compiled. For one thread."""

    def __init__(self) -> None:
        self._compiled: OrderedDict[tuple[str, bool], tuple[str | Expression, ...]] = OrderedDict()

    def render(self, value: Any, context: Mapping[str, Any]) -> Any:
        """`value` with every template in it replaced, also in names of mappings; plain JSON data.

        Raises TemplateFailed: a template that is wrong or refers to what is not there; all together give over 64 KB.
        """
        return self._deep(value, context, 0, Room())

    def holds(self, expression: str, context: Mapping[str, Any]) -> bool:
        """Whether the expression, with or without braces, is true.

        As in Python, 0, null, empty texts, lists and mappings are false; all else is true, the text "false" included.
        Raises TemplateFailed.
        """
        try:
            return bool(_evaluate(self._one(expression), context))
        except TemplateError as error:  # the truth of an undefined value
            raise TemplateFailed(f"`{_short(expression)}`: {error.message}") from None

    def check(self, text: str, roots: Roots | None = None, *, bare: bool = False) -> tuple[Fault, ...]:
        """What is wrong with a template (`bare`: with one expression, braces or not) before anything is rendered.

        With `roots`, names that are not among them are wrong, as are members that are not among theirs.
        """
        try:
            parts = (self._one(text),) if bare else self._parts(text)
        except TemplateFailed as failed:
            return (Fault(failed.message),)
        if roots is None:
            return ()
        faults: dict[Fault, None] = {}
        for part in parts:
            if isinstance(part, Expression):
                for reference in sorted(part.references, key=lambda one: (one.root, one.member or "")):
                    fault = _unknown(reference.root, reference.member, roots)
                    if fault is not None:
                        faults[fault] = None
        return tuple(faults)

    def roots(self, text: str, *, bare: bool = False) -> frozenset[str]:
        """The names that it looks up. Raises TemplateFailed."""
        parts = (self._one(text),) if bare else self._parts(text)
        return frozenset(
            reference.root for part in parts if isinstance(part, Expression) for reference in part.references
        )

    def constant(self, expression: str) -> bool | None:
        """Its truth when it refers to nothing, else None."""
        one = self._one(expression)
        try:
            return bool(_evaluate(one, {})) if one.constant else None
        except (TemplateFailed, TemplateError):
            return None

    # Inside

    def _deep(self, value: Any, context: Mapping[str, Any], depth: int, room: Room) -> Any:
        if depth > DEPTH_MAX:
            raise TemplateFailed(f"nested more than {DEPTH_MAX} deep")
        match value:
            case str():
                return self._text(value, context, room)
            case dict():
                found: dict[str, Any] = {}
                for name, item in value.items():
                    rendered = shown(self._text(str(name), context, room))
                    if rendered in found:
                        raise TemplateFailed(
                            f"`{_short(str(name))}`: two members come to have the name {rendered!r:.80}"
                        )
                    found[rendered] = self._deep(item, context, depth + 1, room)
                return found
            case list() | tuple():
                return [self._deep(item, context, depth + 1, room) for item in value]
        return value

    def _text(self, text: str, context: Mapping[str, Any], room: Room) -> Any:
        parts = self._parts(text)
        if len(parts) == 1:
            return parts[0] if isinstance(parts[0], str) else _given(parts[0], context, room)
        return "".join(part if isinstance(part, str) else shown(_given(part, context, room)) for part in parts)

    def _one(self, expression: str) -> Expression:
        return self._cached(expression, True)[0]  # type: ignore[return-value]

    def _parts(self, text: str) -> tuple[str | Expression, ...]:
        """Texts and expressions in turn; one expression alone when there is only blank around it."""
        if "{{" not in text and "{%" not in text and "{#" not in text:
            return (text,)
        return self._cached(text, False)

    def _cached(self, text: str, bare: bool) -> tuple[str | Expression, ...]:
        found = self._compiled.get((text, bare))
        if found is not None:
            self._compiled.move_to_end((text, bare))
            return found
        found = _bare(text) if bare else _split(text)
        if len(text) <= CACHED_TEXT_MAX:
            self._compiled[text, bare] = found
            if len(self._compiled) > CACHED_MAX:
                self._compiled.popitem(last=False)
        return found


def _bare(text: str) -> tuple[Expression]:
    if "{{" in text and text.strip().startswith("{{") and text.strip().endswith("}}"):
        parts = _split(text)
        if len(parts) != 1 or not isinstance(parts[0], Expression):
            raise TemplateFailed(f"`{_short(text)}`: this is one expression, not a text with expressions in it")
        return (parts[0],)
    try:
        return (compile_expression(text),)
    except TemplateFailed as failed:
        hint = "; braces, if any, go around the whole expression" if "{{" in text else ""
        raise TemplateFailed(failed.message + hint) from None


def _pieces(text: str) -> list[tuple[bool, str]]:
    """Texts, and the sources of expressions (True)."""
    pieces: list[tuple[bool, str]] = []
    inside: list[str] | None = None
    try:
        for _, token, value in SANDBOX.lex(text):
            kind, _, place = token.partition("_")
            if kind in _REFUSED and place:
                raise TemplateFailed(f"`{_short(text)}`: {_REFUSED[kind]}")
            if token == "variable_begin":  # noqa: S105 - a token of the lexer
                inside = []
            elif token == "variable_end":  # noqa: S105
                pieces.append((True, "".join(inside or ())))
                inside = None
            elif inside is not None:
                inside.append(value)
            else:
                pieces.append((False, value))
    except TemplateSyntaxError as error:
        raise TemplateFailed(f"`{_short(text)}`: {error.message}") from None
    if inside is not None:
        raise TemplateFailed(f"`{_short(text)}`: {{{{ without }}}}")
    return pieces


def _split(text: str) -> tuple[str | Expression, ...]:
    if len(text) > TEXT_MAX:
        raise TemplateFailed(f"a template has at most {TEXT_MAX} characters, this one {len(text)}")
    pieces = _pieces(text)
    if sum(is_expression for is_expression, _ in pieces) > EXPRESSIONS_MAX:
        raise TemplateFailed(f"a text has at most {EXPRESSIONS_MAX} expressions")
    parts = [compile_expression(piece) if is_expression else piece for is_expression, piece in pieces]
    expressions = [part for part in parts if isinstance(part, Expression)]
    if len(expressions) == 1 and not any(part.strip() for part in parts if isinstance(part, str)):
        return (expressions[0],)
    return tuple(parts) or ("",)


def _evaluate(expression: Expression, context: Mapping[str, Any]) -> Any:
    try:
        return expression.run(context)
    except TemplateError as error:
        raise TemplateFailed(f"`{_short(expression.source)}`: {error.message}") from None
    except (ArithmeticError, TypeError, ValueError, LookupError, RecursionError) as error:
        raise TemplateFailed(f"`{_short(expression.source)}`: {str(error)[:300] or type(error).__name__}") from None


def _given(expression: Expression, context: Mapping[str, Any], room: Room) -> Any:
    value = _evaluate(expression, context)
    try:
        return plain(value, room)
    except TemplateError as error:
        raise TemplateFailed(f"`{_short(expression.source)}`: {error.message}") from None
    except (TypeError, ValueError) as error:
        raise TemplateFailed(f"`{_short(expression.source)}`: {error}") from None


def _unknown(root: str, member: str | None, roots: Roots) -> Fault | None:
    if root not in roots:
        hint = (
            "write none"
            if root in ("null", "nil")
            else did_you_mean(root, roots) or f"known here: {known(roots) or 'nothing'}"
        )
        return Fault(f"{root!r} is not known here", hint)
    members = roots[root]
    if members is None or member is None or member in members:
        return None
    return Fault(f"'{root}.{member}' is declared nowhere", did_you_mean(member, members) or _declaring(root, members))


_DECLARED_BY = {
    "inputs": "declare it under inputs:",
    "vars": "declare it under variables:, or keep an outcome as it with register:",
    "steps": "give a step this id",
}


def _declaring(root: str, members: Collection[str]) -> str:
    return f"{root} has: {known(members)}" if members else _DECLARED_BY.get(root, f"{root} is empty here")


def _short(text: str) -> str:
    text = text.strip()
    return text if len(text) <= 120 else text[:119] + "…"
