"""A playbook from its YAML text: everything that is wrong at once, each with line, column, member and a hint.

load_text(text, file="startup.yaml")  ->  Loaded(playbook, positions, warnings), or raises PlaybookInvalid
"""

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from orchestrator.errors import PlaybookInvalid
from orchestrator.playbooks import mismatches
from orchestrator.playbooks.models import Playbook
from orchestrator.playbooks.positions import PROBLEMS_MAX, Findings, PlaybookProblem, Positions
from orchestrator.playbooks.reading import read
from orchestrator.playbooks.rules import apply_rules

__all__ = ["Loaded", "PlaybookProblem", "invalid", "load_text"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A playbook that is right. `warnings`: what is possible but hardly meant."""

    playbook: Playbook
    positions: Positions
    warnings: tuple[PlaybookProblem, ...] = ()


def load_text(text: str, *, file: str) -> Loaded:
    """The playbook that the text describes; `file` is only for the messages. Raises PlaybookInvalid."""
    tree = read(text, file)
    positions = tree.positions
    problems = list(tree.problems)
    if not tree.whole or not isinstance(tree.value, dict):
        if not problems:
            problems.append(positions.problem((), "a playbook is a mapping: name:, trigger:, actions:, …"))
        raise invalid(problems)
    _synonyms(tree.value, positions, problems)
    findings = Findings(positions)
    apply_rules(tree.value, findings)
    playbook: Playbook | None = None
    # Too deep or too many: said already, and not worth the work of going through it all.
    if not findings.oversized:
        try:
            playbook = Playbook.model_validate(tree.value)
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)
            # What could not be read has no value that could be right.
            told = {problem.field for problem in problems}
            wrong = mismatches.problems(details[: 4 * PROBLEMS_MAX], tree.value, positions)
            problems += [problem for problem in wrong if problem.field not in told]
        except RecursionError:
            problems.append(positions.problem((), "nested too deeply"))
    problems += findings.errors
    if problems or playbook is None:
        raise invalid(problems)
    return Loaded(playbook, positions, tuple(_in_order(findings.warnings)))


def invalid(problems: list[PlaybookProblem]) -> PlaybookInvalid:
    """The error that holds them: at most 100, in the order of the file, one for each member."""
    ordered = _in_order(problems)
    shown = ordered[:PROBLEMS_MAX]
    lines = [str(problem) for problem in shown]
    if len(ordered) > len(shown):
        lines.append(f"and {len(ordered) - len(shown)} more")
    return PlaybookInvalid("\n".join(lines), errors=[problem.document() for problem in shown])


def _in_order(problems: list[PlaybookProblem]) -> list[PlaybookProblem]:
    unique = {(one.line, one.column, one.field, one.message): one for one in problems}
    return sorted(unique.values(), key=lambda one: (one.file, one.line, one.column, one.field))


def _synonyms(tree: dict[str, Any], positions: Positions, problems: list[PlaybookProblem]) -> None:
    """`triggers` is read as `trigger`."""
    if "triggers" not in tree:
        return
    if "trigger" in tree:
        problems.append(positions.problem(("triggers",), "trigger is given too", "keep one of the two", of_name=True))
        del tree["triggers"]
        return
    tree["trigger"] = tree.pop("triggers")
    for places in (positions.names, positions.values):
        for loc in [loc for loc in places if loc[:1] == ("triggers",)]:
            places["trigger", *loc[1:]] = places[loc]
