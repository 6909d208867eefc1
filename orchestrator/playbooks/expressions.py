"""Expressions between `{{` and `}}`: what is allowed in them, and how one is evaluated at bounded cost. Pure.

The grammar is Jinja's, the rest is less: no statements, comments, calls, globals, powers or attributes of objects.
A name leads to members of mappings and items of lists, and to nothing else. So an expression is deterministic, sees
only what it is given, and its work is bounded by its length and by the bounds of each operation.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import Template, TemplateSyntaxError, nodes
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import consume
from jinja2.visitor import NodeTransformer

from orchestrator.errors import TemplateFailed
from orchestrator.playbooks.filters import FILTERS, TESTS, join
from orchestrator.playbooks.suggestions import did_you_mean
from orchestrator.playbooks.values import Missing, bounded, bounded_work, kind, known, member, number, there

EXPRESSION_MAX = 2_000
"""Characters of one expression."""
NODES_MAX = 400
NESTING_MAX = 40
_ALLOWED = (
    *(nodes.Name, nodes.Const, nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair, nodes.Getattr, nodes.Getitem),
    *(nodes.Slice, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Pos),
    *(nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Concat, nodes.Filter, nodes.Test),
    nodes.Keyword,
)
_WHY_NOT: dict[type[nodes.Node], str] = {
    nodes.Call: "nothing can be called in an expression; there are filters, for example items|length",
    nodes.Pow: "powers (**) are not possible",
}


@dataclass(frozen=True, slots=True)
class Reference:
    """A name that an expression looks up, and the first member of it, where that is written out."""

    root: str
    member: str | None


@dataclass(frozen=True, slots=True)
class Expression:
    """`run(context)` evaluates it; `constant` is whether it refers to nothing."""

    source: str
    references: frozenset[Reference]
    run: Callable[[Mapping[str, Any]], Any]

    @property
    def constant(self) -> bool:
        return not self.references


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, narrowed: members only of mappings and lists, arithmetic only of numbers, texts and lists."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self) -> None:
        super().__init__(undefined=Missing, optimized=False, cache_size=0, keep_trailing_newline=True)
        self.filters = dict(FILTERS)
        self.tests = dict(TESTS)
        self.globals = {}

    def getattr(self, obj: Any, attribute: str) -> Any:
        return member(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        return member(obj, argument)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:  # noqa: ARG002
        for side in (left, right):
            there(side)
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            return bounded(left + right)
        if operator == "+" and isinstance(left, list) and isinstance(right, list):
            return bounded(left + right)
        if {type(left), type(right)} - {int, float}:
            hint = "; ~ joins texts" if operator == "+" else ""
            raise TypeError(f"{operator} is not possible for {kind(left)} and {kind(right)}{hint}")
        match operator:
            case "+":
                return number(left + right)
            case "-":
                return number(left - right)
            case "*":
                return number(left * right)
            case "/":
                return number(left / right)
            case "//":
                return number(left // right)
            case "%":
                return number(left % right)
        raise TypeError(f"{operator} is not possible")


SANDBOX = Sandbox()
# Not among the filters that a playbook may name.
_CONCAT = " concat"
SANDBOX.filters[_CONCAT] = join


def compile_expression(source: str) -> Expression:
    """The expression of this text. Raises TemplateFailed that says what is not possible."""
    if len(source) > EXPRESSION_MAX:
        raise TemplateFailed(f"an expression has at most {EXPRESSION_MAX} characters, this one {len(source)}")
    if not source.strip():
        raise TemplateFailed("there is no expression here")
    try:
        parser = Parser(SANDBOX, source, state="variable")
        tree = parser.parse_expression()
        if not parser.stream.eos:
            raise TemplateFailed(f"`{source.strip()}`: unexpected {parser.stream.current.value!s:.40}")
    except TemplateSyntaxError as error:
        raise TemplateFailed(f"`{source.strip()}`: {error.message}") from None
    except (RecursionError, ValueError, OverflowError):
        raise TemplateFailed(f"`{source.strip()[:80]}…`: nested too deeply, or a number is too long") from None
    references = frozenset(_checked(tree, source.strip()))
    roots = {reference.root for reference in references}
    compiled: list[Template] = []

    def run(context: Mapping[str, Any]) -> Any:
        if not compiled:  # most expressions are only checked
            compiled.append(_compiled(tree))
        given = {name: context[name] if name in context else _unknown(name, context) for name in roots}
        inner = compiled[0].new_context(given)
        with bounded_work():
            consume(compiled[0].root_render_func(inner))
        return inner.vars["result"]

    return Expression(source.strip(), references, run)


def _compiled(tree: nodes.Expr) -> Template:
    tree = _ConcatBounded().visit(tree)
    tree.set_environment(SANDBOX)
    body: list[nodes.Node] = [nodes.Assign(nodes.Name("result", "store"), tree, lineno=1)]
    return SANDBOX.from_string(nodes.Template(body, lineno=1))


def _unknown(name: str, context: Mapping[str, Any]) -> Missing:
    return Missing(hint=f"{name!r} is not known here; known: {known(context) or 'nothing'}")


def _checked(tree: nodes.Node, source: str) -> Iterator[Reference]:
    """The names it refers to; raises TemplateFailed for what an expression must not hold."""
    count = 0
    waiting: list[tuple[nodes.Node, int, str | None]] = [(tree, 0, None)]
    while waiting:
        node, depth, inner = waiting.pop()
        count += 1
        if count > NODES_MAX or depth > NESTING_MAX:
            raise TemplateFailed(
                f"`{source[:80]}…`: an expression has at most {NODES_MAX} parts, nested at most {NESTING_MAX} deep"
            )
        wrong = _wrong(node)
        if wrong:
            raise TemplateFailed(f"`{source}`: {wrong}")
        if isinstance(node, nodes.Name):
            yield Reference(node.name, inner)
        waiting.extend((child, depth + 1, _member_of(node)) for child in node.iter_child_nodes())


def _member_of(node: nodes.Node) -> str | None:
    if isinstance(node, nodes.Getattr):
        return node.attr
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
        return node.arg.value
    return None


def _wrong(node: nodes.Node) -> str:
    if not isinstance(node, _ALLOWED):
        return _WHY_NOT.get(type(node), f"{type(node).__name__} is not possible in an expression")
    if isinstance(node, nodes.Name) and (node.ctx != "load" or node.name == "self"):
        return f"{node.name!r} cannot be used"
    named = _member_of(node) or (node.name if isinstance(node, nodes.Name) else "")
    if named.startswith("__"):
        return f"{named!r}: internals cannot be reached"
    if isinstance(node, nodes.Const) and isinstance(node.value, int | float):
        try:
            number(int(node.value) if isinstance(node.value, bool) else node.value)
        except ValueError as error:
            return str(error)
    if isinstance(node, nodes.Filter):
        return _wrong_use("filter", node, FILTERS)
    if isinstance(node, nodes.Test):
        return _wrong_use("test", node, TESTS)
    return ""


def _wrong_use(what: str, node: nodes.Filter | nodes.Test, table: Mapping[str, Callable[..., Any]]) -> str:
    if node.name not in table:
        return (
            f"there is no {what} {node.name[:60]!r}; {did_you_mean(node.name, table) or 'known: ' + ', '.join(table)}"
        )
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        return f"{what} {node.name}: its arguments have to be written out"
    try:
        given: dict[str, None] = {str(pair.key): None for pair in node.kwargs}
        inspect.signature(table[node.name]).bind(None, *(None for _ in node.args), **given)
    except TypeError as error:
        return f"{what} {node.name}: {error}"
    return ""


class _ConcatBounded(NodeTransformer):
    """Makes `a ~ b` a filter of ours, since Jinja's own joins without a bound."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - Jinja finds it by this name
        self.generic_visit(node)
        return nodes.Filter(nodes.List(node.nodes), _CONCAT, [], [], None, None, lineno=node.lineno)
