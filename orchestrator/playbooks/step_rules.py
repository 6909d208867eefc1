"""What must fit together inside one step, by its type. Pure."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.lifecycle import ALIASES, Command, State, parse_command
from orchestrator.playbooks.actions import SELECTORS, selector_fault
from orchestrator.playbooks.fields import NAME_PATTERN, PLAYBOOK_PATTERN
from orchestrator.playbooks.positions import Findings
from orchestrator.playbooks.scopes import Seen
from orchestrator.playbooks.suggestions import did_you_mean

Rule = Callable[[Seen, Findings], None]


def playbook_name(text: str) -> str:
    """The playbook that a name means: `graceful_shutdown.yaml` is `graceful_shutdown`."""
    return re.sub(r"\.ya?ml$", "", text)


def _fixed(value: Any) -> bool:
    """Whether it is a text that is known now."""
    return isinstance(value, str) and bool(value) and "{{" not in value


def _selector(step: Seen, findings: Findings) -> None:
    # The model says so too, but only when no member of the step is wrong by itself.
    fault = selector_fault(step.members)
    if fault:
        findings.error(step.loc, fault)
    for name in SELECTORS:
        value, loc = step.members.get(name), (*step.loc, name)
        if value == []:
            findings.error(loc, "selects nothing", "name what is meant, or leave the step out")
        elif isinstance(value, list):
            for at, item in enumerate(value):
                if _fixed(item) and item in value[:at]:
                    findings.warning((*loc, at), f"{item!r} is given twice")
        elif isinstance(value, str) and value.startswith("@") and name != "target":
            findings.error(loc, f"{value!r} is no {name.rstrip('s')}", 'everything is target: "@all"')


def _command(step: Seen, findings: Findings) -> None:
    command = step.members.get("command")
    if not _fixed(command):
        return
    try:
        parse_command(str(command))
    except ValueError:
        known = [*Command, *ALIASES]
        hint = did_you_mean(str(command), known) or f"the lifecycle has {', '.join(known)}"
        loc = (*step.loc, "command")
        findings.warning(loc, f"{command!r} is no command of the lifecycle: the component has to know it", hint)


def _target_state(step: Seen, findings: Findings) -> None:
    target, fail_on = step.members.get("target_state"), step.members.get("fail_on")
    if target == []:
        findings.error((*step.loc, "target_state"), "is empty: no state is waited for")
    targets = target if isinstance(target, list) else [target]
    for at, state in enumerate(fail_on if isinstance(fail_on, list) else ()):
        if state in targets:
            findings.warning((*step.loc, "fail_on", at), f"{state!r} is waited for, so it does not end the wait")


def _scenario(step: Seen, findings: Findings) -> None:
    name = step.members.get("name")
    if _fixed(name) and not re.fullmatch(PLAYBOOK_PATTERN, playbook_name(str(name))):
        findings.error((*step.loc, "name"), f"{str(name)[:60]!r} is no playbook's name", "a name, not a path")


def _variable(step: Seen, findings: Findings) -> None:
    name, scope = step.members.get("name"), step.members.get("scope", "execution")
    if scope == "execution" and _fixed(name) and not re.fullmatch(NAME_PATTERN, str(name)):
        hint = "letters, digits and _, not beginning with a digit"
        findings.error((*step.loc, "name"), f"{str(name)[:60]!r} is no name of a variable", hint)
    if scope == "execution" and step.members.get("if_revision") is not None:
        findings.error((*step.loc, "if_revision"), "only variables of the cluster have revisions", "scope: plant")


def _request(step: Seen, findings: Findings) -> None:
    url, headers, expect = (step.members.get(name) for name in ("url", "headers", "expect"))
    if _fixed(url) and not re.match(r"https?://[^/\s]", str(url)):
        findings.error((*step.loc, "url"), f"{str(url)[:60]!r} is no address", "it begins with http:// or https://")
    for name, value in headers.items() if isinstance(headers, dict) else ():
        loc = (*step.loc, "headers", name)
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", str(name)):
            findings.error(loc, f"{str(name)[:60]!r} is no name of a header", of_name=True)
        if isinstance(value, str) and any(character in value for character in "\r\n\0"):
            findings.error(loc, "a header has one line")
    for at, status in enumerate(expect if isinstance(expect, list) else ()):
        if isinstance(status, int) and not 100 <= status <= 599:
            findings.error((*step.loc, "expect", at), f"{status} is no HTTP status", "100 to 599")


def _items(step: Seen, findings: Findings) -> None:
    items = step.members.get("items")
    if _fixed(items):
        findings.error(
            (*step.loc, "items"), "is a text, not a list", 'a list, or an expression that gives one: "{{ … }}"'
        )
    if items == []:
        findings.warning((*step.loc, "items"), "is empty: the actions never run")


STEP_RULES: Mapping[str, tuple[Rule, ...]] = {
    "send_command": (_selector, _command),
    "wait_for_state": (_selector, _target_state),
    "set_group_state": (_selector,),
    "execute_scenario": (_scenario,),
    "set_variable": (_variable,),
    "http_request": (_request,),
    "for_each": (_items,),
}
TRIGGER_STATES = (*State, "ONLINE", "OFFLINE", "UNRESPONSIVE", "DEGRADED")
"""What a trigger may wait for that this release knows of."""
